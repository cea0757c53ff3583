// SPDX-License-Identifier: MIT
/*
 * Rows A8, A9: blocks below the mmap threshold (128 KiB) lie one above the other on the heap, which ends at brk(2)'s
 * mark. The mark can only go down from the top, so one block up there keeps all that was freed below it.
 */
#include "stressors/stressor.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

/* Smaller ones may stay in malloc's caches of small blocks, larger ones are mappings. */
static const struct option_info options[] = {
	{ .name = "block",
	  .kind = OPTION_SIZE,
	  .fallback = "64K",
	  .min = 2 << 10,
	  .max = 127 << 10,
	  .help = "size of each block" },
	{ .name = "count",
	  .kind = OPTION_COUNT,
	  .fallback = "512",
	  .min = 2,
	  .max = 1 << 24,
	  .help = "number of blocks" },
	{ .name = "pause",
	  .kind = OPTION_DURATION,
	  .fallback = "0",
	  .help = "wait before the top block is freed" },
	{ .name = NULL },
};

static const struct value_info values[] = {
	{ "heap", "bytes", "what the heap had grown by with all blocks in use" },
	{ "heap_pinned", "bytes", "the same when all but the top one were free" },
	{ "heap_free", "bytes", "the same when that was free too" },
	{ "rss", "bytes", "VmRSS with all blocks in use" },
	{ "rss_pinned", "bytes", "VmRSS when all but the top one were free" },
	{ "rss_free", "bytes", "VmRSS when that was free too" },
	{ NULL, NULL, NULL },
};

/* end(3): the heap is somewhere above it. */
extern unsigned char end[];

struct heap {
	unsigned char *mark; /* before the first block */
	unsigned char **blocks;
	size_t block_bytes;
};

static int64_t heap_bytes(const struct heap *h)
{
	int64_t bytes = (unsigned char *)sbrk(0) - h->mark;

	return bytes > 0 ? bytes : 0;
}

static void tell(struct stress *s, const struct heap *h, const char *heap_name, const char *rss_name,
		 uint64_t live_bytes)
{
	stress_value(s, heap_name, heap_bytes(h));
	stress_value(s, rss_name, stress_own("VmRSS"));
	stress_live(s, live_bytes, (uint64_t)heap_bytes(h));
}

static enum phase get(struct stress *s, const struct heap *h, unsigned char **ret_block)
{
	unsigned char *block = malloc(h->block_bytes);

	if (!block)
		return stress_refused(s, "malloc", h->block_bytes);
	/* malloc makes mappings where the mark cannot go up any more. */
	if (block < end || block >= (unsigned char *)sbrk(0)) {
		errno = ENOMEM;
		return stress_refused(s, "brk", h->block_bytes);
	}
	*ret_block = block;
	stress_allocated(s, h->block_bytes);
	return stress_write(s, block, h->block_bytes) ? PHASE_DONE : PHASE_SIGNAL;
}

static bool give_back(struct stress *s, const struct heap *h, unsigned char *block)
{
	bool going = stress_check(s, block, h->block_bytes);

	free(block);
	return going;
}

static enum phase run(struct stress *s)
{
	const size_t count = (size_t)option(s, "count"), table = count * sizeof(unsigned char *);
	struct heap h = { .mark = sbrk(0), .block_bytes = (size_t)option(s, "block") };
	enum phase how;
	size_t i;

	if (stress_foreign_malloc(s))
		return stress_unmet(s, "it is about glibc's malloc");
	stress_phase(s, PHASE_RUN);
	h.blocks = mmap(NULL, table, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (h.blocks == MAP_FAILED)
		return stress_refused(s, "mmap", table);
	for (i = 0; i < count; i++) {
		how = get(s, &h, &h.blocks[i]);
		if (how != PHASE_DONE)
			return how;
	}
	tell(s, &h, "heap", "rss", (uint64_t)count * h.block_bytes);
	for (i = 0; i < count - 1; i++)
		if (!give_back(s, &h, h.blocks[i]))
			return PHASE_SIGNAL;
	tell(s, &h, "heap_pinned", "rss_pinned", h.block_bytes);
	if (!stress_wait(s, option(s, "pause")))
		return PHASE_SIGNAL;
	if (!give_back(s, &h, h.blocks[count - 1]))
		return PHASE_SIGNAL;
	tell(s, &h, "heap_free", "rss_free", 0);
	return stress_hold(s);
}

const struct stressor stressor_brk_hole = {
	.name = "brk-hole",
	.about = "fills the heap with blocks, frees all but the top one, and then that",
	.options = options,
	.values = values,
	.run = run,
};
