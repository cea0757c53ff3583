/* SPDX-License-Identifier: MIT */
/* The programs of a spec's processes (exec: and malloc:), with all they need, as a file system for a guest. */
#ifndef OOMLAB_PLACES_PROGRAMS_H
#define OOMLAB_PLACES_PROGRAMS_H

#include "lib/err.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#define PROGRAMS_FILLER "debugfs"

/* Does any of its processes have a program of its own? */
bool programs_wanted(const json_t *spec);

/* The process that is the spec's killer; NULL: it has none. */
const json_t *programs_killer(const json_t *spec);

/*
 * Fetches what its killer is made of, if it is not in the cache: 0, or -EOPNOTSUPP with the reason. It is tried once
 * for each killer.
 */
int programs_fetch(const json_t *spec, struct err *why);

/* 0, or -EOPNOTSUPP with the reason: a malloc library that is not installed, and the package that brings it. */
int programs_there(const json_t *spec, struct err *why);

/* 0, or -EOPNOTSUPP with the reason: a program that a kernel of that many bits cannot run. */
int programs_fit(const json_t *spec, int kernel_bits, struct err *why);

/*
 * A descriptor of the image, the same bytes for the same files, made once for
 * each different set of programs: it stays as it is and belongs to this process
 * until that ends. An error names the program and what it lacks.
 */
int programs_image(const json_t *spec, uint64_t *ret_bytes, struct err *e);

#endif
