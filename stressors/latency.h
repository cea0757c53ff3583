/* SPDX-License-Identifier: MIT */
/*
 * How long something took, a great many times: a histogram whose buckets are 32 to
 * each power of two, so that any duration is known to 1/32 of itself in a fixed 15 KiB,
 * and counting one allocates nothing.
 */
#ifndef OOMLAB_STRESSORS_LATENCY_H
#define OOMLAB_STRESSORS_LATENCY_H

#include "stressors/stressor.h"

#define LATENCY_STEPS   32 /* to a power of two */
#define LATENCY_BUCKETS ((64 - 5 + 1) * LATENCY_STEPS)

struct latency {
	uint64_t count;
	uint64_t max_ns;
	uint64_t buckets[LATENCY_BUCKETS];
};

/* Rows for a stressor's values; what is something like "one access". */
#define LATENCY_VALUES(what)                                                                                 \
	{ "p50", "ns", "half of all took at most that: " what }, { "p90", "ns", "9 of 10" },                 \
		{ "p99", "ns", "99 of 100" }, { "p999", "ns", "999 of 1000" },                               \
	{                                                                                                    \
		"max", "ns", "the longest"                                                                   \
	}

void latency_add(struct latency *l, uint64_t ns);

/*
 * What per_mille of all took at most: the end of the bucket that the last of
 * them is in, never more than the longest. 0 when there is none.
 */
uint64_t latency_at(const struct latency *l, unsigned int per_mille);

/* Sets the values of LATENCY_VALUES. */
void latency_values(struct stress *s, const struct latency *l);

#endif
