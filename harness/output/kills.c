// SPDX-License-Identifier: MIT
/* Who killed whom, when, and with how much left: of a scenario in which a user-space killer ran, a row a kill. */
#include "harness/output/forms.h"

#include "harness/output/grid.h"
#include "lib/json.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* Of one cell; a killer that finds nothing else may kill all there is. */
#define ROWS_MAX 6

static bool of(const char *scenario, const json_t *result)
{
	return strcmp(json_text(result, "scenario", ""), scenario) == 0;
}

static bool took_place(const json_t *result)
{
	const char *verdict = json_text(result, "verdict", "");

	return !strcmp(verdict, "pass") || !strcmp(verdict, "fail");
}

static bool has_killer(const json_t *results, const char *scenario)
{
	const json_t *result, *process;
	size_t i, j;

	json_array_foreach ((json_t *)results, i, result)
		json_array_foreach (json_object_get(result, "processes"), j, process)
			if (of(scenario, result) && took_place(result) &&
			    !strcmp(json_text(process, "name", ""), "killer"))
				return true;
	return false;
}

static void size_cell(struct grid *g, const json_t *kill, const char *key)
{
	char text[UNITS_TEXT_MAX];
	int64_t bytes = json_number(kill, key, -1);

	grid_cell(g, bytes < 0 ? "-" : size_format(text, (uint64_t)bytes), NULL);
}

static void row(struct grid *g, const json_t *kill)
{
	int64_t t_ns = json_number(kill, "t_ns", -1), signal_number = json_number(kill, "signal", 0);
	char text[UNITS_TEXT_MAX];

	grid_cell(g, json_text(kill, "process", json_text(kill, "comm", "-")), NULL);
	grid_cell(g, json_text(kill, "by", "nobody"), NULL);
	grid_cell(g, signal_number == 9 ? "KILL" : signal_number == 15 ? "TERM" : "-", NULL);
	grid_cell(g, t_ns < 0 ? "-" : duration_format(text, (uint64_t)t_ns), NULL);
	size_cell(g, kill, "mem_available");
	size_cell(g, kill, "swap_free");
}

static void rows(struct grid *g, const json_t *result, bool trials)
{
	const json_t *kills = json_object_get(result, "kills"), *kill;
	char trial[32];
	size_t i;

	for (i = 0; i == 0 || (i < ROWS_MAX && i < json_array_size(kills)); i++) {
		kill = json_array_get(kills, i);
		snprintf(trial, sizeof(trial), "%lld", (long long)json_number(result, "trial", 1));
		grid_cell(g, i ? "" : json_text(result, "cell", "-"), NULL);
		if (trials)
			grid_cell(g, i ? "" : trial, NULL);
		row(g, kill);
	}
}

int output_kills(FILE *out, const json_t *results, const char *scenario, const struct output_options *o,
		 size_t width)
{
	static const char *const heads[] = { "killed", "by", "signal", "after", "available", "swap free" };
	const json_t *result;
	struct grid g = { 0 };
	bool trials = false, failed;
	size_t i;

	if (!has_killer(results, scenario))
		return 0;
	json_array_foreach ((json_t *)results, i, result)
		trials = trials || (of(scenario, result) && json_number(result, "trial", 1) > 1);
	grid_column(&g, "cell", true);
	if (trials)
		grid_column(&g, "trial", false);
	for (i = 0; i < sizeof(heads) / sizeof(heads[0]); i++)
		grid_column(&g, heads[i], i < 2);
	json_array_foreach ((json_t *)results, i, result)
		if (of(scenario, result) && took_place(result))
			rows(&g, result, trials);
	fputc('\n', out);
	grid_align(&g);
	grid_print(out, &g, width, o->colour);
	failed = g.failed;
	grid_free(&g);
	return failed ? -ENOMEM : 0;
}
