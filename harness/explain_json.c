// SPDX-License-Identifier: MIT
#include "harness/explain_json.h"

#include "harness/oracle/explain.h"

#include <stdlib.h>
#include <string.h>

/* Kernel logs hold bytes of all kinds; JSON holds UTF-8. */
static json_t *text(const char *bytes)
{
	json_t *value = json_string(bytes);
	char clean[OOM_SENTENCE_MAX];
	size_t i;

	if (value)
		return value;
	for (i = 0; bytes[i] && i < sizeof(clean) - 1; i++) {
		clean[i] = '?';
		if ((unsigned char)bytes[i] < 0x80)
			clean[i] = bytes[i];
	}
	clean[i] = 0;
	return json_string(clean);
}

static json_t *text_or_null(const char *bytes)
{
	return bytes[0] ? text(bytes) : json_null();
}

/* -1: unknown */
static json_t *amount(int64_t v)
{
	return v < 0 ? json_null() : json_integer(v);
}

static int64_t pages(const struct oom_report *r, int64_t v)
{
	return v < 0 ? -1 : v * r->page_bytes;
}

static json_t *usage(const struct oom_usage *u)
{
	if (u->usage_bytes < 0)
		return json_null();
	return json_pack("{s:o, s:o, s:o}", "usage", amount(u->usage_bytes), "limit", amount(u->limit_bytes),
			 "failcnt", amount(u->failcnt));
}

static json_t *zones(const struct oom_report *r)
{
	json_t *list = json_array(), *blocks;
	size_t i, order;

	for (i = 0; i < r->zone_count; i++) {
		const struct oom_zone *z = &r->zones[i];

		blocks = json_array();
		for (order = 0; order < OOM_ORDERS && z->blocks[order] >= 0; order++)
			json_array_append_new(blocks, json_integer(z->blocks[order]));
		json_array_append_new(
			list, json_pack("{s:o, s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "node",
					amount(z->node), "zone", z->name, "free", amount(z->free_bytes),
					"min", amount(z->min_bytes), "low", amount(z->low_bytes), "high",
					amount(z->high_bytes), "present", amount(z->present_bytes), "managed",
					amount(z->managed_bytes), "blocks", blocks));
	}
	return list;
}

static json_t *memory(const struct oom_report *r)
{
	json_t *amounts = json_object(), *slabs = json_array();
	size_t i;

	for (i = 0; i < OOM_AMOUNTS; i++)
		if (r->amounts[i] >= 0)
			json_object_set_new(amounts, oom_amount_names[i], json_integer(r->amounts[i]));
	for (i = 0; i < r->slab_count; i++)
		json_array_append_new(slabs, json_pack("{s:o, s:o}", "name", text(r->slabs[i].name), "bytes",
						       amount(r->slabs[i].total_bytes)));
	return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "amounts", amounts, "slabs",
			 slabs, "zones", zones(r), "swap_total", amount(r->swap_total_bytes), "swap_free",
			 amount(r->swap_free_bytes), "ram", amount(pages(r, r->ram_pages)), "group",
			 usage(&r->memory), "group_memsw", usage(&r->memsw), "group_swap", usage(&r->swap),
			 "group_kmem", usage(&r->kmem));
}

static json_t *killed(const struct oom_report *r)
{
	json_t *list = json_array();
	size_t i;

	for (i = 0; i < r->killed_count; i++) {
		const struct oom_kill *k = &r->killed[i];

		json_array_append_new(
			list, json_pack("{s:I, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "pid",
					(json_int_t)k->pid, "comm", text_or_null(k->comm), "uid",
					amount(k->uid), "total_vm", amount(k->total_vm_bytes), "anon_rss",
					amount(k->anon_rss_bytes), "file_rss", amount(k->file_rss_bytes),
					"shmem_rss", amount(k->shmem_rss_bytes), "pgtables",
					amount(k->pgtables_bytes), "oom_score_adj",
					k->adj_known ? json_integer(k->oom_score_adj) : json_null()));
	}
	return list;
}

static json_t *task(const struct oom_report *r, const struct oom_rank *rank)
{
	const struct oom_task *t = &r->tasks[rank->task];
	json_t *adj = t->has_score_adj ? json_integer(t->oom_score_adj)
		      : t->has_adj     ? json_integer(t->oom_adj)
				       : json_null();

	return json_pack("{s:I, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:s?}", "pid",
			 (json_int_t)t->pid, "comm", text(t->comm), "uid", amount(t->uid), "tgid",
			 amount(t->tgid), "total_vm", amount(pages(r, t->total_vm_pages)), "rss",
			 amount(pages(r, t->rss_pages)), "swap", amount(pages(r, t->swap_pages)), "pgtables",
			 amount(t->pgtables_bytes), t->has_score_adj ? "oom_score_adj" : "oom_adj", adj,
			 "score", rank->exempt ? json_null() : json_integer(rank->points), "exempt",
			 rank->exempt);
}

static json_t *ranking(const struct oom_report *r, const struct oom_rank *ranks)
{
	json_t *list = json_array();
	size_t i;

	for (i = 0; ranks && i < r->task_count; i++)
		json_array_append_new(list, task(r, &ranks[i]));
	return list;
}

/* Whom each version of the score would have chosen from the same table. */
static json_t *models(const struct oom_report *r, enum oom_model own)
{
	json_t *list = json_array();
	enum oom_model model;

	for (model = 0; model < OOM_MODELS; model++) {
		const struct oom_task *first = NULL;
		struct oom_rank *ranks;

		if (!r->task_count || oom_ranking(r, model, &ranks) < 0)
			break;
		if (!ranks[0].exempt)
			first = &r->tasks[ranks[0].task];
		json_array_append_new(list,
				      json_pack("{s:s, s:s, s:s, s:b, s:o, s:o, s:o}", "model",
						oom_models[model].name, "commit", oom_models[model].commit,
						"about", oom_models[model].about, "own", model == own, "pid",
						amount(first ? first->pid : -1), "comm",
						first ? text(first->comm) : json_null(), "score",
						first ? json_integer(ranks[0].points) : json_null()));
		free(ranks);
	}
	return list;
}

static json_t *notes(const struct oom_explanation *e)
{
	json_t *list = json_array();
	size_t i;

	for (i = 0; i < e->note_count; i++)
		json_array_append_new(
			list, json_pack("{s:s, s:o}", "id", e->notes[i].id, "text", text(e->notes[i].text)));
	return list;
}

static json_t *asked(const struct oom_report *r)
{
	if (!r->invoked)
		return json_null();
	return json_pack("{s:o, s:o, s:o, s:o, s:o, s:b}", "by", text_or_null(r->invoker), "pid",
			 amount(r->invoker_pid), "gfp", text_or_null(r->gfp), "order", amount(r->order),
			 "oom_score_adj", r->invoker_adj_known ? json_integer(r->invoker_adj) : json_null(),
			 "sysrq", r->sysrq);
}

static void add_outcome(json_t *event, const struct oom_report *r)
{
	json_object_set_new(event, "killed", killed(r));
	json_object_set_new(event, "chosen_pid", amount(r->chosen_pid));
	json_object_set_new(event, "kernel_score", amount(r->chosen_score));
	json_object_set_new(event, "no_victim", json_boolean(r->no_victim));
	json_object_set_new(event, "panic", json_boolean(r->panic));
	json_object_set_new(event, "group_kill", json_boolean(r->group_kill));
	json_object_set_new(event, "oom_kill_allocating_task", json_boolean(r->allocating_task));
	json_object_set_new(event, "reaped_left", amount(r->reaped_left_bytes));
}

static void add_meaning(json_t *event, const struct oom_explanation *e)
{
	static const char *const agreements[] = { NULL, "agrees", "by-rule", "disagrees" };
	const char *agreement = agreements[e->agreement];

	json_object_set_new(event, "model", json_string(oom_models[e->model].name));
	json_object_set_new(event, "total_pages", amount(e->scope.total_pages));
	json_object_set_new(event, "candidates", json_integer((json_int_t)e->candidates));
	json_object_set_new(event, "agreement", agreement ? json_string(agreement) : json_null());
	json_object_set_new(event, "reason", text_or_null(e->reason));
	json_object_set_new(event, "who", text(e->who));
	json_object_set_new(event, "why", text(e->why));
	json_object_set_new(event, "score", text_or_null(e->score));
	json_object_set_new(event, "saved", text_or_null(e->saved));
	json_object_set_new(event, "notes", notes(e));
}

json_t *explain_json(const struct oom_report *r, bool all_models)
{
	struct oom_explanation e;
	json_t *event;

	if (oom_explain(r, &e) < 0)
		return NULL;
	event = json_pack(
		"{s:I, s:o, s:o, s:o, s:s, s:o, s:o, s:o, s:o, s:o, s:o}", "line", (json_int_t)r->line,
		"when", text_or_null(r->when), "kernel", text_or_null(r->release), "asked", asked(r),
		"constraint", oom_constraint_name(r->constraint), "limit_cgroup", text_or_null(r->oom_memcg),
		"victim_cgroup", text_or_null(r->task_memcg), "nodemask", text_or_null(r->nodemask), "cpuset",
		text_or_null(r->cpuset), "mems_allowed", text_or_null(r->mems_allowed), "memory", memory(r));
	add_outcome(event, r);
	add_meaning(event, &e);
	json_object_set_new(event, "ranking", ranking(r, e.ranks));
	if (all_models)
		json_object_set_new(event, "models", models(r, e.model));
	oom_explanation_free(&e);
	return event;
}
