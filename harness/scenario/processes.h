/* SPDX-License-Identifier: MIT */
/* The processes of the tree by the names that they have in the trial: `count` makes several of one. */
#ifndef OOMLAB_SCENARIO_PROCESSES_H
#define OOMLAB_SCENARIO_PROCESSES_H

#include "harness/scenario/bind.h"

#define PROCESSES_MAX 64

/* All of them, NULL at the end; valid until the next call. */
void process_names(struct binder *b, const char *ret_names[PROCESSES_MAX + 1]);

/* What the tree has of the process with that name; NULL. */
struct fy_node *process_node(const struct binder *b, const char *name);

#endif
