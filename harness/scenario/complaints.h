/* SPDX-License-Identifier: MIT */
/*
 * What is wrong with the input, collected so that all of it can be said in one
 * go: `file:line:column: key: what is wrong; what is allowed`, then the line
 * and a caret. The same complaint (from ten cells) is kept once.
 */
#ifndef OOMLAB_COMPLAINTS_H
#define OOMLAB_COMPLAINTS_H

#include <libfyaml.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

/* Printed of each source; the rest is counted. */
#define COMPLAINTS_SHOWN_MAX 50

struct complaints;

/* NULL when out of memory. */
struct complaints *complaints_new(void);
void complaints_free(struct complaints *c);

/*
 * Announces a file; text (copied) serves the source lines. Sources are printed
 * in the order of their announcement.
 */
void complaints_file(struct complaints *c, const char *name, const char *text, size_t len);

bool complaints_is_file(const struct complaints *c, const char *name);

/* Announces an option ("--set PATH=VALUE"): complaints name it without line and column. */
void complaints_option(struct complaints *c, const char *name);

/* Different complaints so far, over all sources. */
size_t complaints_count(const struct complaints *c);

/* All of them, ordered by source and position, at most COMPLAINTS_SHOWN_MAX of a source. */
void complaints_print(const struct complaints *c, FILE *to);

/* The same as text, the caller's to free; NULL when out of memory. */
char *complaints_text(const struct complaints *c);

/* About a source as a whole. */
void complain(struct complaints *c, const char *source, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* line and column from 1; an option's are not printed. */
void complain_at(struct complaints *c, const char *source, int line, int column, const char *fmt, ...)
	__attribute__((format(printf, 5, 6)));

/*
 * About a node of a tree that was parsed with complaints_diag(): at the first
 * scalar in it. Where there is none (what was left out, {}), it is at nearby.
 */
void complain_node(struct complaints *c, struct fy_node *node, struct fy_node *nearby, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));

/* Does the node, or anything in it, stand in a source? */
bool complaints_placed(struct complaints *c, struct fy_node *node);

/* For fy_parse_cfg.diag: libfyaml's own complaints go there until complaints_take() fetches them. */
struct fy_diag *complaints_diag(struct complaints *c);
void complaints_take(struct complaints *c);

#endif
