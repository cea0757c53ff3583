// SPDX-License-Identifier: MIT
/* An explained OOM event as text: the answer first, then the ranking, the memory, and what is worth knowing. */
#include "harness/output/grid.h"
#include "harness/output/output.h"
#include "lib/json.h"
#include "lib/units.h"

#include <errno.h>
#include <string.h>

#define ROWS_SHOWN 10
#define WIDTH      100

static void bold(FILE *out, const struct output_options *o, const char *text)
{
	fprintf(out, o->colour ? "\033[1m%s\033[0m" : "%s", text);
}

/* Words up to the width, further lines indented. */
static void wrapped(FILE *out, const char *first, const char *indent, const char *text, size_t width)
{
	size_t column = strlen(first), words = 0;

	fputs(first, out);
	while (*text) {
		size_t len = strcspn(text, " ");

		if (words && column + 1 + len > width) {
			fprintf(out, "\n%s", indent);
			column = strlen(indent);
		} else if (words) {
			fputc(' ', out);
			column++;
		}
		words++;
		fwrite(text, 1, len, out);
		column += len;
		text += len + strspn(text + len, " ");
	}
	fputc('\n', out);
}

static void size_cell(struct grid *g, const json_t *value)
{
	char text[UNITS_TEXT_MAX];

	grid_cell(g, json_is_integer(value) ? size_format(text, (uint64_t)json_integer_value(value)) : "-",
		  NULL);
}

static void number_cell(struct grid *g, const json_t *value)
{
	char text[32];

	snprintf(text, sizeof(text), "%lld", (long long)json_integer_value(value));
	grid_cell(g, json_is_integer(value) ? text : "-", NULL);
}

static int finish(FILE *out, struct grid *g, const struct output_options *o)
{
	bool failed;

	grid_align(g);
	grid_print(out, g, o->width ? o->width : WIDTH, o->colour);
	failed = g->failed;
	grid_free(g);
	return failed ? -ENOMEM : 0;
}

static bool is_killed(const json_t *event, const json_t *task)
{
	const json_t *one;
	size_t i;

	json_array_foreach (json_object_get(event, "killed"), i, one)
		if (json_number(one, "pid", -1) == json_number(task, "pid", -2))
			return true;
	return false;
}

static void task_row(struct grid *g, const json_t *event, const json_t *task)
{
	const char *style = is_killed(event, task) ? "31" : NULL;

	grid_cell(g, style ? "killed" : json_text(task, "exempt", NULL) ? "exempt" : "", style);
	number_cell(g, json_object_get(task, "score"));
	size_cell(g, json_object_get(task, "rss"));
	size_cell(g, json_object_get(task, "swap"));
	size_cell(g, json_object_get(task, "pgtables"));
	number_cell(g, json_object_get(task, "oom_score_adj") ?: json_object_get(task, "oom_adj"));
	number_cell(g, json_object_get(task, "uid"));
	number_cell(g, json_object_get(task, "pid"));
	grid_cell(g, json_text(task, "comm", ""), style);
}

/* The first ones, whoever was killed, and the largest of those that cannot be. */
static int ranking(FILE *out, const json_t *event, const struct output_options *o)
{
	static const char *const heads[] = { "",    "score", "rss", "swap",   "pgtables",
					     "adj", "uid",   "pid", "process" };
	const json_t *list = json_object_get(event, "ranking"), *task;
	size_t count = json_array_size(list), shown = 0, exempt = 0, i;
	struct grid g = { 0 };
	int r;

	if (!count)
		return 0;
	for (i = 0; i < sizeof(heads) / sizeof(heads[0]); i++)
		grid_column(&g, heads[i], false);
	json_array_foreach (list, i, task) {
		bool cannot = json_text(task, "exempt", NULL) != NULL;

		if (!is_killed(event, task) && (cannot ? exempt >= 3 : i >= ROWS_SHOWN))
			continue;
		exempt += cannot;
		shown++;
		task_row(&g, event, task);
	}
	fputc('\n', out);
	r = finish(out, &g, o);
	if (shown < count)
		fprintf(out, "  and %zu more\n", count - shown);
	return r;
}

static int zones(FILE *out, const json_t *memory, const struct output_options *o)
{
	const json_t *list = json_object_get(memory, "zones"), *zone;
	struct grid g = { 0 };
	char name[64];
	size_t i;

	if (!json_array_size(list))
		return 0;
	grid_column(&g, "zone", false);
	grid_column(&g, "free", false);
	grid_column(&g, "min", false);
	grid_column(&g, "low", false);
	grid_column(&g, "high", false);
	grid_column(&g, "managed", false);
	json_array_foreach (list, i, zone) {
		long long node = json_number(zone, "node", -1);

		if (node >= 0)
			snprintf(name, sizeof(name), "node %lld %s", node, json_text(zone, "zone", ""));
		else
			snprintf(name, sizeof(name), "%s", json_text(zone, "zone", ""));
		grid_cell(&g, name, NULL);
		size_cell(&g, json_object_get(zone, "free"));
		size_cell(&g, json_object_get(zone, "min"));
		size_cell(&g, json_object_get(zone, "low"));
		size_cell(&g, json_object_get(zone, "high"));
		size_cell(&g, json_object_get(zone, "managed"));
	}
	fputc('\n', out);
	return finish(out, &g, o);
}

/* "memory: 32M of 32M, swap 0B" of a group */
static void group(FILE *out, const json_t *memory)
{
	static const char *const names[][2] = { { "group", "memory" },
						{ "group_memsw", "memory and swap" },
						{ "group_swap", "swap" },
						{ "group_kmem", "kernel memory" } };
	char usage[UNITS_TEXT_MAX], limit[UNITS_TEXT_MAX];
	const char *sep = "\nof the group: ";
	size_t i;

	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		const json_t *one = json_object_get(memory, names[i][0]);
		int64_t most = json_number(one, "limit", -1);

		if (!json_is_object(one))
			continue;
		/* "No limit" is the largest number there is, in whole pages. */
		fprintf(out, "%s%s %s of %s", sep, names[i][1],
			size_format(usage, (uint64_t)json_number(one, "usage", 0)),
			most >= 0 && most < (int64_t)1 << 60 ? size_format(limit, (uint64_t)most)
							     : "no limit");
		sep = ", ";
	}
	if (*sep == ',')
		fputc('\n', out);
}

static void amounts(FILE *out, const json_t *memory, size_t width)
{
	json_t *list = json_object_get(memory, "amounts"), *value;
	char text[UNITS_TEXT_MAX], line[1024] = "";
	const char *name;
	size_t len = 0;

	json_object_foreach (list, name, value)
		if (json_integer_value(value) > 0 && len < sizeof(line))
			len += (size_t)snprintf(line + len, sizeof(line) - len, "%s%s %s", len ? ", " : "",
						name, size_format(text, (uint64_t)json_integer_value(value)));
	if (len)
		wrapped(out, "held as: ", "  ", line, width);
}

static void models(FILE *out, const json_t *event, const struct output_options *o)
{
	const json_t *list = json_object_get(event, "models"), *one;
	struct grid g = { 0 };
	char who[128];
	size_t i;

	if (!json_array_size(list))
		return;
	grid_column(&g, "since", false);
	grid_column(&g, "would have killed", false);
	grid_column(&g, "score", false);
	grid_column(&g, "by", true);
	json_array_foreach (list, i, one) {
		snprintf(who, sizeof(who), "%s (%lld)", json_text(one, "comm", "nobody"),
			 (long long)json_number(one, "pid", -1));
		grid_cell(&g, json_text(one, "model", ""),
			  json_is_true(json_object_get(one, "own")) ? "1" : NULL);
		grid_cell(&g, json_text(one, "comm", NULL) ? who : "nobody", NULL);
		number_cell(&g, json_object_get(one, "score"));
		grid_cell(&g, json_text(one, "about", ""), NULL);
	}
	fputc('\n', out);
	finish(out, &g, o);
	fputs("2.6 goes by address space alone here: of children, run time and nice a report says nothing.\n",
	      out);
}

static void heading(FILE *out, const json_t *event, size_t number, const struct output_options *o)
{
	const char *when = json_text(event, "when", ""), *file = json_text(event, "file", NULL);
	char text[512];
	size_t len = (size_t)snprintf(text, sizeof(text), "%zu. %s", number, when);

	if ((file || !*when) && len < sizeof(text))
		len += (size_t)snprintf(text + len, sizeof(text) - len, "%s%s%s%lld", *when ? "  " : "",
					file ? file : "line", file ? ":" : " ",
					(long long)json_number(event, "line", 0));
	if (json_text(event, "kernel", NULL) && len < sizeof(text))
		snprintf(text + len, sizeof(text) - len, "  Linux %s", json_text(event, "kernel", ""));
	bold(out, o, text);
	fputc('\n', out);
}

int output_explained(FILE *out, const json_t *event, size_t number, const struct output_options *o)
{
	const json_t *memory = json_object_get(event, "memory"), *note;
	size_t width = o->width ? o->width : WIDTH, i;
	int r;

	heading(out, event, number, o);
	wrapped(out, "  ", "  ", json_text(event, "who", ""), width);
	wrapped(out, "  ", "  ", json_text(event, "why", ""), width);
	if (json_text(event, "score", NULL))
		wrapped(out, "  ", "  ", json_text(event, "score", ""), width);
	if (json_text(event, "saved", NULL))
		wrapped(out, "  What would have saved it: ", "    ", json_text(event, "saved", ""), width);
	json_array_foreach (json_object_get(event, "notes"), i, note)
		wrapped(out, "  - ", "    ", json_text(note, "text", ""), width);
	r = ranking(out, event, o);
	if (r == 0)
		r = zones(out, memory, o);
	group(out, memory);
	amounts(out, memory, width);
	models(out, event, o);
	fputc('\n', out);
	return r;
}
