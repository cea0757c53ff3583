/* SPDX-License-Identifier: MIT */
/* The limits that a cgroup may have, for those who read what a person has written. */
#ifndef OOMLAB_HARNESS_LIMIT_NAMES_H
#define OOMLAB_HARNESS_LIMIT_NAMES_H

#include "harness/scenario/names.h"

/* All of cgroups/, ended by one without a name. */
const struct cgroup_key_name *limit_names(void);

#endif
