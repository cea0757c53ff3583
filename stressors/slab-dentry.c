// SPDX-License-Identifier: MIT
/*
 * Row B6: what the kernel remembers of names, in slabs that it takes back when memory is short. Each name that is looked for and
 * not there leaves a negative dentry (fs/dcache.c), with the name itself beside it when that is longer than a few letters.
 */
#include "stressors/blockfile.h"

#include "lib/files.h"
#include "stressors/proc.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define MEMINFO    "/proc/meminfo"
#define NAME_BYTES 200

static const struct option_info options[] = {
	{ .name = "count",
	  .kind = OPTION_COUNT,
	  .fallback = "50000",
	  .min = 1,
	  .max = (uint64_t)1 << 32,
	  .help = "names to look for, about 450 bytes each" },
	{ .name = "pause", .kind = OPTION_DURATION, .fallback = "0", .help = "wait after every 1000" },
	{ .name = NULL },
};

static const struct value_info values[] = {
	{ "dentries", "count", "names that were looked for" },
	{ "slab_rise", "bytes", "by which SReclaimable of the machine has grown" },
	{ NULL, NULL, NULL },
};

static void report(struct stress *s, uint64_t count, int64_t before)
{
	int64_t now = proc_line(MEMINFO, "SReclaimable");

	stress_value(s, "dentries", (int64_t)count);
	stress_value(s, "slab_rise", now < 0 || before < 0 ? SHARED_UNKNOWN : now - before);
}

/* Another name than any of before, and of any process at the same time. */
static void compose(char name[NAME_BYTES + 1], uint64_t i)
{
	int len = snprintf(name, NAME_BYTES, ".oomlab-%d-%llu-", (int)getpid(), (unsigned long long)i);

	memset(name + len, 'x', NAME_BYTES - (size_t)len);
	name[NAME_BYTES] = 0;
}

static enum phase look(struct stress *s, uint64_t count, int64_t before)
{
	char name[NAME_BYTES + 1];
	uint64_t i;

	for (i = 0; i < count; i++) {
		compose(name, i);
		if (faccessat(AT_FDCWD, name, F_OK, 0) == 0 || errno != ENOENT)
			return stress_refused(s, "a look for a name in the working directory", 0);
		if (i % 1000 == 999) {
			report(s, i + 1, before);
			if (!stress_wait(s, option(s, "pause")))
				return PHASE_SIGNAL;
		}
		if (!stress_going(s))
			return PHASE_SIGNAL;
	}
	report(s, count, before);
	return PHASE_DONE;
}

static enum phase run(struct stress *s)
{
	AUTO_CLOSE int dir = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	enum phase end;

	if (dir < 0)
		return stress_refused(s, "open of the working directory", 0);
	if (in_ram(dir))
		return stress_unmet(s,
				    "the working directory is in RAM, where names that are not there are not "
				    "remembered (a guest's machine.data is not)");
	stress_phase(s, PHASE_RUN);
	end = look(s, option(s, "count"), proc_line(MEMINFO, "SReclaimable"));
	return end == PHASE_DONE ? stress_hold(s) : end;
}

static const char *const needs[] = { "a working directory on disk", NULL };

const struct stressor stressor_slab_dentry = {
	.name = "slab-dentry",
	.about = "looks for names that are not there, which the kernel remembers in slabs it can take back",
	.needs = needs,
	.options = options,
	.values = values,
	.run = run,
};
