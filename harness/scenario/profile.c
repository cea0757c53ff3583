// SPDX-License-Identifier: MIT
#include "harness/scenario/profile.h"

#include "lib/files.h"
#include "lib/json.h"
#include "lib/units.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define PAGE       4096
#define WORDS_MAX  32
#define GROUP_SELF "."

/* A parameter, or a size. */
static bool amount(const char *word, const json_t *parameters, double *ret)
{
	const json_t *parameter = json_object_get(parameters, word);
	uint64_t bytes;

	if (!parameter && size_parse(word, &bytes) < 0)
		return false;
	*ret = parameter ? json_number_value(parameter) : (double)bytes;
	return true;
}

/* "0.5" */
static bool number(const char *word, double *ret)
{
	char *end;

	*ret = strtod(word, &end);
	return word[0] >= '0' && word[0] <= '9' && !*end;
}

/* a + 0.5 * b - 4K */
static bool evaluate(char *text, const json_t *parameters, double *ret)
{
	char *words[WORDS_MAX], *rest = NULL, *word;
	double sign = 1, factor, value;
	size_t n = 0, i = 0;

	*ret = 0;
	for (word = strtok_r(text, " ", &rest); word && n < WORDS_MAX; word = strtok_r(NULL, " ", &rest))
		words[n++] = word;
	while (i < n) {
		factor = 1;
		if (i + 2 < n && !strcmp(words[i + 1], "*")) {
			if (!number(words[i], &factor))
				return false;
			i += 2;
		}
		if (!amount(words[i++], parameters, &value))
			return false;
		*ret += sign * factor * value;
		if (i == n)
			return *ret >= 0;
		if (strcmp(words[i], "+") != 0 && strcmp(words[i], "-") != 0)
			return false;
		sign = words[i++][0] == '-' ? -1 : 1;
	}
	return false;
}

json_t *profile_value(const char *text, const json_t *parameters)
{
	AUTO_FREE char *copy = strdup(text);
	int64_t whole;
	double bytes;

	if (!strcmp(text, "max") || (int_parse(text, &whole) == 0 && whole >= 0))
		return json_string(text);
	/* 0.1 * a + 0.9 * a may come to a hair less than a: rounded to bytes before it is cut to pages. */
	if (!copy || !evaluate(copy, parameters, &bytes) || bytes >= 1e18)
		return NULL;
	return json_sprintf("%" PRIu64, (uint64_t)(bytes + 0.5) / PAGE * PAGE);
}

static const char *text_of(struct fy_node *map, const char *key)
{
	struct fy_node *node = map_get(map, key);
	const char *text = node ? node_text(node) : NULL;

	return text ? text : "";
}

static int read_parameters(struct fy_node *map, json_t *to, struct err *e)
{
	struct fy_node_pair *pair;
	void *at = NULL;

	while (map && fy_node_is_mapping(map) && (pair = fy_node_mapping_iterate(map, &at))) {
		const char *name = node_text(fy_node_pair_key(pair));
		const char *text = node_text(fy_node_pair_value(pair));
		uint64_t bytes;

		if (!name || !text || size_parse(text, &bytes) < 0)
			return err_set(e, EINVAL, "parameter %s: allowed: " SIZE_ALLOWED, name ? name : "?");
		json_object_set_new(to, name, json_integer((json_int_t)bytes));
	}
	return 0;
}

static int read_limits(struct fy_node *map, const struct cgroup_key_name *keys, const json_t *parameters,
		       json_t *to, struct err *e)
{
	struct fy_node_pair *pair;
	void *at = NULL;

	while (map && fy_node_is_mapping(map) && (pair = fy_node_mapping_iterate(map, &at))) {
		const char *name = node_text(fy_node_pair_key(pair));
		const char *text = node_text(fy_node_pair_value(pair));
		json_t *value = text ? profile_value(text, parameters) : NULL;

		json_decref(value);
		if (!name || !name_find(name, keys, sizeof(*keys)))
			return err_set(e, EINVAL, "%s is no limit of a cgroup", name ? name : "?");
		if (!value)
			return err_set(
				e, EINVAL,
				"%s: allowed: max, a whole number, or parameters and sizes with +, - and factors",
				name);
		json_object_set_new(to, name, json_string(text));
	}
	return 0;
}

static int read_groups(struct fy_node *map, const struct cgroup_key_name *keys, const json_t *parameters,
		       json_t *to, struct err *e)
{
	struct fy_node_pair *pair;
	void *at = NULL;
	int r = 0;

	while (r == 0 && map && fy_node_is_mapping(map) && (pair = fy_node_mapping_iterate(map, &at))) {
		const char *path = node_text(fy_node_pair_key(pair));
		json_t *limits = json_object();

		if (!path)
			return err_set(e, EINVAL, "cgroups: a path must be plain text");
		json_object_set_new(to, strcmp(path, GROUP_SELF) != 0 ? path : "", limits);
		r = read_limits(fy_node_pair_value(pair), keys, parameters, limits, e);
		if (r < 0)
			err_prefix(e, "cgroups.%s", path);
	}
	if (r == 0 && !json_object_size(to))
		return err_set(e, EINVAL, "no cgroups");
	return r;
}

/* One file; stem: what its profile must be called. */
static int read_one(const char *path, const char *stem, const struct cgroup_key_name *keys, json_t *all,
		    struct err *e)
{
	struct complaints *c = complaints_new();
	struct fy_document *doc = NULL;
	json_t *parameters = json_object(), *groups = json_object();
	struct fy_node *root;
	int r = 0;

	if (!c || tree_read(path, c, &doc) < 0) {
		AUTO_FREE char *text = c ? complaints_text(c) : NULL;

		r = err_set(e, EINVAL, "%s", text ? text : "out of memory");
	}
	root = r == 0 ? fy_document_root(doc) : NULL;
	if (r == 0 && strcmp(text_of(root, PROFILE_KEY), stem) != 0)
		r = err_set(e, EINVAL, "profile: must be %s, as the file", stem);
	if (r == 0 && (!text_of(root, "about")[0] || !text_of(root, "source")[0]))
		r = err_set(e, EINVAL, "about and source must be given");
	if (r == 0)
		r = read_parameters(map_get(root, "parameters"), parameters, e);
	if (r == 0)
		r = read_groups(map_get(root, "cgroups"), keys, parameters, groups, e);
	if (r == 0)
		json_object_set_new(all, stem,
				    json_pack("{s:s, s:s, s:O, s:O}", "about", text_of(root, "about"),
					      "source", text_of(root, "source"), "parameters", parameters,
					      "cgroups", groups));
	else
		err_prefix(e, "%s", path);
	json_decref(parameters);
	json_decref(groups);
	fy_document_destroy(doc);
	complaints_free(c);
	return r;
}

int profiles_read(const char *dir, const struct cgroup_key_name *keys, json_t **ret, struct err *e)
{
	json_t *all = json_object();
	struct dirent **entries = NULL;
	int n = scandir(dir, &entries, NULL, alphasort), i, r = 0;

	if (n < 0)
		r = err_errno(e, errno, "%s", dir);
	for (i = 0; i < n; i++) {
		const char *name = entries[i]->d_name, *dot = strrchr(name, '.');
		char path[PATH_LEN_MAX], stem[128];

		if (r == 0 && dot && !strcmp(dot, ".yaml")) {
			snprintf(stem, sizeof(stem), "%.*s", (int)(dot - name), name);
			r = path_format(path, "%s/%s", dir, name);
			if (r == 0)
				r = read_one(path, stem, keys, all, e);
		}
		free(entries[i]);
	}
	free(entries);
	if (r < 0)
		json_decref(all);
	else
		*ret = all;
	return r;
}

void profile_words(const struct binder *b, const char *ret_words[PROFILE_WORDS_MAX + 1])
{
	const char *profile, *parameter;
	json_t *one, *value;
	size_t n = 0;

	if (b->known->profiles)
		ret_words[n++] = PROFILE_KEY;
	json_object_foreach ((json_t *)b->known->profiles, profile, one)
		json_object_foreach (json_object_get(one, "parameters"), parameter, value)
			if (n < PROFILE_WORDS_MAX)
				ret_words[n++] = parameter;
	ret_words[n] = NULL;
}

const json_t *profile_of(const struct binder *b, struct fy_node *group)
{
	struct fy_node *node = group && fy_node_is_mapping(group) ? map_get(group, PROFILE_KEY) : NULL;
	const char *name = node ? node_text(node) : NULL;

	return name ? json_object_get(b->known->profiles, name) : NULL;
}

/* "request, limit"; returns buf. */
static const char *list_parameters(const json_t *parameters, char *buf, size_t room)
{
	const char *names[WORDS_MAX + 1], *key;
	json_t *value;
	size_t n = 0;

	json_object_foreach ((json_t *)parameters, key, value)
		if (n < WORDS_MAX)
			names[n++] = key;
	names[n] = NULL;
	return name_list(buf, room, names, sizeof(names[0]));
}

void profile_check(struct binder *b, struct fy_node *node, const json_t *own)
{
	const char *name = json_text(own, PROFILE_KEY, NULL), *key;
	const json_t *parameters = json_object_get(json_object_get(b->known->profiles, name), "parameters");
	char what[WHY_MAX], list[256];
	json_t *value;

	if (!name && map_pair(node, PROFILE_KEY))
		return; /* there is no such profile, and that was said */
	json_object_foreach ((json_t *)own, key, value) {
		if (!json_is_integer(value) || json_object_get(parameters, key))
			continue;
		if (name)
			snprintf(what, sizeof(what), "%s has no such parameter; allowed: %s", name,
				 list_parameters(parameters, list, sizeof(list)));
		else
			snprintf(
				what, sizeof(what),
				"is a parameter, and no profile is named; allowed: `profile: NAME` beside it");
		bind_complain_key(b, node, key, what);
	}
}

/* What the profile says about one group, where the scenario does not. */
static size_t lay_limits(const json_t *limits, const json_t *parameters, json_t *set)
{
	const char *key;
	json_t *text;
	size_t added = 0;

	json_object_foreach ((json_t *)limits, key, text) {
		if (json_object_get(set, key))
			continue;
		json_object_set_new(set, key, profile_value(json_string_value(text), parameters));
		added++;
	}
	return added;
}

static size_t apply(json_t *by_path, const char *path, const json_t *profile, const json_t *parameters)
{
	const char *below;
	json_t *limits, *set;
	size_t added = 0;
	char full[512];

	json_object_foreach (json_object_get(profile, "cgroups"), below, limits) {
		snprintf(full, sizeof(full), "%s%s%s", path, below[0] ? "/" : "", below);
		set = json_object_get(by_path, full);
		if (!set)
			json_object_set_new(by_path, full, set = json_object());
		added += lay_limits(limits, parameters, set);
	}
	return added;
}

size_t profiles_apply(const struct binder *b, json_t *by_path)
{
	json_t *named = json_deep_copy(by_path), *own, *value;
	const char *path, *key;
	size_t added = 0;

	json_object_foreach (named, path, own) {
		const json_t *profile = json_object_get(b->known->profiles, json_text(own, PROFILE_KEY, ""));
		json_t *parameters = json_deep_copy(json_object_get(profile, "parameters"));

		json_object_del(json_object_get(by_path, path), PROFILE_KEY);
		json_object_foreach (own, key, value)
			if (json_is_integer(value)) {
				json_object_set(parameters, key, value);
				json_object_del(json_object_get(by_path, path), key);
			}
		if (profile)
			added += apply(by_path, path, profile, parameters);
		json_decref(parameters);
	}
	json_decref(named);
	return added;
}
