/* SPDX-License-Identifier: MIT */
/* Everything an expectation can be about, by name, and how it follows from the record. */
#ifndef OOMLAB_HARNESS_METRICS_H
#define OOMLAB_HARNESS_METRICS_H

#include "harness/record.h"
#include "harness/scenario/names.h"

enum metric_scope { METRIC_PROCESS, METRIC_CGROUP, METRIC_SYSTEM, METRIC_TRIAL, METRIC_SCOPES };

struct metric {
	const char *name;
	enum metric_unit unit;
	const char *about;
};

/* The i-th metric of a scope, NULL past the last. */
const struct metric *metric_at(enum metric_scope scope, size_t i);

/* By its full name: "hog.touched", "cgroup.a/b.peak", "system.mem_total", "victim"; NULL: none. */
const struct metric *metric_find(const char *full_name);

/*
 * The object `metrics` of result.json by full names; what is not known is null.
 * processes and victims are those of result.json.
 */
json_t *metrics_compute(const struct record *r, const json_t *spec, const json_t *processes,
			const json_t *victims);

#endif
