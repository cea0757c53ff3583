// SPDX-License-Identifier: MIT
/* One tick: everything is read, recorded as the box's stride says, and shown to who watches. */
#include "harness/engine/children.h"
#include "harness/engine/trial.h"

/* Column names go into one event-like record; vmstat and the nodes make it long. */
#define COLUMNS_BYTES_MAX (64 << 10)

static void announce(struct trial_run *t, const char *of, const char *const *names, size_t count)
{
	static char buf[COLUMNS_BYTES_MAX];
	struct jsonw w;
	size_t i;

	jsonw_begin(&w, buf, sizeof(buf));
	jsonw_str(&w, "of", of);
	jsonw_array(&w, "names");
	for (i = 0; i < count; i++)
		jsonw_str(&w, NULL, names[i]);
	bb_append(t->rec.box, BB_COLUMNS, recorder_now(&t->rec), buf, jsonw_end(&w));
}

void trial_announce(struct trial_run *t)
{
	const char *names[CG_COLUMNS_MAX];
	size_t n;

	announce(t, "system", (const char *const *)t->system.names, t->system.columns);
	announce(t, "process", process_columns, P_COLUMNS);
	for (n = 0; cg_column(n); n++)
		names[n] = cg_column(n);
	announce(t, "cgroup", names, n);
}

/* A stressor that is about no allocator says nothing of one. */
static int64_t allocator(const struct shared_page *page, uint64_t bytes)
{
	return page->obtained_bytes ? (int64_t)bytes : BB_MISSING;
}

static void sample_page(int64_t values[P_COLUMNS], const struct shared_page *page)
{
	values[P_ALLOCATED] = page ? (int64_t)page->allocated_bytes : BB_MISSING;
	values[P_TOUCHED] = page ? (int64_t)page->touched_bytes : BB_MISSING;
	values[P_LIVE] = page ? allocator(page, page->live_bytes) : BB_MISSING;
	values[P_OBTAINED] = page ? allocator(page, page->obtained_bytes) : BB_MISSING;
}

static void sample_process(struct trial_run *t, unsigned int index, bool record, bool whole)
{
	struct process *p = &t->processes[index];

	if (process_sampler_read(&p->sampler, whole))
		children_look(t, &p->sampler, index);
	sample_page(p->sampler.values, p->page);
	if (record)
		bb_append_sample(t->rec.box, BB_PROCESS, recorder_now(&t->rec), index, p->sampler.values,
				 P_COLUMNS);
}

/*
 * The scenario's groups at every recorded tick; the group of processes that
 * name none at forced ones alone: of it only the kills from first to last count.
 */
static void sample_groups(struct trial_run *t, uint64_t now, bool forced)
{
	unsigned int count = forced ? t->group_count : t->spec.cgroup_count, i;
	int64_t values[CG_COLUMNS_MAX];
	uint32_t columns = 0;

	while (cg_column(columns))
		columns++;
	for (i = 0; i < count; i++) {
		cg_sampler_read(&t->groups[i].sampler, BB_MISSING, values);
		bb_append_sample(t->rec.box, BB_CGROUP, now, i, values, columns);
	}
}

static uint64_t known(int64_t value)
{
	return value == BB_MISSING ? 0 : (uint64_t)value;
}

void trial_tick(struct trial_run *t, bool forced)
{
	struct bb_live *live = &t->rec.box->header->live;
	bool record = forced || t->ticks % bb_stride(t->rec.box) == 0;
	uint64_t now = recorder_now(&t->rec), rss = 0, swap = 0;
	unsigned int i;

	if (record) {
		system_sampler_read(&t->system);
		bb_append_sample(t->rec.box, BB_SYSTEM, now, 0, t->system.values,
				 (uint32_t)t->system.columns);
		sample_groups(t, now, forced);
	}
	for (i = 0; i < t->process_count; i++) {
		if (!t->processes[i].running || !t->processes[i].started)
			continue;
		sample_process(t, i, record, forced);
		rss += known(t->processes[i].sampler.values[P_RSS]);
		swap += known(t->processes[i].sampler.values[P_SWAP]);
	}
	children_sample(t, record, forced);
	live->ticks = ++t->ticks;
	live->t_ns = now;
	live->rss_bytes = rss;
	live->swap_bytes = swap;
}
