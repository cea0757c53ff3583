/* SPDX-License-Identifier: MIT */
/*
 * Whom the OOM killer should have chosen first in a trial, by the oracle, beside whom it chose: once from the last
 * samples before, which are up to a tick old, and once from the table in the kernel's own report, which is exact.
 */
#ifndef OOMLAB_HARNESS_PREDICTION_H
#define OOMLAB_HARNESS_PREDICTION_H

#include "harness/record.h"

/* The member `oracle` of result.json (docs/records.md); null when nobody was killed. */
json_t *prediction(const struct record *r, const json_t *spec, const struct blackbox *box);

#endif
