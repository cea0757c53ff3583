/* SPDX-License-Identifier: MIT */
/* The forms, one a file. */
#ifndef OOMLAB_OUTPUT_FORMS_H
#define OOMLAB_OUTPUT_FORMS_H

#include "harness/output/output.h"
#include "lib/units.h"

#include <stdbool.h>

extern const struct output output_table;
extern const struct output output_tap;
extern const struct output output_json;

/* For people: SGR numbers of a verdict. */
const char *output_style(const char *verdict);

/*
 * A number in the unit that an expectation's text has, before any metric's name
 * in parentheses: the value itself does not say whether it is bytes or
 * nanoseconds. False: there is none.
 */
bool output_measure(const json_t *value, const char *wanted, char ret[UNITS_TEXT_MAX]);

/* Where kernels differ, as a table in that width; nothing in a run with one. -ENOMEM. */
int output_kernels(FILE *out, const json_t *results, const struct output_options *o, size_t width);

/* The metrics of expectations that leave room, cell by cell; nothing for several scenarios or kernels. -ENOMEM. */
int output_measured(FILE *out, const json_t *results, const struct output_options *o, size_t width);

#endif
