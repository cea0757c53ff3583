// SPDX-License-Identifier: MIT
/* The table for people: a row a cell and process, then what failed and why, then one line that sums it up. */
#include "harness/output/forms.h"

#include "harness/output/grid.h"
#include "lib/files.h"
#include "lib/json.h"
#include "lib/units.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define WIDTH_DEFAULT 100
#define BOLD          "1"

static const struct verdict {
	const char *name;
	const char *style;
} verdicts[] = {
	{ "pass", "32" },
	{ "fail", "1;31" },
	{ "skip", "33" },
	{ "broken", "1;35" },
};

#define VERDICTS (sizeof(verdicts) / sizeof(verdicts[0]))

/* Index of a verdict; one that is not known counts as broken. */
static size_t verdict_named(const char *name)
{
	size_t i;

	for (i = 0; i + 1 < VERDICTS; i++)
		if (strcmp(name, verdicts[i].name) == 0)
			break;
	return i;
}

static size_t verdict_of(const json_t *result)
{
	return verdict_named(json_text(result, "verdict", ""));
}

const char *output_style(const char *verdict)
{
	return verdicts[verdict_named(verdict)].style;
}

void output_styled(FILE *out, const struct output_options *o, const char *style, const char *text)
{
	if (o->colour)
		fprintf(out, "\033[%sm%s\033[0m", style, text);
	else
		fputs(text, out);
}

/* What one table is about: the results of one scenario. */
struct part {
	const char *scenario;
	const json_t *results; /* of the whole run */
	bool processes;        /* a column for them: there are several, or nothing else names a row */
	bool trials;           /* likewise */
	const json_t *axes;    /* of one of them: all have the same keys */
};

static bool of_part(const struct part *p, const json_t *result)
{
	return strcmp(json_text(result, "scenario", ""), p->scenario) == 0;
}

static void part_init(struct part *p, const json_t *results, const char *scenario)
{
	const json_t *result;
	size_t i;

	*p = (struct part){ .scenario = scenario, .results = results };
	json_array_foreach (results, i, result) {
		if (!of_part(p, result))
			continue;
		if (json_array_size(json_object_get(result, "processes")) > 1)
			p->processes = true;
		if (json_number(result, "trial", 1) > 1)
			p->trials = true;
		if (json_object_size(json_object_get(result, "axes")) > json_object_size(p->axes))
			p->axes = json_object_get(result, "axes");
	}
	if (!p->axes)
		p->processes = true;
}

/* "overcommit-modes: guest, kernel 6.1.0-49-cloud-amd64": what all of its results have in common. */
static void title(FILE *out, const struct part *p, const struct output_options *o)
{
	const char *place = NULL, *kernel = NULL;
	bool places = false, kernels = false;
	const json_t *result;
	size_t i;

	json_array_foreach (p->results, i, result) {
		const char *here = json_text(result, "place", NULL);
		const char *its = json_text(result, "kernel", NULL);

		if (!of_part(p, result))
			continue;
		places = places || (place && here && strcmp(place, here) != 0);
		kernels = kernels || (kernel && its && strcmp(kernel, its) != 0);
		place = here ? here : place;
		kernel = its ? its : kernel;
	}
	output_styled(out, o, BOLD, p->scenario);
	if (place && !places)
		fprintf(out, "  on %s", place);
	if (kernel && !kernels)
		fprintf(out, "  Linux %s", kernel);
	fputs("\n\n", out);
}

static void columns(struct grid *g, const struct part *p)
{
	static const char *const fixed[] = { "allocated", "touched", "peak RSS", "peak swap",
					     "outcome",   "victim",  "verdict",  NULL };
	const char *axis;
	json_t *value;
	size_t i;

	json_object_foreach ((json_t *)p->axes, axis, value)
		grid_column(g, axis, true);
	if (p->trials)
		grid_column(g, "trial", false);
	if (p->processes)
		grid_column(g, "process", true);
	for (i = 0; fixed[i]; i++)
		grid_column(g, fixed[i], strcmp(fixed[i], "victim") == 0);
}

static void cell_of(struct grid *g, const json_t *value)
{
	AUTO_FREE char *other = NULL;

	if (json_is_string(value)) {
		grid_cell(g, json_string_value(value), NULL);
		return;
	}
	other = value && !json_is_null(value) ? json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT) : NULL;
	grid_cell(g, other ? other : "-", NULL);
}

static void size_cell(struct grid *g, const json_t *metrics, const char *name)
{
	const json_t *value = json_object_get(metrics, name);
	char text[UNITS_TEXT_MAX];

	grid_cell(g, json_is_integer(value) ? size_format(text, (uint64_t)json_integer_value(value)) : "-",
		  NULL);
}

/* "hog", "hog, web"; a victim that is no process of the scenario by its comm. */
static void victims_cell(struct grid *g, const json_t *victims)
{
	char names[256] = "";
	const json_t *victim;
	size_t len = 0, i;

	json_array_foreach (victims, i, victim) {
		const char *name = json_text(victim, "process", json_text(victim, "comm", "?"));

		if (len < sizeof(names))
			len += (size_t)snprintf(names + len, sizeof(names) - len, "%s%s", i ? ", " : "",
						name);
	}
	grid_cell(g, len ? names : "-", NULL);
}

/* One process of a result (NULL: it has none); first: the row that says what is the same for all of them. */
static void row(struct grid *g, const struct part *p, const json_t *result, const json_t *process, bool first)
{
	const json_t *axes = json_object_get(result, "axes");
	const json_t *metrics = json_object_get(process, "metrics");
	const struct verdict *verdict = &verdicts[verdict_of(result)];
	const char *axis;
	json_t *value;

	json_object_foreach ((json_t *)p->axes, axis, value) {
		if (first)
			cell_of(g, json_object_get(axes, axis));
		else
			grid_cell(g, "", NULL);
	}
	if (p->trials && first)
		cell_of(g, json_object_get(result, "trial"));
	else if (p->trials)
		grid_cell(g, "", NULL);
	if (p->processes)
		grid_cell(g, json_text(process, "name", "-"), NULL);
	size_cell(g, metrics, "allocated");
	size_cell(g, metrics, "touched");
	size_cell(g, metrics, "rss_peak");
	size_cell(g, metrics, "swap_peak");
	grid_cell(g, json_text(process, "outcome", "-"), NULL);
	if (first)
		victims_cell(g, json_object_get(result, "victims"));
	else
		grid_cell(g, "", NULL);
	grid_cell(g, first ? verdict->name : "", verdict->style);
}

static const json_t *axis_value(const json_t *result, const char *axis)
{
	return json_object_get(json_object_get(result, "axes"), axis);
}

/* The axis that varies slowest, if the table is longer than a screen and some rows share each value of it; else NULL. */
static const char *block_axis(const struct part *p)
{
	const char *axis = json_object_iter_key(json_object_iter((json_t *)p->axes));
	const json_t *result, *before = NULL;
	size_t rows = 0, blocks = 0, i;

	json_array_foreach (p->results, i, result) {
		if (!of_part(p, result))
			continue;
		rows++;
		blocks += !json_equal(before, axis_value(result, axis));
		before = axis_value(result, axis);
	}
	return rows > 20 && rows / blocks >= 6 ? axis : NULL;
}

static int table(FILE *out, const struct part *p, const struct output_options *o)
{
	struct grid g = { 0 };
	const char *axis = block_axis(p);
	const json_t *result, *process, *value = NULL;
	size_t i, j;
	bool failed;

	title(out, p, o);
	columns(&g, p);
	json_array_foreach (p->results, i, result) {
		const json_t *processes = json_object_get(result, "processes");

		if (!of_part(p, result))
			continue;
		if (axis && !json_equal(value, axis_value(result, axis)))
			grid_block(&g);
		value = axis_value(result, axis);
		json_array_foreach (processes, j, process)
			row(&g, p, result, process, j == 0);
		if (json_array_size(processes) == 0)
			row(&g, p, result, NULL, true);
	}
	grid_align(&g);
	grid_print(out, &g, o->width ? o->width : WIDTH_DEFAULT, o->colour);
	failed = g.failed;
	grid_free(&g);
	return failed ? -ENOMEM : 0;
}

/* A fraction in per cent: as it was given, or one that was measured to two places ("-0.00" is 0 to whoever reads it). */
static void percent_cell(struct grid *g, const json_t *fraction, bool measured, const char *style)
{
	double percent = json_number_value(fraction) * 100;
	char text[32];

	snprintf(text, sizeof(text), measured ? "%.2f" : "%.3g", percent);
	if (strcmp(text, "-0.00") == 0)
		strcpy(text, "0.00");
	grid_cell(g, json_is_number(fraction) ? text : "-", style);
}

/* One row for each expectation of a result that something is near a value. */
static void near_rows(struct grid *g, const struct part *p, const json_t *result)
{
	const json_t *one;
	size_t i;

	json_array_foreach (json_object_get(result, "expectations"), i, one) {
		const json_t *near = json_object_get(one, "near");
		bool failed = strcmp(json_text(one, "verdict", ""), "fail") == 0;

		if (!near)
			continue;
		if (p->axes)
			grid_cell(g, json_text(result, "cell", "-"), NULL);
		if (p->trials)
			cell_of(g, json_object_get(result, "trial"));
		grid_cell(g, json_text(one, "that", "?"), NULL);
		grid_cell(g, json_text(near, "got", "-"), NULL);
		grid_cell(g, json_text(near, "wanted", "-"), NULL);
		percent_cell(g, json_object_get(near, "off"), true, failed ? verdicts[1].style : NULL);
		percent_cell(g, json_object_get(near, "within"), false, NULL);
	}
}

/* Reference values beside ours; nothing where a scenario has none. */
static int references(FILE *out, const struct part *p, const struct output_options *o)
{
	static const char *const heads[] = { "metric", "got", "near", "% off", "% allowed" };
	struct grid g = { 0 };
	const json_t *result;
	size_t i;
	bool failed;

	if (p->axes)
		grid_column(&g, "cell", true);
	if (p->trials)
		grid_column(&g, "trial", false);
	for (i = 0; i < sizeof(heads) / sizeof(heads[0]); i++)
		grid_column(&g, heads[i], false);
	json_array_foreach (p->results, i, result)
		if (of_part(p, result))
			near_rows(&g, p, result);
	if (g.cell_count) {
		fputc('\n', out);
		grid_align(&g);
		grid_print(out, &g, o->width ? o->width : WIDTH_DEFAULT, o->colour);
	}
	failed = g.failed;
	grid_free(&g);
	return failed ? -ENOMEM : 0;
}

/* "6 cells: 5 pass, 1 fail in 61.2s"; "3 cells of shard 1/2: 3 pass in 30s" */
static void summary(FILE *out, const json_t *run, const json_t *results, const struct output_options *o)
{
	size_t counts[VERDICTS] = { 0 }, cells = 0, trials = json_array_size(results), i;
	int64_t wall_ns = json_number(json_object_get(run, "run"), "wall_ns", 0);
	char text[UNITS_TEXT_MAX];
	const char *shard = json_text(json_object_get(run, "run"), "shard", NULL);
	const char *sep = ": ";
	const json_t *result;

	json_array_foreach (results, i, result) {
		counts[verdict_of(result)]++;
		cells += json_number(result, "trial", 1) <= 1;
	}
	fputc('\n', out);
	if (trials != cells)
		fprintf(out, "%zu trials of ", trials);
	fprintf(out, "%zu cell%s", cells, cells == 1 ? "" : "s");
	if (shard)
		fprintf(out, " of shard %s", shard);
	for (i = 0; i < VERDICTS; i++) {
		if (!counts[i])
			continue;
		fprintf(out, "%s%zu ", sep, counts[i]);
		output_styled(out, o, verdicts[i].style, verdicts[i].name);
		sep = ", ";
	}
	if (wall_ns > 0)
		fprintf(out, " in %s", duration_format(text, (uint64_t)wall_ns));
	fputc('\n', out);
	if (o->run_dir)
		fprintf(out, "%s\n", o->run_dir);
}

/* True where results[index] is the first of its scenario. */
static bool starts_part(const json_t *results, size_t index)
{
	const char *scenario = json_text(json_array_get(results, index), "scenario", "");
	size_t i;

	for (i = 0; i < index; i++)
		if (strcmp(json_text(json_array_get(results, i), "scenario", ""), scenario) == 0)
			return false;
	return true;
}

static int write_table(FILE *out, const json_t *run, const struct output_options *o)
{
	const json_t *results = json_object_get(run, "results"), *result;
	struct part p;
	size_t i;
	int r;

	json_array_foreach (results, i, result) {
		if (!starts_part(results, i))
			continue;
		if (i)
			fputc('\n', out);
		part_init(&p, results, json_text(result, "scenario", ""));
		r = table(out, &p, o);
		if (r == 0)
			r = references(out, &p, o);
		if (r == 0)
			r = output_kills(out, results, p.scenario, o, o->width ? o->width : WIDTH_DEFAULT);
		if (r < 0)
			return r;
	}
	r = output_measured(out, results, o, o->width ? o->width : WIDTH_DEFAULT);
	if (r == 0)
		r = output_kernels(out, results, o, o->width ? o->width : WIDTH_DEFAULT);
	if (r < 0)
		return r;
	output_failures(out, results, o);
	summary(out, run, results, o);
	return 0;
}

const struct output output_table = {
	.name = "table",
	.about = "a table for people",
	.write = write_table,
};
