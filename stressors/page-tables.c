// SPDX-License-Identifier: MIT
/*
 * A page in each 2 MiB of a mapping: each needs a page table of its own, 4 KiB. When pages are only read they are the
 * kernel's one page of zeros, and the process has page tables and hardly anything else. The OOM killer counts them
 * (row D2; oom_badness() in mm/oom_kill.c, mm_pgtables_bytes()).
 */
#include "stressors/stressor.h"

#include "lib/units.h"

#include <errno.h>
#include <sys/mman.h>

#define TABLE_BYTES ((uint64_t)4096)
/* A table has 512 entries of 8 bytes: x86-64, and 32 bits with PAE. */
#define SPAN ((uint64_t)512 * 4096)
/* Mapped at once. */
#define CHUNK ((uint64_t)64)

enum of { OF_TABLES, OF_MAPPING };

static const char *const ofs[] = { "tables", "mapping", NULL };

static const struct option_info options[] = {
	{ .name = "limit",
	  .kind = OPTION_SIZE,
	  .fallback = "4M",
	  .total = true,
	  .help = "amount to reach; 0: until refused or killed" },
	{ .name = "of",
	  .kind = OPTION_CHOICE,
	  .fallback = "tables",
	  .choices = ofs,
	  .help = "what the amount is of" },
	{ .name = "read", .kind = OPTION_FLAG, .help = "read the pages instead of writing them" },
	{ .name = "pause",
	  .kind = OPTION_DURATION,
	  .fallback = "0",
	  .help = "wait after each 64 page tables" },
	{ .name = NULL },
};

static const struct value_info values[] = {
	{ "tables", "bytes", "page tables that it made the kernel make" },
	{ "pte_rise", "bytes", "rise of VmPTE" },
	{ "rss_rise", "bytes", "rise of VmRSS" },
	{ NULL, NULL, NULL },
};

static int check(const struct stress *s, struct err *e)
{
	const uint64_t limit = option(s, "limit"), unit = option(s, "of") == OF_TABLES ? TABLE_BYTES : SPAN;
	char text[UNITS_TEXT_MAX];

	if (limit % unit == 0)
		return 0;
	return err_set(e, EINVAL, "--limit: not whole page tables; allowed: multiples of %s",
		       size_format(text, unit));
}

/* A page in each span of a mapping of count spans. */
static bool touch(struct stress *s, unsigned char *start, uint64_t count)
{
	uint64_t i;

	for (i = 0; i < count; i++) {
		volatile unsigned char *page = start + i * SPAN;

		if (option(s, "read")) {
			static const unsigned char zero;
			unsigned char found = *page;

			if (found != zero)
				stress_compare(s, (uintptr_t)page, &zero, &found, 1);
			stress_read(s, 1);
			if (!stress_going(s))
				return false;
		} else if (!stress_fill(s, start + i * SPAN, 4096)) {
			return false;
		}
	}
	return true;
}

static enum phase run(struct stress *s)
{
	const uint64_t limit = option(s, "limit"), pause = option(s, "pause");
	uint64_t left = limit / (option(s, "of") == OF_TABLES ? TABLE_BYTES : SPAN);
	const int64_t pte = stress_own("VmPTE"), rss = stress_own("VmRSS");
	uint64_t chunk = CHUNK, done = 0;
	unsigned char *start;

	if (limit == 0)
		left = UINT64_MAX;
	stress_phase(s, PHASE_RUN);
	for (; left; left -= chunk) {
		if (chunk > left)
			chunk = left;
		start = mmap(NULL, (size_t)(chunk * SPAN), PROT_READ | PROT_WRITE,
			     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
		if (start == MAP_FAILED)
			return stress_refused(s, "mmap", chunk * SPAN);
		/* A huge page has no page table; a kernel that has none does not know the advice. */
		(void)madvise(start, (size_t)(chunk * SPAN), MADV_NOHUGEPAGE);
		stress_allocated(s, chunk * SPAN);
		if (!touch(s, start, chunk))
			return PHASE_SIGNAL;
		done += chunk;
		stress_value(s, "tables", (int64_t)(done * TABLE_BYTES));
		stress_value(s, "pte_rise", stress_rise("VmPTE", pte));
		stress_value(s, "rss_rise", stress_rise("VmRSS", rss));
		if (!stress_wait(s, left > chunk ? pause : 0))
			return PHASE_SIGNAL;
	}
	return stress_hold(s);
}

const struct stressor stressor_page_tables = {
	.name = "page-tables",
	.about = "touches a page in each 2 MiB of a mapping, so that page tables outweigh what they map",
	.options = options,
	.values = values,
	.check = check,
	.run = run,
};
