// SPDX-License-Identifier: MIT
/* result.json, made of a black box. */
#include "harness/verdict.h"

#include "tests/unit/trial_box.h"

#include <errno.h>

/* The record of one process that was oom-killed. */
static void write_kill(struct trial_box *b, int counted)
{
	box_text(b, BB_COLUMNS, "{'of': 'cgroup', 'names': ['oom_kills']}");
	box_text(b, BB_COLUMNS, "{'of': 'process', 'names': ['rss_peak']}");
	box_event(b, "{'event': 'start', 'kernel': '6.1.0', 'cgroup_version': 2}");
	box_event(b, "{'event': 'cgroup', 'cgroup': 'app', 'path': 'g/app'}");
	SAMPLE(b, BB_CGROUP, 0, 0);
	box_event(b, "{'event': 'spawn', 'process': 'hog', 'pid': 91}");
	box_event(b, "{'event': 'release'}");
	SAMPLE(b, BB_PROCESS, 0, 4096);
	box_event(b, "{'event': 'oom-kill', 'process': 'hog', 'pid': 91, 'task_memcg': '/g/app'}");
	box_event(b, "{'event': 'exit', 'process': 'hog', 'pid': 91, 'signal': 9, 'touched': 4000}");
	SAMPLE(b, BB_CGROUP, 0, counted);
	box_event(b, "{'event': 'end', 'kernel_log_lost': 0}");
}

/* The box's result with this list of expectations. */
static json_t *result_of(struct trial_box *b, const char *expect, const char *broken)
{
	json_t *spec = json_of("{'spec': 1, 'scenario': 's', 'cell': 'c', 'axes': {'a': '1'},"
			       " 'cgroups': [{'path': 'app', 'set': {}}],"
			       " 'processes': [{'name': 'hog', 'run': ['memset'], 'cgroup': 'app'}]}");
	json_t *result = NULL;

	json_object_set_new(spec, "expect", json_of(expect));
	assert_int_equal(verdict_result(spec, b->path, "host", 3, broken, &result, &b->e), 0);
	json_decref(spec);
	return result;
}

static void verdict_is(json_t *result, const char *verdict, const char *reason)
{
	const char *got = json_text(result, "reason", NULL);

	assert_string_equal(json_text(result, "verdict", ""), verdict);
	if (!reason)
		assert_true(json_is_null(json_object_get(result, "reason")));
	else if (!got || !strstr(got, reason))
		fail_msg("reason: %s", got ? got : "null");
	json_decref(result);
}

static void whole_result(void **state)
{
	struct trial_box *b = *state;
	json_t *result, *hog;

	write_kill(b, 1);
	bb_seal(&b->box, "all processes ended");
	result = result_of(b, "[{'that': 'victim', 'is': 'hog'}]", NULL);
	assert_int_equal(json_number(result, "result", 0), 1);
	assert_string_equal(json_text(result, "scenario", ""), "s");
	assert_string_equal(json_text(result, "cell", ""), "c");
	assert_string_equal(json_text(json_object_get(result, "axes"), "a", ""), "1");
	assert_int_equal(json_number(result, "trial", 0), 3);
	assert_string_equal(json_text(result, "place", ""), "host");
	assert_string_equal(json_text(result, "kernel", ""), "6.1.0");
	assert_string_equal(json_text(result, "sealed", ""), "all processes ended");
	assert_int_equal(json_array_size(json_object_get(result, "victims")), 1);
	assert_string_equal(json_text(json_object_get(result, "metrics"), "victim", ""), "hog");
	hog = json_array_get(json_object_get(result, "processes"), 0);
	assert_int_equal(json_number(json_object_get(hog, "metrics"), "rss_peak", 0), 4096);
	assert_int_equal(json_number(json_object_get(hog, "metrics"), "touched", 0), 4000);
	assert_null(json_object_get(json_object_get(hog, "metrics"), "outcome"));
	assert_string_equal(json_text(hog, "outcome", ""), "oom-killed");
	verdict_is(result, "pass", NULL);
}

static void verdicts(void **state)
{
	struct trial_box *b = *state;

	write_kill(b, 1);
	verdict_is(result_of(b, "[]", NULL), "pass", NULL);
	verdict_is(result_of(b, "null", NULL), "pass", NULL);
	verdict_is(result_of(b, "[{'that': 'kills', 'is': 1}, {'that': 'kills', 'max': 1}]", NULL), "pass",
		   NULL);
	verdict_is(result_of(b, "[{'that': 'kills', 'is': 2}, {'that': 'kills', 'max': 1}]", NULL), "fail",
		   NULL);
	verdict_is(result_of(b, "[{'that': 'kills', 'is': 1}, {'that': 'kills', 'max': 0}]", NULL), "fail",
		   NULL);
	verdict_is(result_of(b, "[]", "the guest panicked"), "broken", "the guest panicked");
	verdict_is(result_of(b, "[{'that': 'kills', 'is': 2}]", "gone"), "broken", "gone");
}

/* A process that ended by itself, with these members of its exit event. */
static void write_exit(struct trial_box *b, const char *members)
{
	AUTO_FREE char *event = NULL;

	assert_true(asprintf(&event, "{'event': 'exit', 'process': 'hog', 'pid': 91, 'exit_code': 0, %s}",
			     members) > 0);
	box_event(b, "{'event': 'spawn', 'process': 'hog', 'pid': 91}");
	box_event(b, event);
	box_event(b, "{'event': 'end', 'kernel_log_lost': 0}");
}

/* What a stressor lacks makes a skip, whatever the expectations say. */
static void unmet_is_a_skip(void **state)
{
	struct trial_box *b = *state;

	write_exit(b, "'phase': 'unmet', 'note': 'one node'");
	verdict_is(result_of(b, "[{'that': 'kills', 'is': 2}]", NULL), "skip", "hog: one node");
	verdict_is(result_of(b, "[]", "gone"), "broken", "gone");
}

static void wrong_bytes_fail(void **state)
{
	struct trial_box *b = *state;
	json_t *result, *judged;

	write_exit(b, "'phase': 'error', 'check_errors': 3, 'note': 'wrong byte at 0x1000'");
	result = result_of(b, "[{'that': 'kills', 'is': 0}]", NULL);
	judged = json_array_get(json_object_get(result, "expectations"), 1);
	assert_string_equal(json_text(judged, "that", ""), "hog.check_errors");
	assert_string_equal(json_text(judged, "verdict", ""), "fail");
	assert_int_equal(json_number(judged, "got", 0), 3);
	verdict_is(result, "fail", NULL);
}

/* The spec says what a stressor's own metric counts. */
static void own_values(void **state)
{
	struct trial_box *b = *state;
	json_t *result, *judged;

	write_exit(b, "'values': {'waste': 2097152, 'other': null}");
	result = result_of(b, "[{'that': 'hog.waste', 'is': 2097152, 'unit': 'bytes'}]", NULL);
	judged = json_array_get(json_object_get(result, "expectations"), 0);
	assert_string_equal(json_text(judged, "wanted", ""), "2M");
	assert_true(json_is_null(json_object_get(json_object_get(result, "metrics"), "hog.other")));
	verdict_is(result, "pass", NULL);
	verdict_is(result_of(b, "[{'that': 'hog.other', 'min': 0, 'unit': 'count'}]", NULL), "fail", NULL);
}

/* Broken, whatever the expectations say, with all three in the reason. */
static void witnesses_disagree(void **state)
{
	struct trial_box *b = *state;
	const char all_three[] =
		"the witnesses disagree about hog: kernel log: killed (1 killed in its cgroup); "
		"cgroup: oom_kill rose by 0; wait status: signal 9";
	json_t *result;

	write_kill(b, 0);
	result = result_of(b, "[{'that': 'victim', 'is': 'hog'}]", NULL);
	assert_true(json_is_false(
		json_object_get(json_array_get(json_object_get(result, "victims"), 0), "agree")));
	verdict_is(result, "broken", all_three);
	verdict_is(result_of(b, "[{'that': 'victim', 'is': null}]", NULL), "broken", all_three);
	verdict_is(result_of(b, "[]", "the guest panicked"), "broken", "the guest panicked");
}

/* Never sealed, the last record cut in the middle: what is before it counts. */
static void box_of_a_dead_engine(void **state)
{
	struct trial_box *b = *state;
	json_t *result;
	uint64_t used;

	write_kill(b, 1);
	used = b->box.header->used;
	SAMPLE(b, BB_PROCESS, 0, 8192);
	b->box.header->used = used + 20;
	result = result_of(b, "[{'that': 'hog.rss_peak', 'is': 4096}]", "the engine died");
	assert_true(json_is_null(json_object_get(result, "sealed")));
	assert_int_equal(json_number(json_object_get(result, "metrics"), "hog.rss_peak", 0), 4096);
	assert_string_equal(
		json_text(json_array_get(json_object_get(result, "expectations"), 0), "verdict", ""), "pass");
	verdict_is(result, "broken", "the engine died");
}

static void no_box(void **state)
{
	struct trial_box *b = *state;
	json_t *spec = json_of("{'scenario': 's', 'cell': 'c'}"), *result = NULL;

	assert_int_equal(verdict_result(spec, "/nonexistent", "host", 1, NULL, &result, &b->e), -ENOENT);
	assert_non_null(strstr(b->e.text, "/nonexistent"));
	assert_null(result);
	memset(b->box.header->magic, 0, 8);
	assert_int_equal(verdict_result(spec, b->path, "host", 1, NULL, &result, &b->e), -EBADMSG);
	result = verdict_without_trial(spec, "guest", 2, "skip", "no QEMU");
	assert_int_equal(json_number(result, "trial", 0), 2);
	assert_string_equal(json_text(result, "place", ""), "guest");
	assert_int_equal(json_array_size(json_object_get(result, "expectations")), 0);
	verdict_is(result, "skip", "no QEMU");
	json_decref(spec);
}

#define WITH_BOX(test) cmocka_unit_test_setup_teardown(test, box_setup, box_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_BOX(unmet_is_a_skip),      WITH_BOX(wrong_bytes_fail), WITH_BOX(own_values),
		WITH_BOX(whole_result),         WITH_BOX(verdicts),         WITH_BOX(witnesses_disagree),
		WITH_BOX(box_of_a_dead_engine), WITH_BOX(no_box),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("result", tests, NULL, NULL);
}
