/* SPDX-License-Identifier: MIT */
/* Columns of text, made as wide as they need to be. */
#ifndef OOMLAB_OUTPUT_GRID_H
#define OOMLAB_OUTPUT_GRID_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#define GRID_COLUMNS_MAX 64

struct grid_column {
	char *head;
	bool right;
	bool shrinks; /* its texts may be cut when the grid is too wide */
	size_t width;
	size_t common; /* code points that all of its texts start with */
};

struct grid_cell {
	char *text;
	const char *style; /* an SGR sequence's numbers, NULL for none */
	bool starts_block;
};

struct grid {
	struct grid_column columns[GRID_COLUMNS_MAX];
	size_t column_count;
	struct grid_cell *cells; /* row by row */
	size_t cell_count, cell_room;
	bool starts_block; /* the next cell does */
	bool failed;       /* out of memory: some text is missing */
};

void grid_column(struct grid *g, const char *head, bool shrinks);

/* The next cell, from left to right and row by row. */
void grid_cell(struct grid *g, const char *text, const char *style);

/* The row that comes next begins a block: an empty line stands above it, and the heads again. */
void grid_block(struct grid *g);

/* Right-aligns the columns that hold nothing but numbers, sizes and "-". */
void grid_align(struct grid *g);

void grid_print(FILE *out, struct grid *g, size_t width, bool colour);

/* Leaves g empty. */
void grid_free(struct grid *g);

/* Columns that text takes on a terminal: one a code point. */
size_t text_width(const char *text);

#endif
