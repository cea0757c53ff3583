// SPDX-License-Identifier: MIT
#include "harness/overcommit.h"

#include "lib/json.h"

/* As it was last; a kernel without that setting has 0 for it. */
static int64_t setting(const struct record *r, const char *name)
{
	return json_number(record_event(r, "setting", "setting", name), "value", 0);
}

static int64_t last(const struct record *r, const char *column, int64_t fallback)
{
	const struct series *s = record_series(r, SAMPLE_SYSTEM, 0, column);

	return s && s->last != BB_MISSING ? s->last : fallback;
}

int64_t overcommit_limit(const struct record *r)
{
	int64_t page = json_number(record_event(r, "start", NULL, NULL), "page_size", 4096);
	int64_t total = last(r, "meminfo.MemTotal", BB_MISSING);
	int64_t swap = last(r, "meminfo.SwapTotal", 0);
	int64_t huge = last(r, "meminfo.Hugetlb", 0); /* of all sizes; not there without hugetlbfs */
	int64_t fixed = setting(r, "overcommit_kbytes") * 1024;

	if (total == BB_MISSING || !record_event(r, "setting", "setting", "overcommit_ratio"))
		return BB_MISSING;
	if (fixed)
		return fixed / page * page + swap;
	/* In whole pages, as the kernel counts. */
	return (total - huge) / page * setting(r, "overcommit_ratio") / 100 * page + swap;
}

int64_t overcommit_user_reserve(const struct record *r, size_t process)
{
	const struct series *s = record_series(r, SAMPLE_PROCESS, process, "vsize_peak");
	int64_t page = json_number(record_event(r, "start", NULL, NULL), "page_size", 4096);
	int64_t most = setting(r, "user_reserve_kbytes") * 1024 / page * page, part;

	if (!s || s->max == BB_MISSING || !record_event(r, "setting", "setting", "user_reserve_kbytes"))
		return BB_MISSING;
	part = s->max / page / 32 * page;
	return part < most ? part : most;
}
