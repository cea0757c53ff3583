// SPDX-License-Identifier: MIT
#include "harness/scenario/bind.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

const char *shown(char buf[SHOWN_MAX], const char *text)
{
	char *p;

	snprintf(buf, SHOWN_MAX, "'%.64s%s'", text, strlen(text) > 64 ? "..." : "");
	for (p = buf; *p; p++)
		if (iscntrl((unsigned char)*p))
			*p = ' ';
	return buf;
}

/* The option that the value at hand comes from, NULL: the file. */
static const char *laid_by(const struct binder *b)
{
	const struct laid *l;

	for (l = b->laid; l && l->path; l++) {
		size_t len = strlen(l->path);

		if (!strncmp(b->path, l->path, len) && (!b->path[len] || b->path[len] == '.'))
			return l->option;
	}
	return NULL;
}

void bind_complain(struct binder *b, struct fy_node *node, const char *fmt, ...)
{
	const char *option = NULL;
	char text[WHY_MAX + 256];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	b->failed = true;
	if (!complaints_placed(b->c, node))
		option = laid_by(b);
	if (option)
		complain(b->c, option, "%s: %s", b->path, text);
	else
		complain_node(b->c, node, b->nearby, "%s%s%s", b->path, b->path[0] ? ": " : "", text);
}

struct bind_mark bind_enter(struct binder *b, const char *name, struct fy_node *key)
{
	struct bind_mark mark = { strlen(b->path), b->nearby };

	snprintf(b->path + mark.path_len, sizeof(b->path) - mark.path_len, "%s%s", mark.path_len ? "." : "",
		 name);
	if (key)
		b->nearby = key;
	return mark;
}

void bind_leave(struct binder *b, struct bind_mark mark)
{
	b->path[mark.path_len] = 0;
	b->nearby = mark.nearby;
}

void bind_complain_key(struct binder *b, struct fy_node *map, const char *key, const char *what)
{
	struct fy_node_pair *pair = map_pair(map, key);
	struct bind_mark mark = bind_enter(b, key, pair ? fy_node_pair_key(pair) : NULL);

	bind_complain(b, pair ? fy_node_pair_value(pair) : map, "%s", what);
	bind_leave(b, mark);
}

bool bind_shape_ok(struct binder *b, const struct key *key, struct fy_node *node)
{
	bool list = key->kind->shape == SHAPE_LIST;
	char allowed[WHY_MAX];

	if (list ? fy_node_is_sequence(node) : fy_node_is_mapping(node))
		return true;
	bind_complain(b, node, "is %s; allowed: %s", node_kind(node),
		      key_allowed(key, allowed, sizeof(allowed)));
	return false;
}

bool bind_count_ok(struct binder *b, const struct key *key, struct fy_node *node)
{
	int count = !node                       ? 0
		    : fy_node_is_sequence(node) ? fy_node_sequence_item_count(node)
						: fy_node_mapping_item_count(node);
	char allowed[WHY_MAX];

	if (count >= key->min && count <= key->max)
		return true;
	bind_complain(b, node, "has %d entries; allowed: %s", count,
		      key_allowed(key, allowed, sizeof(allowed)));
	return false;
}

json_t *bind_scalar(struct binder *b, const struct key *key, struct fy_node *node)
{
	const char *text = node_text(node);
	char why[WHY_MAX] = "", allowed[WHY_MAX];
	json_t *value;

	if (!text) {
		bind_complain(b, node, "is %s; allowed: %s",
			      node && fy_node_is_scalar(node) ? "a text with a NUL byte" : node_kind(node),
			      key_allowed(key, allowed, sizeof(allowed)));
		return NULL;
	}
	value = key->kind->scalar(b, key, text, why);
	if (!value)
		bind_complain(b, node, "%s", why[0] ? why : "out of memory");
	return value;
}

/* The value of a key that the scenario leaves out. */
static json_t *absent(struct binder *b, const struct key *key)
{
	char why[WHY_MAX];
	const char *text = key->fallback;

	if (text[0] == '(')
		return key->kind->absent ? key->kind->absent(b, key) : NULL;
	if (!strcmp(text, LEFT_OUT))
		return NULL;
	if (!strcmp(text, "null"))
		return json_null();
	if (key->kind->bind)
		return key->kind->bind(b, key, NULL);
	return key->kind->scalar(b, key, strcmp(text, "\"\"") != 0 ? text : "", why);
}

json_t *bind_value(struct binder *b, const struct key *key, struct fy_node *node)
{
	char allowed[WHY_MAX];

	if (!node)
		return absent(b, key);
	/* "key:" with nothing is a slip more often than a wish; null and ~ say it in so many letters. */
	if (key->fallback && node_is_null(node) && !node_is_blank(node))
		return absent(b, key);
	if (node_is_blank(node) && key->kind->shape == SHAPE_SCALAR) {
		bind_complain(b, node, "has no value; allowed: %s",
			      key_allowed(key, allowed, sizeof(allowed)));
		return NULL;
	}
	return key->kind->bind ? key->kind->bind(b, key, node) : bind_scalar(b, key, node);
}

/* Complains about each key of a mapping that the table does not have. */
static void check_names(struct binder *b, const struct key *key, struct fy_node *node)
{
	const char *names[32] = { NULL };
	const struct key *row;
	struct fy_node_pair *pair;
	void *at = NULL;
	size_t i;

	for (i = 0; i < 31 && (row = key_child_nth(key, i)); i++)
		names[i] = key_name(row);
	while ((pair = fy_node_mapping_iterate(node, &at))) {
		struct fy_node *name = fy_node_pair_key(pair);
		const char *text = node_text(name);
		char hint[96], list[256], quoted[SHOWN_MAX];

		if (text && key_child(key, text))
			continue;
		if (!text)
			bind_complain(b, name, "a key must be a plain name; allowed: %s",
				      name_list(list, sizeof(list), names, sizeof(names[0])));
		else
			bind_complain(b, name, "unknown key %s%s; allowed: %s", shown(quoted, text),
				      name_hint(hint, text, names, sizeof(names[0])),
				      name_list(list, sizeof(list), names, sizeof(names[0])));
	}
}

json_t *bind_fixed(struct binder *b, const struct key *key, struct fy_node *node)
{
	json_t *object = json_object();
	const struct key *row;
	size_t i;

	if (node && !bind_shape_ok(b, key, node)) {
		json_decref(object);
		return NULL;
	}
	if (node)
		check_names(b, key, node);
	for (i = 0; (row = key_child_nth(key, i)); i++) {
		struct fy_node_pair *pair = map_pair(node, key_name(row));
		struct bind_mark mark;
		json_t *value;

		if (!pair && !row->fallback) {
			bind_complain(b, node, "'%s' is missing; it must be given: %s", key_name(row),
				      row->help);
			continue;
		}
		mark = bind_enter(b, key_name(row), pair ? fy_node_pair_key(pair) : NULL);
		value = bind_value(b, row, pair ? fy_node_pair_value(pair) : NULL);
		bind_leave(b, mark);
		if (value)
			json_object_set_new(object, key_name(row), value);
	}
	return object;
}

json_t *bind_named(struct binder *b, const struct key *key, struct fy_node *node)
{
	const struct key *row = key_child(key, "");
	json_t *object = json_object();
	struct fy_node_pair *pair;
	void *at = NULL;

	if (node && (!bind_shape_ok(b, key, node) || !bind_count_ok(b, key, node))) {
		json_decref(object);
		return NULL;
	}
	while (node && (pair = fy_node_mapping_iterate(node, &at))) {
		struct fy_node *name = fy_node_pair_key(pair);
		const char *text = node_text(name);
		char why[WHY_MAX] = "a name must be plain text";
		struct bind_mark mark;
		json_t *value = NULL;

		if (!text || (row->kind->name_ok && !row->kind->name_ok(b, text, why))) {
			bind_complain(b, name, "%s", why);
			continue;
		}
		mark = bind_enter(b, text, name);
		if (fy_node_pair_value(pair))
			value = bind_value(b, row, fy_node_pair_value(pair));
		else
			bind_complain(b, name, "has no value");
		bind_leave(b, mark);
		if (value)
			json_object_set_new(object, text, value);
	}
	return object;
}

json_t *bind_list(struct binder *b, const struct key *key, struct fy_node *node)
{
	const struct key *row = key_child(key, "");
	json_t *array = json_array();
	struct fy_node *item;
	void *at = NULL;
	size_t i = 0;

	if (node && (!bind_shape_ok(b, key, node) || !bind_count_ok(b, key, node))) {
		json_decref(array);
		return NULL;
	}
	while (node && (item = fy_node_sequence_iterate(node, &at))) {
		char index[24];
		struct bind_mark mark;
		json_t *value;

		snprintf(index, sizeof(index), "%zu", i++);
		mark = bind_enter(b, index, NULL);
		value = bind_value(b, row, item);
		bind_leave(b, mark);
		if (value)
			json_array_append_new(array, value);
	}
	return array;
}

json_t *bind_cell(struct binder *b)
{
	struct fy_node *place = map_get(b->root, "place");
	const char *text = node_is_null(place) ? NULL : node_text(place);
	json_t *cell;

	b->path[0] = 0;
	b->nearby = NULL;
	b->failed = false;
	b->changes = b->fault_changes = 0;
	b->in_guest = text ? !strcmp(text, "guest") : !node_is_null(map_get(b->root, "machine"));
	cell = bind_value(b, key_root(), b->root);
	if (b->failed) {
		json_decref(cell);
		return NULL;
	}
	return cell;
}
