// SPDX-License-Identifier: MIT
#include "stressors/stressor.h"

#include "lib/units.h"

#include <errno.h>

const struct option_info block_options[] = {
	{ .name = "block", .kind = OPTION_SIZE, .fallback = "1M", .min = 1, .help = "size of each block" },
	{ .name = "limit",
	  .kind = OPTION_SIZE,
	  .fallback = "0",
	  .total = true,
	  .help = "amount to reach; 0: until refused or killed" },
	{ .name = "pause", .kind = OPTION_DURATION, .fallback = "0", .help = "wait after each block" },
	{ .name = NULL },
};

/* Where the last pointer goes, so that no compiler can drop an allocation. */
static void *volatile sink;

int blocks_check(const struct stress *s, struct err *e)
{
	uint64_t block = option(s, "block"), limit = option(s, "limit");
	char text[UNITS_TEXT_MAX];

	if (limit == 0 || block <= limit)
		return 0;
	return err_set(e, EINVAL, "--block: larger than --limit; allowed: 1B to %s",
		       size_format(text, limit));
}

enum phase blocks_run(struct stress *s, const char *call, void *(*get)(size_t bytes), bool fill)
{
	const uint64_t limit = option(s, "limit");
	const uint64_t pause = option(s, "pause");
	uint64_t left = limit ? limit : UINT64_MAX;
	uint64_t block = option(s, "block");

	stress_phase(s, PHASE_RUN);
	while (left) {
		void *start;

		if (block > left)
			block = left;
		start = get((size_t)block);
		if (!start)
			return stress_refused(s, call, block);
		sink = start;
		stress_allocated(s, block);
		if (fill && !stress_fill(s, start, (size_t)block))
			return PHASE_SIGNAL;
		left -= block;
		if (!stress_wait(s, left ? pause : 0))
			return PHASE_SIGNAL;
	}
	return stress_hold(s);
}
