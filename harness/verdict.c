// SPDX-License-Identifier: MIT
#include "harness/verdict.h"

#include "harness/kills.h"
#include "harness/metrics.h"
#include "harness/outcome.h"
#include "harness/prediction.h"
#include "harness/record.h"
#include "lib/json.h"
#include "lib/units.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WANTED_MAX 2048
#define BOUND_MAX  640

/* What min, max or near comes to in one trial. */
struct bound {
	bool given;
	bool known;           /* false: one of its metrics was not measured */
	bool is_sum;          /* of metrics, and so as round as they are */
	double value;         /* in base units */
	char text[BOUND_MAX]; /* "64M", "418M (= system.a - system.b)" */
};

static const char size_names[] = "BKMGT";

/* The largest unit of sizes that does not round the value away. */
static int size_unit(double value)
{
	uint64_t bytes = (uint64_t)value;
	int i = 0;

	for (; bytes && bytes % 1024 == 0 && size_names[i + 1]; i++)
		bytes /= 1024;
	return i;
}

/* A number in the metric's own unit as people read it; a size in a unit that suits another one, like. */
static void number_text_like(double value, double like, enum metric_unit unit, char ret[64])
{
	char text[UNITS_TEXT_MAX];

	if (unit == METRIC_BYTES && value >= 0) {
		int i = size_unit(like);
		double scaled = ldexp(value, -10 * i);

		snprintf(ret, 64, scaled < 1000 ? "%.4g%c" : "%.0f%c", scaled, size_names[i]);
	} else if (unit == METRIC_NS && value >= 0) {
		snprintf(ret, 64, "%s", duration_format(text, (uint64_t)value));
	} else {
		snprintf(ret, 64, "%.12g", value);
	}
}

static void number_text(double value, enum metric_unit unit, char ret[64])
{
	number_text_like(value, value, unit, ret);
}

static void scalar_text(const json_t *value, enum metric_unit unit, char ret[64])
{
	if (json_is_string(value))
		snprintf(ret, 64, "%s", json_string_value(value));
	else if (json_is_number(value))
		number_text(json_number_value(value), unit, ret);
	else if (json_is_boolean(value))
		snprintf(ret, 64, "%s", json_is_true(value) ? "true" : "false");
	else
		snprintf(ret, 64, "none");
}

static bool same(const json_t *got, const json_t *wanted)
{
	if (json_is_number(got) && json_is_number(wanted))
		return json_number_value(got) == json_number_value(wanted);
	return json_equal(got, wanted) == 1;
}

static bool is_one_of(const json_t *got, const json_t *is)
{
	json_t *one;
	size_t i;

	if (!json_is_array(is))
		return same(got, is);
	json_array_foreach (is, i, one)
		if (same(got, one))
			return true;
	return false;
}

static void is_text(const json_t *is, enum metric_unit unit, char ret[WANTED_MAX])
{
	char one[64];
	size_t i, len = 0;

	if (!json_is_array(is)) {
		scalar_text(is, unit, one);
		snprintf(ret, WANTED_MAX, "%s", one);
		return;
	}
	ret[0] = 0;
	for (i = 0; i < json_array_size(is) && len < WANTED_MAX; i++) {
		scalar_text(json_array_get(is, i), unit, one);
		len += (size_t)snprintf(ret + len, WANTED_MAX - len, "%s%s", i ? " or " : "", one);
	}
}

/* One of the terms or signs of a bound as people read it: "system.mem_total", "1.5 * hog.rss_peak", "64M", "-". */
static void term_text(const json_t *one, enum metric_unit unit, char ret[WANTED_MAX])
{
	char number[64];

	if (json_is_string(one)) {
		snprintf(ret, WANTED_MAX, "%s", json_string_value(one));
	} else if (json_is_array(one)) {
		number_text(json_number_value(json_array_get(one, 0)), METRIC_COUNT, number);
		snprintf(ret, WANTED_MAX, "%s * %s", number, json_string_value(json_array_get(one, 1)));
	} else {
		number_text(json_number_value(one), unit, number);
		snprintf(ret, WANTED_MAX, "%s", number);
	}
}

/* What a term comes to: "system.mem_total", [1.5, "hog.rss_peak"] or 4096. False: its metric was not measured. */
static bool term_value(const json_t *one, const json_t *metrics, double *ret)
{
	double factor = json_is_array(one) ? json_number_value(json_array_get(one, 0)) : 1;
	const char *name = json_string_value(json_is_array(one) ? json_array_get(one, 1) : one);
	const json_t *value = name ? json_object_get(metrics, name) : one;

	*ret = factor * json_number_value(value);
	return json_is_number(value);
}

/* ["a", "-", [2, "b"], "+", 4096]: what it comes to by the metrics of the trial, and " (= a - 2 * b + 4K)". */
static void add_up(const json_t *list, const json_t *metrics, enum metric_unit unit, struct bound *b,
		   char names[BOUND_MAX])
{
	size_t len = (size_t)snprintf(names, BOUND_MAX, " (="), i;
	const json_t *one;
	double sign = 1, value;

	json_array_foreach ((json_t *)list, i, one) {
		char text[WANTED_MAX];

		term_text(one, unit, text);
		if (len < BOUND_MAX)
			len += (size_t)snprintf(names + len, BOUND_MAX - len, " %s", text);
		if (i % 2) {
			sign = text[0] == '-' ? -1 : 1;
			continue;
		}
		b->known = term_value(one, metrics, &value) && b->known;
		b->value += sign * value;
	}
	if (len < BOUND_MAX)
		snprintf(names + len, BOUND_MAX - len, ")");
}

static struct bound bound_of(const json_t *expect, const char *key, const json_t *metrics,
			     enum metric_unit unit)
{
	const json_t *is = json_object_get(expect, key);
	struct bound b = { .given = is, .known = true, .is_sum = json_is_array(is) };
	char names[BOUND_MAX] = "", value[64] = "none";

	if (b.is_sum)
		add_up(is, metrics, unit, &b, names);
	else
		b.value = json_number_value(is);
	if (b.known)
		number_text(b.value, unit, value);
	snprintf(b.text, sizeof(b.text), "%s%.*s", value, (int)sizeof(b.text) - 64, names);
	return b;
}

static void range_text(const struct bound *min, const struct bound *max, char ret[WANTED_MAX])
{
	if (min->given && max->given)
		snprintf(ret, WANTED_MAX, "between %s and %s", min->text, max->text);
	else
		snprintf(ret, WANTED_MAX, "%s %s", min->given ? "at least" : "at most",
			 min->given ? min->text : max->text);
}

static bool is_near(const json_t *got, const struct bound *near, double within)
{
	return json_is_number(got) && near->known &&
	       fabs(json_number_value(got) - near->value) <= within * fabs(near->value);
}

static bool in_range(const json_t *got, const struct bound *min, const struct bound *max)
{
	double value = json_number_value(got);

	return json_is_number(got) && min->known && max->known && (!min->given || value >= min->value) &&
	       (!max->given || value <= max->value);
}

static void add_text(char wanted[WANTED_MAX], const char *text)
{
	size_t len = strlen(wanted);

	if (snprintf(wanted + len, WANTED_MAX - len, "%s%s", len ? ", " : "", text) < 0)
		wanted[len] = 0;
}

/* Judges one expectation; wanted gets its text. All conditions it states must hold. */
static bool holds(const json_t *expect, const json_t *got, const json_t *metrics, enum metric_unit unit,
		  char wanted[WANTED_MAX])
{
	const json_t *is = json_object_get(expect, "is");
	struct bound near = bound_of(expect, "near", metrics, unit);
	struct bound min = bound_of(expect, "min", metrics, unit);
	struct bound max = bound_of(expect, "max", metrics, unit);
	double within = json_number_value(json_object_get(expect, "within"));
	bool ok = is || near.given || min.given || max.given;
	char text[WANTED_MAX];

	wanted[0] = 0;
	if (is) {
		is_text(is, unit, text);
		add_text(wanted, text);
		ok = is_one_of(got, is);
	}
	if (near.given) {
		snprintf(text, sizeof(text), "%s within %g %%", near.text, within * 100);
		add_text(wanted, text);
		ok = ok && is_near(got, &near, within);
	}
	if (min.given || max.given) {
		range_text(&min, &max, text);
		add_text(wanted, text);
		ok = ok && in_range(got, &min, &max);
	}
	return ok;
}

/* The largest power of 1024 that a value has ten times, for texts that need not be exact. */
static double round_unit(double value)
{
	double unit = 1;

	while (unit * 10240 <= value)
		unit *= 1024;
	return unit;
}

/* A value that is to be near another one, beside it: as texts in one unit, and how far off it is. */
static json_t *comparison(const json_t *expect, const json_t *got, const json_t *metrics,
			  enum metric_unit unit)
{
	struct bound near = bound_of(expect, "near", metrics, unit);
	bool known = near.known && json_is_number(got);
	double value = json_number_value(got), like = near.is_sum ? round_unit(near.value) : near.value;
	json_t *off = known && near.value != 0 ? json_real((value - near.value) / near.value) : json_null();
	char wanted_text[64] = "none", got_text[64] = "none";

	if (near.known)
		number_text_like(near.value, like, unit, wanted_text);
	if (json_is_number(got))
		number_text_like(value, like, unit, got_text);
	return json_pack("{s:s, s:s, s:o, s:O}", "got", got_text, "wanted", wanted_text, "off", off, "within",
			 json_object_get(expect, "within"));
}

/* A stressor's own metric: the spec says what it counts. */
static enum metric_unit own_unit(const json_t *expect)
{
	const char *unit = json_text(expect, "unit", "");

	return !strcmp(unit, "bytes") ? METRIC_BYTES : !strcmp(unit, "ns") ? METRIC_NS : METRIC_COUNT;
}

json_t *verdict_expectation(const json_t *expect, const json_t *metrics)
{
	const char *that = json_text(expect, "that", "");
	const struct metric *metric = metric_find(that);
	json_t *got = json_object_get(metrics, that);
	enum metric_unit unit = metric ? metric->unit : own_unit(expect);
	char wanted[WANTED_MAX];
	bool ok = holds(expect, got ? got : json_null(), metrics, unit, wanted);
	json_t *judged;

	ok = ok && got; /* what is not measured at all is not what null asks for */
	judged = json_pack("{s:s, s:s, s:O, s:s, s:s}", "that", that, "wanted", wanted, "got",
			   got ? got : json_null(), "verdict", ok ? "pass" : "fail", "at",
			   json_text(expect, "at", ""));
	if (json_object_get(expect, "near"))
		json_object_set_new(judged, "near", comparison(expect, got, metrics, unit));
	return judged;
}

/* What every result has, in the order people read it. */
static json_t *head(const json_t *spec, const char *place, int trial)
{
	json_t *axes = json_object_get(spec, "axes");

	return json_pack("{s:i, s:s, s:s, s:O, s:i, s:s}", "result", 1, "scenario",
			 json_text(spec, "scenario", ""), "cell", json_text(spec, "cell", "all"), "axes",
			 axes ? axes : json_null(), "trial", trial, "place", place);
}

static json_t *text_or_null(const char *text)
{
	return text ? json_string(text) : json_null();
}

json_t *verdict_without_trial(const json_t *spec, const char *place, int trial, const char *verdict,
			      const char *reason)
{
	json_t *result = head(spec, place, trial);

	json_object_set_new(result, "kernel", json_null());
	json_object_set_new(result, "verdict", json_string(verdict));
	json_object_set_new(result, "reason", json_string(reason));
	json_object_set_new(result, "processes", json_array());
	json_object_set_new(result, "victims", json_array());
	json_object_set_new(result, "oracle", json_null());
	json_object_set_new(result, "metrics", json_object());
	json_object_set_new(result, "expectations", json_array());
	return result;
}

/* No scenario has to say that memory must read back as it was written: a process where it did not fails, in list. */
static bool as_written(const json_t *spec, const json_t *metrics, json_t *list)
{
	bool ok = true;
	json_t *one;
	size_t i;

	json_array_foreach (json_object_get(spec, "processes"), i, one) {
		char that[256];
		json_t *got;

		snprintf(that, sizeof(that), "%s.check_errors", json_text(one, "name", ""));
		got = json_object_get(metrics, that);
		if (json_integer_value(got) == 0)
			continue;
		json_array_append_new(list, json_pack("{s:s, s:s, s:O, s:s, s:s}", "that", that, "wanted",
						      "0", "got", got, "verdict", "fail", "at", ""));
		ok = false;
	}
	return ok;
}

static json_t *judge(const json_t *spec, const json_t *metrics, bool *ret_ok)
{
	json_t *list = json_array(), *one;
	size_t i;

	*ret_ok = true;
	json_array_foreach (json_object_get(spec, "expect"), i, one) {
		json_t *judged = verdict_expectation(one, metrics);

		*ret_ok = *ret_ok && !strcmp(json_text(judged, "verdict", ""), "pass");
		json_array_append_new(list, judged);
	}
	*ret_ok = as_written(spec, metrics, list) && *ret_ok;
	return list;
}

/* Each process of result.json also carries its own metrics, by their short names. */
static void hand_out(json_t *processes, const json_t *metrics)
{
	json_t *one;
	size_t i, j;

	json_array_foreach (processes, i, one) {
		json_t *own = json_object();
		const struct metric *m;

		for (j = 0; (m = metric_at(METRIC_PROCESS, j)); j++) {
			char full[256];
			json_t *value;

			snprintf(full, sizeof(full), "%s.%s", json_text(one, "name", ""), m->name);
			value = json_object_get(metrics, full);
			if (m->unit != METRIC_WORD && m->unit != METRIC_OUTCOME && value)
				json_object_set(own, m->name, value);
		}
		json_object_set_new(one, "metrics", own);
	}
}

/* The first process that found this machine to lack what it needs. */
static const json_t *unmet(const json_t *processes)
{
	json_t *one;
	size_t i;

	json_array_foreach ((json_t *)processes, i, one)
		if (!strcmp(json_text(one, "phase", ""), "unmet"))
			return one;
	return NULL;
}

/* "NAME: its note", null for no process. */
static json_t *said(const json_t *process)
{
	if (!process)
		return json_null();
	return json_sprintf("%s: %s", json_text(process, "name", ""), json_text(process, "note", ""));
}

static void say_oracle(json_t *metrics, const json_t *oracle)
{
	const char *agrees = json_text(oracle, "agrees", NULL);
	const char *exact = json_text(json_object_get(oracle, "exact"), "agreement", NULL);

	json_object_set_new(metrics, "oracle.agrees", text_or_null(agrees));
	json_object_set_new(metrics, "oracle.exact", text_or_null(exact));
}

static json_t *build(const json_t *spec, const struct blackbox *box, const struct record *record,
		     const char *place, int trial, const char *broken)
{
	json_t *result = head(spec, place, trial);
	json_t *processes = outcome_processes(record, spec);
	char *disagreement = NULL;
	json_t *victims = outcome_victims(record, spec, &disagreement);
	json_t *metrics = metrics_compute(record, spec, processes, victims);
	json_t *oracle = prediction(record, spec, box);
	json_t *kills = kills_list(record, spec, box);
	/* A change that the kernel refused: what was to be tried did not happen. */
	const char *refused = json_text(record_event(record, "fault-failed", NULL, NULL), "reason", NULL);
	const char *reason = broken ? broken : refused ? refused : disagreement;
	const json_t *lacking;
	json_t *judged;
	bool ok;

	say_oracle(metrics, oracle);
	kills_say(metrics, kills, spec);
	judged = judge(spec, metrics, &ok);
	hand_out(processes, metrics);
	json_object_set_new(
		result, "kernel",
		text_or_null(json_text(record_event(record, "start", NULL, NULL), "kernel", NULL)));
	lacking = unmet(processes);
	json_object_set_new(result, "verdict",
			    json_string(reason    ? "broken"
					: lacking ? "skip"
					: ok      ? "pass"
						  : "fail"));
	json_object_set_new(result, "reason", reason ? json_string(reason) : said(lacking));
	json_object_set_new(result, "sealed", text_or_null(box->header->sealed ? box->header->seal : NULL));
	json_object_set_new(result, "processes", processes);
	json_object_set_new(result, "victims", victims);
	json_object_set_new(result, "kills", kills);
	json_object_set_new(result, "oracle", oracle);
	json_object_set_new(result, "metrics", metrics);
	json_object_set_new(result, "expectations", judged);
	free(disagreement);
	return result;
}

int verdict_result(const json_t *spec, const char *box_path, const char *place, int trial, const char *broken,
		   json_t **ret, struct err *e)
{
	struct record record;
	struct blackbox box;
	int r;

	r = bb_open(box_path, false, &box, e);
	if (r < 0)
		return r;
	r = record_read(&box, &record, e);
	if (r == 0) {
		*ret = build(spec, &box, &record, place, trial, broken);
		record_free(&record);
	}
	bb_close(&box);
	return r;
}
