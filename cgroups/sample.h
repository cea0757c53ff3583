/* SPDX-License-Identifier: MIT */
/* A group's counters at each tick, under one set of names for both versions. */
#ifndef OOMLAB_CGROUPS_SAMPLE_H
#define OOMLAB_CGROUPS_SAMPLE_H

#include "cgroups/cgroups.h"
#include "lib/fields.h"

#define CG_COLUMNS_MAX 40
#define CG_FILES_MAX   8

struct cg_sampler {
	int fd[CG_FILES_MAX];
	int version;
	size_t columns;
	struct field fields[CG_COLUMNS_MAX];
};

/* Names of the columns, in order; NULL past the last. Bytes, counts, nanoseconds. */
const char *cg_column(size_t i);

/* Opens the group's files. Files that this kernel lacks stay empty columns. */
int cg_sampler_open(const struct cg_system *sys, const char *path, struct cg_sampler *ret, struct err *e);

/* One row: as many values as there are columns; `missing` where there is none. Allocates nothing. */
void cg_sampler_read(struct cg_sampler *s, int64_t missing, int64_t *values);

void cg_sampler_close(struct cg_sampler *s);

#endif
