/* SPDX-License-Identifier: MIT */
/*
 * Who sent which signal to whom: the tracepoint signal_generate, in an instance of tracefs of the trial's own
 * (Documentation/trace/ftrace.rst, include/trace/events/signal.h). Its stamps are on the trial's clock.
 */
#ifndef OOMLAB_ENGINE_SIGNALS_H
#define OOMLAB_ENGINE_SIGNALS_H

#include "lib/err.h"

#include <stdbool.h>
#include <stdint.h>

#define SIGNALS_COMM_MAX 32

struct signal_sent {
	char sender_comm[SIGNALS_COMM_MAX], comm[SIGNALS_COMM_MAX];
	int sender, pid; /* threads' ids */
	int signal;
	int code;      /* SI_USER, 0, or less: by a process; more: by the kernel */
	uint64_t t_ns; /* CLOCK_MONOTONIC */
};

/*
 * "  earlyoom-84  [000] d..1.  12.345678: signal_generate: sig=15 errno=0 code=0 comm=leak pid=85 grp=1 res=0";
 * false: it is no such line. Names may hold what looks like the rest of the line, at either place.
 */
bool signals_parse(const char *line, struct signal_sent *ret);

/* A descriptor to read lines from without blocking; -errno: this kernel has none. */
int signals_open(struct err *e);

#endif
