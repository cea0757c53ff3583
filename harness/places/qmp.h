/* SPDX-License-Identifier: MIT */
/* A conversation with one QEMU over its machine protocol (QMP): one JSON value a line, events in between. */
#ifndef OOMLAB_PLACES_QMP_H
#define OOMLAB_PLACES_QMP_H

#include "lib/err.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define QMP_NO_DEADLINE UINT64_MAX

struct qmp {
	int fd;
	/* what the events, and answers to query-status, told so far */
	bool stopped;       /* STOP, or not running, and no RESUME since */
	bool panicked;      /* GUEST_PANICKED, and no RESUME since */
	char migration[32]; /* last status of a MIGRATION event; "": none */
	size_t len;
	char buf[16 << 10];
};

/*
 * Takes the connection over and leaves negotiation mode. All functions here take
 * a deadline on clock_ns() and return 0, -ETIMEDOUT, -EPIPE when QEMU has ended,
 * or -EPROTO with what it said.
 */
int qmp_begin(struct qmp *q, int fd, uint64_t deadline_ns, struct err *e);

/* Executes a command and waits for its answer. arguments (NULL: none) are taken over; fd goes with it, -1: none. */
int qmp_command(struct qmp *q, const char *name, json_t *arguments, int fd, uint64_t deadline_ns,
		struct err *e);

/* Reads events until is() holds. */
int qmp_wait(struct qmp *q, bool (*is)(const struct qmp *q), uint64_t deadline_ns, struct err *e);

#endif
