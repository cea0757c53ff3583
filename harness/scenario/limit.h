/* SPDX-License-Identifier: MIT */
/* What is written into the file of a cgroup, as people write it. */
#ifndef OOMLAB_SCENARIO_LIMIT_H
#define OOMLAB_SCENARIO_LIMIT_H

#include "harness/scenario/names.h"
#include "lib/units.h"

#include <jansson.h>

#define LIMIT_BYTES_ALLOWED SIZE_ALLOWED "; or N%, or max"

/* A new text as a spec has it: sizes in decimal bytes, N% and max as they are. NULL: text is none of that kind; *ret_allowed says what is. */
json_t *limit_value(const char *text, enum cgroup_value kind, const char **ret_allowed);

#endif
