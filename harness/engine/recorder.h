/* SPDX-License-Identifier: MIT */
/* The engine's pen: events and samples into the black box, stamped with the trial's clock. */
#ifndef OOMLAB_ENGINE_RECORDER_H
#define OOMLAB_ENGINE_RECORDER_H

#include "lib/blackbox.h"
#include "lib/clock.h"
#include "lib/jsonw.h"

#define EVENT_BYTES_MAX 8192

struct recorder {
	struct blackbox *box;
	uint64_t start_ns; /* CLOCK_MONOTONIC */
	struct jsonw json;
	char buf[EVENT_BYTES_MAX];
};

void recorder_init(struct recorder *r, struct blackbox *box);

/* Nanoseconds since recorder_init(). */
uint64_t recorder_now(const struct recorder *r);

/* event_begin() opens {"event": name; add members with jsonw_*(); event_end() appends it. */
struct jsonw *event_begin(struct recorder *r, const char *name);
void event_end(struct recorder *r);

#endif
