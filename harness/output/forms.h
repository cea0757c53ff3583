/* SPDX-License-Identifier: MIT */
/* The forms, one a file. */
#ifndef OOMLAB_OUTPUT_FORMS_H
#define OOMLAB_OUTPUT_FORMS_H

#include "harness/output/output.h"

extern const struct output output_table;
extern const struct output output_tap;
extern const struct output output_json;

#endif
