// SPDX-License-Identifier: MIT
#include "harness/scenario/complaints.h"

#include "lib/files.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#define TEXT_MAX 1024
/* Different ones kept; the same for the texts of --set and the like. */
#define KEPT_MAX    1000
#define SOURCES_MAX 256
#define DEPTH_MAX   32
/* A longer source line says nothing to a reader. */
#define LINE_SHOWN_MAX 160

struct source {
	char *name;
	char *text; /* NULL: an option, which has no lines */
};

struct complaint {
	size_t source;
	int line; /* 0: about the whole source */
	int column;
	size_t seq;
	char *text;
};

/* What libfyaml says of a node's place. */
struct place {
	char text[1024];
	size_t len;
};

struct complaints {
	struct fy_diag *diag;    /* of the parser: collects */
	struct fy_diag *locator; /* for nodes: prints into place */
	struct place place;
	struct source sources[SOURCES_MAX];
	size_t source_count;
	struct complaint *kept;
	size_t count;
	size_t dropped; /* did not fit or out of memory; never forgotten in the count */
};

static void capture(struct fy_diag *diag, void *user, const char *buf, size_t len);

struct complaints *complaints_new(void)
{
	struct complaints *c = calloc(1, sizeof(*c));
	struct fy_diag_cfg cfg;

	if (!c)
		return NULL;
	fy_diag_cfg_default(&cfg);
	cfg.fp = NULL;
	cfg.output_fn = NULL;
	cfg.colorize = false;
	cfg.level = FYET_ERROR;
	c->diag = fy_diag_create(&cfg);
	cfg.output_fn = capture;
	cfg.user = &c->place;
	c->locator = fy_diag_create(&cfg);
	c->kept = calloc(KEPT_MAX, sizeof(*c->kept));
	if (!c->diag || !c->locator || !c->kept) {
		complaints_free(c);
		return NULL;
	}
	fy_diag_set_collect_errors(c->diag, true);
	return c;
}

void complaints_free(struct complaints *c)
{
	size_t i;

	if (!c)
		return;
	for (i = 0; i < c->source_count; i++) {
		free(c->sources[i].name);
		free(c->sources[i].text);
	}
	for (i = 0; i < c->count; i++)
		free(c->kept[i].text);
	free(c->kept);
	if (c->diag)
		fy_diag_destroy(c->diag);
	if (c->locator)
		fy_diag_destroy(c->locator);
	free(c);
}

struct fy_diag *complaints_diag(struct complaints *c)
{
	return c->diag;
}

/* Index of a source, SOURCES_MAX when it was never announced. */
static size_t source_find(const struct complaints *c, const char *name)
{
	size_t i;

	for (i = 0; i < c->source_count; i++)
		if (name && !strcmp(c->sources[i].name, name))
			return i;
	return SOURCES_MAX;
}

static size_t source_add(struct complaints *c, const char *name)
{
	size_t i = source_find(c, name);

	if (i < SOURCES_MAX || c->source_count == SOURCES_MAX)
		return i;
	c->sources[c->source_count].name = strdup(name);
	if (!c->sources[c->source_count].name)
		return SOURCES_MAX;
	return c->source_count++;
}

void complaints_file(struct complaints *c, const char *name, const char *text, size_t len)
{
	size_t i = source_add(c, name);

	if (i == SOURCES_MAX)
		return;
	free(c->sources[i].text);
	c->sources[i].text = malloc(len + 1);
	if (!c->sources[i].text)
		return;
	memcpy(c->sources[i].text, text, len);
	c->sources[i].text[len] = 0;
}

bool complaints_is_file(const struct complaints *c, const char *name)
{
	size_t i = source_find(c, name);

	return i < SOURCES_MAX && c->sources[i].text;
}

void complaints_option(struct complaints *c, const char *name)
{
	source_add(c, name);
}

size_t complaints_count(const struct complaints *c)
{
	return c->count + c->dropped;
}

static bool known(const struct complaints *c, size_t source, int line, int column, const char *text)
{
	size_t i;

	for (i = 0; i < c->count; i++) {
		const struct complaint *o = &c->kept[i];

		if (o->source == source && o->line == line && o->column == column && !strcmp(o->text, text))
			return true;
	}
	return false;
}

static void keep(struct complaints *c, size_t source, int line, int column, char *text)
{
	struct complaint *o;
	char *copy, *p;

	/* Names from the input may have been written with YAML's escapes. */
	for (p = text; *p; p++)
		if ((unsigned char)*p < ' ' || *p == 0x7f)
			*p = '?';

	if (source < SOURCES_MAX && !c->sources[source].text)
		line = column = 0;
	if (known(c, source, line, column, text))
		return;
	copy = c->count < KEPT_MAX ? strdup(text) : NULL;
	if (!copy) {
		c->dropped++;
		return;
	}
	o = &c->kept[c->count];
	*o = (struct complaint){ source, line, column, c->count, copy };
	c->count++;
}

void complain(struct complaints *c, const char *source, const char *fmt, ...)
{
	char text[TEXT_MAX];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	keep(c, source_add(c, source), 0, 0, text);
}

void complain_at(struct complaints *c, const char *source, int line, int column, const char *fmt, ...)
{
	char text[TEXT_MAX];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	keep(c, source_add(c, source), line, column, text);
}

void complaints_take(struct complaints *c)
{
	char text[TEXT_MAX];
	const struct fy_diag_error *e;
	void *at = NULL;

	while ((e = fy_diag_errors_iterate(c->diag, &at))) {
		size_t source = source_find(c, e->file);

		if (source < SOURCES_MAX) {
			snprintf(text, sizeof(text), "%s", e->msg);
			keep(c, source, e->line, e->column, text);
		}
	}
	fy_diag_reset_error(c->diag);
}

/* The head of a report: "FILE:LINE:COLUMN: error: ..." */
static void capture(struct fy_diag *diag, void *user, const char *buf, size_t len)
{
	struct place *place = user;
	size_t room = sizeof(place->text) - 1 - place->len;

	(void)diag;
	if (len > room)
		len = room;
	memcpy(place->text + place->len, buf, len);
	place->len += len;
	place->text[place->len] = 0;
}

/*
 * libfyaml says where a node stands only by a report. Scalars alone are asked:
 * 0.7.12 loses the place of a collection that is copied or changed, and crashes
 * on some of them. What was made, not read, is in no source.
 */
static bool find_place(struct complaints *c, struct fy_node *node, size_t *ret_source, int *ret_line,
		       int *ret_column)
{
	size_t i, len;

	c->place.len = 0;
	c->place.text[0] = 0;
	fy_diag_node_report(c->locator, node, FYET_ERROR, "here");
	for (i = 0; i < c->source_count; i++) {
		len = strlen(c->sources[i].name);
		if (strncmp(c->place.text, c->sources[i].name, len) != 0)
			continue;
		if (sscanf(c->place.text + len, ":%d:%d: ", ret_line, ret_column) != 2)
			continue;
		*ret_source = i;
		return true;
	}
	return false;
}

/* The first scalar in a node, which may be the node. */
static struct fy_node *first_scalar(struct fy_node *node)
{
	int depth;

	for (depth = 0; node && depth < DEPTH_MAX && !fy_node_is_scalar(node); depth++) {
		void *at = NULL;

		if (fy_node_is_sequence(node)) {
			node = fy_node_sequence_iterate(node, &at);
		} else {
			struct fy_node_pair *pair = fy_node_mapping_iterate(node, &at);

			node = pair ? fy_node_pair_key(pair) : NULL;
		}
	}
	return node && fy_node_is_scalar(node) ? node : NULL;
}

void complain_node(struct complaints *c, struct fy_node *node, struct fy_node *nearby, const char *fmt, ...)
{
	struct fy_node *places[] = { first_scalar(node), first_scalar(nearby) };
	size_t source = c->source_count ? 0 : SOURCES_MAX, i;
	int line = 0, column = 0;
	char text[TEXT_MAX];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	for (i = 0; i < 2; i++)
		if (places[i] && find_place(c, places[i], &source, &line, &column))
			break;
	keep(c, source, line, column, text);
}

bool complaints_placed(struct complaints *c, struct fy_node *node)
{
	struct fy_node *scalar = first_scalar(node);
	int line, column;
	size_t source;

	return scalar && find_place(c, scalar, &source, &line, &column);
}

static int by_place(const void *a, const void *b)
{
	const struct complaint *x = a, *y = b;

	if (x->source != y->source)
		return x->source < y->source ? -1 : 1;
	if (x->line != y->line)
		return x->line < y->line ? -1 : 1;
	if (x->column != y->column)
		return x->column < y->column ? -1 : 1;
	return x->seq < y->seq ? -1 : x->seq > y->seq;
}

static void print_line(const struct source *s, int line, int column, FILE *to)
{
	const char *p = s->text, *end;
	int i;

	for (i = 1; i < line && p; i++) {
		p = strchr(p, '\n');
		p = p ? p + 1 : NULL;
	}
	if (!p || !*p)
		return;
	end = p + strcspn(p, "\r\n");
	if (end == p || end - p > LINE_SHOWN_MAX)
		return;
	for (i = 0; p + i < end; i++)
		fputc(p[i] == '\t' || (unsigned char)p[i] >= ' ' ? p[i] : '?', to);
	fputc('\n', to);
	/* Bytes that continue a UTF-8 character take no column. */
	for (i = 1; i < column && p < end; p++) {
		if (((unsigned char)*p & 0xc0) == 0x80)
			continue;
		fputc(*p == '\t' ? '\t' : ' ', to);
		i++;
	}
	fputs("^\n", to);
}

void complaints_print(const struct complaints *c, FILE *to)
{
	AUTO_FREE struct complaint *sorted = malloc((c->count + 1) * sizeof(*sorted));
	size_t i, of_source = 0;

	if (!sorted)
		return;
	memcpy(sorted, c->kept, c->count * sizeof(*sorted));
	qsort(sorted, c->count, sizeof(*sorted), by_place);
	for (i = 0; i < c->count; i++) {
		const struct complaint *o = &sorted[i];
		const struct source *s = o->source < SOURCES_MAX ? &c->sources[o->source] : NULL;
		bool last = i + 1 == c->count || sorted[i + 1].source != o->source;

		if (++of_source <= COMPLAINTS_SHOWN_MAX) {
			fprintf(to, "%s%s", s ? s->name : "", s ? ":" : "");
			if (o->line)
				fprintf(to, "%d:%d:", o->line, o->column);
			fprintf(to, "%s%s\n", s ? " " : "", o->text);
			if (s && o->line)
				print_line(s, o->line, o->column, to);
		}
		if (last && of_source > COMPLAINTS_SHOWN_MAX)
			fprintf(to, "%s: and %zu more\n", s ? s->name : "", of_source - COMPLAINTS_SHOWN_MAX);
		if (last)
			of_source = 0;
	}
	if (c->dropped)
		fprintf(to, "and %zu more\n", c->dropped);
}

char *complaints_text(const struct complaints *c)
{
	char *text = NULL;
	size_t len = 0;
	FILE *to = open_memstream(&text, &len);

	if (!to)
		return NULL;
	complaints_print(c, to);
	fclose(to);
	return text;
}
