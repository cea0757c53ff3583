// SPDX-License-Identifier: MIT
#include "harness/output/grid.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#define GAP         2
#define SHRUNK_MIN  8
#define HEAD_BREAKS " _.-/,"

size_t text_width(const char *text)
{
	size_t n = 0;

	for (; *text; text++)
		n += ((unsigned char)*text & 0xc0) != 0x80;
	return n;
}

static char *copy(struct grid *g, const char *text)
{
	char *s = strdup(text);

	if (!s)
		g->failed = true;
	return s;
}

void grid_column(struct grid *g, const char *head, bool shrinks)
{
	if (g->column_count == GRID_COLUMNS_MAX) {
		g->failed = true;
		return;
	}
	g->columns[g->column_count++] = (struct grid_column){ .head = copy(g, head), .shrinks = shrinks };
}

void grid_cell(struct grid *g, const char *text, const char *style)
{
	if (g->cell_count == g->cell_room) {
		size_t room = g->cell_room ? g->cell_room * 2 : 64;
		struct grid_cell *cells = reallocarray(g->cells, room, sizeof(*cells));

		if (!cells) {
			g->failed = true;
			return;
		}
		g->cells = cells;
		g->cell_room = room;
	}
	g->cells[g->cell_count++] = (struct grid_cell){ .text = copy(g, text), .style = style };
}

void grid_free(struct grid *g)
{
	size_t i;

	for (i = 0; i < g->column_count; i++)
		free(g->columns[i].head);
	for (i = 0; i < g->cell_count; i++)
		free(g->cells[i].text);
	free(g->cells);
	memset(g, 0, sizeof(*g));
}

/* "12", "1082M", "0.5", "50%", "-", "". */
static bool numeric(const char *text)
{
	if (strcmp(text, "-") == 0 || !*text)
		return true;
	if (!isdigit((unsigned char)text[*text == '-']))
		return false;
	text += 1;
	text += strspn(text, "0123456789.");
	return !*text || !text[1];
}

void grid_align(struct grid *g)
{
	size_t i;

	for (i = 0; i < g->column_count; i++)
		g->columns[i].right = g->cell_count > 0;
	for (i = 0; i < g->cell_count; i++)
		if (!numeric(g->cells[i].text))
			g->columns[i % g->column_count].right = false;
}

/* Bytes of head that go on its next line of at most width columns. */
static size_t head_line(const char *head, size_t width)
{
	size_t best = 0, at = 0;

	if (text_width(head) <= width)
		return strlen(head);
	while (head[at]) {
		size_t next = at + strcspn(head + at, HEAD_BREAKS);

		next += head[next] ? 1 : 0;
		if (next > width)
			break;
		best = at = next;
	}
	return best ? best : width;
}

static size_t longest_piece(const char *head)
{
	size_t longest = 1, n;

	for (; *head; head += n) {
		n = strcspn(head, HEAD_BREAKS);
		n += head[n] ? 1 : 0;
		if (n > longest)
			longest = n;
	}
	return longest;
}

static size_t total_width(const struct grid *g)
{
	size_t sum = 0, i;

	for (i = 0; i < g->column_count; i++)
		sum += g->columns[i].width + (i ? GAP : 0);
	return sum;
}

/* First whole heads, then heads in pieces where the width asks for it, then texts that lose their middle. */
static void lay_out(struct grid *g, size_t width)
{
	size_t natural[GRID_COLUMNS_MAX], i;

	for (i = 0; i < g->column_count; i++) {
		g->columns[i].width = longest_piece(g->columns[i].head);
		natural[i] = text_width(g->columns[i].head);
	}
	for (i = 0; i < g->cell_count; i++) {
		struct grid_column *c = &g->columns[i % g->column_count];
		size_t w = text_width(g->cells[i].text);

		if (w > c->width)
			c->width = w;
	}
	for (i = g->column_count; i-- > 0;) {
		struct grid_column *c = &g->columns[i];

		if (natural[i] > c->width && total_width(g) - c->width + natural[i] <= width)
			c->width = natural[i];
	}
	while (total_width(g) > width) {
		struct grid_column *widest = NULL;

		for (i = 0; i < g->column_count; i++) {
			struct grid_column *c = &g->columns[i];

			if (c->shrinks && c->width > SHRUNK_MIN && (!widest || c->width > widest->width))
				widest = c;
		}
		if (!widest)
			break;
		widest->width--;
	}
}

static void pad(FILE *out, size_t n)
{
	fprintf(out, "%*s", (int)n, "");
}

/* Prints len bytes of text in its column; what is last in a line is not padded. */
static void put(FILE *out, const struct grid_column *c, const char *text, size_t len, const char *style,
		bool last)
{
	char *one = strndup(text, len);
	size_t w = one ? text_width(one) : 0;
	size_t space = w < c->width ? c->width - w : 0;

	if (c->right)
		pad(out, space);
	if (style && len)
		fprintf(out, "\033[%sm%s\033[0m", style, one ? one : "");
	else
		fputs(one ? one : "", out);
	if (!last)
		pad(out, (c->right ? 0 : space) + GAP);
	free(one);
}

/* "a-very-long-value" -> "a-ver..alue" */
static void put_cut(FILE *out, const struct grid_column *c, const char *text, const char *style, bool last)
{
	size_t width = text_width(text), head, tail;
	const char *p = text;
	char cut[512];

	if (width <= c->width || c->width < 4) {
		put(out, c, text, strlen(text), style, last);
		return;
	}
	head = (c->width - 2) / 2;
	tail = c->width - 2 - head;
	for (width -= tail; width > 0; width -= ((unsigned char)*p & 0xc0) != 0x80)
		p++;
	while (((unsigned char)*p & 0xc0) == 0x80)
		p++;
	for (width = 0; head && text[width]; width++)
		if (((unsigned char)text[width + 1] & 0xc0) != 0x80)
			head--;
	snprintf(cut, sizeof(cut), "%.*s..%s", (int)width, text, p);
	put(out, c, cut, strlen(cut), style, last);
}

static void print_heads(FILE *out, const struct grid *g, bool colour)
{
	const char *rest[GRID_COLUMNS_MAX];
	size_t lines[GRID_COLUMNS_MAX], most = 0, line, i;

	for (i = 0; i < g->column_count; i++) {
		const char *p = g->columns[i].head;

		rest[i] = p;
		for (lines[i] = 0; *p; lines[i]++)
			p += head_line(p, g->columns[i].width);
		if (lines[i] > most)
			most = lines[i];
	}
	for (line = 0; line < most; line++) {
		for (i = 0; i < g->column_count; i++) {
			bool now = line + lines[i] >= most;
			size_t len = now ? head_line(rest[i], g->columns[i].width) : 0;

			put(out, &g->columns[i], rest[i], len, colour ? "1" : NULL, i + 1 == g->column_count);
			rest[i] += len;
		}
		fputc('\n', out);
	}
}

void grid_print(FILE *out, struct grid *g, size_t width, bool colour)
{
	size_t i;

	if (g->failed || !g->column_count)
		return;
	lay_out(g, width);
	print_heads(out, g, colour);
	for (i = 0; i < g->cell_count; i++) {
		size_t column = i % g->column_count;
		bool last = column + 1 == g->column_count;

		put_cut(out, &g->columns[column], g->cells[i].text, colour ? g->cells[i].style : NULL, last);
		if (last)
			fputc('\n', out);
	}
}
