// SPDX-License-Identifier: MIT
/* TAP 13, flat: what Debian's prove accepts. https://testanything.org/tap-version-13-specification.html */
#include "harness/output/forms.h"

#include "lib/json.h"

#include <string.h>

static bool has_verdict(const json_t *object, const char *verdict)
{
	return strcmp(json_text(object, "verdict", ""), verdict) == 0;
}

static bool judged(const json_t *result)
{
	return has_verdict(result, "pass") || has_verdict(result, "fail");
}

/* Text on one line. In a description (not in the reason of a directive) '#' is escaped: it would start one.
 */
static void words(FILE *out, const char *text, bool escape)
{
	for (; *text; text++) {
		unsigned char c = (unsigned char)*text;

		if (escape && (c == '#' || c == '\\'))
			fputc('\\', out);
		if (c == '\n' && !text[1])
			break;
		if (c == '\n')
			fputs("; ", out);
		else
			fputc(c < 0x20 || c == 0x7f ? ' ' : c, out);
	}
}

static void name(FILE *out, const json_t *result)
{
	const char *cell = json_text(result, "cell", "");
	int64_t trial = json_number(result, "trial", 1);

	words(out, json_text(result, "scenario", "?"), true);
	if (*cell)
		fputc('/', out);
	words(out, cell, true);
	if (trial > 1)
		fprintf(out, " (trial %lld)", (long long)trial);
}

/* "    key: value": a scalar as JSON is YAML too. Several lines become a block. */
static void yaml(FILE *out, const char *key, const json_t *value)
{
	const char *text = json_string_value(value);

	fprintf(out, "  %s: ", key);
	if (!text || !strchr(text, '\n')) {
		if (!value || json_dumpf(value, out, JSON_ENCODE_ANY | JSON_COMPACT) < 0)
			fputs("null", out);
		fputc('\n', out);
		return;
	}
	fputs("|\n", out);
	while (*text) {
		size_t len = strcspn(text, "\n"), i;

		fputs("    ", out);
		for (i = 0; i < len; i++)
			fputc((unsigned char)text[i] < 0x20 || text[i] == 0x7f ? ' ' : text[i], out);
		fputc('\n', out);
		text += len + (text[len] == '\n');
	}
}

static void expectation(FILE *out, size_t number, const json_t *result, const json_t *one)
{
	bool failed = !has_verdict(one, "pass");

	fprintf(out, "%s %zu - ", failed ? "not ok" : "ok", number);
	name(out, result);
	fputs(": ", out);
	words(out, json_text(one, "that", "?"), true);
	fputs(" is ", out);
	words(out, json_text(one, "wanted", "?"), true);
	fputc('\n', out);
	if (!failed)
		return;
	fputs("  ---\n", out);
	yaml(out, "got", json_object_get(one, "got"));
	yaml(out, "wanted", json_object_get(one, "wanted"));
	yaml(out, "at", json_object_get(one, "at"));
	fputs("  ...\n", out);
}

/* A result with one point: skipped, broken, or nothing was expected of it. */
static void whole(FILE *out, size_t number, const json_t *result)
{
	bool broken = !judged(result) && !has_verdict(result, "skip");

	fprintf(out, "%s %zu - ", broken || has_verdict(result, "fail") ? "not ok" : "ok", number);
	name(out, result);
	if (has_verdict(result, "skip")) {
		fputs(" # SKIP ", out);
		words(out, json_text(result, "reason", "no reason given"), false);
	}
	fputc('\n', out);
	if (!broken)
		return;
	fputs("  ---\n", out);
	yaml(out, "broken", json_object_get(result, "reason"));
	fputs("  ...\n", out);
}

static size_t points(const json_t *result)
{
	size_t n = judged(result) ? json_array_size(json_object_get(result, "expectations")) : 0;

	return n ? n : 1;
}

static int write_tap(FILE *out, const json_t *run, const struct output_options *options)
{
	const json_t *results = json_object_get(run, "results"), *result, *one;
	size_t plan = 0, number = 0, skipped = 0, i, j;

	(void)options;
	fputs("TAP version 13\n", out);
	json_array_foreach (results, i, result) {
		plan += points(result);
		skipped += has_verdict(result, "skip");
	}
	if (skipped == json_array_size(results)) {
		fputs("1..0 # SKIP ", out);
		words(out, json_text(json_array_get(results, 0), "reason", "nothing to run"), false);
		fputc('\n', out);
		return 0;
	}
	fprintf(out, "1..%zu\n", plan);
	json_array_foreach (results, i, result) {
		const json_t *expectations = json_object_get(result, "expectations");

		if (!judged(result) || json_array_size(expectations) == 0) {
			whole(out, ++number, result);
			continue;
		}
		json_array_foreach (expectations, j, one)
			expectation(out, ++number, result, one);
	}
	return 0;
}

const struct output output_tap = {
	.name = "tap",
	.about = "TAP 13: a point an expectation",
	.write = write_tap,
};
