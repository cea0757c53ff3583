// SPDX-License-Identifier: MIT
#include "harness/output/grid.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#define GAP        2
#define SHRUNK_MIN 8 /* where texts stop being cut; */
#define WORD_MAX                                                                                             \
	12 /* at first already where a word of the head would break, if it is no longer than this            \
	    */
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
	g->cells[g->cell_count++] =
		(struct grid_cell){ .text = copy(g, text), .style = style, .starts_block = g->starts_block };
	g->starts_block = false;
}

void grid_block(struct grid *g)
{
	g->starts_block = g->cell_count > 0;
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

/* "12", "1082M", "0.5", "50%" */
static bool numeric(const char *text)
{
	if (!isdigit((unsigned char)text[*text == '-']))
		return false;
	text += 1;
	text += strspn(text, "0123456789.");
	return !*text || !text[1];
}

void grid_align(struct grid *g)
{
	size_t numbers[GRID_COLUMNS_MAX] = { 0 }, others[GRID_COLUMNS_MAX] = { 0 }, i;

	for (i = 0; i < g->cell_count; i++) {
		const char *text = g->cells[i].text;

		if (numeric(text))
			numbers[i % g->column_count]++;
		else if (*text && strcmp(text, "-") != 0)
			others[i % g->column_count]++;
	}
	for (i = 0; i < g->column_count; i++)
		g->columns[i].right = numbers[i] && !others[i];
}

/* Bytes up to and with the first break of head; *ret_width does not count a space there. */
static size_t piece(const char *head, size_t *ret_width)
{
	size_t n = strcspn(head, HEAD_BREAKS);

	*ret_width = n + (head[n] && head[n] != ' ');
	return n + (head[n] ? 1 : 0);
}

/* Bytes of head that go on its next line of at most width columns. */
static size_t head_line(const char *head, size_t width)
{
	size_t best = 0, at = 0, n, shown;

	if (text_width(head) <= width)
		return strlen(head);
	while (head[at]) {
		n = piece(head + at, &shown);
		if (at + shown > width)
			break;
		best = at += n;
	}
	return best ? best : width;
}

static size_t longest_piece(const char *head)
{
	size_t longest = 1, shown;

	while (*head) {
		head += piece(head, &shown);
		if (shown > longest)
			longest = shown;
	}
	return longest;
}

static size_t least(const struct grid_column *c, bool whole_words)
{
	size_t word = longest_piece(c->head);

	return whole_words && word > SHRUNK_MIN && word <= WORD_MAX ? word : SHRUNK_MIN;
}

static size_t total_width(const struct grid *g)
{
	size_t sum = 0, i;

	for (i = 0; i < g->column_count; i++)
		sum += g->columns[i].width + (i ? GAP : 0);
	return sum;
}

/* Takes one column from the widest text; false when none has one to give. */
static bool shrink(struct grid *g, bool whole_words)
{
	struct grid_column *widest = NULL;
	size_t i;

	for (i = 0; i < g->column_count; i++) {
		struct grid_column *c = &g->columns[i];

		if (c->shrinks && c->width > least(c, whole_words) && (!widest || c->width > widest->width))
			widest = c;
	}
	if (widest)
		widest->width--;
	return widest;
}

/* First whole heads, then heads in pieces where the width asks for it, then texts that are cut. */
static void lay_out(struct grid *g, size_t width)
{
	size_t natural[GRID_COLUMNS_MAX] = { 0 }, i;

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
	for (i = 0; i < 2; i++)
		while (total_width(g) > width && shrink(g, i == 0))
			;
}

/* Prints len bytes of text in its column. *gap is the space owed before it: none stays at the end of a line.
 */
static void put(FILE *out, const struct grid_column *c, const char *text, size_t len, const char *style,
		size_t *gap)
{
	char *one = strndup(text, len);
	size_t w = one ? text_width(one) : 0;
	size_t space = w < c->width ? c->width - w : 0;

	if (c->right)
		*gap += space;
	if (w) {
		fprintf(out, "%*s", (int)*gap, "");
		if (style)
			fprintf(out, "\033[%sm%s\033[0m", style, one);
		else
			fputs(one, out);
		*gap = 0;
	}
	*gap += GAP + (c->right ? 0 : space);
	free(one);
}

/* Past n code points. */
static const char *skip(const char *text, size_t n)
{
	for (; n && *text; n--)
		do
			text++;
		while (((unsigned char)*text & 0xc0) == 0x80);
	return text;
}

/*
 * A text that is too long loses what all texts of its column start with, then its end:
 * "/boot/vmlinuz-6.12.9-cloud" -> "..6.12.."
 */
static void put_cut(FILE *out, const struct grid_column *c, const struct grid_cell *cell, const char *style,
		    size_t *gap)
{
	const char *start = cell->text, *end = start + strlen(start);
	size_t width = text_width(start);
	char cut[512];

	if (width <= c->width || c->width < SHRUNK_MIN) {
		put(out, c, start, strlen(start), style, gap);
		return;
	}
	if (c->common > 2) {
		size_t most = width - (c->width - 2);

		start = skip(start, c->common < most ? c->common : most);
		width = text_width(start) + 2;
	}
	if (width > c->width)
		end = skip(start, c->width - 2 - (start == cell->text ? 0 : 2));
	snprintf(cut, sizeof(cut), "%s%.*s%s", start == cell->text ? "" : "..", (int)(end - start), start,
		 *end ? ".." : "");
	put(out, c, cut, strlen(cut), style, gap);
}

/* How many code points all texts of each column have in common at their start. */
static void find_common(struct grid *g)
{
	size_t i, n;

	for (i = 0; i < g->cell_count; i++) {
		struct grid_column *c = &g->columns[i % g->column_count];
		const char *text = g->cells[i].text, *first = g->cells[i % g->column_count].text;

		for (n = 0; text[n] && text[n] == first[n];)
			n++;
		while (n && ((unsigned char)text[n] & 0xc0) == 0x80)
			n--;
		if (i < g->column_count)
			c->common = n;
		else if (*text && n < c->common)
			c->common = n;
	}
	for (i = 0; i < g->column_count && i < g->cell_count; i++) {
		const char *first = g->cells[i].text;
		size_t bytes = g->columns[i].common;

		/* Alike to the end: nothing tells them apart anyhow. */
		g->columns[i].common = first[bytes] ? text_width(first) - text_width(first + bytes) : 0;
	}
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
		size_t gap = 0;

		for (i = 0; i < g->column_count; i++) {
			bool now = line + lines[i] >= most;
			size_t len = now ? head_line(rest[i], g->columns[i].width) : 0;

			put(out, &g->columns[i], rest[i], len - (len && rest[i][len - 1] == ' '),
			    colour ? "1" : NULL, &gap);
			rest[i] += len;
		}
		fputc('\n', out);
	}
}

void grid_print(FILE *out, struct grid *g, size_t width, bool colour)
{
	size_t gap = 0, i;

	if (g->failed || !g->column_count)
		return;
	lay_out(g, width);
	find_common(g);
	print_heads(out, g, colour);
	for (i = 0; i < g->cell_count; i++) {
		size_t column = i % g->column_count;

		if (g->cells[i].starts_block) {
			fputc('\n', out);
			print_heads(out, g, colour);
		}
		put_cut(out, &g->columns[column], &g->cells[i], colour ? g->cells[i].style : NULL, &gap);
		if (column + 1 < g->column_count)
			continue;
		fputc('\n', out);
		gap = 0;
	}
}
