/* SPDX-License-Identifier: MIT */
#ifndef OOMLAB_SCENARIO_TRIGGERS_H
#define OOMLAB_SCENARIO_TRIGGERS_H

#include "harness/scenario/bind.h"

/* No process of the list may wait for its own start, by itself or through others. */
void triggers_check(struct binder *b, struct fy_node *node, const json_t *list);

#endif
