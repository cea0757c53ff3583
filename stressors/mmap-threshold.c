// SPDX-License-Identifier: MIT
/*
 * Row A8: where malloc changes from the heap to mappings. glibc's threshold is 128 KiB, and moves: freeing a mapping
 * raises it to that mapping's size, so that the next block of the size comes from the heap, which does not give it
 * back (malloc/malloc.c, "M_MMAP_THRESHOLD"). mallopt(3) with that parameter keeps it where it is.
 */
#include "stressors/stressor.h"

#include <malloc.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#define PROBE_MIN ((size_t)64 << 10)
#define PIECE     ((size_t)32 << 10)
#define FIXED     (128 << 10)

/* The most that glibc lets its threshold rise to: DEFAULT_MMAP_THRESHOLD_MAX. */
#define RISE_MAX (sizeof(void *) == 8 ? 32 << 20 : 512 << 10)

static const struct option_info options[] = {
	{ .name = "size",
	  .kind = OPTION_SIZE,
	  .fallback = "256K",
	  .min = 160 << 10,
	  .max = RISE_MAX - (8 << 10),
	  .help = "size of the blocks" },
	{ .name = "fixed", .kind = OPTION_FLAG, .help = "mallopt(M_MMAP_THRESHOLD, 128K)" },
	{ .name = NULL },
};

static const struct value_info values[] = {
	{ "threshold", "bytes", "smallest request that became a mapping" },
	{ "mapped", "count", "1: the first block was a mapping" },
	{ "returned", "bytes", "what VmSize fell by when it was freed" },
	{ "mapped_after", "count", "1: so was the next one, after that" },
	{ "returned_after", "bytes", "what VmSize fell by when that was freed" },
	{ "threshold_after", "bytes", "smallest request that became a mapping then" },
	{ NULL, NULL, NULL },
};

/* end(3): the heap is somewhere above it. */
extern char end[];

static bool on_heap(const void *block)
{
	return (const char *)block >= end && (const char *)block < (char *)sbrk(0);
}

/* Granted, but not written. Where it came from says something only if the heap had no room left for it. */
static void *probe(struct stress *s, size_t bytes)
{
	char *volatile block;

	while (mallinfo2().keepcost >= PROBE_MIN) {
		block = malloc(PIECE);
		if (!block)
			return NULL;
		stress_allocated(s, PIECE);
	}
	block = malloc(bytes);
	if (block)
		stress_allocated(s, bytes);
	return block;
}

/* To the byte, between 64K and what it can rise to. Probes stay: freeing a mapping would move what is looked for. */
static enum phase find(struct stress *s, const char *name)
{
	size_t low = PROBE_MIN, high = 2 * FIXED, middle;
	void *block;

	for (;;) {
		block = probe(s, high);
		if (!block)
			return stress_refused(s, "malloc", high);
		if (!on_heap(block))
			break;
		low = high;
		high *= 2;
	}
	while (high - low > 1) {
		middle = low + (high - low) / 2;
		block = probe(s, middle);
		if (!block)
			return stress_refused(s, "malloc", middle);
		if (on_heap(block))
			low = middle;
		else
			high = middle;
		if (!stress_going(s))
			return PHASE_SIGNAL;
	}
	stress_value(s, name, (int64_t)high);
	return PHASE_DONE;
}

static enum phase one_block(struct stress *s, const char *mapped_name, const char *returned_name)
{
	const size_t size = (size_t)option(s, "size");
	int64_t vss, rise;
	char *block;

	block = malloc(size);
	if (!block)
		return stress_refused(s, "malloc", size);
	stress_allocated(s, size);
	stress_value(s, mapped_name, !on_heap(block));
	if (!stress_write(s, block, size) || !stress_check(s, block, size))
		return PHASE_SIGNAL;
	vss = stress_own("VmSize");
	free(block);
	rise = stress_rise("VmSize", vss);
	stress_value(s, returned_name, rise == SHARED_UNKNOWN ? rise : -rise);
	return PHASE_DONE;
}

static enum phase run(struct stress *s)
{
	enum phase how;

	if (stress_foreign_malloc(s))
		return stress_unmet(s, "it is about glibc's malloc");
	stress_phase(s, PHASE_RUN);
	if (option(s, "fixed") && !mallopt(M_MMAP_THRESHOLD, FIXED))
		return stress_unmet(s, "the C library does not know M_MMAP_THRESHOLD");
	how = find(s, "threshold");
	if (how == PHASE_DONE)
		how = one_block(s, "mapped", "returned");
	if (how == PHASE_DONE)
		how = one_block(s, "mapped_after", "returned_after");
	if (how == PHASE_DONE)
		how = find(s, "threshold_after");
	return how == PHASE_DONE ? stress_hold(s) : how;
}

const struct stressor stressor_mmap_threshold = {
	.name = "mmap-threshold",
	.about = "finds the size from which malloc makes mappings, before and after one was freed",
	.options = options,
	.values = values,
	.run = run,
};
