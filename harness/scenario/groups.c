// SPDX-License-Identifier: MIT
/* Cgroups and sysctls: their names, their values, and both of them over time. */
#include "harness/scenario/groups.h"

#include "harness/scenario/bind.h"
#include "harness/scenario/kinds.h"
#include "harness/scenario/limit.h"
#include "harness/scenario/profile.h"

#include "lib/json.h"
#include "lib/units.h"

#include <ctype.h>
#include <string.h>

#define GROUP_NAME_ALLOWED "a relative path of letters, digits, '.', '_', '-', e.g. app/worker"
#define SYSCTL_NAME_ALLOWED                                                                                  \
	"lower-case letters, digits, '_', '-', with dots or slashes between, e.g. vm.swappiness"
#define GROUP_COUNT_MAX 32

/* Calls visit with each path that is named or that a profile has; stops when it says so. */
static bool any_group(const struct binder *b, bool (*visit)(const char *path, void *user), void *user)
{
	struct fy_node *groups = map_get(b->root, "cgroups");
	struct fy_node_pair *pair;
	void *at = NULL;

	while (groups && fy_node_is_mapping(groups) && (pair = fy_node_mapping_iterate(groups, &at))) {
		const json_t *profile = profile_of(b, fy_node_pair_value(pair));
		const char *path = node_text(fy_node_pair_key(pair)), *below;
		json_t *limits;
		char full[512];

		if (path && visit(path, user))
			return true;
		json_object_foreach (json_object_get(profile, "cgroups"), below, limits) {
			snprintf(full, sizeof(full), "%s/%s", path ? path : "", below);
			if (path && below[0] && visit(full, user))
				return true;
		}
	}
	return false;
}

static bool note_path(const char *path, void *user)
{
	struct binder *b = user;

	json_array_append_new(b->group_paths, json_string(path));
	return json_array_size(b->group_paths) == GROUP_PATHS_MAX;
}

void group_paths(struct binder *b, const char *ret_paths[GROUP_PATHS_MAX + 1])
{
	size_t i;

	json_decref(b->group_paths);
	b->group_paths = json_array();
	any_group(b, note_path, b);
	for (i = 0; i < json_array_size(b->group_paths); i++)
		ret_paths[i] = json_string_value(json_array_get(b->group_paths, i));
	ret_paths[i] = NULL;
}

struct wanted_path {
	const char *text;
	size_t len;
};

/* It itself, or a parent of what is named. */
static bool is_wanted(const char *path, void *user)
{
	const struct wanted_path *w = user;

	return !strncmp(path, w->text, w->len) && (!path[w->len] || path[w->len] == '/');
}

static bool exists_n(const struct binder *b, const char *path, size_t len)
{
	struct wanted_path w = { path, len };

	return len > 0 && any_group(b, is_wanted, &w);
}

bool group_exists(const struct binder *b, const char *path)
{
	return exists_n(b, path, strlen(path));
}

size_t group_prefix(const struct binder *b, const char *text)
{
	size_t len = strlen(text);

	while (len-- > 1)
		if (text[len] == '.' && exists_n(b, text, len))
			return len;
	return 0;
}

static bool group_name_ok(struct binder *b, const char *name, char why[WHY_MAX])
{
	const char *what = NULL, *p = name;
	char quoted[SHOWN_MAX];

	(void)b;
	if (*p == '/')
		what = "is an absolute path";
	while (!what) {
		size_t len = strcspn(p, "/"), i;

		if (len == 0)
			what = "has an empty part";
		else if ((len == 1 && *p == '.') || (len == 2 && p[0] == '.' && p[1] == '.'))
			what = "leaves its place with '.' or '..'";
		for (i = 0; i < len; i++)
			if (!isalnum((unsigned char)p[i]) && !strchr("._-", p[i]))
				what = "has characters that a group's name cannot have";
		if (!p[len])
			break;
		p += len + 1;
	}
	if (!what && strlen(name) > 255)
		what = "is longer than 255 bytes";
	if (!what)
		return true;
	snprintf(why, WHY_MAX, "%s %s; allowed: " GROUP_NAME_ALLOWED, shown(quoted, name), what);
	return false;
}

static bool sysctl_name_ok(struct binder *b, const char *name, char why[WHY_MAX])
{
	size_t len = strlen(name), i;
	bool ok = len > 0 && len < 128;
	char quoted[SHOWN_MAX];

	(void)b;
	for (i = 0; i < len && ok; i++) {
		bool mark = name[i] == '.' || name[i] == '/';

		ok = mark ? i > 0 && name[i + 1] && !strchr("./", name[i + 1])
			  : islower((unsigned char)name[i]) || isdigit((unsigned char)name[i]) ||
				     strchr("_-", name[i]);
	}
	if (!ok)
		snprintf(why, WHY_MAX, "%s is no name of a sysctl; allowed: " SYSCTL_NAME_ALLOWED,
			 shown(quoted, name));
	return ok;
}

static bool cgroup_key_ok(struct binder *b, const char *name, char why[WHY_MAX])
{
	const struct cgroup_key_name *keys = b->known->cgroup_keys;
	char quoted[SHOWN_MAX], hint[96], list[320];

	if (name_find(name, keys, sizeof(*keys)))
		return true;
	snprintf(why, WHY_MAX, "unknown cgroup key %s%s; allowed: %s", shown(quoted, name),
		 name_hint(hint, name, keys, sizeof(*keys)),
		 name_list(list, sizeof(list), keys, sizeof(*keys)));
	return false;
}

/* A limit, or what a profile is named and given by. */
static bool group_entry_ok(struct binder *b, const char *name, char why[WHY_MAX])
{
	const char *words[PROFILE_WORDS_MAX + 1], *near;
	size_t len;

	profile_words(b, words);
	if (name_find(name, words, sizeof(words[0])) || cgroup_key_ok(b, name, why))
		return true;
	near = name_nearest(name, words, sizeof(words[0]));
	len = strlen(why);
	if (near)
		snprintf(why + len, WHY_MAX - len, "; or %s, of a profile", near);
	return false;
}

/* What is written into a kernel file: one line. */
static json_t *scalar_sysctl(struct binder *b, const struct key *key, const char *text, char why[WHY_MAX])
{
	return kind_cmdline.scalar(b, key, text, why);
}

/* The value's kind hangs on the key, which is the end of the path. */
static json_t *cgroup_value(struct binder *b, const char *name, const char *text, char why[WHY_MAX])
{
	const struct cgroup_key_name *keys = b->known->cgroup_keys;
	const struct cgroup_key_name *key = name_find(name, keys, sizeof(*keys));
	char quoted[SHOWN_MAX];
	const char *allowed;
	json_t *value = limit_value(text, key ? key->value : CGROUP_ANY, &allowed);

	if (!value)
		snprintf(why, WHY_MAX, "%s is no value of %s; allowed: %s", shown(quoted, text), name,
			 allowed);
	return value;
}

static bool one_more(struct binder *b, size_t *count, struct fy_node *node)
{
	if (++*count <= BIND_CHANGES_MAX)
		return true;
	bind_complain(b, node, "one value too many; allowed: %d in all groups and sysctls", BIND_CHANGES_MAX);
	return false;
}

/* The name of a profile as text, the value of a parameter as a number. */
static json_t *profile_entry(const struct binder *b, const char *name, const char *text, char why[WHY_MAX])
{
	char quoted[SHOWN_MAX], hint[96], list[320];
	const char *names[64] = { NULL }, *one;
	uint64_t bytes;
	size_t n = 0;
	json_t *value;

	if (strcmp(name, PROFILE_KEY) != 0) {
		if (size_parse(text, &bytes) == 0)
			return json_integer((json_int_t)bytes);
		snprintf(why, WHY_MAX, "%s is no value of a parameter; allowed: " SIZE_ALLOWED,
			 shown(quoted, text));
		return NULL;
	}
	if (json_object_get(b->known->profiles, text))
		return json_string(text);
	json_object_foreach ((json_t *)b->known->profiles, one, value)
		if (n < 63)
			names[n++] = one;
	snprintf(why, WHY_MAX, "no profile %s%s; there is: %s", shown(quoted, text),
		 name_hint(hint, text, names, sizeof(names[0])),
		 name_list(list, sizeof(list), names, sizeof(names[0])));
	return NULL;
}

static json_t *bind_cgroup_value(struct binder *b, const struct key *key, struct fy_node *node)
{
	const char *text = node_text(node), *name = node_text(b->nearby);
	char why[WHY_MAX];
	json_t *value;
	bool is_limit;

	(void)key;
	if (!text || node_is_null(node) || !name) {
		bind_complain(b, node, "is %s; allowed: a value, e.g. 64M or max", node_kind(node));
		return NULL;
	}
	is_limit = name_find(name, b->known->cgroup_keys, sizeof(*b->known->cgroup_keys));
	value = is_limit ? cgroup_value(b, name, text, why) : profile_entry(b, name, text, why);
	if (!value)
		bind_complain(b, node, "%s", why);
	else if (is_limit)
		one_more(b, &b->changes, node);
	return value;
}

static json_t *bind_sysctl(struct binder *b, const struct key *key, struct fy_node *node)
{
	json_t *value = bind_scalar(b, key, node);

	if (value)
		one_more(b, &b->changes, node);
	return value;
}

/* "app:" is a group without limits. */
static json_t *bind_cgroup(struct binder *b, const struct key *key, struct fy_node *node)
{
	json_t *own = node_is_null(node) ? json_object() : bind_named(b, key, node);

	if (own)
		profile_check(b, node, own);
	return own;
}

static void add_group(json_t *list, json_t *by_path, const char *path)
{
	const char *slash = strrchr(path, '/');
	json_t *have, *set = json_object_get(by_path, path);
	char parent[256];
	size_t i;

	json_array_foreach (list, i, have)
		if (!strcmp(json_text(have, "path", ""), path))
			return;
	if (slash) {
		snprintf(parent, sizeof(parent), "%.*s", (int)(slash - path), path);
		add_group(list, by_path, parent);
	}
	json_array_append_new(
		list, json_pack("{s:s, s:o}", "path", path, "set", set ? json_incref(set) : json_object()));
}

/* An object by path becomes a list with parents first. */
static json_t *bind_cgroups(struct binder *b, const struct key *key, struct fy_node *node)
{
	json_t *by_path = bind_named(b, key, node), *list = json_array(), *set;
	const char *path;

	b->changes += by_path ? profiles_apply(b, by_path) : 0;
	if (b->changes > BIND_CHANGES_MAX)
		bind_complain(b, node, "the profiles make %zu limits and sysctls of it; allowed: %d",
			      b->changes, BIND_CHANGES_MAX);
	json_object_foreach (by_path, path, set)
		add_group(list, by_path, path);
	if (json_array_size(list) > GROUP_COUNT_MAX)
		bind_complain(b, node, "%zu groups with their parents; allowed: 32", json_array_size(list));
	json_decref(by_path);
	return list;
}

static json_t *scalar_cgroup_ref(struct binder *b, const struct key *key, const char *text, char why[WHY_MAX])
{
	const char *paths[GROUP_PATHS_MAX + 1];
	char quoted[SHOWN_MAX], hint[96], list[320];

	(void)key;
	if (!*text || group_exists(b, text))
		return json_string(text);
	group_paths(b, paths);
	snprintf(why, WHY_MAX, "no cgroup %s%s; there is: %s", shown(quoted, text),
		 name_hint(hint, text, paths, sizeof(paths[0])),
		 paths[0] ? name_list(list, sizeof(list), paths, sizeof(paths[0]))
			  : "none; add it under cgroups");
	return NULL;
}

/* "cgroups.app.memory.max" or "sysctl.vm.swappiness" and its new value, as JSON. */
static json_t *fault_change(struct binder *b, const char *path, const char *text, char why[WHY_MAX])
{
	char quoted[SHOWN_MAX];
	json_t *value = NULL;
	size_t len;

	if (!strncmp(path, "sysctl.", 7)) {
		if (sysctl_name_ok(b, path + 7, why))
			value = kind_cmdline.scalar(b, key_child(key_child(key_root(), "sysctl"), ""), text,
						    why);
		return value ? json_pack("{s:s, s:o}", "sysctl", path + 7, "value", value) : NULL;
	}
	len = strncmp(path, "cgroups.", 8) ? 0 : group_prefix(b, path + 8);
	if (len == 0) {
		snprintf(
			why, WHY_MAX,
			"%s names nothing that can change; allowed: cgroups.PATH.KEY with a group under cgroups, "
			"sysctl.NAME",
			shown(quoted, path));
		return NULL;
	}
	if (cgroup_key_ok(b, path + 8 + len + 1, why))
		value = cgroup_value(b, path + 8 + len + 1, text, why);
	return value ? json_pack("{s:s%, s:s, s:o}", "cgroup", path + 8, len, "key", path + 8 + len + 1,
				 "value", value)
		     : NULL;
}

static json_t *bind_fault_set(struct binder *b, const struct key *key, struct fy_node *node)
{
	json_t *list = json_array();
	struct fy_node_pair *pair;
	void *at = NULL;

	if (!bind_shape_ok(b, key, node) || !bind_count_ok(b, key, node))
		return list;
	while ((pair = fy_node_mapping_iterate(node, &at))) {
		const char *path = node_text(fy_node_pair_key(pair));
		const char *text = node_text(fy_node_pair_value(pair));
		char why[WHY_MAX] = "allowed: a path and one value";
		json_t *change = NULL;

		if (path && text && !node_is_blank(fy_node_pair_value(pair)))
			change = fault_change(b, path, text, why);
		if (!change)
			bind_complain(b, fy_node_pair_key(pair), "%s", why);
		else if (one_more(b, &b->fault_changes, fy_node_pair_key(pair)))
			json_array_append(list, change);
		json_decref(change);
	}
	return list;
}

/* The list by time; those of one time stay in the order of the file. */
static json_t *bind_faults(struct binder *b, const struct key *key, struct fy_node *node)
{
	json_t *list = bind_list(b, key, node), *sorted = json_array(), *fault;
	size_t i, j;

	json_array_foreach (list, i, fault) {
		for (j = json_array_size(sorted); j > 0; j--)
			if (json_number(json_array_get(sorted, j - 1), "at", 0) <=
			    json_number(fault, "at", 0))
				break;
		json_array_insert(sorted, j, fault);
	}
	json_decref(list);
	return sorted;
}

const struct kind kind_sysctl = { .name = "value",
				  .allowed = "one line of text",
				  .scalar = scalar_sysctl,
				  .bind = bind_sysctl,
				  .name_ok = sysctl_name_ok };
const struct kind kind_cgroups = {
	.name = "groups", .shape = SHAPE_NAMED, .allowed = "a mapping", .bind = bind_cgroups
};
const struct kind kind_cgroup = { .name = "limits",
				  .shape = SHAPE_OPEN,
				  .allowed = "a mapping of limits",
				  .bind = bind_cgroup,
				  .name_ok = group_name_ok };
const struct kind kind_cgroup_value = { .name = "limit",
					.allowed = "by key: " LIMIT_BYTES_ALLOWED "; or a whole number",
					.bind = bind_cgroup_value,
					.name_ok = group_entry_ok };
const struct kind kind_cgroup_ref = { .name = "cgroup",
				      .allowed = "a path under cgroups, or a parent of one",
				      .scalar = scalar_cgroup_ref };
const struct kind kind_faults = {
	.name = "list", .shape = SHAPE_LIST, .allowed = "a list", .bind = bind_faults
};
const struct kind kind_fault_set = { .name = "changes",
				     .shape = SHAPE_OPEN,
				     .allowed = "a mapping of paths and values",
				     .bind = bind_fault_set };
