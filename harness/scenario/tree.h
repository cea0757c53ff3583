/* SPDX-License-Identifier: MIT */
/*
 * YAML text as libfyaml's tree, and short reads of it. What no scenario needs
 * and what makes YAML dangerous is refused here: anchors, aliases, merge keys,
 * tags, directives, a second document, deep nesting, control bytes.
 */
#ifndef OOMLAB_SCENARIO_TREE_H
#define OOMLAB_SCENARIO_TREE_H

#include "harness/scenario/complaints.h"

#include <libfyaml.h>
#include <stdbool.h>
#include <stddef.h>

#define SCENARIO_BYTES_MAX (1u << 20)
#define SCENARIO_DEPTH_MAX 16

/*
 * Parses text, whose source in c is name. 0, or -EINVAL with at least one
 * complaint. A text without a value is one.
 */
int tree_parse(const char *name, const char *text, size_t len, struct complaints *c,
	       struct fy_document **ret);

/* Reads a regular file of at most SCENARIO_BYTES_MAX, announces it to c, parses it. */
int tree_read(const char *path, struct complaints *c, struct fy_document **ret);

/* A scalar's text, valid as long as its tree; NULL for collections and texts with a NUL byte. */
const char *node_text(struct fy_node *node);

/* "" (nothing written), null or ~, unquoted. */
bool node_is_null(struct fy_node *node);
/* Nothing written at all, as in "key:". */
bool node_is_blank(struct fy_node *node);

/* A mapping's pair of that key; NULL when there is none or node is no mapping. */
struct fy_node_pair *map_pair(struct fy_node *node, const char *key);
struct fy_node *map_get(struct fy_node *node, const char *key);

/* "mapping", "list", "text": what node is, for complaints. */
const char *node_kind(struct fy_node *node);

/* The value as one line of text: scalars as they are, collections as flow YAML. The caller's to free. */
char *node_line(struct fy_node *node);

#endif
