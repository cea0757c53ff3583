// SPDX-License-Identifier: MIT
#include "harness/scenario/killer.h"

#include "harness/scenario/kinds.h"
#include "harness/scenario/programs.h"
#include "lib/json.h"

#include <string.h>

/* It outlives whom it watches. */
#define KILLER_ADJ (-1000)

bool killer_given(const struct binder *b)
{
	return map_pair(b->root, KILLER_NAME) != NULL;
}

static const struct killer_name *find(struct binder *b, struct fy_node *node, const char *name)
{
	const struct killer_name *k = name_find(name, b->known->killers, sizeof(*k));
	char hint[96], list[160], quoted[SHOWN_MAX];

	if (!k)
		bind_complain(
			b, node,
			"unknown killer %s%s; allowed: none, %s, or {exec: [PROGRAM, ...], ready: TEXT}",
			shown(quoted, name), name_hint(hint, name, b->known->killers, sizeof(*k)),
			name_list(list, sizeof(list), b->known->killers, sizeof(*k)));
	return k;
}

/* What it runs: its helper if it has one, then the words of the scenario or of its own, then, for a helper, the program. */
static json_t *words_of(const struct killer_name *k, const json_t *run)
{
	json_t *words = json_array();
	size_t i;

	json_array_append_new(words, json_string(k->helper ? k->helper : k->program));
	for (i = 1; i < json_array_size(run); i++)
		json_array_append(words, json_array_get(run, i));
	for (i = 0; json_array_size(run) < 2 && k->arguments[i]; i++)
		json_array_append_new(words, json_string(k->arguments[i]));
	if (k->helper)
		json_array_append_new(words, json_string(k->program));
	return words;
}

static json_t *named(const struct killer_name *k, const json_t *run)
{
	return json_pack("{s:o, s:s, s:{s:s}, s:n, s:[], s:{s:s, s:s, s:b}}", "exec", words_of(k, run),
			 "program", k->helper ? k->helper : k->program, "env", "PATH", PROGRAM_PATH, "stdin",
			 "files", "killer", "name", k->name, "ready", k->ready, "packages", k->packages);
}

/* What every process of a spec has, and a killer cannot be given. */
static json_t *finish(json_t *process)
{
	json_object_set_new(process, "name", json_string(KILLER_NAME));
	json_object_set_new(process, "cgroup", json_string(""));
	json_object_set_new(process, "oom_score_adj", json_integer(KILLER_ADJ));
	return process;
}

static json_t *of_exec(struct binder *b, struct fy_node *node, json_t *values)
{
	const char *program = json_string_value(json_array_get(json_object_get(values, "exec"), 0));
	json_t *process = json_object(), *ready = json_object_get(values, "ready");
	const char *slash = program ? strrchr(program, '/') : NULL;

	program_complete(b, node, values);
	if (!ready)
		bind_complain_key(
			b, node, "exec",
			"does not say when it is ready; allowed: beside it ready: TEXT, which it prints then");
	json_object_set_new(process, "killer",
			    json_pack("{s:s*, s:O*, s:b}", "name", slash ? slash + 1 : program, "ready",
				      ready, "packages", 0));
	json_object_del(values, "ready");
	json_object_update(process, values);
	return finish(process);
}

static json_t *of_mapping(struct binder *b, const struct key *key, struct fy_node *node)
{
	json_t *values = bind_fixed(b, key, node), *run = json_object_get(values, "run"), *process = NULL;
	const char *name = json_string_value(json_array_get(run, 0));
	const struct killer_name *k;

	if (!values)
		return NULL;
	if (json_object_get(values, "exec") && !run) {
		process = of_exec(b, node, values);
	} else if (run && (json_object_get(values, "exec") || json_object_get(values, "ready"))) {
		bind_complain_key(b, node, json_object_get(values, "exec") ? "exec" : "ready",
				  "is given beside run; allowed: run, or exec and ready");
	} else if (name && (k = find(b, fy_node_sequence_get_by_index(map_get(node, "run"), 0), name))) {
		process = finish(named(k, run));
		if (json_object_get(values, "files"))
			json_object_set(process, "files", json_object_get(values, "files"));
	} else if (!run) {
		bind_complain(b, node, "neither run nor exec is given; allowed: one of the two");
	}
	json_decref(values);
	return process;
}

static json_t *bind_killer(struct binder *b, const struct key *key, struct fy_node *node)
{
	const char *text = node ? node_text(node) : NULL;
	const struct killer_name *k;

	if (!node || (text && !strcmp(text, "none")))
		return json_null();
	if (fy_node_is_mapping(node))
		return of_mapping(b, key, node);
	if (!text || node_is_blank(node)) {
		bind_complain(b, node, "has no name; allowed: %s", key->kind->allowed);
		return NULL;
	}
	k = find(b, node, text);
	return k ? finish(named(k, NULL)) : NULL;
}

const struct kind kind_killer = { .name = "killer",
				  .shape = SHAPE_FIXED,
				  .allowed = "none, a name of `oomlab list killers`, or {run: [NAME, ...]}",
				  .bind = bind_killer };
