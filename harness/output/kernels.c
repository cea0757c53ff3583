// SPDX-License-Identifier: MIT
/*
 * Where kernels differ: a column a kernel, a row a case with its verdicts, and below it each metric of its expectations
 * that is not the same on all of them. What is not listed is the same.
 */
#include "harness/output/forms.h"

#include "harness/output/grid.h"
#include "lib/files.h"
#include "lib/json.h"
#include "lib/units.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define KERNELS_MAX (GRID_COLUMNS_MAX - 2)
/* Numbers closer than that are taken for the same: guests that are not deterministic differ in the last digits. */
#define SAME_WITHIN 0.01

struct comparison {
	const json_t *results;
	const char *kernels[KERNELS_MAX]; /* values of the axis, in the order of the run */
	size_t kernel_count;
	bool some_differ;
};

static const char *kernel_of(const json_t *result)
{
	return json_text(json_object_get(result, "axes"), "kernel", NULL);
}

static void find_kernels(struct comparison *c)
{
	const json_t *result;
	size_t i, k;

	json_array_foreach (c->results, i, result) {
		const char *name = kernel_of(result);

		for (k = 0; name && k < c->kernel_count; k++)
			if (strcmp(c->kernels[k], name) == 0)
				break;
		if (name && k == c->kernel_count && k < KERNELS_MAX)
			c->kernels[c->kernel_count++] = name;
	}
}

static bool same_but_kernel(const json_t *a, const json_t *b)
{
	const json_t *axes = json_object_get(a, "axes"), *other = json_object_get(b, "axes");
	const char *axis;
	json_t *value;

	if (strcmp(json_text(a, "scenario", ""), json_text(b, "scenario", "")) != 0 ||
	    json_object_size(axes) != json_object_size(other))
		return false;
	json_object_foreach ((json_t *)axes, axis, value)
		if (strcmp(axis, "kernel") != 0 && !json_equal(value, json_object_get(other, axis)))
			return false;
	return true;
}

/* The first trial of the case of first on each kernel, NULL where there is none; false: first is not its case's first. */
static bool find_case(const struct comparison *c, const json_t *first, const json_t *ret[KERNELS_MAX])
{
	const json_t *result;
	bool is_first = false;
	size_t i, k;

	memset(ret, 0, c->kernel_count * sizeof(*ret));
	json_array_foreach (c->results, i, result) {
		const char *name = kernel_of(result);

		if (!name || !same_but_kernel(first, result))
			continue;
		if (!is_first && result != first)
			return false;
		is_first = true;
		for (k = 0; k < c->kernel_count; k++)
			if (strcmp(c->kernels[k], name) == 0 && !ret[k])
				ret[k] = result;
	}
	return is_first;
}

static bool took_place(const json_t *result)
{
	const char *verdict = json_text(result, "verdict", "");

	return strcmp(verdict, "pass") == 0 || strcmp(verdict, "fail") == 0;
}

static const json_t *metric_of(const json_t *result, const char *name)
{
	return json_object_get(json_object_get(result, "metrics"), name);
}

static bool differs(const struct comparison *c, const json_t *const results[], const char *name)
{
	const json_t *first = NULL;
	double low = 0, high = 0;
	size_t k;

	for (k = 0; k < c->kernel_count; k++) {
		const json_t *value = took_place(results[k]) ? metric_of(results[k], name) : NULL;

		if (!value)
			continue;
		if (!first) {
			first = value;
			low = high = json_number_value(value);
		}
		if (!json_is_number(first) || !json_is_number(value)) {
			if (!json_equal(first, value))
				return true;
			continue;
		}
		low = json_number_value(value) < low ? json_number_value(value) : low;
		high = json_number_value(value) > high ? json_number_value(value) : high;
	}
	return high - low > high * SAME_WITHIN;
}

/* "upgrade-swap", "overcommit-modes, overcommit_memory=0" */
static void case_cell(struct grid *g, const json_t *result)
{
	const char *axis, *scenario = json_text(result, "scenario", "?");
	char text[256];
	size_t len = (size_t)snprintf(text, sizeof(text), "%s", scenario);
	json_t *value;

	json_object_foreach (json_object_get(result, "axes"), axis, value)
		if (strcmp(axis, "kernel") != 0 && len < sizeof(text))
			len += (size_t)snprintf(text + len, sizeof(text) - len, ", %s=%s", axis,
						json_is_string(value) ? json_string_value(value) : "?");
	grid_cell(g, text, NULL);
}

bool output_measure(const json_t *value, const char *wanted, char ret[UNITS_TEXT_MAX])
{
	if (!json_is_integer(value) || json_integer_value(value) < 0)
		return false;
	for (; *wanted && *wanted != '('; wanted++) {
		if (!isdigit((unsigned char)*wanted) || !wanted[1])
			continue;
		if (strchr("BKMGT", wanted[1]))
			size_format(ret, (uint64_t)json_integer_value(value));
		else if (strchr("numsh", wanted[1]))
			duration_format(ret, (uint64_t)json_integer_value(value));
		else
			continue;
		return true;
	}
	return false;
}

static void metric_row(struct grid *g, struct comparison *c, const json_t *const results[], const char *name,
		       const char *wanted)
{
	char text[UNITS_TEXT_MAX + 256];
	size_t k;

	snprintf(text, sizeof(text), "  %s", name);
	grid_cell(g, text, NULL);
	for (k = 0; k < c->kernel_count; k++) {
		const json_t *value = took_place(results[k]) ? metric_of(results[k], name) : NULL;
		AUTO_FREE char *raw = value ? json_dumps(value, JSON_ENCODE_ANY) : NULL;

		if (json_is_string(value))
			grid_cell(g, json_string_value(value), NULL);
		else if (output_measure(value, wanted, text))
			grid_cell(g, text, NULL);
		else
			grid_cell(g, raw && !json_is_null(value) ? raw : "-", NULL);
	}
	c->some_differ = true;
}

/* Each metric once, though several expectations are about it. */
static bool seen_before(const json_t *const results[], size_t of, size_t at, const char *name)
{
	const json_t *one;
	size_t k, i;

	for (k = 0; k <= of; k++)
		json_array_foreach (json_object_get(results[k], "expectations"), i, one) {
			if (k == of && i == at)
				return false;
			if (strcmp(json_text(one, "that", ""), name) == 0)
				return true;
		}
	return false;
}

static void case_rows(struct grid *g, struct comparison *c, const json_t *const results[])
{
	const json_t *one;
	size_t k, i;

	for (k = 0; k < c->kernel_count; k++) {
		const char *verdict = json_text(results[k], "verdict", "-");

		grid_cell(g, verdict, output_style(verdict));
	}
	for (k = 0; k < c->kernel_count; k++)
		json_array_foreach (json_object_get(results[k], "expectations"), i, one) {
			const char *name = json_text(one, "that", "");

			if (!seen_before(results, k, i, name) && differs(c, results, name))
				metric_row(g, c, results, name, json_text(one, "wanted", ""));
		}
}

int output_kernels(FILE *out, const json_t *results, const struct output_options *o, size_t width)
{
	struct comparison c = { .results = results };
	const json_t *of_case[KERNELS_MAX], *result;
	struct grid g = { 0 };
	bool failed;
	size_t i;

	find_kernels(&c);
	if (c.kernel_count < 2)
		return 0;
	grid_column(&g, "where kernels differ", true);
	for (i = 0; i < c.kernel_count; i++)
		grid_column(&g, c.kernels[i], true);
	json_array_foreach (results, i, result) {
		if (!find_case(&c, result, of_case))
			continue;
		case_cell(&g, result);
		case_rows(&g, &c, of_case);
	}
	fputc('\n', out);
	grid_print(out, &g, width, o->colour);
	if (!c.some_differ)
		fputs("No metric of an expectation differs.\n", out);
	failed = g.failed;
	grid_free(&g);
	return failed ? -ENOMEM : 0;
}
