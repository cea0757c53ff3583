/* SPDX-License-Identifier: MIT */
/* What oomlab-stress says of itself. It is executed, never linked. */
#ifndef OOMLAB_HARNESS_STRESSORS_H
#define OOMLAB_HARNESS_STRESSORS_H

#include "lib/err.h"

#include <jansson.h>
#include <stddef.h>

/* The array `stressors` of what `oomlab-stress --list --json` prints. */
int stressors_list(json_t **ret, struct err *e);

/* Does oomlab-stress take these words (argv[0]: the stressor's name)? 0, or -EINVAL with its own complaint in
 * why. */
int stressors_check(const char *const *argv, char *why, size_t room);

/* Replaces this process by oomlab-stress with these arguments; returns only on failure. */
int stressors_exec(char **argv, struct err *e);

#endif
