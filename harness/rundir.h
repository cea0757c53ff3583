/* SPDX-License-Identifier: MIT */
/* The run directory: made when the first trial is due, never left half-made by bad input. */
#ifndef OOMLAB_HARNESS_RUNDIR_H
#define OOMLAB_HARNESS_RUNDIR_H

#include "lib/files.h"

#include <jansson.h>

struct rundir {
	char path[PATH_LEN_MAX];  /* absolute */
	char shown[PATH_LEN_MAX]; /* as the user sees it */
	char started[32];         /* UTC, ISO 8601 */
	bool made;                /* by us: then it may be taken away again */
};

/*
 * out: --out, or NULL for results/runs/<UTC time>-<name> below the working
 * directory. -ENOTEMPTY, -ENOTDIR, -EACCES, ... with the path in e.
 */
int rundir_make(const char *out, const char *name, struct rundir *ret, struct err *e);

/*
 * For a run that is to appear whole or not at all: a directory beside out,
 * ".NAME.merging.N"; d->path is that one until rundir_publish() has made it out.
 */
int rundir_stage(const char *out, struct rundir *ret, struct err *e);
int rundir_publish(struct rundir *d, const char *out, struct err *e);

/* Takes it away again, for an invocation that turns out not to run at all. */
void rundir_discard(struct rundir *d);

/* Writes run.json: version, host, arguments, counts of verdicts, where the results are. */
int rundir_finish(const struct rundir *d, const json_t *run, struct err *e);

/* The start of run.json; the caller adds what is known at the end. */
json_t *rundir_describe(const struct rundir *d, int argc, char **argv);

#endif
