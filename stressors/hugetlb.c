// SPDX-License-Identifier: MIT
/*
 * Row C1: pages that the administrator has set aside (vm.nr_hugepages). They are on no LRU list: neither swapped nor
 * reclaimed, and not in the RSS that the OOM killer counts.
 */
#include "stressors/proc.h"
#include "stressors/stressor.h"

#include <errno.h>
#include <sys/mman.h>

#define MEMINFO "/proc/meminfo"

static const struct option_info options[] = {
	{ .name = "size",
	  .kind = OPTION_SIZE,
	  .fallback = "64M",
	  .min = 4096,
	  .help = "size of the mapping: whole huge pages" },
	{ .name = NULL },
};

static enum phase run(struct stress *s)
{
	int64_t page = proc_line(MEMINFO, "Hugepagesize"), total = proc_line(MEMINFO, "HugePages_Total");
	int64_t more = proc_number("/proc/sys/vm/nr_overcommit_hugepages");
	uint64_t size = option(s, "size");
	void *start;

	if (page <= 0)
		return proc_unmet(s, page, "this kernel has no hugetlb (no Hugepagesize in " MEMINFO ")");
	if (total <= 0 && more <= 0)
		return proc_unmet(
			s, total,
			"no huge pages are reserved (vm.nr_hugepages, a guest's machine.hugepages)");
	if (size % (uint64_t)page)
		return stress_error(s, EINVAL, "--size=%llu is not whole huge pages of %lld bytes",
				    (unsigned long long)size, (long long)page);
	stress_phase(s, PHASE_RUN);
	start = mmap(NULL, (size_t)size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB,
		     -1, 0);
	if (start == MAP_FAILED)
		return stress_refused(s, "mmap with MAP_HUGETLB", size);
	stress_allocated(s, size);
	return stress_fill(s, start, (size_t)size) ? stress_hold(s) : PHASE_SIGNAL;
}

static const char *const needs[] = { "reserved huge pages", NULL };

const struct stressor stressor_hugetlb = {
	.name = "hugetlb",
	.about = "writes memory in huge pages that were reserved (MAP_HUGETLB)",
	.needs = needs,
	.options = options,
	.run = run,
};
