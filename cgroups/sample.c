// SPDX-License-Identifier: MIT
#include "cgroups/sample.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

enum source { NONE, CURRENT, PEAK, SWAP, EVENTS, STAT, PSI, FAILCNT };

static const char *const files[3][CG_FILES_MAX] = {
	[1] = { [CURRENT] = "memory.usage_in_bytes",
		[PEAK] = "memory.max_usage_in_bytes",
		[SWAP] = "memory.memsw.usage_in_bytes",
		[EVENTS] = "memory.oom_control",
		[STAT] = "memory.stat",
		[FAILCNT] = "memory.failcnt" },
	[2] = { [CURRENT] = "memory.current",
		[PEAK] = "memory.peak",
		[SWAP] = "memory.swap.current",
		[EVENTS] = "memory.events",
		[STAT] = "memory.stat",
		[PSI] = "memory.pressure" },
};

/*
 * One row a column: where each version has it. A key of "" means that the file
 * is one number. v1 has no events but failures to charge (failcnt) and
 * oom_kill; its memory.stat counts children in the total_ lines.
 */
struct column {
	const char *name;
	struct {
		enum source source;
		const char *key;
	} from[3];
};

#define BOTH(name_, v2s, v2k, v1s, v1k)                                                                      \
	{                                                                                                    \
		name_,                                                                                       \
		{                                                                                            \
			{ NONE, "" }, { v1s, v1k },                                                          \
			{                                                                                    \
				v2s, v2k                                                                     \
			}                                                                                    \
		}                                                                                            \
	}

static const struct column columns[] = {
	BOTH("current", CURRENT, "", CURRENT, ""),
	BOTH("peak", PEAK, "", PEAK, ""),
	BOTH("swap", SWAP, "", STAT, "total_swap"),
	BOTH("low_events", EVENTS, "low", NONE, ""),
	BOTH("high_events", EVENTS, "high", NONE, ""),
	BOTH("max_events", EVENTS, "max", FAILCNT, ""),
	BOTH("oom_events", EVENTS, "oom", NONE, ""),
	BOTH("oom_kills", EVENTS, "oom_kill", EVENTS, "oom_kill"),
	BOTH("oom_group_kills", EVENTS, "oom_group_kill", NONE, ""),
	BOTH("anon", STAT, "anon", STAT, "total_rss"),
	BOTH("file", STAT, "file", STAT, "total_cache"),
	BOTH("shmem", STAT, "shmem", STAT, "total_shmem"),
	BOTH("slab_reclaimable", STAT, "slab_reclaimable", NONE, ""),
	BOTH("slab_unreclaimable", STAT, "slab_unreclaimable", NONE, ""),
	BOTH("pagetables", STAT, "pagetables", NONE, ""),
	BOTH("kernel_stack", STAT, "kernel_stack", NONE, ""),
	BOTH("sock", STAT, "sock", NONE, ""),
	BOTH("file_dirty", STAT, "file_dirty", STAT, "total_dirty"),
	BOTH("pgfault", STAT, "pgfault", STAT, "total_pgfault"),
	BOTH("pgmajfault", STAT, "pgmajfault", STAT, "total_pgmajfault"),
	BOTH("pgscan", STAT, "pgscan", NONE, ""),
	BOTH("pgsteal", STAT, "pgsteal", NONE, ""),
	BOTH("refault_anon", STAT, "workingset_refault_anon", NONE, ""),
	BOTH("refault_file", STAT, "workingset_refault_file", NONE, ""),
	BOTH("psi_some", PSI, "some", NONE, ""),
	BOTH("psi_full", PSI, "full", NONE, ""),
};

#define COLUMNS (sizeof(columns) / sizeof(columns[0]))

_Static_assert(COLUMNS <= CG_COLUMNS_MAX, "CG_COLUMNS_MAX is too small");

const char *cg_column(size_t i)
{
	return i < COLUMNS ? columns[i].name : NULL;
}

int cg_sampler_open(const struct cg_system *sys, const char *path, struct cg_sampler *ret, struct err *e)
{
	size_t i;

	memset(ret, 0, sizeof(*ret));
	ret->version = sys->version;
	for (i = 0; i < CG_FILES_MAX; i++)
		ret->fd[i] = files[sys->version][i] ? cg_open(sys, path, files[sys->version][i]) : -1;
	for (i = 0; i < COLUMNS; i++)
		ret->fields[i].key = columns[i].from[sys->version].key;
	if (ret->fd[CURRENT] < 0)
		return err_errno(e, -ret->fd[CURRENT], "cgroup %s: open %s", path,
				 files[sys->version][CURRENT]);
	return 0;
}

/* "some avg10=0.00 avg60=0.00 avg300=0.00 total=1234", total in microseconds -> ns */
static int64_t psi_total(const char *text, const char *key, int64_t missing)
{
	const char *line = strstr(text, key), *end;
	const char *total = line ? strstr(line, "total=") : NULL;
	int64_t us = total ? digits(total + 6, text + strlen(text), &end) : -1;

	return us < 0 ? missing : scaled(us, 1000);
}

static void read_source(struct cg_sampler *s, enum source source, const char *text, size_t len,
			int64_t missing, int64_t *values)
{
	const char *end;
	size_t i;

	for (i = 0; i < COLUMNS; i++) {
		if (columns[i].from[s->version].source != source)
			continue;
		if (source == PSI)
			values[i] = psi_total(text, s->fields[i].key, missing);
		else if (s->fields[i].key[0])
			fields_read(text, len, &s->fields[i], 1, missing, &values[i]);
		else
			values[i] = digits(text, text + len, &end);
	}
}

void cg_sampler_read(struct cg_sampler *s, int64_t missing, int64_t *values)
{
	char text[8192];
	size_t i;

	for (i = 0; i < COLUMNS; i++)
		values[i] = missing;
	for (i = 1; i < CG_FILES_MAX; i++) {
		ssize_t n = s->fd[i] < 0 ? -1 : pread(s->fd[i], text, sizeof(text) - 1, 0);

		if (n <= 0)
			continue;
		text[n] = 0;
		read_source(s, (enum source)i, text, (size_t)n, missing, values);
	}
}

void cg_sampler_close(struct cg_sampler *s)
{
	size_t i;

	for (i = 0; i < CG_FILES_MAX; i++)
		if (s->fd[i] >= 0)
			close(s->fd[i]);
	memset(s->fd, 0xff, sizeof(s->fd));
}
