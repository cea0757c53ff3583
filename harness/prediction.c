// SPDX-License-Identifier: MIT
#include "harness/prediction.h"

#include "harness/oracle/explain.h"
#include "lib/idlist.h"
#include "lib/json.h"
#include "lib/units.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PAGE_BYTES     4096
#define CANDIDATES_MAX 64
/*
 * What a thread has counted and not yet told (SPLIT_RSS_COUNTING, percpu_counter) neither a sample nor the OOM killer
 * sees, but it may be told between the two: so much of each of two processes that something was counted of lately.
 */
#define COUNTER_PAGES 32
/* Since the last sample a process may have grown faster than it did at its fastest over the last ticks: so many times. */
#define SPURT 1.5

struct candidate {
	const char *process;
	const char *group; /* in which the kernel looks at it: its own where a memcg's limit fired, else "" */
	size_t index;      /* in the order in which processes were made, and the kernel looks at them */
	int64_t points;
	int64_t change_pages;  /* by what it grew over the last tick, or shrank */
	int64_t grown_pages;   /* since its last sample, at most */
	int64_t shrunk_pages;  /* likewise */
	int64_t counter_pages; /* not told */
};

struct forecast {
	struct candidate list[CANDIDATES_MAX]; /* worst first */
	size_t count;
	int64_t margin; /* of the first to the one that is most likely to have overtaken it */
	int64_t error;  /* how much of it may be gone */
	bool close;
	struct oom_scope scope;
	enum oom_model model;
};

/* What counts of a process, by its samples before the choice, newest first. */
enum { RSS, SWAP, PGTABLES, PARTS };
struct past {
	const struct series *parts[PARTS]; /* NULL: there is no such column */
	size_t count;
};

static struct past past_of(const struct record *r, size_t row)
{
	static const char *const columns[PARTS] = { [RSS] = "rss", [SWAP] = "swap", [PGTABLES] = "pgtables" };
	struct past p = { .count = RECENT };
	size_t i;

	for (i = 0; i < PARTS; i++) {
		p.parts[i] = record_series(r, SAMPLE_PROCESS, row, columns[i]);
		if (p.parts[i] && !p.parts[i]->recents)
			p.parts[i] = NULL;
		if (p.parts[i] && p.parts[i]->recents < p.count)
			p.count = p.parts[i]->recents;
	}
	if (!p.parts[RSS])
		p.count = 0;
	return p;
}

static int64_t part(const struct past *p, size_t at, size_t i)
{
	return p->parts[i] ? p->parts[i]->recent[at].value : -1;
}

static int64_t all_parts(const struct past *p, size_t at)
{
	int64_t sum = 0;
	size_t i;

	for (i = 0; i < PARTS; i++)
		sum += p->parts[i] ? part(p, at, i) : 0;
	return sum;
}

/* How far it may have come since its last sample, from how fast it changed before. */
static void extrapolate(const struct past *p, uint64_t chosen_ns, struct candidate *c)
{
	uint64_t age_ns = chosen_ns - p->parts[RSS]->recent[0].t_ns;
	double up = 0, down = 0, rate;
	size_t at, i;

	for (at = 0; at + 1 < p->count; at++) {
		const struct moment *m = &p->parts[RSS]->recent[at];
		uint64_t apart_ns = m[0].t_ns > m[1].t_ns ? m[0].t_ns - m[1].t_ns : 1;

		rate = (double)(all_parts(p, at) - all_parts(p, at + 1)) / (double)apart_ns;
		up = rate > up ? rate : up;
		down = -rate > down ? -rate : down;
		for (i = 0; i < PARTS; i++)
			if (part(p, at, i) != part(p, at + 1, i))
				c->counter_pages = COUNTER_PAGES;
	}
	c->change_pages = p->count > 1 ? (all_parts(p, 0) - all_parts(p, 1)) / PAGE_BYTES : 0;
	c->grown_pages = (int64_t)(SPURT * up * (double)age_ns) / PAGE_BYTES;
	c->shrunk_pages = (int64_t)(SPURT * down * (double)age_ns) / PAGE_BYTES;
	/* One that was seen once alone: who knows. */
	if (p->count == 1)
		c->grown_pages = all_parts(p, 0) / PAGE_BYTES;
}

static int64_t pages(int64_t bytes)
{
	return bytes < 0 ? -1 : bytes / PAGE_BYTES;
}

/* The value that a limit of a group had at last before the kill; -1: none was set, or it is no number. */
static int64_t limit_of(const struct record *r, const char *group, const char *key, uint64_t before_ns)
{
	int64_t found = -1;
	json_t *one;
	size_t i;

	json_array_foreach (r->events, i, one) {
		const char *event = json_text(one, "event", "");
		uint64_t bytes;

		if ((uint64_t)json_number(one, "t_ns", 0) > before_ns)
			break;
		if ((strcmp(event, "set") != 0 && strcmp(event, "fault") != 0) ||
		    strcmp(json_text(one, "cgroup", ""), group) != 0 ||
		    strcmp(json_text(one, "key", ""), key) != 0)
			continue;
		bytes = strtoull(json_text(one, "got", "max"), NULL, 10);
		found = bytes ? (int64_t)bytes : json_text(one, "got", "m")[0] == '0' ? 0 : -1;
	}
	return found;
}

/* "/oomlab/app/x" of the log as "app/x" of the scenario; "" for the trial's own group and above; NULL: elsewhere. */
static const char *group_in(const struct record *r, const char *logged)
{
	const char *found = NULL;
	size_t longest = 0, i;
	json_t *one;

	json_array_foreach (r->events, i, one) {
		const char *path = json_text(one, "path", ""), *end = logged + strlen(logged);
		size_t len = strlen(path);

		if (strcmp(json_text(one, "event", ""), "cgroup") != 0 || len < longest ||
		    (size_t)(end - logged) <= len || strcmp(end - len, path) != 0 ||
		    end[-(ptrdiff_t)len - 1] != '/')
			continue;
		found = json_text(one, "cgroup", "");
		longest = len;
	}
	return found;
}

static int64_t system_total(const struct record *r, const char *column)
{
	const struct series *s = record_series(r, SAMPLE_SYSTEM, 0, column);

	return s && s->last != BB_MISSING ? s->last : 0;
}

/* As mem_cgroup_get_max() and constrained_alloc() have it; how large the nodes of a cpuset or mempolicy are the report says. */
static struct oom_scope scope_of(const struct record *r, const json_t *kill, const struct oom_report *report,
				 const char *limit_group)
{
	const char *constraint = json_text(kill, "constraint", "");
	struct oom_scope scope = { -1, PAGE_BYTES, false };
	uint64_t t_ns = (uint64_t)json_number(kill, "t_ns", 0);
	int64_t swap = system_total(r, "meminfo.SwapTotal"), most, swap_most;

	if (report && (!strcmp(constraint, "cpuset") || !strcmp(constraint, "mempolicy")))
		scope = oom_scope_of(report);
	if (scope.total_pages >= 0)
		return scope;
	if (strcmp(constraint, "memcg") != 0) {
		scope.total_pages = (system_total(r, "meminfo.MemTotal") + swap) / PAGE_BYTES;
		return scope;
	}
	most = limit_group ? limit_of(r, limit_group, "memory.max", t_ns) : -1;
	swap_most = limit_group ? limit_of(r, limit_group, "memory.swap.max", t_ns) : -1;
	if (most >= 0)
		scope.total_pages =
			(most + (swap_most >= 0 && swap_most < swap ? swap_most : swap)) / PAGE_BYTES;
	return scope;
}

static bool below(const char *path, const char *group)
{
	size_t len = strlen(group);

	return !len || (!strncmp(path, group, len) && (!path[len] || path[len] == '/'));
}

static bool share_a_node(const char *a, const char *b)
{
	struct idlist x, y;
	unsigned int id;

	if (idlist_parse(a, &x) < 0 || idlist_parse(b, &y) < 0)
		return true;
	for (id = 0; id < IDLIST_MAX; id++)
		if (idlist_has(&x, id) && idlist_has(&y, id))
			return true;
	return false;
}

/* The nodes that a group may have, its own or those of one above it; NULL: all. */
static const char *nodes_of(const struct record *r, const char *group)
{
	const char *found = NULL;
	size_t longest = 0, i;
	json_t *one;

	json_array_foreach (r->events, i, one) {
		const char *told = json_text(one, "cgroup", "");

		if (strcmp(json_text(one, "event", ""), "set") != 0 ||
		    strcmp(json_text(one, "key", ""), "cpuset.mems") != 0 || !told[0] ||
		    !below(group, told) || strlen(told) < longest)
			continue;
		found = json_text(one, "got", NULL);
		longest = strlen(told);
	}
	return found;
}

/* Does the constraint leave it out? oom_unkillable_task() and oom_cpuset_eligible(). */
static bool outside(const struct record *r, const json_t *kill, const json_t *process,
		    const struct oom_report *report, const char *limit_group)
{
	const char *constraint = json_text(kill, "constraint", "");
	const json_t *numa = json_object_get(process, "numa");

	if (!strcmp(constraint, "memcg"))
		return !limit_group || !below(json_text(process, "cgroup", ""), limit_group);
	if (!strcmp(constraint, "mempolicy") && report && !strcmp(json_text(numa, "policy", ""), "bind"))
		return !share_a_node(json_text(numa, "nodes", ""), report->nodemask);
	if (!strcmp(constraint, "cpuset") && report) {
		const char *nodes = nodes_of(r, json_text(process, "cgroup", ""));

		return nodes && !share_a_node(nodes, report->mems_allowed);
	}
	return false;
}

/* Did it run when that happened? */
static bool ran(const struct record *r, const char *process, uint64_t t_ns)
{
	const json_t *exit_event = record_event(r, "exit", "process", process);
	json_t *one;
	size_t i;

	/* It may have been reaped before the log was read: then the log says that it was killed. */
	if (exit_event && (uint64_t)json_number(exit_event, "t_ns", 0) < t_ns &&
	    json_number(exit_event, "signal", 0) != 9)
		return false;
	json_array_foreach (r->events, i, one) {
		if (!strcmp(json_text(one, "event", ""), "oom-kill"))
			break;
		if (!strcmp(json_text(one, "event", ""), "exit") && json_number(one, "signal", 0) != 9 &&
		    !strcmp(json_text(one, "process", ""), process))
			return false;
	}
	return true;
}

/* Of equals as oom_ranking() has it. */
static int worst_first(const void *a, const void *b, void *model)
{
	const struct candidate *x = a, *y = b;
	int order = x->index < y->index ? -1 : x->index > y->index;

	if (x->points != y->points)
		return x->points < y->points ? 1 : -1;
	return *(enum oom_model *)model >= OOM_5_1 ? -order : order;
}

/* Who may have overtaken the first since its last sample? Of equals that stand still the order decides, within a group. */
static void weigh(struct forecast *f)
{
	const struct candidate *first = &f->list[0];
	size_t i;

	for (i = 1; i < f->count; i++) {
		const struct candidate *c = &f->list[i];
		int64_t margin = first->points - c->points;
		int64_t error =
			first->counter_pages + first->shrunk_pages + c->counter_pages + c->grown_pages;

		f->close = f->close || margin < error ||
			   (margin == error && (error || strcmp(first->group, c->group) != 0));
		if (i > 1 && margin - error >= f->margin - f->error)
			continue;
		f->margin = margin;
		f->error = error;
	}
}

/* What the processes' last samples before the kill come to. */
static void forecast(const struct record *r, const json_t *spec, const json_t *kill,
		     const struct oom_report *report, struct forecast *ret)
{
	const char *limit_group = group_in(r, json_text(kill, "oom_memcg", ""));
	const json_t *one;
	size_t i;

	memset(ret, 0, sizeof(*ret));
	ret->model = oom_model_of(json_text(record_event(r, "start", NULL, NULL), "kernel", ""));
	ret->scope = scope_of(r, kill, report, limit_group);
	json_array_foreach (json_object_get(spec, "processes"), i, one) {
		const char *name = json_text(one, "name", "");
		const json_t *spawn = record_event(r, "spawn", "process", name);
		struct candidate c = { .process = name, .index = i, .group = "" };
		struct oom_subject s = { .total_vm_pages = -1 };
		struct past past = past_of(r, i);

		if (!past.count || outside(r, kill, one, report, limit_group) ||
		    !ran(r, name, (uint64_t)json_number(kill, "t_ns", 0)))
			continue;
		s.rss_pages = pages(part(&past, 0, RSS));
		s.swap_pages = pages(part(&past, 0, SWAP));
		s.pgtables_bytes = part(&past, 0, PGTABLES);
		s.adj = json_number(spawn, "oom_score_adj", 0);
		s.root = json_number(one, "user", 0) == 0;
		c.points = oom_badness(ret->model, &s, &ret->scope);
		if (limit_group)
			c.group = json_text(one, "cgroup", "");
		extrapolate(&past, r->chosen_ns, &c);
		if (c.points != OOM_EXEMPT && ret->count < CANDIDATES_MAX)
			ret->list[ret->count++] = c;
	}
	qsort_r(ret->list, ret->count, sizeof(ret->list[0]), worst_first, &ret->model);
	weigh(ret);
}

/* The kernel's own report of the first kill, from the log that the trial kept. */
struct kept {
	struct oom_report report; /* its tasks are in the explanation's ranking only */
	struct oom_explanation e;
	bool there;
};

static void keep_first(void *user, const struct oom_report *r)
{
	struct kept *k = user;

	if (k->there || !r->killed_count || oom_explain(r, &k->e) < 0)
		return;
	k->there = true;
	k->report = *r;
	k->report.tasks = calloc(r->task_count + 1, sizeof(*r->tasks));
	if (k->report.tasks)
		memcpy(k->report.tasks, r->tasks, r->task_count * sizeof(*r->tasks));
	else
		k->report.task_count = 0;
}

static void read_log(const struct blackbox *box, struct kept *ret)
{
	struct oom_log *log = oom_log_new(keep_first, ret);
	const struct bb_record *rec = NULL;

	while (log && (rec = bb_next(box, rec)))
		if (rec->type == BB_KMSG)
			oom_log_line(log, (const char *)rec->payload,
				     strnlen((const char *)rec->payload, rec->len) > 0
					     ? strcspn((const char *)rec->payload, "\n")
					     : 0);
	if (log)
		oom_log_end(log);
	oom_log_free(log);
}

static json_t *exact(const struct kept *k)
{
	static const char *const names[] = { NULL, "agrees", "by-rule", "disagrees" };
	const char *agreement = k->there ? names[k->e.agreement] : NULL;
	const struct oom_task *first;
	json_t *comm;

	if (!agreement || !k->report.task_count || !k->e.candidates)
		return json_null();
	first = &k->report.tasks[k->e.ranks[0].task];
	comm = json_string(first->comm); /* a log holds bytes of all kinds */
	return json_pack("{s:I, s:o, s:I, s:s, s:s?}", "pid", (json_int_t)first->pid, "comm",
			 comm ? comm : json_string(""), "score", (json_int_t)k->e.ranks[0].points,
			 "agreement", agreement, "reason", k->e.reason[0] ? k->e.reason : NULL);
}

static json_t *candidates(const struct forecast *f)
{
	json_t *list = json_array();
	size_t i;

	for (i = 0; i < f->count; i++)
		json_array_append_new(list, json_pack("{s:s, s:I, s:I}", "process", f->list[i].process,
						      "score", (json_int_t)f->list[i].points, "change",
						      (json_int_t)f->list[i].change_pages));
	return list;
}

/* null: the victim is none of the scenario's processes, or a rule chose that samples say nothing of. */
static json_t *verdict(const struct forecast *f, const json_t *spec, const json_t *kill)
{
	const char *victim = json_text(kill, "process", NULL);
	const char *asks = json_text(json_object_get(spec, "sysctl"), "vm.oom_kill_allocating_task", "0");

	if (!victim || !f->count || strcmp(asks, "0") != 0)
		return json_null();
	if (f->close)
		return json_string("close");
	return json_string(!strcmp(f->list[0].process, victim) ? "true" : "false");
}

json_t *prediction(const struct record *r, const json_t *spec, const struct blackbox *box)
{
	const json_t *kill = record_event(r, "oom-kill", NULL, NULL), *one;
	struct kept kept = { .there = false };
	struct forecast f;
	json_t *result;
	size_t i;

	/* record_event() gives the last one. */
	json_array_foreach (r->events, i, one) {
		if (strcmp(json_text(one, "event", ""), "oom-kill") != 0)
			continue;
		kill = one;
		break;
	}
	if (!kill)
		return json_null();
	read_log(box, &kept);
	forecast(r, spec, kill, kept.there ? &kept.report : NULL, &f);
	result = json_pack("{s:s, s:o, s:o, s:s?, s:s?, s:o, s:I, s:o, s:o}", "model",
			   oom_models[f.model].name, "total_pages",
			   f.scope.total_pages < 0 ? json_null() : json_integer(f.scope.total_pages),
			   "candidates", candidates(&f), "predicted", f.count ? f.list[0].process : NULL,
			   "victim", json_text(kill, "process", NULL), "margin",
			   f.count > 1 ? json_integer(f.margin) : json_null(), "error", (json_int_t)f.error,
			   "agrees", verdict(&f, spec, kill), "exact", exact(&kept));
	if (kept.there)
		oom_explanation_free(&kept.e);
	free(kept.report.tasks);
	return result;
}
