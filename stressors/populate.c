// SPDX-License-Identifier: MIT
/*
 * The fastest way to take memory: the kernel fills the page tables itself, many pages a call instead of a fault each
 * (MADV_POPULATE_WRITE, Linux 5.14). Older kernels do it when they make a mapping (MAP_POPULATE); --how=touch writes to
 * a page after the other, as other programs do.
 */
#include "stressors/stressor.h"

#include "lib/units.h"

#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23
#endif
#define HUGE ((size_t)2 << 20)

enum how { HOW_ADVICE, HOW_MAP, HOW_TOUCH };
enum pages { PAGES_ANY, PAGES_HUGE, PAGES_SMALL };

static const char *const pages[] = { "any", "huge", "small", NULL };
static const char *const hows[] = { "advice", "map", "touch", NULL };

static const struct option_info options[] = {
	{ .name = "limit",
	  .kind = OPTION_SIZE,
	  .fallback = "64M",
	  .total = true,
	  .help = "amount to reach; 0: until refused or killed" },
	{ .name = "step",
	  .kind = OPTION_SIZE,
	  .fallback = "64M",
	  .min = 4096,
	  .max = (uint64_t)1 << 30,
	  .help = "mapped and filled at once, and counted then" },
	{ .name = "how",
	  .kind = OPTION_CHOICE,
	  .fallback = "advice",
	  .choices = hows,
	  .help = "by madvise, or by mmap where the kernel does not know that advice; by mmap; by writing" },
	{ .name = "pages",
	  .kind = OPTION_CHOICE,
	  .fallback = "any",
	  .choices = pages,
	  .help = "huge ones where that is fastest; huge ones, written where mmap would have filled; small ones" },
	{ .name = "pause", .kind = OPTION_DURATION, .fallback = "0", .help = "wait after each step" },
	{ .name = NULL },
};

static const struct value_info values[] = {
	{ "advised", "bytes", "filled by MADV_POPULATE_WRITE" },
	{ NULL, NULL, NULL },
};

/* Before it is known whether the kernel has the advice that fills them. */
static bool huge(const struct stress *s)
{
	enum pages wanted = (enum pages)option(s, "pages");

	return wanted == PAGES_HUGE || (wanted == PAGES_ANY && option(s, "how") == HOW_ADVICE);
}

/* A mapping of len bytes; for huge pages it begins at a multiple of theirs. */
static unsigned char *get(size_t len, bool huge)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE), room = huge ? len + HUGE : len, before, end;
	unsigned char *start = mmap(NULL, room, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (start == MAP_FAILED)
		return NULL;
	if (!huge) {
		/* Where they are "always" used: then too it takes what was asked for, and no more. */
		(void)madvise(start, len, MADV_NOHUGEPAGE);
		return start;
	}
	/* What is left of the mapping on either side may stay where it cannot be given back. */
	before = (HUGE - (uintptr_t)start % HUGE) % HUGE;
	if (before)
		(void)munmap(start, before);
	end = before + (len + page - 1) / page * page;
	if (end < room)
		(void)munmap(start + end, room - end);
	(void)madvise(start + before, len, MADV_HUGEPAGE);
	return start + before;
}

static void touch(unsigned char *start, size_t len)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE), at;

	for (at = 0; at < len; at += page)
		*(volatile unsigned char *)(start + at) = 0;
}

/* PHASE_RUN: the kernel does not know the advice. */
static enum phase by_advice(struct stress *s, unsigned char *start, size_t len)
{
	while (madvise(start, len, MADV_POPULATE_WRITE) < 0) {
		if (errno == EINVAL)
			return PHASE_RUN;
		if (errno != EINTR && errno != EAGAIN)
			return stress_refused(s, "MADV_POPULATE_WRITE", len);
		if (!stress_wait(s, 0))
			return PHASE_SIGNAL;
	}
	return PHASE_DONE;
}

static enum phase by_map(struct stress *s, unsigned char *start, size_t len)
{
	if (mmap(start, len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_POPULATE,
		 -1, 0) == MAP_FAILED)
		return stress_refused(s, "MAP_POPULATE", len);
	/* mmap does not say whether it could. */
	touch(start, len);
	return PHASE_DONE;
}

/* Fills and counts a step. --verify wants to read back what only writing can leave there. */
static enum phase fill(struct stress *s, unsigned char *start, size_t len, uint64_t *advised)
{
	enum how how = (enum how)option(s, "how");
	enum phase end = PHASE_RUN;

	if (option(s, "verify"))
		return stress_fill(s, start, len) ? PHASE_DONE : PHASE_SIGNAL;
	if (how == HOW_ADVICE)
		end = by_advice(s, start, len);
	if (end == PHASE_DONE)
		stress_value(s, "advised", (int64_t)(*advised += len));
	/* MAP_POPULATE fills a new mapping before it can be advised: huge pages come by the first write. */
	if (end == PHASE_RUN && (how == HOW_TOUCH || option(s, "pages") == PAGES_HUGE))
		touch(start, len);
	else if (end == PHASE_RUN)
		end = by_map(s, start, len);
	if (end != PHASE_DONE && end != PHASE_RUN)
		return end;
	stress_touched(s, len);
	return stress_going(s) ? PHASE_DONE : PHASE_SIGNAL;
}

static enum phase run(struct stress *s)
{
	const uint64_t limit = option(s, "limit"), pause = option(s, "pause");
	uint64_t left = limit ? limit : UINT64_MAX, step = option(s, "step"), advised = 0;
	unsigned char *start;
	enum phase end;

	stress_value(s, "advised", 0);
	stress_phase(s, PHASE_RUN);
	for (; left; left -= step) {
		if (step > left)
			step = left;
		start = get((size_t)step, huge(s));
		if (!start)
			return stress_refused(s, "mmap", step);
		stress_allocated(s, step);
		end = fill(s, start, (size_t)step, &advised);
		if (end != PHASE_DONE)
			return end;
		if (!stress_wait(s, left > step ? pause : 0))
			return PHASE_SIGNAL;
	}
	return stress_hold(s);
}

const struct stressor stressor_populate = {
	.name = "populate",
	.about = "maps memory and has the kernel fill it, the fastest way to take memory",
	.options = options,
	.values = values,
	.run = run,
};
