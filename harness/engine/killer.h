/* SPDX-License-Identifier: MIT */
/* A user-space killer in a trial: it is ready before the others start, and what it does is seen. */
#ifndef OOMLAB_ENGINE_KILLER_H
#define OOMLAB_ENGINE_KILLER_H

#include "harness/engine/trial.h"

/* The trial's killer; NULL: it has none. */
struct process *killer_of(struct trial_run *t);

/* Makes its own group and opens the trace of signals. A kernel without such a trace is noted, no error. */
int killer_setup(struct trial_run *t, struct err *e);

/* Is it waited for? Sets t->failure where it ended or took too long. */
bool killer_awaited(struct trial_run *t);

/* When the waiting is over, on the trial's clock. */
uint64_t killer_deadline(const struct trial_run *t);

/* Records the signals that it has sent since. */
void killer_look(struct trial_run *t);

#endif
