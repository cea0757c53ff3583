/* SPDX-License-Identifier: MIT */
#ifndef OOMLAB_SCENARIO_SETTINGS_H
#define OOMLAB_SCENARIO_SETTINGS_H

#include "harness/scenario/bind.h"

/* What the settings of a process must be among each other, and what follows from them. */
void settings_complete(struct binder *b, struct fy_node *node, json_t *process);

#endif
