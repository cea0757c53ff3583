/* SPDX-License-Identifier: MIT */
/*
 * Children of the trial's processes, and theirs: found at a tick after their parent has run, sampled from then on like
 * processes of the scenario. Those that a thread other than the first forked are not found.
 */
#ifndef OOMLAB_ENGINE_CHILDREN_H
#define OOMLAB_ENGINE_CHILDREN_H

#include "harness/engine/trial.h"

/* The process has run: has it, or whom that sampler is of, new children? */
void children_look(struct trial_run *t, const struct process_sampler *parent, unsigned int process);

/* Samples of all of them, now; whole as of process_sampler_read(). */
void children_sample(struct trial_run *t, bool record, bool whole);

/* Index of the process whose child, or child's child, has that pid; -1: none. */
int children_parent(const struct trial_run *t, int64_t pid);

void children_close(struct trial_run *t);

#endif
