// SPDX-License-Identifier: MIT
/*
 * A program that forgets what it allocated: so much a second, by a straight line, at a rate that doubles, or in steps.
 * How much there must be is worked out from the clock, so that a slow machine leaks as fast.
 */
#include "stressors/stressor.h"

#include "lib/clock.h"

#include <stdlib.h>

enum curve { CURVE_LINEAR, CURVE_EXPONENTIAL, CURVE_STEPS };

static const char *const curves[] = { "linear", "exponential", "steps", NULL };

static const struct option_info options[] = {
	{ .name = "rate",
	  .kind = OPTION_SIZE,
	  .fallback = "32M",
	  .min = 1,
	  .max = (uint64_t)1 << 40,
	  .total = true,
	  .help = "leaked a second, with exponential at first" },
	{ .name = "curve",
	  .kind = OPTION_CHOICE,
	  .fallback = "linear",
	  .choices = curves,
	  .help = "how it grows" },
	{ .name = "period",
	  .kind = OPTION_DURATION,
	  .fallback = "200ms",
	  .min = NS_PER_MS,
	  .max = 3600 * NS_PER_S,
	  .help = "exponential: after each the rate is twice as high; steps: one each" },
	{ .name = "every",
	  .kind = OPTION_DURATION,
	  .fallback = "10ms",
	  .min = NS_PER_MS / 10,
	  .max = 3600 * NS_PER_S,
	  .help = "wait between allocations" },
	{ .name = "jitter",
	  .kind = OPTION_COUNT,
	  .fallback = "0",
	  .max = 100,
	  .help = "percent by which that wait is longer or shorter, at random" },
	{ .name = "seed", .kind = OPTION_COUNT, .fallback = "1", .help = "other jitter" },
	{ .name = "limit",
	  .kind = OPTION_SIZE,
	  .fallback = "32M",
	  .total = true,
	  .help = "amount to reach; 0: until refused or killed" },
	{ .name = NULL },
};

static const struct value_info values[] = {
	{ "blocks", "count", "allocations" },
	{ "largest", "bytes", "the largest of them" },
	{ "wait_min", "ns", "shortest wait that was meant" },
	{ "wait_max", "ns", "longest wait that was meant" },
	{ "leaking", "ns", "time since the start at the last allocation" },
	{ NULL, NULL, NULL },
};

/* rate * ns, at most TOTAL_LIMIT: no process gets there. */
static uint64_t grown(uint64_t rate, uint64_t ns)
{
	double bytes = (double)rate * (double)ns / (double)NS_PER_S;

	return bytes < (double)TOTAL_LIMIT ? (uint64_t)bytes : TOTAL_LIMIT;
}

/* What must have leaked after that time. */
static uint64_t target(const struct stress *s, uint64_t ns)
{
	const uint64_t rate = option(s, "rate"), period = option(s, "period");
	uint64_t bytes = 0, i;

	switch ((enum curve)option(s, "curve")) {
	case CURVE_LINEAR:
		return grown(rate, ns);
	case CURVE_STEPS:
		return grown(rate, ns / period * period);
	case CURVE_EXPONENTIAL:
		break;
	}
	for (i = 0; ns > period && i < 40 && bytes < TOTAL_LIMIT; i++, ns -= period)
		bytes += grown(rate << i, period);
	return bytes + grown(rate << i, ns);
}

/* The least and the most of a value so far. */
static void range(struct stress *s, uint64_t *low, uint64_t *high, uint64_t wait)
{
	*low = wait < *low ? wait : *low;
	*high = wait > *high ? wait : *high;
	stress_value(s, "wait_min", (int64_t)*low);
	stress_value(s, "wait_max", (int64_t)*high);
}

static uint64_t next_wait(const struct stress *s, uint64_t *random)
{
	const uint64_t every = option(s, "every"), spread = every / 100 * option(s, "jitter");

	return every - spread + (spread ? stress_random(random) % (2 * spread + 1) : 0);
}

static enum phase leak(struct stress *s, uint64_t bytes)
{
	void *volatile block = malloc((size_t)bytes);

	if (!block)
		return stress_refused(s, "malloc", bytes);
	stress_allocated(s, bytes);
	return stress_fill(s, block, (size_t)bytes) ? PHASE_DONE : PHASE_SIGNAL;
}

static enum phase run(struct stress *s)
{
	const uint64_t limit = option(s, "limit") ? option(s, "limit") : UINT64_MAX, start = clock_ns();
	uint64_t random = option(s, "seed"), low = UINT64_MAX, high = 0, done = 0, bytes, now, wait;
	int64_t blocks = 0, largest = 0;
	enum phase end;

	stress_phase(s, PHASE_RUN);
	while (done < limit) {
		wait = next_wait(s, &random);
		range(s, &low, &high, wait);
		if (!stress_wait(s, wait))
			return PHASE_SIGNAL;
		now = clock_ns() - start;
		bytes = target(s, now);
		bytes = (bytes < limit ? bytes : limit) - done;
		if (bytes >= SIZE_LIMIT)
			bytes = SIZE_LIMIT - 1;
		if (bytes == 0)
			continue;
		stress_value(s, "leaking", (int64_t)now);
		end = leak(s, bytes);
		if (end != PHASE_DONE)
			return end;
		done += bytes;
		largest = (int64_t)bytes > largest ? (int64_t)bytes : largest;
		stress_value(s, "blocks", ++blocks);
		stress_value(s, "largest", largest);
	}
	return stress_hold(s);
}

const struct stressor stressor_leak = {
	.name = "leak",
	.about = "allocates and writes so much a second and never frees it",
	.options = options,
	.values = values,
	.run = run,
};
