// SPDX-License-Identifier: MIT
/*
 * Row C3: page cache that is not on disk yet. Before the kernel can have such a page it must write it, which takes the
 * disk's time; a page that is rewritten meanwhile is dirty again.
 */
#include "stressors/blockfile.h"

#include "lib/clock.h"

#include <errno.h>

static const struct option_info options[] = {
	BLOCKFILE_OPTIONS("64M"),
	{ .name = "passes",
	  .kind = OPTION_COUNT,
	  .fallback = "0",
	  .help = "how often it is written again from start to end" },
	{ .name = "rate",
	  .kind = OPTION_SIZE,
	  .fallback = "0",
	  .total = true,
	  .help = "written again in a second, at most; 0: as fast as it goes" },
	{ .name = NULL },
};

/* When that many bytes are due at the rate, after the start; no product of the two overflows. */
static uint64_t due_ns(uint64_t bytes, uint64_t rate)
{
	return bytes / rate * NS_PER_S + (uint64_t)((double)(bytes % rate) * 1e9 / (double)rate);
}

static enum phase rewrite(struct stress *s, struct blockfile *f)
{
	uint64_t rate = option(s, "rate"), passes = option(s, "passes");
	uint64_t total = passes > UINT64_MAX / f->size - 1 ? UINT64_MAX : (passes + 1) * f->size;
	uint64_t start = clock_ns();
	enum phase end = PHASE_DONE;

	while (end == PHASE_DONE && f->written < total) {
		uint64_t due, now;

		end = blockfile_write(s, f);
		if (end != PHASE_DONE || !rate)
			continue;
		due = start + due_ns(f->written - f->size, rate);
		now = clock_ns();
		if (due > now && !stress_wait(s, due - now))
			end = PHASE_SIGNAL;
	}
	return end;
}

static enum phase run(struct stress *s)
{
	struct blockfile f;
	enum phase end = blockfile_on_disk(s, &f);

	if (end != PHASE_RUN)
		return end;
	stress_phase(s, PHASE_RUN);
	end = blockfile_fill(s, &f);
	if (end == PHASE_DONE)
		end = rewrite(s, &f);
	return end == PHASE_DONE ? blockfile_hold(s, &f) : end;
}

static const char *const needs[] = { "a working directory on disk", NULL };

const struct stressor stressor_file_dirty = {
	.name = "file-dirty",
	.about = "writes a file in the working directory and never syncs it, so that its page cache is dirty",
	.needs = needs,
	.options = options,
	.run = run,
};
