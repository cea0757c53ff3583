// SPDX-License-Identifier: MIT
/*
 * dump_tasks() of mm/oom_kill.c. Columns came and went, so they are taken by the header:
 *
 *   [ pid ]   uid  tgid total_vm      rss cpu oom_adj oom_score_adj name               2.6.36 to 3.4
 *   [ pid ]   uid  tgid total_vm      rss nr_ptes swapents oom_score_adj name          3.10
 *   [ pid ]   uid  tgid total_vm      rss nr_ptes nr_pmds swapents oom_score_adj name  4.4
 *   [  pid  ]   uid  tgid total_vm      rss pgtables_bytes swapents oom_score_adj name 4.20 to 6.7
 *   [  pid  ]   uid  tgid total_vm      rss rss_anon rss_file rss_shmem pgtables_bytes swapents oom_score_adj name
 */
#include "harness/oracle/parts.h"

#define PTE_TABLE_BYTES 4096

static enum oom_column column_of(const char *word, size_t len)
{
	static const struct {
		const char *name;
		enum oom_column column;
	} names[] = {
		{ "pid", COLUMN_PID },
		{ "uid", COLUMN_UID },
		{ "tgid", COLUMN_TGID },
		{ "total_vm", COLUMN_TOTAL_VM },
		{ "rss", COLUMN_RSS },
		{ "rss_anon", COLUMN_RSS_ANON },
		{ "rss_file", COLUMN_RSS_FILE },
		{ "rss_shmem", COLUMN_RSS_SHMEM },
		{ "pgtables_bytes", COLUMN_PGTABLES_BYTES },
		{ "nr_ptes", COLUMN_PTES },
		{ "nr_pmds", COLUMN_PTES },
		{ "nr_puds", COLUMN_PTES },
		{ "swapents", COLUMN_SWAP },
		{ "oom_adj", COLUMN_OOM_ADJ },
		{ "oom_score_adj", COLUMN_OOM_SCORE_ADJ },
		{ "name", COLUMN_NAME },
	};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (strlen(names[i].name) == len && !memcmp(names[i].name, word, len))
			return names[i].column;
	return COLUMN_OTHER;
}

bool table_header(struct span s, struct oom_columns *ret)
{
	struct oom_columns c = { .count = 0 };

	if (!span_skip(&s, "["))
		return false;
	while (s.at < s.end && c.count < OOM_COLUMNS_MAX) {
		const char *start;

		while (span_skip_one(&s, " []"))
			;
		for (start = s.at; s.at < s.end && !span_is_one(*s.at, " []"); s.at++)
			;
		if (s.at > start)
			c.of[c.count++] = column_of(start, (size_t)(s.at - start));
		if (c.count && c.of[c.count - 1] == COLUMN_NAME)
			break;
	}
	if (c.count < 4 || c.of[0] != COLUMN_PID || c.of[c.count - 1] != COLUMN_NAME)
		return false;
	*ret = c;
	return true;
}

static void clear(struct oom_task *t)
{
	*t = (struct oom_task){ .pid = -1,
				.tgid = -1,
				.uid = -1,
				.total_vm_pages = -1,
				.rss_pages = -1,
				.rss_anon_pages = -1,
				.rss_file_pages = -1,
				.rss_shmem_pages = -1,
				.pgtables_bytes = -1,
				.swap_pages = -1 };
}

/* False: no kernel prints such a number there. */
static bool take(struct oom_task *t, enum oom_column column, int64_t v)
{
	int64_t *const amounts[] = {
		[COLUMN_PID] = &t->pid,
		[COLUMN_UID] = &t->uid,
		[COLUMN_TGID] = &t->tgid,
		[COLUMN_TOTAL_VM] = &t->total_vm_pages,
		[COLUMN_RSS] = &t->rss_pages,
		[COLUMN_RSS_ANON] = &t->rss_anon_pages,
		[COLUMN_RSS_FILE] = &t->rss_file_pages,
		[COLUMN_RSS_SHMEM] = &t->rss_shmem_pages,
		[COLUMN_PGTABLES_BYTES] = &t->pgtables_bytes,
		[COLUMN_SWAP] = &t->swap_pages,
	};

	/* Far from where sums of them would overflow. */
	if (v > INT64_MAX >> 24)
		return false;
	if (column == COLUMN_OOM_ADJ || column == COLUMN_OOM_SCORE_ADJ) {
		*(column == COLUMN_OOM_ADJ ? &t->oom_adj : &t->oom_score_adj) = v;
		*(column == COLUMN_OOM_ADJ ? &t->has_adj : &t->has_score_adj) = true;
		return column == COLUMN_OOM_ADJ ? v >= -17 && v <= 15 : v >= -1000 && v <= 1000;
	}
	if (column == COLUMN_OTHER)
		return true;
	if (v < 0)
		return false;
	if (column == COLUMN_PTES) {
		t->pgtables_bytes = (t->pgtables_bytes < 0 ? 0 : t->pgtables_bytes) + v * PTE_TABLE_BYTES;
		return v < INT64_MAX >> 40;
	}
	*amounts[column] = v;
	return true;
}

/* "          0 stress": a row of more columns than the header has, as when a line was broken within a number. */
static bool is_one_more_column(struct span name)
{
	int64_t v;

	if (!span_skip(&name, " "))
		return false;
	span_skip_spaces(&name);
	return span_int(&name, &v) && span_skip(&name, " ");
}

bool table_row(struct span s, const struct oom_columns *columns, struct oom_task *ret)
{
	int64_t v;
	size_t i;

	clear(ret);
	if (!span_skip(&s, "["))
		return false;
	for (i = 0; i + 1 < columns->count; i++) {
		span_skip_spaces(&s);
		if (!span_int(&s, &v) || !take(ret, columns->of[i], v))
			return false;
		if (i == 0 && (span_skip_spaces(&s), !span_skip(&s, "]")))
			return false;
	}
	if (!span_skip(&s, " ") || is_one_more_column(s))
		return false;
	span_copy(ret->comm, sizeof(ret->comm), s.at, s.end);
	return ret->pid > 0;
}
