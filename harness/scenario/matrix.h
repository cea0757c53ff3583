/* SPDX-License-Identifier: MIT */
/* The matrix: axes of values, whose combinations are the cells of a scenario. */
#ifndef OOMLAB_MATRIX_H
#define OOMLAB_MATRIX_H

#include "harness/scenario/bind.h"

#include <jansson.h>
#include <libfyaml.h>
#include <stddef.h>

#define MATRIX_AXES_MAX  8
#define MATRIX_CELLS_MAX 10000
#define CELL_ID_MAX      120

struct axis {
	char *path;             /* as --set takes it */
	char *label;            /* short: "stressor"; set by matrix_labels() */
	struct fy_node *values; /* a list, not owned */
	struct fy_node *key;    /* where complaints about it go, may be NULL */
	const char *source;     /* the option it comes from; NULL: the file */
	size_t count;
	char **texts; /* of the values, count of them */
};

struct matrix {
	struct axis axes[MATRIX_AXES_MAX];
	size_t axis_count;
	size_t cells; /* 1 without axes */
};

/* Reads `matrix` of a scenario's tree, complaining; what is bad is left out. */
int matrix_read(struct binder *b, struct matrix *m);

/* Adds an axis, or gives the one with that path other values. values: a list that outlives m. */
int matrix_set(struct binder *b, struct matrix *m, const char *path, struct fy_node *values,
	       struct fy_node *key, const char *source);

/* Takes the axis of that path away, if there is one: its value is fixed otherwise. */
void matrix_drop(struct matrix *m, const char *path);

/* Names the axes and counts the cells; -EINVAL with a complaint when there are too many. */
int matrix_finish(struct binder *b, struct matrix *m);

/* Lays the values of a cell over the tree. */
int matrix_lay(struct binder *b, const struct matrix *m, struct fy_document *doc, size_t cell);

/* Index of a cell's value on one axis; the first axis varies slowest. */
size_t matrix_value(const struct matrix *m, size_t cell, size_t axis);

/*
 * label=value,... made safe as a directory's name, at most CELL_ID_MAX bytes,
 * "all" without axes. taken: an object of the ids so far, which makes it unique.
 */
void matrix_cell_id(const struct matrix *m, size_t cell, json_t *taken, char ret_id[CELL_ID_MAX + 1]);

/* {label: value, ...} of a cell. */
json_t *matrix_cell_axes(const struct matrix *m, size_t cell);

void matrix_free(struct matrix *m);

#endif
