// SPDX-License-Identifier: MIT
/*
 * Row C1: same-page merging. Identical pages that were offered with MADV_MERGEABLE become one, write-protected, when ksmd
 * has seen them twice; whoever writes one gets a copy of its own again, when there may be no memory left for it.
 */
#include "stressors/proc.h"
#include "stressors/stressor.h"

#include "lib/clock.h"
#include "lib/hash.h"

#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

#define KSM     "/sys/kernel/mm/ksm/"
#define POLL_NS (10 * NS_PER_MS)

static const struct option_info options[] = {
	{ .name = "size", .kind = OPTION_SIZE, .fallback = "4M", .min = 4096, .help = "size of the mapping" },
	{ .name = "distinct",
	  .kind = OPTION_COUNT,
	  .fallback = "1",
	  .min = 1,
	  .help = "how many different pages there are, again and again" },
	{ .name = "wait",
	  .kind = OPTION_DURATION,
	  .fallback = "2s",
	  .forever = true,
	  .help = "for its pages to be merged, at most" },
	{ .name = NULL },
};

static const struct value_info values[] = {
	{ "pages_sharing", "count", "pages that KSM saved, of all processes: the rise of pages_sharing" },
	{ "pages_shared", "count", "pages that they became: the rise of pages_shared" },
	{ NULL, NULL, NULL },
};

static uint64_t word_of(uint64_t page, size_t i, uint64_t distinct)
{
	return hash_mix(page % distinct + 1) + i;
}

static bool fill(struct stress *s, uint64_t *words, uint64_t size, size_t page)
{
	uint64_t distinct = option(s, "distinct"), at;
	size_t i;

	for (at = 0; at < size; at += page) {
		size_t len = size - at < page ? (size_t)(size - at) : page;

		for (i = 0; i < page / 8; i++)
			words[(size_t)at / 8 + i] = word_of(at / page, i, distinct);
		__asm__ volatile("" : : "r"(words) : "memory");
		stress_touched(s, len);
		if (!stress_going(s))
			return false;
	}
	return true;
}

static enum phase check(struct stress *s, const uint64_t *words, uint64_t size, size_t page)
{
	uint64_t distinct = option(s, "distinct"), i;

	for (i = 0; i < size / 8; i++) {
		uint64_t expected = word_of(i * 8 / page, (size_t)(i % (page / 8)), distinct);

		if (words[i] != expected)
			stress_compare(s, (uintptr_t)&words[i], &expected, &words[i], 8);
		if (i % (page / 8))
			continue;
		stress_read(s, page);
		if (!stress_going(s))
			return PHASE_SIGNAL;
	}
	return PHASE_DONE;
}

/* How many pages have a twin. */
static uint64_t mergeable(uint64_t pages, uint64_t distinct)
{
	if (pages <= distinct)
		return 0;
	return pages - distinct >= distinct ? pages : 2 * (pages - distinct);
}

/* ksmd gives no sign when it is done, so its counters are looked at until all is merged, or the time is up. */
static bool wait_for_ksmd(struct stress *s, uint64_t pages, const int64_t before[2])
{
	uint64_t wait = option(s, "wait"), start = clock_ns();
	uint64_t could = mergeable(pages, option(s, "distinct"));

	for (;;) {
		int64_t sharing = proc_number(KSM "pages_sharing") - before[0];
		int64_t shared = proc_number(KSM "pages_shared") - before[1];

		stress_value(s, "pages_sharing", sharing);
		stress_value(s, "pages_shared", shared);
		if (sharing + shared >= (int64_t)could || clock_ns() - start >= wait)
			return stress_going(s);
		if (!stress_wait(s, POLL_NS))
			return false;
	}
}

static enum phase run(struct stress *s)
{
	int64_t state = proc_number(KSM "run");
	int64_t before[2] = { proc_number(KSM "pages_sharing"), proc_number(KSM "pages_shared") };
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	uint64_t size = option(s, "size");
	void *start;
	enum phase end;

	if (state < 0)
		return proc_unmet(s, state, "this kernel has no KSM (no " KSM "run)");
	if (state != 1)
		return stress_unmet(s, "KSM does not run (1 in " KSM "run, a guest's machine.ksm)");
	stress_phase(s, PHASE_RUN);
	start = mmap(NULL, (size_t)size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (start == MAP_FAILED)
		return stress_refused(s, "mmap", size);
	if (madvise(start, (size_t)size, MADV_MERGEABLE) < 0)
		return stress_refused(s, "madvise with MADV_MERGEABLE", size);
	stress_allocated(s, size);
	if (!fill(s, start, size, page) || !wait_for_ksmd(s, (size + page - 1) / page, before))
		return PHASE_SIGNAL;
	end = stress_hold(s);
	return end == PHASE_DONE && s->verify ? check(s, start, size, page) : end;
}

static const char *const needs[] = { "KSM that runs", NULL };

const struct stressor stressor_ksm = {
	.name = "ksm",
	.about = "writes identical pages, offers them for merging (MADV_MERGEABLE), and says how many were",
	.needs = needs,
	.options = options,
	.values = values,
	.run = run,
};
