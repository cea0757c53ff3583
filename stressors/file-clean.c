// SPDX-License-Identifier: MIT
/*
 * Rows C1, C3: page cache that is the same on disk. The kernel takes such pages back without writing anything, so
 * they are what it can have most cheaply; whoever reads them again waits for the disk.
 */
#include "stressors/blockfile.h"

#include <errno.h>
#include <unistd.h>

static const struct option_info options[] = {
	BLOCKFILE_OPTIONS("64M"),
	{ .name = "passes",
	  .kind = OPTION_COUNT,
	  .fallback = "1",
	  .help = "how often it is read from start to end; 0: never" },
	{ .name = "pause", .kind = OPTION_DURATION, .fallback = "0", .help = "wait after each block read" },
	{ .name = NULL },
};

static enum phase run(struct stress *s)
{
	uint64_t passes = option(s, "passes"), i;
	struct blockfile f;
	enum phase end = blockfile_on_disk(s, &f);

	if (end != PHASE_RUN)
		return end;
	stress_phase(s, PHASE_RUN);
	end = blockfile_fill(s, &f);
	if (end == PHASE_DONE && fsync(f.fd) < 0)
		return stress_error(s, errno, "fsync");
	for (i = 0; end == PHASE_DONE && i < passes; i++)
		end = blockfile_read(s, &f, option(s, "pause"));
	return end == PHASE_DONE ? blockfile_hold(s, &f) : end;
}

static const char *const needs[] = { "a working directory on disk", NULL };

const struct stressor stressor_file_clean = {
	.name = "file-clean",
	.about =
		"writes a file in the working directory, syncs it and reads it, so that it is in the page cache",
	.needs = needs,
	.options = options,
	.run = run,
};
