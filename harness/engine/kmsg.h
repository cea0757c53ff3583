/* SPDX-License-Identifier: MIT */
/* The kernel log as a witness: /dev/kmsg (Documentation/ABI/testing/dev-kmsg). */
#ifndef OOMLAB_ENGINE_KMSG_H
#define OOMLAB_ENGINE_KMSG_H

#include "harness/engine/recorder.h"
#include "harness/oracle/oomreport.h"

#include <stdint.h>

struct kmsg {
	int fd;          /* -1: not readable here, then there is no such witness */
	uint64_t lost;   /* times the log was overwritten before it was read */
	bool timed;      /* kmsg_mark() has been: skew_ns is known */
	int64_t skew_ns; /* what the trial's clock is ahead of the log's stamps, or behind (negative) */
	int64_t event_ns; /* while seen() is called: when the kernel stamped that line, on the trial's clock; -1: unknown */
	struct oom_parser parser;
};

/* Opens the log at its end. Returns 0 or -errno (the trial goes on without). */
int kmsg_open(struct kmsg *k);

/* Writes a line of ours into the log, so that from here on its stamps are known on the trial's clock. */
void kmsg_mark(struct kmsg *k, const struct recorder *rec);

/* Called for each OOM event with the parser that holds its details. */
typedef void (*kmsg_seen)(void *arg, enum oom_event event, const struct oom_parser *parser);

/* Reads all that is there, without blocking, into the record. */
void kmsg_read(struct kmsg *k, struct recorder *rec, kmsg_seen seen, void *arg);

void kmsg_close(struct kmsg *k);

#endif
