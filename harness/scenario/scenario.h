/* SPDX-License-Identifier: MIT */
/* A scenario: a YAML file and what the command line lays over it, as the specs of its cells. */
#ifndef OOMLAB_SCENARIO_H
#define OOMLAB_SCENARIO_H

#include "harness/scenario/complaints.h"
#include "harness/scenario/names.h"

#include <jansson.h>
#include <stddef.h>
#include <stdio.h>

/* From the command line. A value laid over a path that is an axis replaces the axis. */
struct scenario_options {
	const char *const *sets; /* "PATH=VALUE", VALUE in flow YAML */
	size_t set_count;
	const char *const *matrices; /* "PATH=V1,V2" */
	size_t matrix_count;
	const char *const *kernels; /* one is set, several become the axis machine.kernel */
	size_t kernel_count;
	const char *place; /* --place, NULL: as the scenario says */
};

struct scenario;

/*
 * Reads a scenario and checks every cell. 0, or -EINVAL with all that is wrong
 * in c. options may be NULL. c may serve any number of files.
 */
int scenario_load(const char *path, const struct scenario_options *options, const struct names *known,
		  struct complaints *c, struct scenario **ret);

void scenario_free(struct scenario *s);

const char *scenario_path(const struct scenario *s); /* as it was given */
const char *scenario_name(const struct scenario *s);
const char *scenario_about(const struct scenario *s);  /* "" when there is none */
const char *scenario_source(const struct scenario *s); /* likewise */
const char *scenario_place(const struct scenario *s);  /* "host" or "guest": the same for all cells */

size_t scenario_cells(const struct scenario *s);
/* Its id: safe as a directory's name, unique in the scenario; "all" without a matrix. */
const char *scenario_cell(const struct scenario *s, size_t cell);
/* docs/records.md; lives as long as s. Its "axes" go from label to text, in order. */
json_t *scenario_spec(const struct scenario *s, size_t cell);

/* The table of keys in Markdown: key, value, default, what it is. docs/scenario.md holds it. */
void scenario_keys_print(FILE *to);

#endif
