/* SPDX-License-Identifier: MIT */
/*
 * Paths into a scenario ("sysctl.vm.overcommit_memory", "processes.hog.run.0")
 * and values laid over it. Names have dots themselves: in a mapping the longest
 * key wins that is the rest of the path or is followed by a dot in it.
 */
#ifndef OOMLAB_SCENARIO_PATH_H
#define OOMLAB_SCENARIO_PATH_H

#include "harness/scenario/bind.h"

#include <libfyaml.h>

/* The node at path, NULL when it names nothing. */
struct fy_node *path_find(struct fy_node *root, const char *path);

/*
 * Puts a copy of value at path, over what is there or, where the table of keys
 * allows it, as something new. -EINVAL with why: what the path lacks, and what
 * there is.
 */
int path_lay(struct binder *b, struct fy_document *doc, const char *path, struct fy_node *value,
	     char why[WHY_MAX]);

#endif
