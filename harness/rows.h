/* SPDX-License-Identifier: MIT */
/* The rows of facts (harness/rows.def) that a scenario's `source` says it proves. */
#ifndef OOMLAB_HARNESS_ROWS_H
#define OOMLAB_HARNESS_ROWS_H

#include <jansson.h>
#include <stddef.h>

/* The i-th row's name, with its fact in a line; NULL past the end. */
const char *row_at(size_t i, const char **ret_fact);

/* "article, rows A1, A2 and D6-D8" -> ["A1", "A2", "D6", "D7", "D8"], in the order of the table, each once. */
json_t *rows_in(const char *source);

#endif
