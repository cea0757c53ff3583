// SPDX-License-Identifier: MIT
#include "harness/prediction.h"

#include "harness/engine/spec.h"
#include "harness/oracle/explain.h"
#include "harness/prediction_scope.h"
#include "lib/json.h"
#include "lib/units.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PAGE_BYTES     4096
#define CANDIDATES_MAX (SPEC_PROCESSES_MAX + SPEC_CHILDREN_MAX)
#define LABEL_MAX      64
/* Since the last sample a process may have grown faster than it did at its fastest over the last ticks: so many times. */
#define SPURT 1.5

struct candidate {
	char label[LABEL_MAX]; /* "tree", "tree/81" */
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

/*
 * Which counters the OOM killer reads, and which sample has the same. A thread or CPU keeps up to 31 pages to itself before
 * it tells a counter of them. By mainline; 6.12.117 and 6.18.44 are as their row has it.
 */
static const struct counters {
	int major, minor;     /* since */
	const char *rss;      /* the column */
	bool swap_lags;       /* the column swap is exact, and what the OOM killer reads is not */
	int64_t untold_pages; /* by how much what it reads may jump when something is counted */
} counters[] = {
	/* 5898aa8f9a0b, "mm: fix OOM killer inaccuracy on large many-core systems": exact sums, as in status */
	{ 7, 0, "rss", false, 0 },
	/* f1a7941243c1, "mm: convert mm's rss stats into percpu_counter": what was told, as in stat; status is exact since 6.16 and in Debian's 6.12 */
	{ 6, 2, "rss_oom", true, 32 },
	/* SPLIT_RSS_COUNTING, of each thread: what was told, as in stat and status */
	{ 0, 0, "rss_oom", false, 32 },
};

static const struct counters *counters_of(const char *release)
{
	const struct counters *c = counters;
	int major = 0, minor = 0;

	sscanf(release, "%d.%d", &major, &minor);
	while (major < c->major || (major == c->major && minor < c->minor))
		c++;
	return c;
}

/* What counts of a process, by its samples before the choice, newest first. */
enum { RSS, SWAP, PGTABLES, PARTS };
struct past {
	const struct series *parts[PARTS]; /* NULL: there is no such column */
	size_t count;
};

static struct past past_of(const struct record *r, const char *rss, size_t row)
{
	const char *const columns[PARTS] = { [RSS] = rss, [SWAP] = "swap", [PGTABLES] = "pgtables" };
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

/* What every candidate of one kill has in common. */
struct scene {
	const struct record *r;
	const json_t *kill;
	const struct oom_report *report; /* NULL: the log has none */
	const char *limit_group;
	const struct counters *counters;
};

/* How far it may have come since its last sample, from how fast it changed before. */
static void extrapolate(const struct past *p, const struct scene *scene, struct candidate *c)
{
	uint64_t age_ns = scene->r->chosen_ns - p->parts[RSS]->recent[0].t_ns;
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
				c->counter_pages = scene->counters->untold_pages;
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

/* One more candidate, if it is one: process as the spec has it, or a child of it, whose samples are in that row. */
static void consider(const struct scene *at, const json_t *process, size_t row, struct candidate c,
		     int64_t adj, struct forecast *f)
{
	struct oom_subject s = { .total_vm_pages = -1,
				 .adj = adj,
				 .root = json_number(process, "user", 0) == 0 };
	struct past past = past_of(at->r, at->counters->rss, row);

	if (!past.count || f->count == CANDIDATES_MAX ||
	    scope_excludes(at->r, at->kill, process, at->report, at->limit_group))
		return;
	s.rss_pages = pages(part(&past, 0, RSS));
	s.swap_pages = pages(part(&past, 0, SWAP));
	s.pgtables_bytes = part(&past, 0, PGTABLES);
	c.points = oom_badness(f->model, &s, &f->scope);
	c.group = at->limit_group ? json_text(process, "cgroup", "") : "";
	c.counter_pages = at->counters->swap_lags && s.swap_pages > 0 ? at->counters->untold_pages : 0;
	extrapolate(&past, at, &c);
	if (c.points != OOM_EXEMPT)
		f->list[f->count++] = c;
}

/* "tree/81": the child with that pid. */
static void label(char ret[LABEL_MAX], const char *process, int64_t pid)
{
	snprintf(ret, LABEL_MAX, "%s/%lld", process, (long long)pid);
}

/* Who has the row when the kernel chose; NULL: nobody. One that was not seen at the last tick but one is gone. */
static const json_t *child_at(const struct record *r, size_t row)
{
	const struct series *rss = record_series(r, SAMPLE_PROCESS, row, "rss_oom");
	const struct series *tick = record_series(r, SAMPLE_SYSTEM, 0, "meminfo.MemTotal");
	const json_t *found = NULL;
	json_t *one;
	size_t i;

	if (!rss || !rss->recents ||
	    (tick && tick->recents > 1 && rss->recent[0].t_ns < tick->recent[1].t_ns))
		return NULL;
	json_array_foreach (r->events, i, one)
		if (!strcmp(json_text(one, "event", ""), "child") &&
		    json_number(one, "row", -1) == (int64_t)row &&
		    (uint64_t)json_number(one, "t_ns", 0) <= r->chosen_ns)
			found = one;
	return found;
}

static void consider_children(const struct scene *at, const json_t *spec, struct forecast *f)
{
	const json_t *processes = json_object_get(spec, "processes"), *one;
	size_t row, i;

	for (row = SPEC_PROCESSES_MAX; row < SPEC_PROCESSES_MAX + SPEC_CHILDREN_MAX; row++) {
		const json_t *child = child_at(at->r, row);
		const char *parent = json_text(child, "process", NULL);
		struct candidate c = { .label = "" };

		if (!parent)
			continue;
		label(c.label, parent, json_number(child, "pid", 0));
		/* They were made after all of the scenario's, and in the order of their pids. */
		c.index = json_array_size(processes) + (size_t)json_number(child, "pid", 0);
		json_array_foreach (processes, i, one)
			if (!strcmp(json_text(one, "name", ""), parent))
				consider(at, one, row, c, json_number(child, "oom_score_adj", 0), f);
	}
}

/* Was it let go before the kernel chose? With the others, or when what it waited for came. */
static bool was_let_go(const struct scene *at, const json_t *process)
{
	const char *name = json_text(process, "name", "");
	const json_t *go = json_is_object(json_object_get(process, "start"))
				   ? record_event(at->r, "trigger", "process", name)
				   : record_event(at->r, "release", NULL, NULL);

	return go && (uint64_t)json_number(go, "t_ns", 0) <= at->r->chosen_ns;
}

/* Whoever runs and was in no sample yet may be of any size: then nobody can be named. */
static void look_for_unseen(const struct scene *at, const json_t *process, size_t row, struct forecast *f)
{
	struct past past = past_of(at->r, at->counters->rss, row);

	if (past.count || json_object_get(process, "killer") || !was_let_go(at, process) ||
	    scope_excludes(at->r, at->kill, process, at->report, at->limit_group))
		return;
	f->close = true;
	f->error = f->scope.total_pages > f->error ? f->scope.total_pages : f->error;
}

/* What the last samples before the kill come to. */
static void forecast(const struct scene *at, const json_t *spec, struct forecast *ret)
{
	const json_t *one;
	size_t i;

	memset(ret, 0, sizeof(*ret));
	ret->model = oom_model_of(json_text(record_event(at->r, "start", NULL, NULL), "kernel", ""));
	ret->scope = scope_of_kill(at->r, at->kill, at->report, at->limit_group);
	json_array_foreach (json_object_get(spec, "processes"), i, one) {
		const char *name = json_text(one, "name", "");
		const json_t *spawn = record_event(at->r, "spawn", "process", name);
		struct candidate c = { .index = i };

		snprintf(c.label, sizeof(c.label), "%s", name);
		if (ran(at->r, name, (uint64_t)json_number(at->kill, "t_ns", 0)))
			consider(at, one, i, c, json_number(spawn, "oom_score_adj", 0), ret);
	}
	consider_children(at, spec, ret);
	qsort_r(ret->list, ret->count, sizeof(ret->list[0]), worst_first, &ret->model);
	weigh(ret);
	json_array_foreach (json_object_get(spec, "processes"), i, one)
		if (ran(at->r, json_text(one, "name", ""), (uint64_t)json_number(at->kill, "t_ns", 0)))
			look_for_unseen(at, one, i, ret);
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
		json_array_append_new(list, json_pack("{s:s, s:I, s:I}", "process", f->list[i].label, "score",
						      (json_int_t)f->list[i].points, "change",
						      (json_int_t)f->list[i].change_pages));
	return list;
}

/* Whom the kernel chose, as a candidate is called; "": neither a process of the scenario's nor a child that was seen. */
static void victim_label(char ret[LABEL_MAX], const json_t *kill)
{
	const char *parent = json_text(kill, "child_of", NULL);

	if (parent)
		label(ret, parent, json_number(kill, "pid", 0));
	else
		snprintf(ret, LABEL_MAX, "%s", json_text(kill, "process", ""));
}

/* null: the victim is nobody that was sampled, or a rule chose that samples say nothing of. */
static json_t *verdict(const struct forecast *f, const json_t *spec, const char *victim)
{
	const char *asks = json_text(json_object_get(spec, "sysctl"), "vm.oom_kill_allocating_task", "0");

	if (!victim[0] || (!f->count && !f->close) || strcmp(asks, "0") != 0)
		return json_null();
	if (f->close)
		return json_string("close");
	return json_string(!strcmp(f->list[0].label, victim) ? "true" : "false");
}

json_t *prediction(const struct record *r, const json_t *spec, const struct blackbox *box)
{
	const json_t *kill = record_event(r, "oom-kill", NULL, NULL), *one;
	struct kept kept = { .there = false };
	char victim[LABEL_MAX];
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
	forecast(
		&(struct scene){ r, kill, kept.there ? &kept.report : NULL,
				 scope_group(r, json_text(kill, "oom_memcg", "")),
				 counters_of(json_text(record_event(r, "start", NULL, NULL), "kernel", "")) },
		spec, &f);
	victim_label(victim, kill);
	result = json_pack(
		"{s:s, s:o, s:o, s:s?, s:s?, s:o, s:I, s:o, s:o}", "model", oom_models[f.model].name,
		"total_pages", f.scope.total_pages < 0 ? json_null() : json_integer(f.scope.total_pages),
		"candidates", candidates(&f), "predicted", f.count ? f.list[0].label : NULL, "victim",
		victim[0] ? victim : NULL, "margin", f.count > 1 ? json_integer(f.margin) : json_null(),
		"error", (json_int_t)f.error, "agrees", verdict(&f, spec, victim), "exact", exact(&kept));
	if (kept.there)
		oom_explanation_free(&kept.e);
	free(kept.report.tasks);
	return result;
}
