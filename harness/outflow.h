/* SPDX-License-Identifier: MIT */
/* What a process prints, from the black box of a trial that runs, to standard output and standard error. */
#ifndef OOMLAB_HARNESS_OUTFLOW_H
#define OOMLAB_HARNESS_OUTFLOW_H

#include "lib/blackbox.h"

struct outflow {
	struct blackbox box; /* open once the trial has begun */
	const struct bb_record *last;
	int fds[2];   /* where to */
	int error[2]; /* errno of the write that failed: nothing more goes there */
};

/* Writes what has come since the last call. False while there is no trial in the box yet. */
bool outflow_run(struct outflow *o, const char *box_path);

void outflow_close(struct outflow *o);

#endif
