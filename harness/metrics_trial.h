/* SPDX-License-Identifier: MIT */
/* What is known of a trial as a whole. */
#ifndef OOMLAB_HARNESS_METRICS_TRIAL_H
#define OOMLAB_HARNESS_METRICS_TRIAL_H

#include "harness/record.h"

/* A metric of METRIC_TRIAL by its name; null: not known, or not from the record alone. victims is that of result.json. */
json_t *trial_value(const struct record *r, const json_t *victims, const char *name);

#endif
