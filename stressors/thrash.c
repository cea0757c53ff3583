// SPDX-License-Identifier: MIT
/*
 * Rows C1, C4: a working set. Within the memory there is, each access costs what RAM costs; over it, the pages that are
 * wanted next are those that were reclaimed last, and most accesses wait for swap. How long one takes is the measure: the
 * median hides it until every second page is gone, the tail shows it at once.
 */
#include "stressors/latency.h"
#include "stressors/stressor.h"

#include "lib/clock.h"

#include <sys/mman.h>

#define PAGE 4096

enum pattern { RANDOM, SEQUENTIAL };

static const char *const patterns[] = { "random", "sequential", NULL };

static const struct option_info options[] = {
	{ .name = "size", .kind = OPTION_SIZE, .fallback = "64M", .min = PAGE, .help = "the working set" },
	{ .name = "pattern",
	  .kind = OPTION_CHOICE,
	  .choices = patterns,
	  .fallback = "random",
	  .help = "which page is next" },
	{ .name = "seed", .kind = OPTION_COUNT, .fallback = "0", .help = "of the random pattern" },
	{ .name = "passes",
	  .kind = OPTION_COUNT,
	  .fallback = "8",
	  .help = "as many accesses as there are pages, so often; 0: until --time or a signal" },
	{ .name = "pause", .kind = OPTION_DURATION, .fallback = "0", .help = "wait after each pass" },
	{ .name = NULL },
};

static const struct value_info values[] = {
	LATENCY_VALUES("reading and writing a byte of one page"),
	{ "accesses", "count", "pages that it went to" },
	{ NULL, NULL, NULL },
};

/* Writes what is there already: the page is dirty, and stays as --verify wants it. */
static uint64_t access_ns(volatile char *p)
{
	uint64_t start = clock_ns();

	*p |= 0;
	return clock_ns() - start;
}

/* Accesses that wait for a disk are few: the look for an end goes by time, too. */
static bool going(struct stress *s, uint64_t ns)
{
	return ns >= NS_PER_MS ? stress_wait(s, 1) : stress_going(s);
}

static bool pass(struct stress *s, char *start, uint64_t *state, struct latency *l)
{
	uint64_t pages = option(s, "size") / PAGE, i;
	bool random = option(s, "pattern") == RANDOM;

	for (i = 0; i < pages; i++) {
		uint64_t page = random ? stress_random(state) % pages : i;
		uint64_t ns = access_ns(start + page * PAGE);

		latency_add(l, ns);
		if (!going(s, ns))
			return false;
	}
	return true;
}

/* The values are set after each pass, so that they are there if it is killed. */
static enum phase passes(struct stress *s, char *start)
{
	uint64_t count = option(s, "passes"), state = option(s, "seed"), i;
	struct latency l = { .count = 0 };
	bool on = true;

	for (i = 0; on && (!count || i < count); i++) {
		on = pass(s, start, &state, &l);
		latency_values(s, &l);
		stress_value(s, "accesses", (int64_t)l.count);
		on = on && stress_wait(s, option(s, "pause"));
	}
	return on ? stress_hold(s) : PHASE_SIGNAL;
}

static enum phase run(struct stress *s)
{
	uint64_t size = option(s, "size");
	char *start;

	stress_phase(s, PHASE_RUN);
	start = mmap(NULL, (size_t)size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (start == MAP_FAILED)
		return stress_refused(s, "mmap", size);
	stress_allocated(s, size);
	return stress_fill(s, start, (size_t)size) ? passes(s, start) : PHASE_SIGNAL;
}

const struct stressor stressor_thrash = {
	.name = "thrash",
	.about = "goes over a working set page by page and says how long one access takes (percentiles)",
	.options = options,
	.values = values,
	.run = run,
};
