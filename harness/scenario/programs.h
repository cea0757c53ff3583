/* SPDX-License-Identifier: MIT */
/* Processes that are a program: one of the user's by exec, or a stressor with a malloc library. */
#ifndef OOMLAB_SCENARIO_PROGRAMS_H
#define OOMLAB_SCENARIO_PROGRAMS_H

#include "harness/scenario/bind.h"

/* What a program gets beside its own env. It is looked for there, too: the same on every machine, for every user. */
#define PROGRAM_PATH "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

/*
 * One process whose keys are bound: complains unless it has either run or exec,
 * and of exec, and of run with malloc, adds "program", its file, and the whole of its environment.
 */
void program_complete(struct binder *b, struct fy_node *node, json_t *process);

#endif
