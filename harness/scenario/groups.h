/* SPDX-License-Identifier: MIT */
/* The cgroups of a scenario's tree. */
#ifndef OOMLAB_SCENARIO_GROUPS_H
#define OOMLAB_SCENARIO_GROUPS_H

#include <libfyaml.h>
#include <stdbool.h>
#include <stddef.h>

#define GROUP_PATHS_MAX 128

/* Will there be a group of that path? Parents of groups that are named are made too. */
bool group_exists(struct fy_node *root, const char *path);

/*
 * "app.memory.max" -> length of the longest path in front of a dot that is a
 * group, 0 when none is: names of groups and of keys both may have dots.
 */
size_t group_prefix(struct fy_node *root, const char *text);

/* Paths of the groups that are named, NULL at the end. */
void group_paths(struct fy_node *root, const char *ret_paths[GROUP_PATHS_MAX + 1]);

#endif
