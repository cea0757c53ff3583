// SPDX-License-Identifier: MIT
/*
 * Row A4: one large block, written in order a step at a time. The addresses (VSS) are there at once, the memory (RSS)
 * comes with the writes, page by page.
 */
#include "stressors/stressor.h"

#include "lib/units.h"

#include <errno.h>
#include <stdlib.h>

static const struct option_info options[] = {
	{ .name = "size", .kind = OPTION_SIZE, .fallback = "64M", .min = 1, .help = "size of the block" },
	{ .name = "step", .kind = OPTION_SIZE, .fallback = "1M", .min = 1, .help = "written at once" },
	{ .name = "pause", .kind = OPTION_DURATION, .fallback = "10ms", .help = "wait after each step" },
	{ .name = NULL },
};

static const struct value_info values[] = {
	{ "vss_granted", "bytes", "rise of VmSize when the block was granted" },
	{ "rss_granted", "bytes", "rise of VmRSS when it was granted" },
	{ "rss_rise", "bytes", "rise of VmRSS after the last step" },
	{ "rss_off", "bytes", "most that VmRSS had risen by more or less than was written" },
	{ NULL, NULL, NULL },
};

static int check(const struct stress *s, struct err *e)
{
	char text[UNITS_TEXT_MAX];

	if (option(s, "step") <= option(s, "size"))
		return 0;
	return err_set(e, EINVAL, "--step: larger than --size; allowed: 1B to %s",
		       size_format(text, option(s, "size")));
}

static enum phase run(struct stress *s)
{
	const uint64_t size = option(s, "size"), pause = option(s, "pause");
	const int64_t vss = stress_own("VmSize"), rss = stress_own("VmRSS");
	uint64_t step = option(s, "step"), done;
	int64_t rise, off, off_max = 0;
	unsigned char *start;

	stress_phase(s, PHASE_RUN);
	start = malloc((size_t)size);
	if (!start)
		return stress_refused(s, "malloc", size);
	stress_allocated(s, size);
	stress_value(s, "vss_granted", stress_rise("VmSize", vss));
	stress_value(s, "rss_granted", stress_rise("VmRSS", rss));
	for (done = 0; done < size; done += step) {
		if (step > size - done)
			step = size - done;
		if (!stress_fill(s, start + done, (size_t)step))
			return PHASE_SIGNAL;
		rise = stress_rise("VmRSS", rss);
		off = rise == SHARED_UNKNOWN ? 0 : llabs(rise - (int64_t)(done + step));
		off_max = off > off_max ? off : off_max;
		stress_value(s, "rss_rise", rise);
		stress_value(s, "rss_off", off_max);
		if (!stress_wait(s, done + step < size ? pause : 0))
			return PHASE_SIGNAL;
	}
	return stress_hold(s);
}

const struct stressor stressor_staircase = {
	.name = "staircase",
	.about = "allocates one block and writes it in order, a step at a time",
	.options = options,
	.values = values,
	.check = check,
	.run = run,
};
