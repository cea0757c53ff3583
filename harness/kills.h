/* SPDX-License-Identifier: MIT */
/* Everybody who was killed in a trial, by the kernel or a user-space killer, in time, and how much memory was left. */
#ifndef OOMLAB_HARNESS_KILLS_H
#define OOMLAB_HARNESS_KILLS_H

#include "harness/record.h"

/* The array `kills` of result.json (docs/records.md). */
json_t *kills_list(const struct record *r, const json_t *spec, const struct blackbox *box);

/* The metrics that follow from it: first_kill.*, killer.*. */
void kills_say(json_t *metrics, const json_t *kills, const json_t *spec);

#endif
