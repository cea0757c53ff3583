/* SPDX-License-Identifier: MIT */
/* An OOM report and what it means as JSON: docs/explain.md has the members. */
#ifndef OOMLAB_HARNESS_EXPLAIN_JSON_H
#define OOMLAB_HARNESS_EXPLAIN_JSON_H

#include "harness/oracle/report.h"

#include <jansson.h>
#include <stdbool.h>

/* all_models: with whom every version of the score would have chosen. NULL: out of memory. */
json_t *explain_json(const struct oom_report *r, bool all_models);

#endif
