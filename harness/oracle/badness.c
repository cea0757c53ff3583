// SPDX-License-Identifier: MIT
#include "harness/oracle/badness.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

const struct oom_model_info oom_models[OOM_MODELS] = {
	[OOM_2_6] = { "2.6", "1da177e4c3f4",
		      "VM size and half of the children's, less for time, root and raw I/O" },
	[OOM_2_6_36] = { "2.6.36", "a63d83f427fb", "rss and swap per mille of the memory, 30 off for root" },
	[OOM_2_6_39] = { "2.6.39", "f755a042d82b", "page tables count as well" },
	[OOM_3_6] = { "3.6", "a7f638f999ff", "in pages, so that small ones are told apart" },
	[OOM_3_14] = { "3.14", "778c14affaf9",
		       "root: 3 % of what it uses off, instead of 3 % of the memory" },
	[OOM_4_17] = { "4.17", "d46078b28889", "nothing off for root" },
	[OOM_5_1] = { "5.1", "bbbe48029720", "no child is killed in place of its parent" },
	[OOM_5_9] = { "5.9", "9066e5cfb73c", "scores below 0 are told apart, too" },
};

enum oom_model oom_model_of(const char *release)
{
	static const struct {
		int version[3];
		enum oom_model model;
	} since[] = {
		{ { 5, 9, 0 }, OOM_5_9 },     { { 5, 1, 0 }, OOM_5_1 }, { { 4, 17, 0 }, OOM_4_17 },
		{ { 3, 14, 0 }, OOM_3_14 },   { { 3, 6, 0 }, OOM_3_6 }, { { 2, 6, 39 }, OOM_2_6_39 },
		{ { 2, 6, 36 }, OOM_2_6_36 }, { { 0, 0, 0 }, OOM_2_6 },
	};
	int v[3] = { 0, 0, 0 };
	size_t i, k;
	char *end;

	if (release[0] < '0' || release[0] > '9')
		return OOM_5_9;
	for (i = 0; i < 3; i++) {
		v[i] = (int)strtol(release, &end, 10);
		if (end == release || *end != '.')
			break;
		release = end + 1;
	}
	for (i = 0; i < sizeof(since) / sizeof(since[0]) - 1; i++) {
		for (k = 0; k < 2 && v[k] == since[i].version[k]; k++)
			;
		if (v[k] >= since[i].version[k])
			break;
	}
	return since[i].model;
}

/* RHEL 6 calls itself 2.6.32 and scores as 2.6.36 did: its table has oom_score_adj. */
enum oom_model oom_model_for(const struct oom_report *r)
{
	enum oom_model model = oom_model_of(r->release);

	return model == OOM_2_6 && r->task_count && r->tasks[0].has_score_adj ? OOM_2_6_36 : model;
}

static int64_t known(int64_t v)
{
	return v > 0 ? v : 0;
}

/* int_sqrt() of lib/int_sqrt.c */
static int64_t square_root(int64_t v)
{
	int64_t low = 0, high = 1 << 20;

	while (low < high) {
		int64_t middle = (low + high + 1) / 2;

		if (middle * middle <= v)
			low = middle;
		else
			high = middle - 1;
	}
	return low;
}

/* badness() as of 2.6.11: pages of address space, divided for what has worked for long. */
static int64_t badness_2_6(const struct oom_subject *s)
{
	int64_t points = known(s->total_vm_pages) + known(s->children_vm_pages) / 2, divide;

	if (s->adj <= -17)
		return OOM_EXEMPT;
	/* CPU time in units of 8 s, run time in units of 1024 s. */
	divide = square_root(known(s->cpu_s) >> 3);
	if (divide)
		points /= divide;
	divide = square_root(square_root(known(s->run_s) >> 10));
	if (divide)
		points /= divide;
	if (s->niced)
		points *= 2;
	if (s->root)
		points /= 4;
	if (s->raw_io)
		points /= 4;
	if (s->adj > 0)
		return (points ? points : 1) << s->adj;
	return points >> -s->adj;
}

/* oom_badness() of 2.6.36 to 3.5: per mille of the memory; what is over 1000 stays 1000. */
static int64_t badness_per_mille(enum oom_model model, const struct oom_subject *s,
				 const struct oom_scope *scope)
{
	int64_t total = scope->total_pages > 0 ? scope->total_pages : 1000; /* unknown: pages, as they are */
	int64_t points = known(s->rss_pages) + known(s->swap_pages);

	if (model >= OOM_2_6_39)
		points += known(s->pgtables_bytes) / scope->page_bytes;
	points = points * 1000 / total;
	if (s->root)
		points -= 30;
	points += s->adj;
	if (points <= 0)
		return 1;
	return points < 1000 || scope->total_pages <= 0 ? points : 1000;
}

int64_t oom_badness(enum oom_model model, const struct oom_subject *s, const struct oom_scope *scope)
{
	int64_t points, adj = s->adj;

	if (model == OOM_2_6)
		return badness_2_6(s);
	if (adj <= -1000)
		return OOM_EXEMPT;
	if (model < OOM_3_6)
		return badness_per_mille(model, s, scope);
	points = known(s->rss_pages) + known(s->swap_pages) + known(s->pgtables_bytes) / scope->page_bytes;
	if (model == OOM_3_6 && s->root)
		adj -= 30;
	if (model == OOM_3_14 && s->root)
		points -= points * 3 / 100;
	points += adj * (known(scope->total_pages) / 1000);
	if (model < OOM_5_9 && points <= 0)
		return 1;
	return points;
}

struct oom_scope oom_scope_of(const struct oom_report *r)
{
	struct oom_scope scope = { -1, r->page_bytes, false };
	/* constrained_alloc(): the nodes that the request was kept to, as the report lists them, by node_present_pages() */
	bool nodes = r->constraint == OOM_CONSTRAINT_CPUSET || r->constraint == OOM_CONSTRAINT_MEMPOLICY;
	int64_t ram = 0, swap = known(r->swap_total_bytes);
	size_t i;

	if (r->constraint == OOM_CONSTRAINT_MEMCG) {
		/* mem_cgroup_get_max(): the limit and what swap it may have */
		if (r->memory.limit_bytes < 0)
			return scope;
		scope.total_pages = r->memory.limit_bytes / r->page_bytes;
		if (r->swap.limit_bytes >= 0 && r->swap.limit_bytes < INT64_MAX / 4096)
			scope.total_pages += r->swap.limit_bytes / r->page_bytes;
		else if (r->memsw.limit_bytes >= r->memory.limit_bytes &&
			 r->memsw.limit_bytes < INT64_MAX / 4096)
			scope.total_pages = r->memsw.limit_bytes / r->page_bytes;
		scope.swap_unknown =
			r->swap.limit_bytes >= INT64_MAX / 4096 || r->memsw.limit_bytes >= INT64_MAX / 4096;
		return scope;
	}
	for (i = 0; i < r->zone_count; i++)
		ram += known(nodes ? r->zones[i].present_bytes : r->zones[i].managed_bytes);
	if (ram)
		scope.total_pages = (ram + swap) / r->page_bytes;
	else if (r->ram_pages > 0)
		scope.total_pages = r->ram_pages - known(r->reserved_pages) + swap / r->page_bytes;
	return scope;
}

struct oom_subject oom_subject_of(const struct oom_report *r, const struct oom_task *t, enum oom_model model)
{
	struct oom_subject s = { .pid = t->pid,
				 .total_vm_pages = t->total_vm_pages,
				 .rss_pages = t->rss_pages,
				 .swap_pages = t->swap_pages,
				 .pgtables_bytes = t->pgtables_bytes,
				 .root = t->uid == 0,
				 .raw_io = t->uid == 0,
				 .children_vm_pages = -1,
				 .cpu_s = -1,
				 .run_s = -1 };

	(void)r;
	/* oom_adj_write() and oom_score_adj_write() of fs/proc/base.c: -17 is -1000, 15 is 1000, and back. */
	if (model == OOM_2_6)
		s.adj = t->has_adj                 ? t->oom_adj
			: t->oom_score_adj == 1000 ? 15
						   : t->oom_score_adj * 17 / 1000;
	else if (t->has_score_adj)
		s.adj = t->oom_score_adj;
	else if (t->has_adj)
		s.adj = t->oom_adj == 15 ? 1000 : t->oom_adj * 1000 / 17;
	return s;
}

static const char *exemption(const struct oom_task *t, int64_t points)
{
	if (t->pid == 1)
		return "init";
	if (points != OOM_EXEMPT)
		return NULL;
	return t->has_score_adj ? "oom_score_adj -1000" : "oom_adj -17";
}

/*
 * The table's order is that in which the kernel looks. Of equals it kept the first it saw, to show thread group leaders;
 * it keeps the last since it looks at leaders alone (f168a9a54ec3, Linux 5.3).
 */
static int worst_first(const void *a, const void *b, void *model)
{
	const struct oom_rank *x = a, *y = b;
	int order = x->task < y->task ? -1 : x->task > y->task;

	if (!x->exempt != !y->exempt)
		return x->exempt ? 1 : -1;
	if (x->points != y->points)
		return x->points < y->points ? 1 : -1;
	return *(enum oom_model *)model >= OOM_5_1 ? -order : order;
}

int oom_ranking(const struct oom_report *r, enum oom_model model, struct oom_rank **ret)
{
	struct oom_scope scope = oom_scope_of(r);
	struct oom_rank *ranks = calloc(r->task_count + 1, sizeof(*ranks));
	size_t i;

	if (!ranks)
		return -ENOMEM;
	for (i = 0; i < r->task_count; i++) {
		struct oom_subject s = oom_subject_of(r, &r->tasks[i], model);

		ranks[i].task = i;
		ranks[i].points = oom_badness(model, &s, &scope);
		ranks[i].exempt = exemption(&r->tasks[i], ranks[i].points);
	}
	qsort_r(ranks, r->task_count, sizeof(*ranks), worst_first, &model);
	*ret = ranks;
	return 0;
}
