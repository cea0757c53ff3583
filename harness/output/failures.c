// SPDX-License-Identifier: MIT
/* Below the table for people: what failed and what was wanted, and why what did not take place did not. */
#include "harness/output/forms.h"

#include "lib/files.h"
#include "lib/json.h"

#include <string.h>

/* Prints text with every line indented by two steps; a last newline is added. */
static void indented(FILE *out, const char *text)
{
	while (*text) {
		size_t len = strcspn(text, "\n");

		fprintf(out, "    %.*s\n", (int)len, text);
		text += len + (text[len] == '\n');
	}
}

/* "fail  scenario/cell (trial 2)" */
static void heading(FILE *out, const json_t *result, const struct output_options *o)
{
	const char *verdict = json_text(result, "verdict", "broken");
	const char *cell = json_text(result, "cell", "");
	int64_t trial = json_number(result, "trial", 1);

	fputc('\n', out);
	output_styled(out, o, output_style(verdict), verdict);
	fprintf(out, "  %s%s%s", json_text(result, "scenario", "?"), *cell ? "/" : "", cell);
	if (trial > 1)
		fprintf(out, " (trial %lld)", (long long)trial);
}

/* A number is given once more in its unit. */
static void got(FILE *out, const json_t *value, const char *wanted)
{
	AUTO_FREE char *text = NULL;
	char again[UNITS_TEXT_MAX];

	if (json_is_string(value)) {
		fputs(json_string_value(value), out);
		return;
	}
	if (!value || json_is_null(value)) {
		fputs("none", out);
		return;
	}
	text = json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT);
	fputs(text ? text : "?", out);
	if (output_measure(value, wanted, again))
		fprintf(out, " (%s)", again);
}

static void failures(FILE *out, const json_t *result, const struct output_options *o)
{
	const json_t *one;
	size_t i;

	heading(out, result, o);
	fputc('\n', out);
	json_array_foreach (json_object_get(result, "expectations"), i, one) {
		const char *wanted = json_text(one, "wanted", "?");

		if (strcmp(json_text(one, "verdict", ""), "fail") != 0)
			continue;
		fprintf(out, "    %s: got ", json_text(one, "that", "?"));
		got(out, json_object_get(one, "got"), wanted);
		fprintf(out, ", wanted %s  (%s)\n", wanted, json_text(one, "at", "?"));
	}
}

static bool same_trouble(const json_t *a, const json_t *b)
{
	return strcmp(json_text(a, "verdict", ""), json_text(b, "verdict", "")) == 0 &&
	       strcmp(json_text(a, "reason", ""), json_text(b, "reason", "")) == 0;
}

/* Why a cell was skipped or broke; said once for all that have the same reason. */
static void trouble(FILE *out, const json_t *results, size_t index, const struct output_options *o)
{
	const json_t *result = json_array_get(results, index), *other;
	size_t more = 0, i;

	json_array_foreach (results, i, other) {
		if (i == index || !same_trouble(result, other))
			continue;
		if (i < index)
			return;
		more++;
	}
	heading(out, result, o);
	if (more)
		fprintf(out, " and %zu more", more);
	fputc('\n', out);
	indented(out, json_text(result, "reason", "no reason given"));
}

void output_failures(FILE *out, const json_t *results, const struct output_options *o)
{
	const json_t *result;
	size_t i;

	json_array_foreach (results, i, result)
		if (strcmp(json_text(result, "verdict", ""), "fail") == 0)
			failures(out, result, o);
	json_array_foreach (results, i, result)
		if (strcmp(json_text(result, "verdict", ""), "pass") != 0 &&
		    strcmp(json_text(result, "verdict", ""), "fail") != 0)
			trouble(out, results, i, o);
}
