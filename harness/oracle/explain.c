// SPDX-License-Identifier: MIT
#include "harness/oracle/explain.h"

#include "harness/oracle/notes.h"
#include "lib/units.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct oom_kill *victim(const struct oom_report *r)
{
	return r->killed_count ? &r->killed[0] : NULL;
}

static void who(const struct oom_report *r, struct oom_explanation *e)
{
	const struct oom_kill *v = victim(r);
	char uid[32] = "", others[64] = "";

	if (v && v->uid >= 0)
		snprintf(uid, sizeof(uid), ", uid %" PRId64, v->uid);
	if (r->killed_count > 1)
		snprintf(others, sizeof(others), ", and %zu more of its group with it", r->killed_count - 1);
	if (v)
		snprintf(e->who, sizeof(e->who), "%s (pid %" PRId64 "%s) was killed%s.",
			 v->comm[0] ? v->comm : "A process", v->pid, uid, others);
	else if (r->panic)
		snprintf(e->who, sizeof(e->who), "Nobody was killed: the kernel panicked%s.",
			 r->no_victim ? ", since there was nobody whom it may kill" : "");
	else if (r->no_victim)
		snprintf(e->who, sizeof(e->who),
			 "Nobody was killed: there was nobody whom the kernel may kill.");
	else
		snprintf(e->who, sizeof(e->who), "The log does not say who was killed.");
}

/* "1764K free, none of 2 zones above its min watermark" */
static void shortage(const struct oom_report *r, char *buf, size_t room)
{
	char free_text[UNITS_TEXT_MAX], swap[UNITS_TEXT_MAX], total[UNITS_TEXT_MAX];
	int64_t bytes = 0;
	size_t i, len;

	for (i = 0; i < r->zone_count; i++)
		bytes += r->zones[i].free_bytes > 0 ? r->zones[i].free_bytes : 0;
	if (!r->zone_count && r->amounts[OOM_FREE] < 0) {
		snprintf(buf, room, "how much was left is not in the log");
		return;
	}
	len = (size_t)snprintf(
		buf, room, "%s were free",
		size_format(free_text, (uint64_t)(r->zone_count ? bytes : r->amounts[OOM_FREE])));
	if (len >= room || r->swap_total_bytes < 0)
		return;
	if (!r->swap_total_bytes)
		snprintf(buf + len, room - len, ", and there is no swap");
	else
		snprintf(buf + len, room - len, ", and of %s swap %s",
			 size_format(total, (uint64_t)r->swap_total_bytes),
			 r->swap_free_bytes > 0 ? size_format(swap, (uint64_t)r->swap_free_bytes)
						: "nothing");
}

/* "/a was reached: 32M of 32M; it was in /a/b, below that" */
static void group_limit(const struct oom_report *r, char *buf, size_t room)
{
	char usage[UNITS_TEXT_MAX], limit[UNITS_TEXT_MAX], amount[80] = "", where[OOM_GROUP_MAX + 64] = "";

	if (r->memory.limit_bytes >= 0)
		snprintf(amount, sizeof(amount), ": %s of %s",
			 size_format(usage, (uint64_t)r->memory.usage_bytes),
			 size_format(limit, (uint64_t)r->memory.limit_bytes));
	if (r->task_memcg[0] && r->oom_memcg[0] && strcmp(r->task_memcg, r->oom_memcg) != 0)
		snprintf(where, sizeof(where), "; it was in %s, below that", r->task_memcg);
	snprintf(buf, room, "%s%s was reached%s%s", r->oom_memcg[0] ? "cgroup " : "",
		 r->oom_memcg[0] ? r->oom_memcg : "a cgroup that the log does not name", amount, where);
}

static void why(const struct oom_report *r, struct oom_explanation *e)
{
	char text[OOM_SENTENCE_MAX - 200];

	if (r->sysrq) {
		snprintf(e->why, sizeof(e->why), "Somebody asked the kernel for it (SysRq-f).");
		return;
	}
	switch (r->constraint) {
	case OOM_CONSTRAINT_MEMCG:
		group_limit(r, text, sizeof(text));
		snprintf(e->why, sizeof(e->why), "The limit of %s.", text);
		break;
	case OOM_CONSTRAINT_CPUSET:
		snprintf(e->why, sizeof(e->why), "The memory of cpuset %s, nodes %s, was used up.",
			 r->cpuset[0] ? r->cpuset : "of the asker's",
			 r->mems_allowed[0] ? r->mems_allowed : "?");
		break;
	case OOM_CONSTRAINT_MEMPOLICY:
		snprintf(e->why, sizeof(e->why),
			 "The memory of nodes %s, the only ones that a policy allows %s, was used up.",
			 r->nodemask[0] ? r->nodemask : "?", r->invoker[0] ? r->invoker : "the asker");
		break;
	default:
		shortage(r, text, sizeof(text));
		snprintf(e->why, sizeof(e->why), "The machine was out of memory: %s.", text);
	}
}

/* "2958 MB resident, ... of swap, ... of page tables" of a row or of the killed line */
static void parts(char *buf, size_t room, int64_t rss, int64_t swap, int64_t pgtables)
{
	char text[3][UNITS_TEXT_MAX];
	size_t len;

	len = (size_t)snprintf(buf, room, "%s resident",
			       rss >= 0 ? size_format(text[0], (uint64_t)rss) : "?");
	if (swap > 0 && len < room)
		len += (size_t)snprintf(buf + len, room - len, ", %s in swap",
					size_format(text[1], (uint64_t)swap));
	if (pgtables >= 0 && len < room)
		snprintf(buf + len, room - len, ", %s of page tables",
			 size_format(text[2], (uint64_t)pgtables));
}

static void score(const struct oom_report *r, struct oom_explanation *e)
{
	const struct oom_kill *v = victim(r);
	const struct oom_task *t = v ? oom_task_find(r, v->pid) : NULL;
	char text[160], adj[96] = "";
	int64_t rss;

	if (!v)
		return;
	if (t) {
		parts(text, sizeof(text), t->rss_pages * r->page_bytes, t->swap_pages * r->page_bytes,
		      t->pgtables_bytes);
		if (t->has_score_adj && t->oom_score_adj)
			snprintf(adj, sizeof(adj), ", oom_score_adj %" PRId64, t->oom_score_adj);
		snprintf(e->score, sizeof(e->score), "It had %s%s; %s %zu that could be chosen.", text, adj,
			 e->agreement == OOM_AGREES && r->tasks[e->ranks[0].task].pid == v->pid
				 ? "the highest score of"
				 : "one of",
			 e->candidates);
		return;
	}
	if (v->anon_rss_bytes < 0)
		return;
	rss = v->anon_rss_bytes + (v->file_rss_bytes > 0 ? v->file_rss_bytes : 0) +
	      (v->shmem_rss_bytes > 0 ? v->shmem_rss_bytes : 0);
	parts(text, sizeof(text), rss, -1, v->pgtables_bytes);
	snprintf(e->score, sizeof(e->score), "It had %s; the others are not in the log.", text);
}

static const struct oom_rank *rank_of(const struct oom_report *r, const struct oom_explanation *e,
				      int64_t pid)
{
	size_t i;

	for (i = 0; e->ranks && i < r->task_count; i++)
		if (r->tasks[e->ranks[i].task].pid == pid)
			return &e->ranks[i];
	return NULL;
}

/* Whom the scores chose, as far as the table has it: up to 5.1 the kernel may name a thread, or kill a child then. */
static int64_t chosen(const struct oom_report *r)
{
	if (r->chosen_pid >= 0 && oom_task_find(r, r->chosen_pid))
		return r->chosen_pid;
	return r->killed_count ? r->killed[0].pid : -1;
}

/* Which rule but the scores may have chosen, in the order in which the kernel applies them. */
static void compare(const struct oom_report *r, struct oom_explanation *e)
{
	int64_t pid = chosen(r);
	const struct oom_task *first = e->candidates ? &r->tasks[e->ranks[0].task] : NULL;
	const struct oom_rank *rank = rank_of(r, e, pid);

	/* Of what 2.6 went by a report has the smaller part. */
	if (!e->ranks || pid < 0 || !first || e->model == OOM_2_6)
		return;
	e->agreement = first->pid == pid ? OOM_AGREES : OOM_BY_RULE;
	if (e->agreement == OOM_AGREES)
		return;
	if (r->allocating_task || (r->invoker_pid == pid && r->invoked))
		snprintf(e->reason, sizeof(e->reason),
			 "vm.oom_kill_allocating_task: who asks is killed, whatever the scores%s",
			 r->allocating_task ? "" : " (or it was swapoff or KSM, which are chosen first)");
	else if (!rank)
		snprintf(e->reason, sizeof(e->reason),
			 "it is not in the table: that is cut, or it shares its memory with one that is");
	else if (e->model < OOM_5_1)
		snprintf(
			e->reason, sizeof(e->reason),
			"before 5.1 a child with memory of its own was killed in place of its parent: maybe of %s (pid %" PRId64
			")",
			first->comm, first->pid);
	else if (rank->points == e->ranks[0].points)
		snprintf(e->reason, sizeof(e->reason), "it has the same score as %s (pid %" PRId64 ")",
			 first->comm, first->pid);
	else if (r->tasks_lost || r->dropped)
		snprintf(e->reason, sizeof(e->reason), "rows of the table are lost");
	else
		e->agreement = OOM_DISAGREES;
	if (e->agreement == OOM_DISAGREES)
		snprintf(e->reason, sizeof(e->reason),
			 "by the table %s (pid %" PRId64
			 ") has the higher score: amounts may have changed meanwhile",
			 first->comm, first->pid);
}

/* The oom_score_adj with which the next one would have been chosen: -1 - what the scores differ by. */
static bool adj_to_survive(const struct oom_report *r, const struct oom_explanation *e, int64_t *ret)
{
	const struct oom_task *t;
	int64_t unit = e->scope.total_pages / 1000, gap;

	if (e->agreement != OOM_AGREES || e->candidates < 2 || e->model < OOM_3_6 || unit <= 0)
		return false;
	t = &r->tasks[e->ranks[0].task];
	gap = e->ranks[0].points - e->ranks[1].points;
	*ret = t->oom_score_adj - gap / unit - 1;
	return t->has_score_adj && *ret > -1000;
}

static void saved(const struct oom_report *r, struct oom_explanation *e)
{
	char *buf = e->saved;
	size_t room = sizeof(e->saved), len = 0;
	int64_t adj;

	if (!r->killed_count || r->sysrq)
		return;
	if (r->constraint == OOM_CONSTRAINT_MEMCG)
		len = (size_t)snprintf(buf, room, "a higher limit of %s%s",
				       r->oom_memcg[0] ? r->oom_memcg : "its group",
				       r->swap.limit_bytes == 0 ? " or swap for it" : "");
	else if (r->constraint == OOM_CONSTRAINT_CPUSET || r->constraint == OOM_CONSTRAINT_MEMPOLICY)
		len = (size_t)snprintf(buf, room, "more nodes to take memory from");
	else if (r->swap_total_bytes == 0)
		len = (size_t)snprintf(buf, room, "swap");
	else
		len = (size_t)snprintf(buf, room, "more memory or swap");
	if (adj_to_survive(r, e, &adj) && len < room)
		snprintf(buf + len, room - len,
			 "; or oom_score_adj %s%" PRId64 ": then %s (pid %" PRId64 ") would have been killed",
			 e->scope.swap_unknown ? "of about " : "", adj, r->tasks[e->ranks[1].task].comm,
			 r->tasks[e->ranks[1].task].pid);
	else if (e->agreement == OOM_AGREES && len < room)
		snprintf(buf + len, room - len, "; or oom_score_adj -1000, which protects it");
}

int oom_explain(const struct oom_report *r, struct oom_explanation *ret)
{
	struct oom_explanation *e = ret;
	int error = 0;

	memset(e, 0, sizeof(*e));
	e->model = oom_model_for(r);
	e->scope = oom_scope_of(r);
	if (r->task_count)
		error = oom_ranking(r, e->model, &e->ranks);
	if (error < 0)
		return error;
	while (e->candidates < r->task_count && !e->ranks[e->candidates].exempt)
		e->candidates++;
	compare(r, e);
	who(r, e);
	why(r, e);
	score(r, e);
	saved(r, e);
	oom_notes(r, e);
	return 0;
}

void oom_explanation_free(struct oom_explanation *e)
{
	free(e->ranks);
	e->ranks = NULL;
}
