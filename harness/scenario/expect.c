// SPDX-License-Identifier: MIT
/* Expectations: metrics, the values they are held against, and the cells they hold in. */
#include "harness/scenario/expect.h"

#include "harness/scenario/groups.h"
#include "harness/scenario/kinds.h"
#include "harness/scenario/path.h"
#include "lib/files.h"
#include "lib/units.h"

#include <stdlib.h>
#include <string.h>

#define NAMES_MAX 65

static const char *const unit_allowed[] = {
	[METRIC_ANY] = "a size, a duration, a whole number or a word",
	[METRIC_BYTES] = SIZE_ALLOWED,
	[METRIC_NS] = DURATION_ALLOWED,
	[METRIC_COUNT] = "a whole number",
	[METRIC_WORD] = "a word",
	[METRIC_OUTCOME] = "an outcome",
};

static void process_names(struct fy_node *root, const char *names[NAMES_MAX])
{
	struct fy_node *processes = map_get(root, "processes");
	struct fy_node_pair *pair;
	void *at = NULL;
	size_t n = 0;

	if (processes && fy_node_is_mapping(processes))
		while (n < NAMES_MAX - 1 && (pair = fy_node_mapping_iterate(processes, &at)))
			if (node_text(fy_node_pair_key(pair)))
				names[n++] = node_text(fy_node_pair_key(pair));
	names[n] = NULL;
}

static bool metric_ok(struct binder *b, const char *of, const char *name, const struct metric_name *metrics,
		      char why[WHY_MAX])
{
	const struct metric_name *m = name_find(name, metrics, sizeof(*metrics));
	char quoted[SHOWN_MAX], hint[96], list[360];

	if (m) {
		b->unit = m->unit;
		return true;
	}
	snprintf(why, WHY_MAX, "%s has no metric %s%s; allowed: %s", of, shown(quoted, name),
		 name_hint(hint, name, metrics, sizeof(*metrics)),
		 name_list(list, sizeof(list), metrics, sizeof(*metrics)));
	return false;
}

static bool no_such(const char *what, const char *wrong, const char *const *names, char why[WHY_MAX])
{
	char quoted[SHOWN_MAX], hint[96], list[320];

	name_list(list, sizeof(list), names, sizeof(names[0]));
	snprintf(why, WHY_MAX, "no %s %s%s; there is: %s", what, shown(quoted, wrong),
		 name_hint(hint, wrong, names, sizeof(names[0])), list[0] ? list : "nothing");
	return false;
}

static bool group_metric_ok(struct binder *b, const char *text, char why[WHY_MAX])
{
	const char *paths[GROUP_PATHS_MAX + 1];
	const char *dot = strrchr(text, '.');
	char path[256];

	if (!dot || dot == text) {
		snprintf(why, WHY_MAX, "names no metric; allowed: cgroup.PATH.METRIC");
		return false;
	}
	snprintf(path, sizeof(path), "%.*s", (int)(dot - text < 255 ? dot - text : 255), text);
	if (group_exists(b->root, path))
		return metric_ok(b, "a cgroup", dot + 1, b->known->cgroup_metrics, why);
	group_paths(b->root, paths);
	return no_such("cgroup", path, paths, why);
}

static bool process_metric_ok(struct binder *b, const char *text, char why[WHY_MAX])
{
	const char *names[NAMES_MAX];
	const char *dot = strchr(text, '.');
	char name[64], quoted[SHOWN_MAX];

	if (!dot) {
		snprintf(
			why, WHY_MAX,
			"%s is no metric; allowed: PROCESS.METRIC, cgroup.PATH.METRIC, system.METRIC, victim, kills",
			shown(quoted, text));
		return false;
	}
	snprintf(name, sizeof(name), "%.*s", (int)(dot - text < 63 ? dot - text : 63), text);
	process_names(b->root, names);
	if (!name_find(name, names, sizeof(names[0])))
		return no_such("process", name, names, why);
	return metric_ok(b, "a process", dot + 1, b->known->process_metrics, why);
}

static json_t *scalar_metric(struct binder *b, const struct key *key, const char *text, char why[WHY_MAX])
{
	bool ok;

	(void)key;
	b->unit = METRIC_ANY;
	b->about_victim = !strcmp(text, "victim");
	if (b->about_victim || !strcmp(text, "kills")) {
		b->unit = b->about_victim ? METRIC_WORD : METRIC_COUNT;
		return json_string(text);
	}
	if (!strncmp(text, "system.", 7))
		ok = metric_ok(b, "the system", text + 7, b->known->system_metrics, why);
	else if (!strncmp(text, "cgroup.", 7))
		ok = group_metric_ok(b, text + 7, why);
	else
		ok = process_metric_ok(b, text, why);
	return ok ? json_string(text) : NULL;
}

/* A number in base units: what the metric's unit takes, anything for METRIC_ANY; NULL when it is none. */
static json_t *amount(enum metric_unit unit, const char *text)
{
	uint64_t value;
	int64_t number;

	if ((unit == METRIC_COUNT || unit == METRIC_ANY) && int_parse(text, &number) == 0)
		return json_integer(number);
	if ((unit == METRIC_BYTES || unit == METRIC_ANY) && size_parse(text, &value) == 0)
		return json_integer((json_int_t)value);
	if ((unit == METRIC_NS || unit == METRIC_ANY) && duration_parse(text, &value) == 0)
		return json_integer((json_int_t)value);
	return NULL;
}

static json_t *scalar_bound(struct binder *b, const struct key *key, const char *text, char why[WHY_MAX])
{
	json_t *value = amount(b->unit, text);
	char quoted[SHOWN_MAX];

	(void)key;
	if (value)
		return value;
	if (b->unit == METRIC_WORD || b->unit == METRIC_OUTCOME)
		snprintf(why, WHY_MAX, "this metric is a word; allowed: is");
	else
		snprintf(why, WHY_MAX, "%s does not fit this metric; allowed: %s", shown(quoted, text),
			 unit_allowed[b->unit == METRIC_ANY ? METRIC_BYTES : b->unit]);
	return NULL;
}

static json_t *victim_value(struct binder *b, const char *text, char why[WHY_MAX])
{
	const char *names[NAMES_MAX];
	size_t len;

	if (!strcmp(text, "none"))
		return json_null();
	process_names(b->root, names);
	if (name_find(text, names, sizeof(names[0])))
		return json_string(text);
	no_such("process", text, names, why);
	len = strlen(why);
	snprintf(why + len, WHY_MAX - len, "; or none");
	return NULL;
}

static json_t *scalar_is(struct binder *b, const struct key *key, const char *text, char why[WHY_MAX])
{
	const char *const *outcomes = b->known->outcomes;
	char quoted[SHOWN_MAX], hint[96], list[320];
	json_t *value;

	(void)key;
	if (b->about_victim)
		return victim_value(b, text, why);
	if (b->unit == METRIC_OUTCOME && !name_find(text, outcomes, sizeof(*outcomes))) {
		snprintf(why, WHY_MAX, "unknown outcome %s%s; allowed: %s", shown(quoted, text),
			 name_hint(hint, text, outcomes, sizeof(*outcomes)),
			 name_list(list, sizeof(list), outcomes, sizeof(*outcomes)));
		return NULL;
	}
	if (b->unit == METRIC_OUTCOME || b->unit == METRIC_WORD)
		return json_string(text);
	value = amount(b->unit, text);
	if (!value && b->unit == METRIC_ANY)
		return json_string(text);
	if (!value)
		snprintf(why, WHY_MAX, "%s does not fit this metric; allowed: %s", shown(quoted, text),
			 unit_allowed[b->unit]);
	return value;
}

/* One value, or a list of allowed ones. ~ and null are `none` of a victim. */
static json_t *bind_is(struct binder *b, const struct key *key, struct fy_node *node)
{
	json_t *list, *value;
	struct fy_node *item;
	void *at = NULL;

	if (!fy_node_is_sequence(node))
		return bind_scalar(b, key, node);
	list = json_array();
	if (fy_node_sequence_is_empty(node))
		bind_complain(b, node, "an empty list; allowed: at least one value");
	while ((item = fy_node_sequence_iterate(node, &at))) {
		value = bind_scalar(b, key, item);
		if (value)
			json_array_append_new(list, value);
	}
	return list;
}

/* What b->where_seen knows a path of an expectation by, or one value of it; the caller's to free. */
static char *where_id(const struct binder *b, const char *path, const char *value)
{
	char *id = NULL;
	int r;

	if (value)
		r = asprintf(&id, "%zu:%zu:%s=%s", b->expect_index, strlen(path), path, value);
	else
		r = asprintf(&id, "%zu:%s", b->expect_index, path);
	return r < 0 ? NULL : id;
}

static void note(struct binder *b, const char *path, const char *value)
{
	AUTO_FREE char *id = where_id(b, path, value);

	if (id)
		json_object_set_new(b->where_seen, id, json_true());
}

static bool was_noted(const struct binder *b, const char *path, const char *value)
{
	AUTO_FREE char *id = where_id(b, path, value);

	return id && json_object_get(b->where_seen, id);
}

/* The i-th value of a `where` entry, which is one or a list of them; NULL past the last. */
static struct fy_node *wanted_nth(struct fy_node *wanted, int i)
{
	if (wanted && fy_node_is_sequence(wanted))
		return fy_node_sequence_get_by_index(wanted, i);
	return i == 0 ? wanted : NULL;
}

/* Has this cell one of the wanted values at path? Notes what it has. */
static bool where_holds(struct binder *b, const char *path, struct fy_node *wanted)
{
	struct fy_node *node = path_find(b->root, path), *one;
	AUTO_FREE char *have = node ? node_line(node) : NULL;
	bool holds = false;
	int i;

	if (!have)
		return false;
	note(b, path, NULL);
	for (i = 0; (one = wanted_nth(wanted, i)); i++) {
		AUTO_FREE char *text = node_line(one);

		if (!text || strcmp(text, have) != 0)
			continue;
		note(b, path, text);
		holds = true;
	}
	return holds;
}

static json_t *bind_where(struct binder *b, const struct key *key, struct fy_node *node)
{
	struct fy_node_pair *pair;
	void *at = NULL;

	if (!bind_shape_ok(b, key, node) || !bind_count_ok(b, key, node))
		return NULL;
	while ((pair = fy_node_mapping_iterate(node, &at))) {
		const char *path = node_text(fy_node_pair_key(pair));
		struct fy_node *wanted = fy_node_pair_value(pair), *one;
		bool good = path && wanted_nth(wanted, 0);
		int i;

		for (i = 0; (one = wanted_nth(wanted, i)); i++)
			good = good && node_text(one) && !node_is_blank(one);
		if (!good)
			bind_complain(b, fy_node_pair_key(pair),
				      "allowed: a path and one value, or a list of them");
		else if (!where_holds(b, path, wanted))
			b->where_matches = false;
	}
	return NULL;
}

static void check_bounds(struct binder *b, struct fy_node *node, json_t *e)
{
	const json_t *min = json_object_get(e, "min"), *max = json_object_get(e, "max");

	if (!map_pair(node, "is") && !map_pair(node, "min") && !map_pair(node, "max") &&
	    !map_pair(node, "near"))
		bind_complain(b, node,
			      "nothing to hold it against; allowed: at least one of is, min, max, near");
	if (map_pair(node, "within") && !map_pair(node, "near"))
		bind_complain_key(b, node, "within", "makes no sense without near");
	if (min && max && json_integer_value(min) > json_integer_value(max))
		bind_complain_key(b, node, "min", "larger than max; nothing can be both");
	if (json_object_get(e, "near") && !json_object_get(e, "within"))
		json_object_set_new(e, "within", json_real(0.05));
}

/* Where it stands in the file, for reports: of the first key, which every mapping has. */
static int line_of(struct fy_node *node)
{
	void *at = NULL;
	struct fy_node_pair *pair = fy_node_is_mapping(node) ? fy_node_mapping_iterate(node, &at) : NULL;
	struct fy_token *token = pair ? fy_node_get_scalar_token(fy_node_pair_key(pair)) : NULL;
	const struct fy_mark *mark = token ? fy_token_start_mark(token) : NULL;

	return mark ? mark->line + 1 : 1;
}

/* null where it does not hold for this cell. */
static json_t *bind_expect(struct binder *b, const struct key *key, struct fy_node *node)
{
	bool matches;
	json_t *e;

	b->unit = METRIC_ANY;
	b->about_victim = false;
	b->where_matches = true;
	e = bind_fixed(b, key, node);
	matches = b->where_matches;
	b->expect_index++;
	if (!e)
		return NULL;
	if (b->about_victim && map_pair(node, "is") && node_is_null(map_get(node, "is")))
		json_object_set_new(e, "is", json_null());
	check_bounds(b, node, e);
	json_object_set_new(e, "at", json_sprintf("%s:%d", b->source, line_of(node)));
	if (matches)
		return e;
	json_decref(e);
	return json_null();
}

static json_t *bind_expects(struct binder *b, const struct key *key, struct fy_node *node)
{
	json_t *list, *one;
	size_t i = 0;

	b->expect_index = 0;
	list = bind_list(b, key, node);
	while ((one = json_array_get(list, i))) {
		if (json_is_null(one))
			json_array_remove(list, i);
		else
			i++;
	}
	return list;
}

/* Calls visit for each entry of each `where` of the tree, with b->expect_index set. */
static void each_where(struct binder *b, void (*visit)(struct binder *, struct fy_node *, struct fy_node *))
{
	struct fy_node *list = map_get(b->root, "expect"), *item;
	struct fy_node_pair *pair;
	void *at = NULL;

	b->expect_index = 0;
	if (!list || !fy_node_is_sequence(list))
		return;
	while ((item = fy_node_sequence_iterate(list, &at))) {
		struct fy_node *where = map_get(item, "where");
		void *inner = NULL;

		if (where && fy_node_is_mapping(where))
			while ((pair = fy_node_mapping_iterate(where, &inner)))
				visit(b, fy_node_pair_key(pair), fy_node_pair_value(pair));
		b->expect_index++;
	}
}

static void note_one(struct binder *b, struct fy_node *key, struct fy_node *wanted)
{
	if (node_text(key))
		where_holds(b, node_text(key), wanted);
}

void expect_note_where(struct binder *b)
{
	each_where(b, note_one);
}

static void check_one(struct binder *b, struct fy_node *key, struct fy_node *wanted)
{
	const char *path = node_text(key);
	char quoted[SHOWN_MAX];
	struct fy_node *one;
	int i;

	snprintf(b->path, sizeof(b->path), "expect.%zu.where", b->expect_index);
	b->nearby = key;
	if (!path)
		return;
	if (!was_noted(b, path, NULL)) {
		bind_complain(b, key, "%s names nothing in any cell; allowed: a path as for --set",
			      shown(quoted, path));
		return;
	}
	for (i = 0; (one = wanted_nth(wanted, i)); i++) {
		AUTO_FREE char *text = node_line(one);

		if (text && !was_noted(b, path, text))
			bind_complain(b, one, "no cell has %s at %s", shown(quoted, text), path);
	}
}

void expect_check_where(struct binder *b)
{
	each_where(b, check_one);
	b->path[0] = 0;
}

const struct kind kind_expects = {
	.name = "list", .shape = SHAPE_LIST, .allowed = "a list", .bind = bind_expects
};
const struct kind kind_expect = {
	.name = "mapping", .shape = SHAPE_FIXED, .allowed = "a mapping", .bind = bind_expect
};
const struct kind kind_metric = { .name = "metric",
				  .allowed =
					  "PROCESS.METRIC, cgroup.PATH.METRIC, system.METRIC, victim, kills",
				  .scalar = scalar_metric };
const struct kind kind_is = { .name = "value",
			      .allowed = "a word or an amount, or a list of them",
			      .scalar = scalar_is,
			      .bind = bind_is };
const struct kind kind_bound = { .name = "amount",
				 .allowed = "a size, a duration or a whole number, as the metric is",
				 .scalar = scalar_bound };
const struct kind kind_where = {
	.name = "where", .shape = SHAPE_OPEN, .allowed = "a mapping of paths and values", .bind = bind_where
};
