// SPDX-License-Identifier: MIT
/* What a process is given before it begins: resource limits, whose it is, CPUs, NUMA nodes. */
#include "harness/scenario/settings.h"

#include "harness/scenario/kinds.h"
#include "lib/idlist.h"
#include "lib/json.h"
#include "lib/units.h"

#include <ctype.h>
#include <grp.h>
#include <pwd.h>
#include <string.h>

static json_t *scalar_rlimit(struct binder *b, const struct key *key, const char *text, char why[WHY_MAX])
{
	return strcmp(text, "unlimited") ? kind_size.scalar(b, key, text, why) : json_string(text);
}

/* A number of the row's range; -1: the text is none. */
static int64_t id_number(const struct key *key, const char *text)
{
	int64_t id;

	return isdigit((unsigned char)text[0]) && int_parse(text, &id) == 0 && id <= key->max ? id : -1;
}

static json_t *no_such(const struct key *key, const char *what, const char *text, char why[WHY_MAX])
{
	char quoted[SHOWN_MAX];

	snprintf(why, WHY_MAX, "this machine has no %s %s; allowed: %s", what, shown(quoted, text),
		 key->kind->allowed);
	return NULL;
}

static json_t *scalar_user(struct binder *b, const struct key *key, const char *text, char why[WHY_MAX])
{
	int64_t id = id_number(key, text);
	const struct passwd *known = id < 0 ? getpwnam(text) : NULL;

	(void)b;
	if (id < 0 && !known)
		return no_such(key, "user", text, why);
	return json_integer(known ? (json_int_t)known->pw_uid : id);
}

static json_t *scalar_group(struct binder *b, const struct key *key, const char *text, char why[WHY_MAX])
{
	int64_t id = id_number(key, text);
	const struct group *known = id < 0 ? getgrnam(text) : NULL;

	(void)b;
	if (id < 0 && !known)
		return no_such(key, "group", text, why);
	return json_integer(known ? (json_int_t)known->gr_gid : id);
}

static json_t *scalar_idlist(struct binder *b, const struct key *key, const char *text, char why[WHY_MAX])
{
	struct idlist list;
	char quoted[SHOWN_MAX];

	(void)b;
	if (idlist_parse(text, &list) == 0)
		return json_string(text);
	snprintf(why, WHY_MAX, "%s is no such list; allowed: %s, each below %d", shown(quoted, text),
		 key->kind->allowed, IDLIST_MAX);
	return NULL;
}

/* A guest has as many as the scenario says; of this machine the trial finds out. */
static void check_ids(struct binder *b, struct fy_node *node, const char *key, const char *ids,
		      const char *what, const char *of, int64_t count)
{
	struct idlist list;
	char text[96];

	if (!b->in_guest || count < 1 || idlist_parse(ids, &list) < 0 || idlist_last(&list) < count)
		return;
	snprintf(text, sizeof(text), "%s %d is more than %s has; allowed: 0 to %lld", what,
		 idlist_last(&list), of, (long long)count - 1);
	bind_complain_key(b, node, key, text);
}

static void check_cpus(struct binder *b, struct fy_node *node, const json_t *process)
{
	struct fy_node *cpus = map_get(map_get(b->root, "machine"), "cpus");
	int64_t count = 1;

	if (!cpus || int_parse(node_text(cpus), &count) == 0)
		check_ids(b, node, "cpus", json_text(process, "cpus", ""), "CPU", "machine.cpus", count);
}

static void check_numa(struct binder *b, struct fy_node *node, const json_t *process)
{
	const json_t *numa = json_object_get(process, "numa");
	struct fy_node *nodes = map_get(map_get(b->root, "machine"), "nodes"), *given = map_get(node, "numa");
	const char *ids = json_text(numa, "nodes", "");
	int count = nodes && fy_node_is_sequence(nodes) ? fy_node_sequence_item_count(nodes) : 0;
	struct bind_mark mark;

	if (!fy_node_is_mapping(given))
		return;
	mark = bind_enter(b, "numa", given);
	check_ids(b, given, "nodes", ids, "node", "machine.nodes", count ? count : 1);
	if (!strcmp(json_text(numa, "policy", ""), "preferred") && strpbrk(ids, ",-"))
		bind_complain_key(b, given, "nodes", "more than one with preferred; allowed: one node");
	bind_leave(b, mark);
}

void settings_complete(struct binder *b, struct fy_node *node, json_t *process)
{
	const json_t *user = json_object_get(process, "user");
	const struct passwd *known;

	if (json_object_get(process, "oom_adj") && json_is_integer(json_object_get(process, "oom_score_adj")))
		bind_complain_key(b, node, "oom_adj",
				  "is given beside oom_score_adj; allowed: one of the two");
	check_cpus(b, node, process);
	check_numa(b, node, process);
	if (!user || json_object_get(process, "group"))
		return;
	known = getpwuid((uid_t)json_integer_value(user));
	json_object_set_new(process, "group",
			    json_integer(known ? (json_int_t)known->pw_gid : json_integer_value(user)));
}

const struct kind kind_rlimit = { .name = "size or unlimited",
				  .allowed = SIZE_ALLOWED ", or unlimited",
				  .scalar = scalar_rlimit };
const struct kind kind_user = { .name = "name or number",
				.allowed = "the name of a user of this machine, or a number",
				.scalar = scalar_user };
const struct kind kind_group = { .name = "name or number",
				 .allowed = "the name of a group of this machine, or a number",
				 .scalar = scalar_group };
const struct kind kind_idlist = { .name = "list of numbers",
				  .allowed = IDLIST_ALLOWED,
				  .scalar = scalar_idlist };
