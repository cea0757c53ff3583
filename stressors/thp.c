// SPDX-License-Identifier: MIT
/*
 * Row B5: transparent huge pages. The kernel gives whole ones where it has free memory in such pieces, else small pages,
 * and says neither; how much it gave is in smaps.
 */
#include "stressors/proc.h"
#include "stressors/stressor.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#define THP "/sys/kernel/mm/transparent_hugepage/"

static const char *const advices[] = { "hugepage", "nohugepage", "none", NULL };
static const int advice_codes[] = { MADV_HUGEPAGE, MADV_NOHUGEPAGE, -1 };

static const struct option_info options[] = {
	{ .name = "size",
	  .kind = OPTION_SIZE,
	  .fallback = "64M",
	  .min = 4096,
	  .help = "size of the mapping, which begins where a huge page may" },
	{ .name = "advice",
	  .kind = OPTION_CHOICE,
	  .choices = advices,
	  .fallback = "hugepage",
	  .help = "what madvise(2) is told" },
	{ .name = "sparse", .kind = OPTION_FLAG, .help = "write only the first byte of each huge page" },
	{ .name = NULL },
};

static const struct value_info values[] = {
	{ "anon_hugepages", "bytes", "AnonHugePages of its memory when all is written" },
	{ NULL, NULL, NULL },
};

/* "always madvise [never]" */
static bool is_never(void)
{
	char text[64];

	return proc_text(THP "enabled", text, sizeof(text)) > 0 && strstr(text, "[never]");
}

/* Addresses at a multiple of the huge page; what is too much on both sides goes back. MAP_FAILED: refused. */
static char *map_aligned(size_t size, size_t huge)
{
	char *start, *aligned;
	size_t head;

	if (size > SIZE_MAX - huge) {
		errno = ENOMEM;
		return MAP_FAILED;
	}
	start = mmap(NULL, size + huge, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (start == MAP_FAILED)
		return start;
	head = (huge - (uintptr_t)start % huge) % huge;
	aligned = start + head;
	/* A refusal leaves addresses taken that nobody writes. */
	if (head)
		munmap(start, head);
	size = (size + 4095) & ~(size_t)4095;
	if (huge > head)
		munmap(aligned + size, huge - head);
	return aligned;
}

static bool fill(struct stress *s, char *start, size_t size, size_t huge)
{
	size_t at;

	if (!option(s, "sparse"))
		return stress_fill(s, start, size);
	for (at = 0; at < size; at += huge)
		if (!stress_fill(s, start + at, 1))
			return false;
	return true;
}

static enum phase run(struct stress *s)
{
	int64_t huge = proc_number(THP "hpage_pmd_size");
	int advice = advice_codes[option(s, "advice")];
	uint64_t size = option(s, "size");
	char *start;

	if (huge <= 0)
		return proc_unmet(s, huge,
				  "this kernel has no transparent huge pages (no " THP "hpage_pmd_size)");
	if (advice == MADV_HUGEPAGE && is_never())
		return stress_unmet(s, "transparent huge pages are off: \"never\" in " THP "enabled");
	stress_phase(s, PHASE_RUN);
	start = map_aligned((size_t)size, (size_t)huge);
	if (start == MAP_FAILED)
		return stress_refused(s, "mmap", size);
	if (advice >= 0 && madvise(start, (size_t)size, advice) < 0)
		return stress_refused(s, "madvise", size);
	stress_allocated(s, size);
	if (!fill(s, start, (size_t)size, (size_t)huge))
		return PHASE_SIGNAL;
	if (proc_own("AnonHugePages") >= 0)
		stress_value(s, "anon_hugepages", proc_own("AnonHugePages"));
	return stress_hold(s);
}

static const char *const needs[] = { "transparent huge pages that are not off", NULL };

const struct stressor stressor_thp = {
	.name = "thp",
	.about =
		"writes memory for which it asks transparent huge pages (MADV_HUGEPAGE), and says how many it got",
	.needs = needs,
	.options = options,
	.values = values,
	.run = run,
};
