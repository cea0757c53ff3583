// SPDX-License-Identifier: MIT
#include "stressors/latency.h"

#define STEP_BITS 5

/* 0 to 63 have a bucket each; from there on the 5 bits after the first one say which, and its place which 32 of them. */
static size_t bucket_of(uint64_t ns)
{
	unsigned int shift;

	if (ns < 2 * LATENCY_STEPS)
		return (size_t)ns;
	shift = 63 - (unsigned int)__builtin_clzll(ns) - STEP_BITS;
	return (size_t)shift * LATENCY_STEPS + (size_t)(ns >> shift);
}

/* The longest duration that falls into it. */
static uint64_t end_of(size_t bucket)
{
	unsigned int shift;

	if (bucket < 2 * LATENCY_STEPS)
		return bucket;
	shift = (unsigned int)(bucket / LATENCY_STEPS - 1);
	return ((uint64_t)(bucket % LATENCY_STEPS + LATENCY_STEPS + 1) << shift) - 1;
}

void latency_add(struct latency *l, uint64_t ns)
{
	l->count++;
	l->buckets[bucket_of(ns)]++;
	if (ns > l->max_ns)
		l->max_ns = ns;
}

uint64_t latency_at(const struct latency *l, unsigned int per_mille)
{
	/* Rounded up: of 10, half are 5, and 999 of 1000 are all. */
	uint64_t wanted = (l->count / 1000) * per_mille + (l->count % 1000 * per_mille + 999) / 1000;
	uint64_t seen = 0;
	size_t i;

	for (i = 0; i < LATENCY_BUCKETS; i++) {
		seen += l->buckets[i];
		if (seen >= wanted)
			return end_of(i) < l->max_ns ? end_of(i) : l->max_ns;
	}
	return l->max_ns;
}

void latency_values(struct stress *s, const struct latency *l)
{
	static const struct {
		const char *name;
		unsigned int per_mille;
	} points[] = { { "p50", 500 }, { "p90", 900 }, { "p99", 990 }, { "p999", 999 } };
	size_t i;

	if (!l->count)
		return;
	for (i = 0; i < sizeof(points) / sizeof(points[0]); i++)
		stress_value(s, points[i].name, (int64_t)latency_at(l, points[i].per_mille));
	stress_value(s, "max", (int64_t)l->max_ns);
}
