// SPDX-License-Identifier: MIT
/* Processes: their names and what they run. */
#include "harness/scenario/processes.h"

#include "harness/scenario/killer.h"
#include "harness/scenario/kinds.h"
#include "harness/scenario/programs.h"
#include "harness/scenario/settings.h"
#include "harness/scenario/triggers.h"

#include "lib/files.h"
#include "lib/json.h"
#include "lib/units.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#define NAME_ALLOWED "a lower-case letter, then up to 31 of a-z, 0-9, '_', '-'"
#define WORDS_MAX    64

/* They begin the names of metrics. */
static const char *const reserved[] = { "victim", "kills",      "system",    "cgroup",
					"oracle", "first_kill", KILLER_NAME, NULL };

static bool process_name_ok(struct binder *b, const char *name, char why[WHY_MAX])
{
	char quoted[SHOWN_MAX];
	size_t i;

	(void)b;
	if (name_find(name, reserved, sizeof(reserved[0]))) {
		snprintf(why, WHY_MAX, "%s is taken by the metrics; allowed: any other name",
			 shown(quoted, name));
		return false;
	}
	for (i = 0; name[i]; i++)
		if (!islower((unsigned char)name[i]) &&
		    (i == 0 || (!isdigit((unsigned char)name[i]) && !strchr("_-", name[i]))))
			break;
	if (i > 0 && i <= 32 && !name[i])
		return true;
	snprintf(why, WHY_MAX, "%s is no name of a process; allowed: " NAME_ALLOWED, shown(quoted, name));
	return false;
}

/* Asks the caller about these words, once for the same ones. */
static bool run_ok(struct binder *b, const json_t *run, char why[WHY_MAX])
{
	const char *argv[WORDS_MAX + 1] = { NULL };
	char *line;
	json_t *seen;
	size_t i;
	int r;

	if (!b->known->check_run)
		return true;
	line = json_dumps(run, JSON_COMPACT);
	seen = json_object_get(b->runs_seen, line);
	if (!seen) {
		for (i = 0; i < WORDS_MAX && i < json_array_size(run); i++)
			argv[i] = json_string_value(json_array_get(run, i));
		why[0] = 0;
		r = b->known->check_run(b->known->user, argv, why, WHY_MAX);
		seen = r == 0 ? json_null() : json_string(why[0] ? why : "is refused");
		json_object_set_new(b->runs_seen, line, seen ? seen : json_null());
	}
	free(line);
	snprintf(why, WHY_MAX, "%s", json_is_string(seen) ? json_string_value(seen) : "");
	return !why[0];
}

/* The word of the list that a complaint quotes: the longest of those in it; the list when none is. */
static struct fy_node *word_in(struct fy_node *list, const char *why)
{
	struct fy_node *word, *found = list;
	size_t longest = 0;
	int i;

	for (i = 1; (word = fy_node_sequence_get_by_index(list, i)); i++) {
		const char *text = node_text(word);

		if (!text || strlen(text) <= longest || !strstr(why, text))
			continue;
		longest = strlen(text);
		found = word;
	}
	return found;
}

static json_t *bind_run(struct binder *b, const struct key *key, struct fy_node *node)
{
	const struct stressor_name *stressors = b->known->stressors;
	const char *text = node_text(node);
	char why[WHY_MAX], hint[96], list[320], quoted[SHOWN_MAX];
	json_t *run;

	if (text && *text) {
		bind_complain(b, node, "%s is one text; allowed: a list of words, e.g. [memset, --block=1M]",
			      shown(quoted, text));
		return NULL;
	}
	run = bind_list(b, key, node);
	if (json_array_size(run) == 0 || json_array_size(run) != (size_t)fy_node_sequence_item_count(node))
		return run;
	text = json_string_value(json_array_get(run, 0));
	if (!name_find(text, stressors, sizeof(*stressors)))
		bind_complain(b, fy_node_sequence_get_by_index(node, 0), "unknown stressor %s%s; allowed: %s",
			      shown(quoted, text), name_hint(hint, text, stressors, sizeof(*stressors)),
			      name_list(list, sizeof(list), stressors, sizeof(*stressors)));
	else if (!run_ok(b, run, why))
		bind_complain(b, word_in(node, why), "%s", why);
	return run;
}

static json_t *bind_process(struct binder *b, const struct key *key, struct fy_node *node)
{
	json_t *process = json_object(), *values;
	const char *name = node_text(b->nearby);

	if (node_is_blank(node)) {
		bind_complain(b, node,
			      "has no value; allowed: {run: [STRESSOR, ...]} or {exec: [PROGRAM, ...]}");
		return process;
	}
	values = bind_fixed(b, key, node);
	if (values) {
		program_complete(b, node, values);
		settings_complete(b, node, values);
		json_object_set_new(process, "name", json_string(name ? name : ""));
		json_object_update(process, values);
	}
	json_decref(values);
	return process;
}

/* How many copies of it there are; 0: it itself. */
static int64_t copies(struct fy_node *process)
{
	struct fy_node *count = fy_node_is_mapping(process) ? map_get(process, "count") : NULL;
	const char *text = count ? node_text(count) : NULL;
	int64_t value;

	return text && int_parse(text, &value) == 0 && value >= 1 && value <= PROCESSES_MAX ? value : 0;
}

void process_names(struct binder *b, const char *ret_names[PROCESSES_MAX + 1])
{
	struct fy_node *processes = map_get(b->root, "processes");
	struct fy_node_pair *pair;
	void *at = NULL;
	size_t i;

	json_decref(b->process_names);
	b->process_names = json_array();
	while (fy_node_is_mapping(processes) && (pair = fy_node_mapping_iterate(processes, &at))) {
		const char *name = node_text(fy_node_pair_key(pair));
		int64_t count = copies(fy_node_pair_value(pair)), n;

		if (name && !count)
			json_array_append_new(b->process_names, json_string(name));
		for (n = 1; name && n <= count; n++)
			json_array_append_new(b->process_names, json_sprintf("%s-%lld", name, (long long)n));
	}
	for (i = 0; i < json_array_size(b->process_names) && i < PROCESSES_MAX; i++)
		ret_names[i] = json_string_value(json_array_get(b->process_names, i));
	ret_names[i] = NULL;
}

struct fy_node *process_node(const struct binder *b, const char *name)
{
	struct fy_node *processes = map_get(b->root, "processes"), *found = map_get(processes, name);
	const char *dash = strrchr(name, '-');
	AUTO_FREE char *first = dash ? strndup(name, (size_t)(dash - name)) : NULL;
	int64_t n;

	if (found || !first)
		return found && !copies(found) ? found : NULL;
	found = map_get(processes, first);
	return found && int_parse(dash + 1, &n) == 0 && n >= 1 && n <= copies(found) ? found : NULL;
}

/* A process, or the copies of it, each by its own name. */
static void add(struct binder *b, struct fy_node *node, json_t *list, json_t *process)
{
	int64_t count = json_number(process, "count", 0), n;
	const char *name = json_text(process, "name", "");
	json_t *other;
	size_t i;

	json_object_del(process, "count");
	for (n = 1; n <= (count ? count : 1); n++) {
		json_t *one = json_copy(process);

		if (count)
			json_object_set_new(one, "name", json_sprintf("%s-%lld", name, (long long)n));
		json_array_foreach (list, i, other)
			if (!strcmp(json_text(other, "name", ""), json_text(one, "name", "")))
				bind_complain(b, node, "there are two processes %s; allowed: each name once",
					      json_text(one, "name", ""));
		json_array_append_new(list, one);
	}
}

static json_t *bind_processes(struct binder *b, const struct key *key, struct fy_node *node)
{
	json_t *by_name = bind_named(b, key, node), *list = json_array(), *process;
	const char *name;

	json_object_foreach (by_name, name, process)
		add(b, node, list, process);
	if (json_array_size(list) > PROCESSES_MAX)
		bind_complain(b, node, "%zu processes, with what count makes; allowed: %d",
			      json_array_size(list), PROCESSES_MAX);
	triggers_check(b, node, list);
	json_decref(by_name);
	return list;
}

const struct kind kind_processes = {
	.name = "processes", .shape = SHAPE_NAMED, .allowed = "a mapping of names", .bind = bind_processes
};
const struct kind kind_process = { .name = "mapping",
				   .shape = SHAPE_FIXED,
				   .allowed = "a mapping",
				   .bind = bind_process,
				   .name_ok = process_name_ok };
const struct kind kind_run = { .name = "list",
			       .shape = SHAPE_LIST,
			       .allowed = "a list of words, e.g. [memset, --block=1M]",
			       .bind = bind_run };
