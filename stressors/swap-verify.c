// SPDX-License-Identifier: MIT
/*
 * Row C4: is what comes back from swap what went out? Every word is written as follows from its address, forced out of
 * RAM, and read back; a disk, a compressor or a kernel that mixes up two pages is found out. It always checks.
 */
#include "stressors/proc.h"
#include "stressors/stressor.h"

#include "lib/units.h"

#include <errno.h>
#include <sys/mman.h>

#define STEP ((uint64_t)1 << 20)

enum how { PAGEOUT, PRESSURE };

static const char *const hows[] = { "pageout", "pressure", NULL };

static const struct option_info options[] = {
	{ .name = "size",
	  .kind = OPTION_SIZE,
	  .fallback = "64M",
	  .min = 4096,
	  .help = "size of the mapping" },
	{ .name = "how",
	  .kind = OPTION_CHOICE,
	  .choices = hows,
	  .fallback = "pageout",
	  .help = "what drives it out: madvise(2) with MADV_PAGEOUT, or only a limit below --size" },
	{ .name = "passes",
	  .kind = OPTION_COUNT,
	  .fallback = "1",
	  .min = 1,
	  .help = "how often it is written, forced out and read back" },
	{ .name = NULL },
};

static const struct value_info values[] = {
	{ "swapped", "bytes", "what of its memory was in swap when it last began to read" },
	{ NULL, NULL, NULL },
};

/* In steps, since swapping out takes its time; a full swap is no error, the rest stays. */
static enum phase page_out(struct stress *s, char *start, uint64_t size)
{
	uint64_t at;

	for (at = 0; at < size; at += STEP) {
		size_t len = (size_t)(size - at < STEP ? size - at : STEP);
		int r;

		do
			r = madvise(start + at, len, MADV_PAGEOUT);
		while (r < 0 && errno == EINTR);
		if (r < 0 && errno == EINVAL)
			return stress_unmet(s, "this kernel has no MADV_PAGEOUT (Linux 5.4): --how=pressure");
		if (r < 0)
			return stress_refused(s, "madvise with MADV_PAGEOUT", len);
		if (!stress_wait(s, 0))
			return PHASE_SIGNAL;
	}
	return PHASE_DONE;
}

static enum phase pass(struct stress *s, char *start, uint64_t size)
{
	enum phase end = PHASE_DONE;
	int64_t swapped;

	if (!stress_write(s, start, (size_t)size))
		return PHASE_SIGNAL;
	if (option(s, "how") == PAGEOUT)
		end = page_out(s, start, size);
	if (end != PHASE_DONE)
		return end;
	swapped = proc_own("Swap");
	if (swapped >= 0)
		stress_value(s, "swapped", swapped);
	return stress_check(s, start, (size_t)size) ? PHASE_DONE : PHASE_SIGNAL;
}

static enum phase run(struct stress *s)
{
	uint64_t size = option(s, "size"), passes = option(s, "passes"), i;
	int64_t swap = proc_line("/proc/meminfo", "SwapTotal");
	enum phase end = PHASE_DONE;
	char *start;

	if (swap <= 0)
		return proc_unmet(s, swap, "this machine has no swap (a guest's machine.swap)");
	stress_phase(s, PHASE_RUN);
	start = mmap(NULL, (size_t)size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (start == MAP_FAILED)
		return stress_refused(s, "mmap", size);
	stress_allocated(s, size);
	for (i = 0; end == PHASE_DONE && i < passes; i++)
		end = pass(s, start, size);
	return end == PHASE_DONE ? stress_hold(s) : end;
}

static const char *const needs[] = { "swap", NULL };

const struct stressor stressor_swap_verify = {
	.name = "swap-verify",
	.about = "writes memory, forces it out to swap, reads it back and checks every byte",
	.needs = needs,
	.options = options,
	.values = values,
	.verifies = true,
	.run = run,
};
