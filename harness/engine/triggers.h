/* SPDX-License-Identifier: MIT */
/* What starts and stops a process while the trial runs: a time, or what another process has come to. */
#ifndef OOMLAB_ENGINE_TRIGGERS_H
#define OOMLAB_ENGINE_TRIGGERS_H

#include "lib/err.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

enum trigger_kind {
	TRIGGER_NONE,
	TRIGGER_TIME,
	TRIGGER_PHASE,
	TRIGGER_ENDED,
	TRIGGER_ALLOCATED,
	TRIGGER_TOUCHED,
	TRIGGER_RSS,
};

/* As the spec has it. */
struct trigger {
	enum trigger_kind kind;
	unsigned int after; /* index of the process that it is about */
	uint64_t amount;    /* bytes, or the phase */
	uint64_t at_ns;     /* since that; of TRIGGER_TIME since the processes started */
	int signal;         /* of a stop */
};

/* How far it has come. */
struct trigger_state {
	bool met, fired;
	uint64_t due_ns; /* on the trial's clock, once it is met */
};

struct trial_run;

/* "start" or "stop" of the index-th process of the spec's list; -EINVAL names what is wrong. */
int trigger_parse(const json_t *processes, size_t index, const char *key, struct trigger *ret, struct err *e);

/* Starts and stops what is due. True when a new time has become known: the alarm must be set again. */
bool triggers_look(struct trial_run *t);

/* When the next of them is due, on the trial's clock; UINT64_MAX: not known. */
uint64_t triggers_next(const struct trial_run *t);

/* Is there a process that waits for its start, and may that still come? */
bool triggers_open(const struct trial_run *t);

#endif
