// SPDX-License-Identifier: MIT
/* Expectations: metrics, the values they are held against, and the cells they hold in. */
#include "harness/scenario/expect.h"

#include "harness/scenario/bound.h"
#include "harness/scenario/kinds.h"
#include "harness/scenario/path.h"
#include "harness/scenario/processes.h"
#include "lib/files.h"

#include <stdlib.h>
#include <string.h>

static json_t *scalar_metric(struct binder *b, const struct key *key, const char *text, char why[WHY_MAX])
{
	(void)key;
	b->unit = METRIC_ANY;
	b->about_victim = !strcmp(text, "victim");
	b->own_value = false;
	if (!metric_unit(b, text, &b->unit, why))
		return NULL;
	b->own_unit = b->own_value ? b->unit : METRIC_ANY;
	return json_string(text);
}

static json_t *scalar_bound(struct binder *b, const struct key *key, const char *text, char why[WHY_MAX])
{
	(void)key;
	return bound_value(b, text, why);
}

static json_t *victim_value(struct binder *b, const char *text, char why[WHY_MAX])
{
	const char *names[PROCESSES_MAX + 1];
	size_t len;

	if (!strcmp(text, "none"))
		return json_null();
	process_names(b, names);
	if (name_find(text, names, sizeof(names[0])))
		return json_string(text);
	name_unknown("process", text, names, why);
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
	value = bound_amount(b->unit, text);
	if (!value && b->unit == METRIC_ANY)
		return json_string(text);
	if (!value)
		snprintf(why, WHY_MAX, "%s does not fit this metric; allowed: %s", shown(quoted, text),
			 bound_allowed(b->unit));
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
	if (json_is_integer(min) && json_is_integer(max) && json_integer_value(min) > json_integer_value(max))
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

/* Of a stressor's own metric, which a verdict does not know by its name. */
static const char *const units[] = { [METRIC_BYTES] = "bytes", [METRIC_NS] = "ns", [METRIC_COUNT] = "count" };

/* null where it does not hold for this cell. */
static json_t *bind_expect(struct binder *b, const struct key *key, struct fy_node *node)
{
	bool matches;
	json_t *e;

	b->unit = METRIC_ANY;
	b->about_victim = false;
	b->own_unit = METRIC_ANY;
	b->foreign[0] = 0;
	b->where_matches = true;
	e = bind_fixed(b, key, node);
	matches = b->where_matches;
	if (matches && b->foreign[0])
		bind_complain(
			b, node,
			"%s: what that process runs does not measure it; allowed: a metric that it has, or a "
			"where without this cell",
			b->foreign);
	b->expect_index++;
	if (!e)
		return NULL;
	if (b->about_victim && map_pair(node, "is") && node_is_null(map_get(node, "is")))
		json_object_set_new(e, "is", json_null());
	check_bounds(b, node, e);
	if (b->own_unit != METRIC_ANY)
		json_object_set_new(e, "unit", json_string(units[b->own_unit]));
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
					  "PROCESS.METRIC, cgroup.PATH.METRIC, system.METRIC, victim, kills, "
					  "constraint, limit_cgroup, panic",
				  .scalar = scalar_metric };
const struct kind kind_is = { .name = "value",
			      .allowed = "a word or an amount, or a list of them",
			      .scalar = scalar_is,
			      .bind = bind_is };
const struct kind kind_bound = {
	.name = "amount",
	.allowed =
		"a size, a duration or a whole number, as the metric is; or metrics, with +, - and factors",
	.scalar = scalar_bound
};
const struct kind kind_where = {
	.name = "where", .shape = SHAPE_OPEN, .allowed = "a mapping of paths and values", .bind = bind_where
};
