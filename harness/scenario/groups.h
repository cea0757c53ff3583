/* SPDX-License-Identifier: MIT */
/* The cgroups of a scenario's tree. */
#ifndef OOMLAB_SCENARIO_GROUPS_H
#define OOMLAB_SCENARIO_GROUPS_H

#include "harness/scenario/bind.h"

#include <stdbool.h>
#include <stddef.h>

#define GROUP_PATHS_MAX 128

/* Will there be a group of that path? Parents of groups that are named are made too, and what a profile has. */
bool group_exists(const struct binder *b, const char *path);

/*
 * "app.memory.max" -> length of the longest path in front of a dot that is a
 * group, 0 when none is: names of groups and of keys both may have dots.
 */
size_t group_prefix(const struct binder *b, const char *text);

/*
 * Paths of the groups that are named, and of those that their profiles have
 * below them, NULL at the end. Valid until the next call.
 */
void group_paths(struct binder *b, const char *ret_paths[GROUP_PATHS_MAX + 1]);

#endif
