/* SPDX-License-Identifier: MIT */
/*
 * Binding: one cell's tree, checked against the table of keys and turned into
 * the JSON of its spec. Goes on after a complaint, so that one pass finds all.
 */
#ifndef OOMLAB_SCENARIO_BIND_H
#define OOMLAB_SCENARIO_BIND_H

#include "harness/scenario/complaints.h"
#include "harness/scenario/keys.h"
#include "harness/scenario/names.h"
#include "harness/scenario/tree.h"

#include <jansson.h>
#include <stdbool.h>

/* A value that an option laid over the tree, for complaints about what has no place in any text. */
struct laid {
	const char *path;
	const char *option;
};

/* What harness/engine/spec.h has room for. */
#define BIND_CHANGES_MAX 256
#define BIND_PATH_MAX    1024
#define BIND_FOREIGN_MAX 96

struct binder {
	struct complaints *c;
	const struct names *known;
	struct fy_node *root;
	const char *source;      /* of the tree, for complaints and for expect[].at */
	const struct laid *laid; /* ends with a NULL path; NULL: none */
	json_t *runs_seen;       /* argv -> null or why it is wrong, over all cells */
	json_t *where_seen;      /* what the cells' values answered, over all cells */
	json_t *group_paths;     /* what group_paths() gave out last */
	json_t *process_names;   /* and process_names() */

	/* While binding one cell */
	char path[BIND_PATH_MAX]; /* of the value at hand, as --set takes it */
	struct fy_node *nearby;   /* the key that is nearest to it */
	bool failed;              /* something was complained about; set by bind_complain() */
	bool in_guest;
	size_t changes, fault_changes;

	/* While binding one expectation */
	size_t expect_index;
	enum metric_unit unit;
	bool about_victim;
	enum metric_unit own_unit;      /* of `that`, if it is such a one */
	bool own_value;                 /* the metric at hand is one that stressors have of their own */
	char foreign[BIND_FOREIGN_MAX]; /* such a one whose process runs another stressor in this cell */
	bool where_matches;
};

/* Binds one cell; NULL when there were complaints. */
json_t *bind_cell(struct binder *b);

/* "PATH: " and the rest, at node. */
void bind_complain(struct binder *b, struct fy_node *node, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* The same about the value of one key of a mapping, at it. */
void bind_complain_key(struct binder *b, struct fy_node *map, const char *key, const char *what);

/* Any value: by its row's kind. node NULL: left out, the fallback holds. */
json_t *bind_value(struct binder *b, const struct key *key, struct fy_node *node);

/* The bind function of SHAPE_FIXED; node NULL: every key is left out. */
json_t *bind_fixed(struct binder *b, const struct key *key, struct fy_node *node);

/* Of SHAPE_NAMED and SHAPE_OPEN: an object of the values. */
json_t *bind_named(struct binder *b, const struct key *key, struct fy_node *node);

/* Of SHAPE_LIST: an array. */
json_t *bind_list(struct binder *b, const struct key *key, struct fy_node *node);

/* The number of entries is between the row's min and max; else complains. */
bool bind_count_ok(struct binder *b, const struct key *key, struct fy_node *node);

/* node is of the row's shape; else complains. */
bool bind_shape_ok(struct binder *b, const struct key *key, struct fy_node *node);

/* One scalar by the row's kind, complaining at node; NULL then. */
json_t *bind_scalar(struct binder *b, const struct key *key, struct fy_node *node);

/* Appends ".name" to the path, key becoming nearby; what it returns goes to bind_leave(). */
struct bind_mark {
	size_t path_len;
	struct fy_node *nearby;
};
struct bind_mark bind_enter(struct binder *b, const char *name, struct fy_node *key);
void bind_leave(struct binder *b, struct bind_mark mark);

/* text in quotes and cut to what a line takes; returns buf. */
#define SHOWN_MAX 96
const char *shown(char buf[SHOWN_MAX], const char *text);

#endif
