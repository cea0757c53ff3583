/* SPDX-License-Identifier: MIT */
/* Several run directories of one plan, read and checked, and the files of one that holds them all. */
#ifndef OOMLAB_HARNESS_MERGE_H
#define OOMLAB_HARNESS_MERGE_H

#include "lib/err.h"

#include <jansson.h>
#include <stddef.h>

struct merge {
	const char *const *dirs;
	size_t count;
	json_t *plan;    /* run.json's, the same in all of them */
	json_t *parts;   /* run.json's */
	json_t *results; /* result.json's in the order of the plan */
	json_t *where;   /* their directories within the run directory */
	json_t *missing; /* directories of the trials that no part has, likewise */
	/* while reading, by a trial's directory */
	json_t *slots; /* all of the plan: [cell, trial] */
	json_t *owner; /* index of the part that has it */
	json_t *found; /* its result.json */
};

/*
 * -EINVAL and others with what is wrong, and where, when one of them is no run,
 * is of another plan, or has a trial that another one has too. dirs must
 * outlive the merge; merge_free() is due in any case.
 */
int merge_read(const char *const *dirs, size_t count, struct merge *ret, struct err *e);
void merge_free(struct merge *m);

/* All trials' files below to, linked or copied. -EINTR when a blocked SIGINT, SIGTERM or SIGHUP waits. */
int merge_files(const struct merge *m, const char *to, struct err *e);

#endif
