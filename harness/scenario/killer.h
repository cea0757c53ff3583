/* SPDX-License-Identifier: MIT */
/* A user-space killer (`killer:`): by name or as a program of the user's, it becomes one more process of the spec. */
#ifndef OOMLAB_SCENARIO_KILLER_H
#define OOMLAB_SCENARIO_KILLER_H

#include "harness/scenario/bind.h"

/* The name of that process, reserved. */
#define KILLER_NAME "killer"

/* Does the cell's tree have the key, be it none? Then the killer's metrics may be asked for. */
bool killer_given(const struct binder *b);

#endif
