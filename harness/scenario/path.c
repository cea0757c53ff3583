// SPDX-License-Identifier: MIT
#include "harness/scenario/path.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct walk {
	struct fy_node *node;      /* as far as the path goes */
	struct fy_node *parent;    /* what holds it; NULL: it is the root */
	struct fy_node_pair *pair; /* of a mapping; NULL: parent is a list */
	const struct key *key;     /* its row, NULL below what the table knows */
	const char *rest;          /* of the path, "" when all was found */
};

/* The longest key of a mapping that rest begins with, as a whole word between dots. */
static struct fy_node_pair *longest_key(struct fy_node *map, const char *rest, size_t *ret_len)
{
	struct fy_node_pair *pair, *best = NULL;
	void *at = NULL;
	size_t best_len = 0;

	while ((pair = fy_node_mapping_iterate(map, &at))) {
		const char *text = node_text(fy_node_pair_key(pair));
		size_t len = text ? strlen(text) : 0;

		if (len <= best_len || strncmp(rest, text, len) != 0 || (rest[len] && rest[len] != '.'))
			continue;
		best = pair;
		best_len = len;
	}
	*ret_len = best_len;
	return best;
}

static struct fy_node *list_item(struct fy_node *list, const char *rest, size_t *ret_len)
{
	size_t len = strspn(rest, "0123456789");

	if (len == 0 || len > 6 || (rest[len] && rest[len] != '.') || (len > 1 && rest[0] == '0'))
		return NULL;
	*ret_len = len;
	return fy_node_sequence_get_by_index(list, atoi(rest));
}

/* One step; false when the path goes no further. */
static bool step(struct walk *w)
{
	struct fy_node_pair *pair = NULL;
	struct fy_node *next = NULL;
	size_t len = 0;

	if (w->node && fy_node_is_mapping(w->node)) {
		pair = longest_key(w->node, w->rest, &len);
		next = pair ? fy_node_pair_value(pair) : NULL;
	} else if (w->node && fy_node_is_sequence(w->node)) {
		next = list_item(w->node, w->rest, &len);
	}
	if (!next)
		return false;
	if (w->key)
		w->key = key_child(w->key, pair ? node_text(fy_node_pair_key(pair)) : "");
	w->parent = w->node;
	w->pair = pair;
	w->node = next;
	w->rest += len + (w->rest[len] == '.');
	return true;
}

struct fy_node *path_find(struct fy_node *root, const char *path)
{
	struct walk w = { root, NULL, NULL, NULL, path };

	while (*w.rest && step(&w))
		;
	return *w.rest ? NULL : w.node;
}

/* The names there are below node, and those the table would add. */
static void list_names(const struct walk *w, const char *names[64])
{
	struct fy_node_pair *pair;
	const struct key *row;
	void *at = NULL;
	size_t n = 0, i;

	if (w->key && w->key->kind->shape == SHAPE_FIXED) {
		for (i = 0; n < 63 && (row = key_child_nth(w->key, i)); i++)
			names[n++] = key_name(row);
	} else if (w->node && fy_node_is_mapping(w->node)) {
		while (n < 63 && (pair = fy_node_mapping_iterate(w->node, &at)))
			if (node_text(fy_node_pair_key(pair)))
				names[n++] = node_text(fy_node_pair_key(pair));
	}
	names[n] = NULL;
}

static int names_nothing(const struct walk *w, const char *path, char why[WHY_MAX])
{
	const char *names[64];
	char list[300], hint[96], first[SHOWN_MAX], quoted[SHOWN_MAX];
	size_t len = strcspn(w->rest, ".");

	snprintf(first, sizeof(first), "%.*s", len < 64 ? (int)len : 64, w->rest);
	list_names(w, names);
	name_hint(hint, first, names, sizeof(names[0]));
	name_list(list, sizeof(list), names, sizeof(names[0]));
	if (w->node && fy_node_is_sequence(w->node))
		snprintf(list, sizeof(list), "%d items, counted from 0",
			 fy_node_sequence_item_count(w->node));
	if (!list[0])
		snprintf(list, sizeof(list), "nothing");
	snprintf(why, WHY_MAX, "%s names nothing (at '%s')%s; there is: %s", shown(quoted, path), first, hint,
		 list);
	return -EINVAL;
}

static int append(struct fy_document *doc, struct fy_node *map, const char *name, struct fy_node *value)
{
	struct fy_node *key = fy_node_create_scalar_copy(doc, name, FY_NT);

	if (key && value && fy_node_mapping_append(map, key, value) == 0)
		return 0;
	fy_node_free(key);
	fy_node_free(value);
	return -ENOMEM;
}

/* value over what the walk has found. */
static int replace(struct fy_document *doc, const struct walk *w, struct fy_node *value)
{
	if (!value)
		return -ENOMEM;
	if (!w->parent)
		return fy_document_set_root(doc, value) == 0 ? 0 : -ENOMEM;
	if (w->pair)
		return fy_node_pair_set_value(w->pair, value) == 0 ? 0 : -ENOMEM;
	if (fy_node_sequence_insert_before(w->parent, w->node, value) < 0)
		return -ENOMEM;
	fy_node_free(fy_node_sequence_remove(w->parent, w->node));
	return 0;
}

static bool grows(const struct key *key)
{
	return key && (key->kind->shape == SHAPE_FIXED || key->kind->shape == SHAPE_OPEN);
}

/* "machine:" and what it would hold: a mapping in the place of nothing. */
static int make_mapping(struct fy_document *doc, struct walk *w)
{
	struct fy_node *map;

	if (!node_is_null(w->node))
		return 0;
	map = fy_node_create_mapping(doc);
	if (replace(doc, w, map) < 0)
		return -ENOMEM;
	w->node = map;
	return 0;
}

/* Adds what the walk did not find; 0 when w->rest is now there. */
static int insert(struct binder *b, struct fy_document *doc, struct walk *w, const char *path,
		  struct fy_node *value, char why[WHY_MAX])
{
	while (grows(w->key) && make_mapping(doc, w) == 0 && fy_node_is_mapping(w->node)) {
		size_t len = strcspn(w->rest, ".");
		const struct key *row = NULL;
		char name[128];

		if (w->key->kind->shape == SHAPE_OPEN) {
			row = key_child(w->key, "");
			if (row->kind->name_ok && !row->kind->name_ok(b, w->rest, why))
				return -EINVAL;
			return append(doc, w->node, w->rest, fy_node_copy(doc, value));
		}
		snprintf(name, sizeof(name), "%.*s", len < 127 ? (int)len : 127, w->rest);
		row = key_child(w->key, name);
		if (!row)
			break;
		if (!w->rest[len])
			return append(doc, w->node, name, fy_node_copy(doc, value));
		if (!grows(row) || append(doc, w->node, name, fy_node_create_mapping(doc)) < 0)
			break;
		step(w);
	}
	return names_nothing(w, path, why);
}

int path_lay(struct binder *b, struct fy_document *doc, const char *path, struct fy_node *value,
	     char why[WHY_MAX])
{
	struct walk w = { fy_document_root(doc), NULL, NULL, key_root(), path };
	int r;

	while (*w.rest && step(&w))
		;
	if (*w.rest || !*path)
		r = insert(b, doc, &w, path, value, why);
	else
		r = replace(doc, &w, fy_node_copy(doc, value));
	if (r == -ENOMEM)
		snprintf(why, WHY_MAX, "out of memory");
	return r;
}
