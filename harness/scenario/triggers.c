// SPDX-License-Identifier: MIT
/* start and stop of a process: when, or after what another one has come to. */
#include "harness/scenario/triggers.h"

#include "harness/scenario/bound.h"
#include "harness/scenario/kinds.h"
#include "harness/scenario/processes.h"
#include "lib/json.h"

#include <string.h>

/* What can be asked of another process, and whether a program shows it. */
static const struct {
	const char *key;
	bool of_programs;
} conditions[] = { { "phase", false }, { "allocated", false }, { "touched", false }, { "rss", true } };

#define CONDITIONS        (sizeof(conditions) / sizeof(conditions[0]))
#define CONDITION_ALLOWED "phase, allocated, touched or rss"

static json_t *scalar_process(struct binder *b, const struct key *key, const char *text, char why[WHY_MAX])
{
	const char *names[PROCESSES_MAX + 1];

	(void)key;
	process_names(b, names);
	if (name_find(text, names, sizeof(names[0])))
		return json_string(text);
	name_unknown("process", text, names, why);
	return NULL;
}

/* Of a program it is known when it ends and what it takes, not what it is about. */
static void check_program(struct binder *b, struct fy_node *node, const json_t *trigger)
{
	struct fy_node *other = process_node(b, json_text(trigger, "after", ""));
	size_t i;

	if (!other || node_is_null(map_get(other, "exec")) || !map_get(other, "exec"))
		return;
	for (i = 0; i < CONDITIONS; i++)
		if (json_object_get(trigger, conditions[i].key) && !conditions[i].of_programs &&
		    strcmp(json_text(trigger, conditions[i].key, ""), "ended") != 0)
			bind_complain_key(b, node, conditions[i].key,
					  "is not known of a program; allowed: phase: ended, or rss");
}

static json_t *bind_trigger(struct binder *b, const struct key *key, struct fy_node *node)
{
	json_t *trigger = bind_fixed(b, key, node);
	const char *after = json_text(trigger, "after", NULL);
	size_t asked = 0, i;

	if (!trigger)
		return NULL;
	for (i = 0; i < CONDITIONS; i++)
		asked += json_object_get(trigger, conditions[i].key) != NULL;
	if (after && asked != 1)
		bind_complain_key(b, node, "after",
				  asked ? "several things are asked of it; allowed: one of " CONDITION_ALLOWED
					: "nothing is asked of it; allowed: one of " CONDITION_ALLOWED);
	else if (!after && asked && !map_get(node, "after"))
		bind_complain(b, node, "asks what nobody has to come to; allowed: after: PROCESS beside it");
	else if (!after && !map_get(node, "at") && !map_get(node, "after"))
		bind_complain(
			b, node,
			"says no time; allowed: at: DURATION, or after: PROCESS and one of " CONDITION_ALLOWED);
	check_program(b, node, trigger);
	return trigger;
}

/* Which of the list starts after that one; -1. */
static int start_after(const json_t *list, size_t i)
{
	const char *after = json_text(json_object_get(json_array_get(list, i), "start"), "after", NULL);
	const json_t *one;
	size_t j;

	json_array_foreach ((json_t *)list, j, one)
		if (after && !strcmp(json_text(one, "name", ""), after))
			return (int)j;
	return -1;
}

void triggers_check(struct binder *b, struct fy_node *node, const json_t *list)
{
	size_t i, links;
	int at;

	for (i = 0; i < json_array_size(list); i++) {
		for (at = start_after(list, i), links = 0; at >= 0 && at != (int)i && links < PROCESSES_MAX;
		     links++)
			at = start_after(list, (size_t)at);
		if (at != (int)i)
			continue;
		bind_complain(b, node, "%s waits for its own start; allowed: one that does not",
			      json_text(json_array_get(list, i), "name", ""));
		return;
	}
}

const struct kind kind_trigger = { .name = "mapping",
				   .shape = SHAPE_FIXED,
				   .allowed = "a mapping, e.g. {at: 1s} or {after: daemon, phase: hold}",
				   .bind = bind_trigger };
const struct kind kind_process_ref = { .name = "process",
				       .allowed = "the name of a process",
				       .scalar = scalar_process };
