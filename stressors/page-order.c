// SPDX-License-Identifier: MIT
/*
 * Row A13: pages that are neighbours in a process are seldom neighbours in RAM. Which frame is behind a page says
 * /proc/self/pagemap (Documentation/admin-guide/mm/pagemap.rst), to those who have CAP_SYS_ADMIN; others read 0.
 */
#include "stressors/stressor.h"

#include "lib/files.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#define PRESENT  ((uint64_t)1 << 63)
#define PFN_MASK (((uint64_t)1 << 55) - 1)
#define AT_ONCE  512

static const struct option_info options[] = {
	{ .name = "size",
	  .kind = OPTION_SIZE,
	  .fallback = "16M",
	  .min = 8192,
	  .help = "size of the mapping" },
	{ .name = "huge", .kind = OPTION_FLAG, .help = "advise huge pages instead of none" },
	{ .name = NULL },
};

static const struct value_info values[] = {
	{ "neighbours", "count", "pairs of pages that are neighbours in the mapping" },
	{ "contiguous", "count", "pairs of which the second is next to the first in RAM" },
	{ "backwards", "count", "pairs of which the second is just before the first" },
	{ "longest_run", "bytes", "longest stretch in order" },
	{ NULL, NULL, NULL },
};

struct order {
	uint64_t pfn;       /* of the page before; 0: not in RAM */
	int64_t neighbours; /* pairs that are both in RAM */
	int64_t contiguous;
	int64_t backwards;
	int64_t run; /* pages */
	int64_t longest;
	bool any; /* a frame was named */
};

static void add(struct order *o, uint64_t entry)
{
	uint64_t pfn = entry & PRESENT ? entry & PFN_MASK : 0;
	bool pair = o->pfn && pfn;

	o->any = o->any || pfn;
	o->neighbours += pair;
	o->contiguous += pair && pfn == o->pfn + 1;
	o->backwards += pair && pfn + 1 == o->pfn;
	o->run = !pfn ? 0 : pair && pfn == o->pfn + 1 ? o->run + 1 : 1;
	if (o->run > o->longest)
		o->longest = o->run;
	o->pfn = pfn;
}

static enum phase look(struct stress *s, const unsigned char *start, size_t pages, size_t page_bytes)
{
	AUTO_CLOSE int fd = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
	uint64_t entries[AT_ONCE];
	struct order o = { 0 };
	size_t done, i, want;
	ssize_t n;

	if (fd < 0)
		return errno == ENOMEM ? stress_refused(s, "open of /proc/self/pagemap", 0)
				       : stress_unmet(s, "/proc/self/pagemap cannot be opened");
	for (done = 0; done < pages; done += (size_t)n) {
		want = pages - done < AT_ONCE ? pages - done : AT_ONCE;
		n = pread(fd, entries, want * 8, (off_t)(((uintptr_t)start / page_bytes + done) * 8));
		if (n < 0 && errno == ENOMEM)
			return stress_refused(s, "pread of /proc/self/pagemap", want * 8);
		if (n < 0 && errno == EINTR)
			n = 0;
		else if (n < 8)
			return stress_error(s, n < 0 ? errno : EIO, "pread of /proc/self/pagemap");
		n /= 8;
		for (i = 0; i < (size_t)n; i++)
			add(&o, entries[i]);
		if (!stress_going(s))
			return PHASE_SIGNAL;
	}
	if (!o.any)
		return stress_unmet(s, "/proc/self/pagemap does not tell frames: CAP_SYS_ADMIN is missing");
	stress_value(s, "neighbours", o.neighbours);
	stress_value(s, "contiguous", o.contiguous);
	stress_value(s, "backwards", o.backwards);
	stress_value(s, "longest_run", o.longest * (int64_t)page_bytes);
	return PHASE_DONE;
}

static enum phase run(struct stress *s)
{
	const size_t size = (size_t)option(s, "size"), page_bytes = (size_t)sysconf(_SC_PAGESIZE);
	unsigned char *start;
	enum phase end;

	stress_phase(s, PHASE_RUN);
	start = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (start == MAP_FAILED)
		return stress_refused(s, "mmap", size);
	/* A kernel without huge pages does not know the advice. */
	(void)madvise(start, size, option(s, "huge") ? MADV_HUGEPAGE : MADV_NOHUGEPAGE);
	stress_allocated(s, size);
	if (!stress_fill(s, start, size))
		return PHASE_SIGNAL;
	end = look(s, start, (size + page_bytes - 1) / page_bytes, page_bytes);
	return end == PHASE_DONE ? stress_hold(s) : end;
}

static const char *const needs[] = { "frames in /proc/self/pagemap (CAP_SYS_ADMIN)", NULL };

const struct stressor stressor_page_order = {
	.name = "page-order",
	.about = "holds the order of its pages against that of their frames in RAM",
	.needs = needs,
	.options = options,
	.values = values,
	.run = run,
};
