/* SPDX-License-Identifier: MIT */
/*
 * The table of a scenario's keys. Checking, defaults, normalisation to JSON
 * and the reference in docs/scenario.md follow from it: a new key is one row,
 * and a function where it takes a new kind of value.
 */
#ifndef OOMLAB_SCENARIO_KEYS_H
#define OOMLAB_SCENARIO_KEYS_H

#include <jansson.h>
#include <libfyaml.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define WHY_MAX 640

struct binder;
struct key;

enum shape {
	SHAPE_SCALAR,
	SHAPE_FIXED, /* a mapping whose keys are rows of the table */
	SHAPE_NAMED, /* a mapping whose keys the user names; an override must name one that is there */
	SHAPE_OPEN,  /* the same, but an override may add one */
	SHAPE_LIST,
};

/* A kind of value. Functions return NULL when they have complained or filled why. */
struct kind {
	const char *name;
	enum shape shape;
	const char *allowed; /* for complaints; NULL: worked out from the row's range or choices */
	/* SHAPE_SCALAR */
	json_t *(*scalar)(struct binder *b, const struct key *key, const char *text, char why[WHY_MAX]);
	/* All others, and scalars that may be collections too. node is NULL where the key is left out. */
	json_t *(*bind)(struct binder *b, const struct key *key, struct fy_node *node);
	/* Is this a good name for a value of this kind, below SHAPE_NAMED and SHAPE_OPEN? */
	bool (*name_ok)(struct binder *b, const char *name, char why[WHY_MAX]);
	/* The value of a key that is left out, where its row's fallback is in parentheses. */
	json_t *(*absent)(struct binder *b, const struct key *key);
};

/* A row's fallback that means: the key stays out of the spec. */
#define LEFT_OUT "-"

struct key {
	/* "machine.swap.size"; * is a name of the user's, [] an item of a list */
	const char *path;
	const struct kind *kind;
	/* As written in YAML; NULL: must be given; "(...)": kind->absent() works it out */
	const char *fallback;
	int64_t min, max;    /* of the value in base units, of the number of entries or of characters */
	const char *choices; /* "disk|pmem": words allowed */
	const char *help;
};

/* The row of the whole file. */
const struct key *key_root(void);

/* The row below parent for that name, NULL when there is none; a user's names fit * and []. */
const struct key *key_child(const struct key *parent, const char *name);

/* The i-th row below parent, NULL past the last. */
const struct key *key_child_nth(const struct key *parent, size_t i);

/* The last part of the row's path. */
const char *key_name(const struct key *key);

/* What the row allows, for people; returns buf. */
const char *key_allowed(const struct key *key, char *buf, size_t room);

/* All rows as Markdown: key, value, default, help. docs/scenario.md holds it. */
void keys_print(FILE *to);

#endif
