// SPDX-License-Identifier: MIT
/*
 * Row A5: after fork(2) parent and children share every page until one of them writes it. A fork costs page tables
 * at first; what it costs in the end is decided by who writes how much (a database that forks to save a snapshot).
 */
#include "stressors/children.h"

#include "stressors/proc.h"

#include <sys/mman.h>
#include <unistd.h>

static const struct option_info options[] = {
	{ .name = "size",
	  .kind = OPTION_SIZE,
	  .fallback = "16M",
	  .min = 4096,
	  .help = "written by the parent before it forks" },
	{ .name = "children",
	  .kind = OPTION_COUNT,
	  .fallback = "1",
	  .min = 1,
	  .max = 64,
	  .help = "how many it forks" },
	{ .name = "write",
	  .kind = OPTION_COUNT,
	  .fallback = "100",
	  .max = 100,
	  .help = "percent of the pages that each child writes, from the start" },
	{ .name = NULL },
};

static const struct value_info values[] = {
	{ "copied", "bytes", "pages that children wrote, and so have for themselves" },
	{ "shared", "bytes", "of the parent's memory, what it still shares at the end" },
	{ "private", "bytes", "of the parent's memory, what is its alone at the end" },
	{ NULL, NULL, NULL },
};

struct cow {
	unsigned char *start;
	size_t bytes; /* that each child writes */
};

static enum phase child(struct stress *part, size_t index, void *user)
{
	const struct cow *c = user;

	(void)index;
	return stress_write(part, c->start, c->bytes) ? PHASE_RUN : PHASE_SIGNAL;
}

/* Anonymous pages are dirty, whoever has them. */
static void report(struct stress *s, size_t copied)
{
	int64_t shared = proc_own("Shared_Dirty"), private = proc_own("Private_Dirty");

	stress_value(s, "copied", (int64_t)copied);
	stress_value(s, "shared", shared < 0 ? SHARED_UNKNOWN : shared);
	stress_value(s, "private", private < 0 ? SHARED_UNKNOWN : private);
}

static enum phase run(struct stress *s)
{
	const size_t size = (size_t)option(s, "size"), page_bytes = (size_t)sysconf(_SC_PAGESIZE);
	const size_t pages = (size + page_bytes - 1) / page_bytes, count = (size_t)option(s, "children");
	struct cow c = { .bytes = (size_t)((uint64_t)pages * option(s, "write") / 100) * page_bytes };
	enum phase end;

	stress_phase(s, PHASE_RUN);
	c.start = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (c.start == MAP_FAILED)
		return stress_refused(s, "mmap", size);
	(void)madvise(c.start, size, MADV_NOHUGEPAGE); /* page by page, not 2 MB for the first byte */
	stress_allocated(s, size);
	if (!stress_fill(s, c.start, size))
		return PHASE_SIGNAL;
	if (c.bytes > size)
		c.bytes = size;
	end = children_run(s, count, child, &c);
	if (end != PHASE_RUN)
		return end;
	report(s, c.bytes * count);
	return children_hold(s);
}

const struct stressor stressor_fork_cow = {
	.name = "fork-cow",
	.about = "writes memory, forks, and has the children write a part of it",
	.options = options,
	.values = values,
	.run = run,
};
