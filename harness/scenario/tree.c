// SPDX-License-Identifier: MIT
#include "harness/scenario/tree.h"

#include "lib/files.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define EMPTY "is empty; a scenario starts with `scenario: NAME`"

/* Bytes of the UTF-8 character at p, 0 when it is none (RFC 3629). */
static size_t utf8_len(const unsigned char *p, size_t left)
{
	static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	size_t len = p[0] < 0x80 ? 1 : p[0] >> 5 == 6 ? 2 : p[0] >> 4 == 14 ? 3 : p[0] >> 3 == 30 ? 4 : 0;
	uint32_t value;
	size_t i;

	if (len <= 1 || len > left)
		return len <= left ? len : 0;
	value = p[0] & (0xffu >> (len + 1));
	for (i = 1; i < len; i++) {
		if ((p[i] & 0xc0) != 0x80)
			return 0;
		value = value << 6 | (p[i] & 0x3f);
	}
	if (value < least[len] || value > 0x10ffff || (value >= 0xd800 && value < 0xe000))
		return 0;
	return len;
}

/* Control characters of ASCII and Latin-1: no text needs them, and a terminal may obey them. */
static bool is_control(const unsigned char *p, size_t len)
{
	if (len == 2)
		return p[0] == 0xc2 && p[1] < 0xa0;
	return (p[0] < ' ' && p[0] != '\t' && p[0] != '\n' && p[0] != '\r') || p[0] == 0x7f;
}

/* Is it text at all? The first byte that is not is enough to know. */
static bool is_text(const char *name, const char *text, size_t len, struct complaints *c)
{
	const unsigned char *p = (const unsigned char *)text;
	size_t i = 0, n, line_start = 0;
	int line = 1;

	for (; i < len; i += n) {
		n = utf8_len(p + i, len - i);
		if (n == 0 || is_control(p + i, n)) {
			complain_at(
				c, name, line, (int)(i - line_start) + 1,
				"byte 0x%02x (offset %zu) is no text; a scenario is UTF-8 without control "
				"characters",
				p[i], i);
			return false;
		}
		if (p[i] == '\n') {
			line++;
			line_start = i + 1;
		}
	}
	return true;
}

/* %YAML and %TAG: libfyaml refuses some of them without a word. */
static bool has_directive(const char *name, const char *text, struct complaints *c)
{
	int line = 1;

	while (*text == '#' || *text == '\n' || *text == '\r') {
		text += strcspn(text, "\n");
		text += *text == '\n';
		line++;
	}
	if (*text != '%')
		return false;
	complain_at(c, name, line, 1, "a YAML directive is not allowed; take the line out");
	return true;
}

static void refuse(struct complaints *c, const char *name, const struct fy_mark *mark, const char *what)
{
	if (mark)
		complain_at(c, name, mark->line + 1, mark->column + 1, "%s", what);
	else
		complain(c, name, "%s", what);
}

static void check_event(const char *name, struct fy_event *event, int documents, struct complaints *c)
{
	struct fy_token *anchor = NULL, *tag = NULL;
	size_t len = 0;
	const char *text;

	if (event->type == FYET_ALIAS)
		refuse(c, name, fy_event_start_mark(event), "an alias is not allowed; write the value out");
	if (event->type == FYET_DOCUMENT_START && documents == 2)
		refuse(c, name, fy_event_start_mark(event), "a second document; a file holds one scenario");
	if (event->type == FYET_SCALAR || event->type == FYET_MAPPING_START ||
	    event->type == FYET_SEQUENCE_START) {
		anchor = fy_event_get_anchor_token(event);
		tag = fy_event_get_tag_token(event);
	}
	if (anchor)
		refuse(c, name, fy_token_start_mark(anchor), "an anchor is not allowed; write the value out");
	if (tag)
		refuse(c, name, fy_token_start_mark(tag), "a tag is not allowed; write the value without it");
	if (event->type != FYET_SCALAR || fy_token_scalar_style(event->scalar.value) != FYSS_PLAIN)
		return;
	text = fy_token_get_text(event->scalar.value, &len);
	if (text && len == 2 && !memcmp(text, "<<", 2))
		refuse(c, name, fy_event_start_mark(event),
		       "a merge key is not allowed; write the values out");
}

/* Reads all events before any tree is made, so that no tree is made of a bomb. */
static void check_events(const char *name, struct fy_parser *parser, struct complaints *c)
{
	struct fy_event *event;
	int depth = 0, documents = 0;

	while ((event = fy_parser_parse(parser))) {
		enum fy_event_type type = event->type;

		documents += type == FYET_DOCUMENT_START;
		depth += type == FYET_MAPPING_START || type == FYET_SEQUENCE_START;
		depth -= type == FYET_MAPPING_END || type == FYET_SEQUENCE_END;
		check_event(name, event, documents, c);
		if (depth > SCENARIO_DEPTH_MAX)
			refuse(c, name, fy_event_start_mark(event), "nested deeper than 16 levels");
		fy_parser_event_free(parser, event);
		if (depth > SCENARIO_DEPTH_MAX || documents > 1)
			break;
	}
	complaints_take(c);
}

/* One pass over the text, from a new parser: events alone, or the tree. */
static int pass(const char *name, const char *text, size_t len, struct complaints *c,
		struct fy_document **ret)
{
	struct fy_parse_cfg cfg = { .flags = FYPCF_DEFAULT_VERSION_1_2, .diag = complaints_diag(c) };
	struct fy_parser *parser = fy_parser_create(&cfg);
	size_t before = complaints_count(c);
	FILE *from = fmemopen((char *)text, len, "r");
	int r = 0;

	if (!parser || !from || fy_parser_set_input_fp(parser, name, from) < 0) {
		complain(c, name, "out of memory");
		r = -ENOMEM;
	} else if (!ret) {
		check_events(name, parser, c);
	} else {
		*ret = fy_parse_load_document(parser);
		complaints_take(c);
	}
	if (r == 0 && fy_parser_get_stream_error(parser) && complaints_count(c) == before)
		complain(c, name, "is no YAML that libfyaml can read");
	if (parser)
		fy_parser_destroy(parser);
	if (from)
		fclose(from);
	return complaints_count(c) == before ? r : -EINVAL;
}

int tree_parse(const char *name, const char *text, size_t len, struct complaints *c, struct fy_document **ret)
{
	struct fy_document *doc = NULL;
	int r;

	if (len == 0) {
		complain(c, name, EMPTY);
		return -EINVAL;
	}
	if (!is_text(name, text, len, c))
		return -EINVAL;
	if (complaints_is_file(c, name))
		complaints_file(c, name, text, len);
	if (has_directive(name, text, c))
		return -EINVAL;
	r = pass(name, text, len, c, NULL);
	if (r == 0)
		r = pass(name, text, len, c, &doc);
	if (r == 0 && (!doc || !fy_document_root(doc))) {
		complain(c, name, EMPTY);
		r = -EINVAL;
	}
	if (r < 0) {
		fy_document_destroy(doc);
		return r;
	}
	*ret = doc;
	return 0;
}

int tree_read(const char *path, struct complaints *c, struct fy_document **ret)
{
	AUTO_FREE char *text = NULL;
	struct err e = ERR_INIT;
	struct stat st;
	size_t len;

	complaints_file(c, path, "", 0);
	if (stat(path, &st) < 0) {
		complain(c, path, "%s", strerror(errno));
		return -EINVAL;
	}
	/* Asked before opening: a FIFO nobody writes to would block for ever. */
	if (!S_ISREG(st.st_mode)) {
		complain(c, path, "is %s; a scenario is a regular file",
			 S_ISDIR(st.st_mode) ? "a directory" : "no regular file");
		return -EINVAL;
	}
	if (file_read(path, SCENARIO_BYTES_MAX, &text, &len, &e) < 0) {
		if (e.code == EFBIG)
			complain(c, path, "is larger than 1 MiB; no scenario is");
		else
			complain(c, path, "%s", strerror(e.code));
		return -EINVAL;
	}
	return tree_parse(path, text, len, c, ret);
}

const char *node_text(struct fy_node *node)
{
	const char *text;
	size_t len = 0;

	if (!node || fy_node_get_type(node) != FYNT_SCALAR || !fy_node_get_scalar(node, &len))
		return NULL;
	text = fy_node_get_scalar0(node);
	return text && strlen(text) == len ? text : NULL;
}

bool node_is_blank(struct fy_node *node)
{
	const char *text = node_text(node);

	if (!node)
		return true;
	return text && !*text && fy_node_get_style(node) == FYNS_PLAIN;
}

bool node_is_null(struct fy_node *node)
{
	const char *text = node_text(node);

	if (node_is_blank(node))
		return true;
	return text && fy_node_get_style(node) == FYNS_PLAIN && (!strcmp(text, "null") || !strcmp(text, "~"));
}

struct fy_node_pair *map_pair(struct fy_node *node, const char *key)
{
	struct fy_node_pair *pair;
	void *at = NULL;

	if (!node || !fy_node_is_mapping(node))
		return NULL;
	while ((pair = fy_node_mapping_iterate(node, &at))) {
		const char *text = node_text(fy_node_pair_key(pair));

		if (text && !strcmp(text, key))
			return pair;
	}
	return NULL;
}

struct fy_node *map_get(struct fy_node *node, const char *key)
{
	struct fy_node_pair *pair = map_pair(node, key);

	return pair ? fy_node_pair_value(pair) : NULL;
}

const char *node_kind(struct fy_node *node)
{
	if (node_is_null(node))
		return "nothing";
	if (fy_node_is_mapping(node))
		return "a mapping";
	return fy_node_is_sequence(node) ? "a list" : "one value";
}

char *node_line(struct fy_node *node)
{
	const char *text = node_text(node);
	char *line;

	if (text)
		return strdup(node_is_blank(node) ? "null" : text);
	line = fy_emit_node_to_string(node,
				      FYECF_MODE_FLOW_ONELINE | FYECF_WIDTH_INF | FYECF_NO_ENDING_NEWLINE);
	if (line)
		line[strcspn(line, "\n")] = 0;
	return line;
}
