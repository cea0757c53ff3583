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

/* Text in that style, where there are colours. */
void output_styled(FILE *out, const struct output_options *o, const char *style, const char *text);

/* What failed, then why what did not take place did not; nothing where all passed. */
void output_failures(FILE *out, const json_t *results, const struct output_options *o);

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

/* Of a scenario with a user-space killer who killed whom, when, with how much left; nothing of any other. -ENOMEM. */
int output_kills(FILE *out, const json_t *results, const char *scenario, const struct output_options *o,
		 size_t width);

#endif
