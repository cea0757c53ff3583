/* SPDX-License-Identifier: MIT */
/* What the actions of oomlab kernels share. */
#ifndef OOMLAB_HARNESS_VERB_KERNELS_H
#define OOMLAB_HARNESS_VERB_KERNELS_H

#include "guest/kernels.h"
#include "harness/verbs.h"

#include <jansson.h>
#include <stdbool.h>

#define KERNELS_VERB "kernels"

struct kernels_options {
	bool json, all, refresh, help;
	const char *source; /* a row's name; NULL: the first */
	char **names;
	int count;
};

/* Prints and frees it. */
void kernels_print_json(json_t *value);

/* A name of the list: 0, or what kernels_row() or built_parse() complain about. */
int kernels_check_name(const struct kernel_table *table, const char *name, struct err *e);

/* The action diff; an exit status. */
int kernels_diff(const struct kernels_options *o);

#endif
