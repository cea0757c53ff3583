/* SPDX-License-Identifier: MIT */
/* What an expectation holds against what: metrics by name, amounts, and sums of both. */
#ifndef OOMLAB_SCENARIO_BOUND_H
#define OOMLAB_SCENARIO_BOUND_H

#include "harness/scenario/bind.h"

/* "no WHAT 'wrong'; did you mean ...; there is: ..." into why; false. */
bool name_unknown(const char *what, const char *wrong, const char *const *names, char why[WHY_MAX]);

/* The unit of the metric with that full name, or false and why there is none. */
bool metric_unit(struct binder *b, const char *text, enum metric_unit *ret_unit, char why[WHY_MAX]);

/* A number in base units: what the metric's unit takes, anything for METRIC_ANY; NULL when it is none. */
json_t *bound_amount(enum metric_unit unit, const char *text);

/* How such an amount is written. */
const char *bound_allowed(enum metric_unit unit);

/*
 * What min, max or near holds a metric of b->unit against: an amount as a number,
 * or a sum of metrics and amounts as a list, ["system.mem_total", "-", 1048576].
 * NULL and why it is neither.
 */
json_t *bound_value(struct binder *b, const char *text, char why[WHY_MAX]);

#endif
