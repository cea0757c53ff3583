// SPDX-License-Identifier: MIT
#include "harness/verdict.h"

#include "tests/unit/trial_box.h"

static const char metrics_text[] =
	"{'hog.outcome': 'oom-killed', 'hog.touched': 1048576000, 'hog.duration': 1500000000, 'hog.exit_code': null,"
	" 'victim': null, 'kills': 2, 'system.mem_total': 1000.0, 'system.swap_total': 104857600,"
	" 'system.commit_limit': 1153433600, 'system.committed_peak': null}";

struct expectation {
	const char *expect; /* without `that`'s braces */
	const char *verdict, *wanted;
};

static void judge(const struct expectation *x)
{
	AUTO_FREE char *text = NULL;
	json_t *metrics = json_of(metrics_text), *expect, *judged;
	const char *that;

	assert_true(asprintf(&text, "{%s, 'at': 'f.yaml:3'}", x->expect) > 0);
	expect = json_of(text);
	that = json_text(expect, "that", "");
	judged = verdict_expectation(expect, metrics);
	assert_non_null(judged);
	if (strcmp(json_text(judged, "verdict", ""), x->verdict) != 0 ||
	    strcmp(json_text(judged, "wanted", ""), x->wanted) != 0)
		fail_msg("%s: %s, wanted \"%s\"", x->expect, json_text(judged, "verdict", ""),
			 json_text(judged, "wanted", ""));
	assert_string_equal(json_text(judged, "that", ""), that);
	assert_string_equal(json_text(judged, "at", ""), "f.yaml:3");
	if (json_object_get(metrics, that))
		assert_true(json_equal(json_object_get(judged, "got"), json_object_get(metrics, that)));
	else
		assert_true(json_is_null(json_object_get(judged, "got")));
	json_decref(judged);
	json_decref(expect);
	json_decref(metrics);
}

static void judge_all(const struct expectation *list, size_t count)
{
	for (; count-- > 0; list++)
		judge(list);
}

#define JUDGE(list) judge_all(list, sizeof(list) / sizeof((list)[0]))

static void is(void **state)
{
	static const struct expectation list[] = {
		{ "'that': 'hog.outcome', 'is': 'oom-killed'", "pass", "oom-killed" },
		{ "'that': 'hog.outcome', 'is': 'oom'", "fail", "oom" },
		{ "'that': 'hog.outcome', 'is': ['enomem', 'oom-killed']", "pass", "enomem or oom-killed" },
		{ "'that': 'hog.outcome', 'is': ['enomem', 'exited', 'sigbus']", "fail",
		  "enomem or exited or sigbus" },
		{ "'that': 'hog.outcome', 'is': []", "fail", "" },
		{ "'that': 'kills', 'is': 2", "pass", "2" },
		{ "'that': 'kills', 'is': 2.0", "pass", "2" },
		{ "'that': 'kills', 'is': '2'", "fail", "2" },
		{ "'that': 'kills', 'is': [1, 3]", "fail", "1 or 3" },
		{ "'that': 'kills', 'is': null", "fail", "none" },
		{ "'that': 'kills', 'is': true", "fail", "true" },
		{ "'that': 'hog.touched', 'is': 1048576000", "pass", "1000M" },
		{ "'that': 'victim', 'is': null", "pass", "none" },
		{ "'that': 'victim', 'is': ['hog', null]", "pass", "hog or none" },
		{ "'that': 'victim', 'is': 'hog'", "fail", "hog" },
		{ "'that': 'hog.exit_code', 'is': 0", "fail", "0" },
	};

	(void)state;
	JUDGE(list);
}

static void min_max_near(void **state)
{
	static const struct expectation list[] = {
		{ "'that': 'kills', 'min': 2", "pass", "at least 2" },
		{ "'that': 'kills', 'min': 3", "fail", "at least 3" },
		{ "'that': 'kills', 'max': 2", "pass", "at most 2" },
		{ "'that': 'kills', 'max': 1", "fail", "at most 1" },
		{ "'that': 'kills', 'min': 2, 'max': 2", "pass", "between 2 and 2" },
		{ "'that': 'kills', 'min': 3, 'max': 5", "fail", "between 3 and 5" },
		{ "'that': 'kills', 'min': 0, 'max': 1", "fail", "between 0 and 1" },
		{ "'that': 'system.mem_total', 'near': 950, 'within': 0.0527", "pass", "950B within 5.27 %" },
		{ "'that': 'system.mem_total', 'near': 950, 'within': 0.0526", "fail", "950B within 5.26 %" },
		{ "'that': 'system.mem_total', 'near': 1050, 'within': 0.05", "pass", "1050B within 5 %" },
		{ "'that': 'system.mem_total', 'near': 1060, 'within': 0.05", "fail", "1060B within 5 %" },
	};

	(void)state;
	JUDGE(list);
}

/* What a metric is held against may be other metrics of the same trial. */
static void bounds_of_metrics(void **state)
{
	static const struct expectation list[] = {
		{ "'that': 'hog.touched', 'near': ['system.commit_limit'], 'within': 0.1", "pass",
		  "1100M (= system.commit_limit) within 10 %" },
		{ "'that': 'hog.touched', 'near': ['system.commit_limit'], 'within': 0.09", "fail",
		  "1100M (= system.commit_limit) within 9 %" },
		{ "'that': 'hog.touched', 'near': ['system.commit_limit', '-', 'system.swap_total'], 'within': 0",
		  "pass", "1000M (= system.commit_limit - system.swap_total) within 0 %" },
		{ "'that': 'hog.touched', 'near': ['system.commit_limit', '-', 'system.swap_total', '+', 1],"
		  " 'within': 0",
		  "fail", "1048576001B (= system.commit_limit - system.swap_total + 1B) within 0 %" },
		{ "'that': 'hog.touched', 'min': ['system.swap_total', '+', 4096], 'max': ['system.commit_limit']",
		  "pass", "between 102404K (= system.swap_total + 4K) and 1100M (= system.commit_limit)" },
		{ "'that': 'hog.touched', 'max': ['system.swap_total']", "fail",
		  "at most 100M (= system.swap_total)" },
		{ "'that': 'kills', 'min': [7, '-', 'kills', '-', 'kills']", "fail",
		  "at least 3 (= 7 - kills - kills)" },
		{ "'that': 'hog.duration', 'min': ['hog.duration', '-', 500000000]", "pass",
		  "at least 1.0s (= hog.duration - 500ms)" },
		/* hog.touched is 1000M, swap_total 100M, kills 2. */
		{ "'that': 'hog.touched', 'min': [[10, 'system.swap_total']]", "pass",
		  "at least 1000M (= 10 * system.swap_total)" },
		{ "'that': 'hog.touched', 'min': [[10, 'system.swap_total'], '+', 1]", "fail",
		  "at least 1048576001B (= 10 * system.swap_total + 1B)" },
		{ "'that': 'hog.touched', 'max': ['system.commit_limit', '-', [0.5, 'system.swap_total']]",
		  "pass", "at most 1050M (= system.commit_limit - 0.5 * system.swap_total)" },
		{ "'that': 'hog.touched', 'max': ['system.commit_limit', '-', [1.5, 'system.swap_total']]",
		  "fail", "at most 950M (= system.commit_limit - 1.5 * system.swap_total)" },
		{ "'that': 'kills', 'near': [[0.5, 'kills'], '+', 1], 'within': 0", "pass",
		  "2 (= 0.5 * kills + 1) within 0 %" },
		{ "'that': 'hog.touched', 'max': [[2, 'system.committed_peak']]", "fail",
		  "at most none (= 2 * system.committed_peak)" },
		/* What was not measured holds nothing up, and nothing down. */
		{ "'that': 'hog.touched', 'min': ['system.committed_peak']", "fail",
		  "at least none (= system.committed_peak)" },
		{ "'that': 'hog.touched', 'max': ['system.commit_limit', '+', 'hog.exit_code']", "fail",
		  "at most none (= system.commit_limit + hog.exit_code)" },
		{ "'that': 'hog.touched', 'near': ['system.committed_peak'], 'within': 1", "fail",
		  "none (= system.committed_peak) within 100 %" },
		{ "'that': 'hog.touched', 'max': ['dog.touched']", "fail", "at most none (= dog.touched)" },
	};

	(void)state;
	JUDGE(list);
}

/* docs/records.md: "one or more of is, min, max, near". */
static void all_conditions_must_hold(void **state)
{
	static const struct expectation list[] = {
		{ "'that': 'kills', 'is': 2, 'max': 1", "fail", "2, at most 1" },
		{ "'that': 'kills', 'is': 3, 'max': 5", "fail", "3, at most 5" },
		{ "'that': 'kills', 'is': [2, 7], 'min': 1, 'max': 5", "pass", "2 or 7, between 1 and 5" },
		{ "'that': 'kills', 'near': 2, 'within': 0.5, 'max': 1", "fail", "2 within 50 %, at most 1" },
		{ "'that': 'kills', 'near': 9, 'within': 0.1, 'min': 1", "fail",
		  "9 within 10 %, at least 1" },
		{ "'that': 'kills'", "fail", "" },
	};

	(void)state;
	JUDGE(list);
}

/* What was not measured is neither small nor none; what there is no word for is not there. */
static void not_known(void **state)
{
	static const struct expectation list[] = {
		{ "'that': 'hog.exit_code', 'max': 5", "fail", "at most 5" },
		{ "'that': 'hog.exit_code', 'min': 0", "fail", "at least 0" },
		{ "'that': 'hog.exit_code', 'near': 0, 'within': 1", "fail", "0 within 100 %" },
		{ "'that': 'hog.swap_peak', 'max': 5", "fail", "at most 5B" },
		{ "'that': 'hog.swap_peak', 'is': null", "fail", "none" },
		{ "'that': 'hog.toched', 'is': null", "fail", "none" },
		{ "'that': 'hog.toched', 'max': 4096", "fail", "at most 4096" },
		{ "'that': 'victim', 'max': 5", "fail", "at most 5" },
		{ "'that': 'hog.outcome', 'min': 0", "fail", "at least 0" },
	};

	(void)state;
	JUDGE(list);
}

/* In the largest unit that loses nothing. */
static void wanted_texts(void **state)
{
	static const struct expectation list[] = {
		{ "'that': 'hog.touched', 'min': 1048576000, 'max': 1258291200", "pass",
		  "between 1000M and 1200M" },
		{ "'that': 'hog.touched', 'min': 1048575999", "pass", "at least 1048575999B" },
		{ "'that': 'hog.touched', 'min': 1048576001", "fail", "at least 1048576001B" },
		{ "'that': 'hog.touched', 'max': 1610612736", "pass", "at most 1536M" },
		{ "'that': 'hog.touched', 'max': 8589934592", "pass", "at most 8G" },
		{ "'that': 'hog.touched', 'max': 4503599627370496", "pass", "at most 4096T" },
		{ "'that': 'hog.touched', 'min': 0", "pass", "at least 0B" },
		{ "'that': 'hog.touched', 'min': 512", "pass", "at least 512B" },
		{ "'that': 'hog.touched', 'near': 1073741824, 'within': 0.05", "pass", "1G within 5 %" },
		{ "'that': 'hog.duration', 'max': 2000000000", "pass", "at most 2.0s" },
		{ "'that': 'hog.duration', 'max': 10000000", "fail", "at most 10ms" },
		{ "'that': 'kills', 'max': 1048576", "pass", "at most 1048576" },
	};

	(void)state;
	JUDGE(list);
}

/* What was measured and what it is held against, in the unit of the latter. */
static void near_is_compared(void **state)
{
	static const struct {
		const char *that, *metrics, *got, *wanted;
		double near, off;
	} list[] = {
		{ "hog.touched", "{'hog.touched': 3203399680}", "3055M", "3056M", 3204448256, -1.0 / 3056 },
		{ "hog.touched", "{'hog.touched': 13004800}", "12700K", "12556K", 12857344, 144.0 / 12556 },
		{ "hog.touched", "{'hog.touched': 3158016}", "3.012M", "3M", 3145728, 12.0 / 3072 },
		{ "hog.touched", "{'hog.touched': 0}", "0M", "1M", 1048576, -1 },
		{ "hog.duration", "{'hog.duration': 1500000000}", "1.5s", "2.0s", 2000000000, -0.25 },
		{ "kills", "{'kills': 5}", "5", "4", 4, 0.25 },
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(list) / sizeof(list[0]); i++) {
		json_t *metrics = json_of(list[i].metrics);
		json_t *expect = json_pack("{s:s, s:f, s:f}", "that", list[i].that, "near", list[i].near,
					   "within", 0.01);
		json_t *judged = verdict_expectation(expect, metrics);
		const json_t *near = json_object_get(judged, "near");
		double off = json_real_value(json_object_get(near, "off")) - list[i].off;

		assert_string_equal(json_text(near, "got", ""), list[i].got);
		assert_string_equal(json_text(near, "wanted", ""), list[i].wanted);
		assert_true(off < 1e-9 && off > -1e-9);
		assert_true(json_real_value(json_object_get(near, "within")) == 0.01);
		json_decref(judged);
		json_decref(expect);
		json_decref(metrics);
	}
}

/* What metrics come to is no round number: it is shown to four places, the exact one is in `wanted`. */
static void near_of_metrics_is_compared(void **state)
{
	json_t *metrics =
		json_of("{'hog.touched': 1095761920, 'system.commit_limit': 1096540160, 'kills': null}");
	json_t *expect = json_of("{'that': 'hog.touched', 'near': ['system.commit_limit'], 'within': 0.02}");
	json_t *judged = verdict_expectation(expect, metrics), *near = json_object_get(judged, "near");

	(void)state;
	assert_string_equal(json_text(judged, "wanted", ""), "1070840K (= system.commit_limit) within 2 %");
	assert_string_equal(json_text(near, "wanted", ""), "1046M");
	assert_string_equal(json_text(near, "got", ""), "1045M");
	assert_true(json_real_value(json_object_get(near, "off")) < -0.0007);
	json_decref(judged);
	json_object_set_new(expect, "near", json_of("['system.commit_limit', '-', 'kills']"));
	judged = verdict_expectation(expect, metrics);
	near = json_object_get(judged, "near");
	assert_string_equal(json_text(near, "wanted", ""), "none");
	assert_string_equal(json_text(near, "got", ""), "1045M");
	assert_true(json_is_null(json_object_get(near, "off")));
	json_decref(judged);
	json_decref(expect);
	json_decref(metrics);
}

/* Nothing to compare: no number, a near of 0, no near at all. */
static void near_without_a_difference(void **state)
{
	static const char *const list[][2] = {
		{ "{'that': 'hog.touched', 'near': 4096, 'within': 0.1}", "{'hog.touched': null}" },
		{ "{'that': 'hog.touched', 'near': 4096, 'within': 0.1}", "{}" },
		{ "{'that': 'hog.touched', 'near': 0, 'within': 0.1}", "{'hog.touched': 0}" },
	};
	json_t *expect, *metrics, *judged;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(list) / sizeof(list[0]); i++) {
		expect = json_of(list[i][0]);
		metrics = json_of(list[i][1]);
		judged = verdict_expectation(expect, metrics);
		assert_true(json_is_null(json_object_get(json_object_get(judged, "near"), "off")));
		assert_string_equal(json_text(json_object_get(judged, "near"), "got", ""),
				    i < 2 ? "none" : "0B");
		json_decref(judged);
		json_decref(expect);
		json_decref(metrics);
	}
	expect = json_of("{'that': 'kills', 'is': 0}");
	metrics = json_of("{'kills': 0}");
	judged = verdict_expectation(expect, metrics);
	assert_null(json_object_get(judged, "near"));
	json_decref(judged);
	json_decref(expect);
	json_decref(metrics);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(is),
		cmocka_unit_test(min_max_near),
		cmocka_unit_test(bounds_of_metrics),
		cmocka_unit_test(all_conditions_must_hold),
		cmocka_unit_test(not_known),
		cmocka_unit_test(wanted_texts),
		cmocka_unit_test(near_is_compared),
		cmocka_unit_test(near_of_metrics_is_compared),
		cmocka_unit_test(near_without_a_difference),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("verdict", tests, NULL, NULL);
}
