/* SPDX-License-Identifier: MIT */
/* Deterministic trials of one cell held against each other: all their files are to be the same. */
#ifndef OOMLAB_HARNESS_DETERMINISM_H
#define OOMLAB_HARNESS_DETERMINISM_H

#include "harness/runner.h"

#define DIFFERENCE_MAX 512

/*
 * The first difference between the files of two trials, in the order of their
 * names, as "system.csv:12 differs"; "" when there is none. The trial's number
 * in result.json does not count. -errno when a file cannot be read.
 */
int determinism_compare(const char *dir, const char *other, char ret[DIFFERENCE_MAX], struct err *e);

/*
 * Compares every judged trial of a deterministic cell with the first one of the
 * cell. One that differs becomes broken, in its job and in its result.json.
 * jobs stand in the order of their cells, run_dir is the run directory.
 */
int determinism_check(struct job *jobs, size_t count, const char *run_dir, struct err *e);

#endif
