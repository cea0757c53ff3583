/* SPDX-License-Identifier: MIT */
/* A trial's record held against what its scenario expected: result.json. */
#ifndef OOMLAB_HARNESS_VERDICT_H
#define OOMLAB_HARNESS_VERDICT_H

#include "lib/err.h"

#include <jansson.h>

/* One expectation of a spec against the metrics: an element of result.json's `expectations`. */
json_t *verdict_expectation(const json_t *expect, const json_t *metrics);

/*
 * result.json of a trial that took place or broke. box_path may name a box that
 * was never sealed: what is in it counts. broken: NULL, or why the trial is not
 * to be judged. -errno when the box cannot be read at all.
 */
int verdict_result(const json_t *spec, const char *box_path, const char *place, int trial, const char *broken,
		   json_t **ret, struct err *e);

/* result.json of a trial that did not take place: verdict "skip" or "broken", and why. */
json_t *verdict_without_trial(const json_t *spec, const char *place, int trial, const char *verdict,
			      const char *reason);

#endif
