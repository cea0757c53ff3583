/* SPDX-License-Identifier: MIT */
/* How each process ended and who was killed, from three witnesses held against each other. */
#ifndef OOMLAB_HARNESS_OUTCOME_H
#define OOMLAB_HARNESS_OUTCOME_H

#include "harness/record.h"

/* Names of all outcomes, NULL-terminated. */
extern const char *const outcome_names[];

/* The array `processes` of result.json, without metrics. */
json_t *outcome_processes(const struct record *r, const json_t *spec);

/*
 * The array `victims` of result.json, in the order of the kernel log. Where the
 * witnesses disagree, *ret_disagreement (else NULL) is a text with all three, to be freed.
 */
json_t *outcome_victims(const struct record *r, const json_t *spec, char **ret_disagreement);

#endif
