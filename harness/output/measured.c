// SPDX-License-Identifier: MIT
/*
 * What was found where an expectation leaves room: a row a cell, a column each metric that has to lie in a range and is not in
 * the table above. That it passed is in the verdict; how far it is from the bounds, and from the cell beside it, is not.
 */
#include "harness/output/forms.h"

#include "harness/output/grid.h"
#include "lib/files.h"
#include "lib/json.h"

#include <errno.h>
#include <string.h>

#define METRICS_MAX (GRID_COLUMNS_MAX - 2)

struct measured {
	const char *names[METRICS_MAX];
	const char *wanted[METRICS_MAX]; /* of the first expectation of it, for its unit */
	size_t count;
	bool cells, trials; /* a column for them */
};

static bool ends_in(const char *text, const char *end)
{
	size_t len = strlen(text), tail = strlen(end);

	return len >= tail && strcmp(text + len - tail, end) == 0;
}

/* Whether the table of processes has it: see columns() in table.c. */
static bool shown_already(const char *name)
{
	return ends_in(name, ".allocated") || ends_in(name, ".touched") || ends_in(name, ".rss_peak") ||
	       ends_in(name, ".swap_peak");
}

static bool is_range(const json_t *expectation)
{
	static const char *const starts[] = { "between ", "at least ", "at most ", NULL };
	const char *wanted = json_text(expectation, "wanted", "");
	size_t i;

	for (i = 0; starts[i]; i++)
		if (strncmp(wanted, starts[i], strlen(starts[i])) == 0)
			return json_is_number(json_object_get(expectation, "got"));
	return false;
}

static void add(struct measured *m, const json_t *expectation)
{
	const char *name = json_text(expectation, "that", "");
	size_t i;

	for (i = 0; i < m->count; i++)
		if (strcmp(m->names[i], name) == 0)
			return;
	if (m->count == METRICS_MAX || shown_already(name) || !is_range(expectation))
		return;
	m->names[m->count] = name;
	m->wanted[m->count++] = json_text(expectation, "wanted", "");
}

/* False where a table would say nothing, or too much: several scenarios, or kernels, which have one of their own. */
static bool find(struct measured *m, const json_t *results)
{
	const json_t *first = json_array_get(results, 0), *result, *one;
	size_t i, j;

	json_array_foreach (results, i, result) {
		const json_t *axes = json_object_get(result, "axes");

		if (strcmp(json_text(result, "scenario", ""), json_text(first, "scenario", "")) != 0 ||
		    json_object_get(axes, "kernel"))
			return false;
		m->cells = m->cells || json_object_size(axes);
		m->trials = m->trials || json_number(result, "trial", 1) > 1;
		json_array_foreach (json_object_get(result, "expectations"), j, one)
			add(m, one);
	}
	return m->count;
}

static void value_cell(struct grid *g, const json_t *value, const char *wanted)
{
	AUTO_FREE char *raw =
		json_is_number(value) ? json_dumps(value, JSON_ENCODE_ANY | JSON_REAL_PRECISION(4)) : NULL;
	char text[UNITS_TEXT_MAX];

	if (output_measure(value, wanted, text))
		grid_cell(g, text, NULL);
	else
		grid_cell(g, raw ? raw : "-", NULL);
}

static void row(struct grid *g, const struct measured *m, const json_t *result)
{
	char trial[32];
	size_t i;

	if (m->cells)
		grid_cell(g, json_text(result, "cell", "-"), NULL);
	if (m->trials) {
		snprintf(trial, sizeof(trial), "%lld", (long long)json_number(result, "trial", 1));
		grid_cell(g, trial, NULL);
	}
	for (i = 0; i < m->count; i++)
		value_cell(g, json_object_get(json_object_get(result, "metrics"), m->names[i]), m->wanted[i]);
}

int output_measured(FILE *out, const json_t *results, const struct output_options *o, size_t width)
{
	struct measured m = { 0 };
	struct grid g = { 0 };
	const json_t *result;
	bool failed;
	size_t i;

	if (!find(&m, results))
		return 0;
	if (m.cells)
		grid_column(&g, "measured", true);
	if (m.trials)
		grid_column(&g, "trial", false);
	for (i = 0; i < m.count; i++)
		grid_column(&g, m.names[i], false);
	json_array_foreach (results, i, result)
		row(&g, &m, result);
	fputc('\n', out);
	grid_align(&g);
	grid_print(out, &g, width, o->colour);
	failed = g.failed;
	grid_free(&g);
	return failed ? -ENOMEM : 0;
}
