/* SPDX-License-Identifier: MIT */
/* Malloc libraries by name (harness/allocators.def), and where this machine has them. */
#ifndef OOMLAB_HARNESS_ALLOCATORS_H
#define OOMLAB_HARNESS_ALLOCATORS_H

#include "harness/scenario/names.h"
#include "lib/files.h"

/* All of them; the list ends with a NULL name, and is the same at each call. */
const struct allocator_name *allocators(void);

/* What the i-th one is, in a few words. */
const char *allocator_about(size_t i);

#endif
