// SPDX-License-Identifier: MIT
#include "tests/unit/trial_box.h"

#define MISSING BB_MISSING

static void series_is(const struct series *s, int64_t first, int64_t last, int64_t min, int64_t max)
{
	assert_non_null(s);
	assert_int_equal(s->first, first);
	assert_int_equal(s->last, last);
	assert_int_equal(s->min, min);
	assert_int_equal(s->max, max);
}

static void empty_box(void **state)
{
	struct record r;

	box_read(*state, &r);
	assert_int_equal(json_array_size(r.events), 0);
	assert_int_equal(r.samples, 0);
	assert_null(record_series(&r, SAMPLE_SYSTEM, 0, "meminfo.MemFree"));
	assert_null(record_event(&r, "start", NULL, NULL));
	record_free(&r);
	record_free(&r);
}

static void samples_become_series(void **state)
{
	struct trial_box *b = *state;
	struct record r;

	box_text(b, BB_COLUMNS, "{'of': 'system', 'names': ['a', 'b', 'c']}");
	box_text(b, BB_COLUMNS, "{'of': 'process', 'names': ['rss', 'swap']}");
	SAMPLE(b, BB_SYSTEM, 0, 5, MISSING, MISSING);
	SAMPLE(b, BB_PROCESS, 2, 7, 1);
	SAMPLE(b, BB_SYSTEM, 0, 9, MISSING, -4);
	SAMPLE(b, BB_SYSTEM, 0, 3, MISSING, MISSING);
	SAMPLE(b, BB_PROCESS, 0, 8, MISSING);
	SAMPLE(b, BB_SYSTEM, 0, 4, MISSING, 0);
	box_read(b, &r);
	series_is(record_series(&r, SAMPLE_SYSTEM, 0, "a"), 5, 4, 3, 9);
	series_is(record_series(&r, SAMPLE_SYSTEM, 0, "b"), MISSING, MISSING, MISSING, MISSING);
	series_is(record_series(&r, SAMPLE_SYSTEM, 0, "c"), -4, 0, -4, 0);
	series_is(record_series(&r, SAMPLE_PROCESS, 2, "rss"), 7, 7, 7, 7);
	series_is(record_series(&r, SAMPLE_PROCESS, 0, "rss"), 8, 8, 8, 8);
	series_is(record_series(&r, SAMPLE_PROCESS, 1, "rss"), MISSING, MISSING, MISSING, MISSING);
	assert_int_equal(r.samples, 4);
	assert_int_equal(r.rows[SAMPLE_SYSTEM], 1);
	assert_int_equal(r.rows[SAMPLE_PROCESS], 3);
	assert_int_equal(r.rows[SAMPLE_CGROUP], 0);
	assert_null(record_series(&r, SAMPLE_SYSTEM, 0, "d"));
	assert_null(record_series(&r, SAMPLE_SYSTEM, 1, "a"));
	assert_null(record_series(&r, SAMPLE_PROCESS, 65 + 64, "rss"));
	assert_null(record_series(&r, SAMPLE_CGROUP, 0, "rss"));
	record_free(&r);
}

static void last_event_that_matches(void **state)
{
	struct trial_box *b = *state;
	const json_t *event;
	struct record r;

	box_event(b, "{'event': 'phase', 'process': 'a', 'phase': 'run'}");
	box_event(b, "{'event': 'phase', 'process': 'b', 'phase': 'run'}");
	box_event(b, "{'event': 'phase', 'process': 'a', 'phase': 'done'}");
	box_event(b, "{'event': 'exit', 'process': 'a'}");
	box_event(b, "{'event': 'oom-kill', 'process': null}");
	box_read(b, &r);
	assert_int_equal(json_array_size(r.events), 5);
	event = record_event(&r, "phase", "process", "a");
	assert_string_equal(json_text(event, "phase", ""), "done");
	assert_int_equal(json_number(event, "t_ns", 0), 2 * MS_NS);
	assert_string_equal(json_text(record_event(&r, "phase", NULL, NULL), "process", ""), "a");
	assert_null(record_event(&r, "exit", "process", "b"));
	assert_null(record_event(&r, "oom-kill", "process", "a"));
	assert_non_null(record_event(&r, "oom-kill", NULL, NULL));
	record_free(&r);
}

/* A row of a child is whose it was last: what was lately seen of another there is none of its own, unless it came after the choice. */
static void rows_of_children(void **state)
{
	struct trial_box *b = *state;
	struct record r;

	box_text(b, BB_COLUMNS, "{'of': 'process', 'names': ['rss']}");
	box_event(b, "{'event': 'child', 'process': 'a', 'pid': 7, 'row': 65}");
	SAMPLE(b, BB_PROCESS, 65, 100);
	SAMPLE(b, BB_PROCESS, 65, 200);
	box_event(b, "{'event': 'child', 'process': 'a', 'pid': 8, 'row': 65}");
	SAMPLE(b, BB_PROCESS, 65, 5);
	box_event(b, "{'event': 'oom-kill', 'process': null, 'pid': 8}");
	box_event(b, "{'event': 'child', 'process': 'a', 'pid': 9, 'row': 65}");
	SAMPLE(b, BB_PROCESS, 65, 6);
	box_event(b, "{'event': 'child', 'process': 'a', 'pid': 9, 'row': 129}");
	box_event(b, "{'event': 'child', 'process': 'a', 'pid': 9}");
	box_read(b, &r);
	assert_int_equal(record_series(&r, SAMPLE_PROCESS, 65, "rss")->recents, 1);
	assert_int_equal(record_series(&r, SAMPLE_PROCESS, 65, "rss")->recent[0].value, 5);
	record_free(&r);
}

/* Nothing of what makes no sense is believed, and what comes after it counts. */
static void damaged_records(void **state)
{
	static const char *const texts[] = { "",
					     "{",
					     "7",
					     "[]",
					     "{'of': 'system'}",
					     "{'of': 7, 'names': ['a']}",
					     "{'of': 'planets', 'names': ['a']}" };
	struct trial_box *b = *state;
	const int64_t one[] = { 1, 2, 3 };
	uint32_t lie[4] = { 0, 1000, 0, 0 };
	struct record r;
	size_t i;

	SAMPLE(b, BB_SYSTEM, 0, 77); /* before its columns */
	for (i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		if (!strstr(texts[i], "'system'"))
			box_text(b, BB_COLUMNS, texts[i]);
		box_event(b, texts[i]);
	}
	box_text(b, BB_COLUMNS, "{'of': 'process', 'names': [1, null, {}]}");
	box_text(b, BB_COLUMNS, "{'of': 'cgroup', 'names': 'current'}");
	box_text(b, BB_COLUMNS, "{'of': 'system', 'names': ['a', 'b']}");
	box_text(b, BB_COLUMNS, "{'of': 'system', 'names': ['b', 'a']}"); /* a second time */
	SAMPLE(b, BB_PROCESS, 0, 1, 2, 3);
	SAMPLE(b, BB_CGROUP, 0, 1);
	SAMPLE(b, BB_CGROUP, 33, 1);
	SAMPLE(b, BB_PROCESS, UINT32_MAX, 1);
	box_sample(b, BB_SYSTEM, 0, 3, one); /* more values than columns */
	box_sample(b, BB_SYSTEM, 0, 1, one); /* fewer */
	assert_true(bb_append(&b->box, BB_SYSTEM, 0, lie, sizeof(lie)));
	assert_true(bb_append(&b->box, BB_SYSTEM, 0, lie, 4));
	assert_true(bb_append(&b->box, (enum bb_type)99, 0, lie, 4));
	box_read(b, &r);
	series_is(record_series(&r, SAMPLE_SYSTEM, 0, "a"), 1, 1, 1, 1);
	series_is(record_series(&r, SAMPLE_SYSTEM, 0, "b"), 2, 2, 2, 2);
	assert_null(record_series(&r, SAMPLE_PROCESS, 0, "rss"));
	assert_null(record_series(&r, SAMPLE_CGROUP, 0, "current"));
	assert_int_equal(r.samples, 2);
	assert_int_equal(r.rows[SAMPLE_PROCESS] + r.rows[SAMPLE_CGROUP], 0);
	assert_int_equal(json_array_size(r.events), 3); /* the three that are objects */
	record_free(&r);
}

/* The writer died while it wrote: what was committed counts. */
static void half_a_record(void **state)
{
	struct trial_box *b = *state;
	uint64_t used;
	struct record r;

	box_text(b, BB_COLUMNS, "{'of': 'system', 'names': ['a']}");
	SAMPLE(b, BB_SYSTEM, 0, 1);
	box_event(b, "{'event': 'start'}");
	used = b->box.header->used;
	SAMPLE(b, BB_SYSTEM, 0, 9);
	b->box.header->used = used + 12;
	box_read(b, &r);
	series_is(record_series(&r, SAMPLE_SYSTEM, 0, "a"), 1, 1, 1, 1);
	assert_int_equal(json_array_size(r.events), 1);
	record_free(&r);
}

#define WITH_BOX(test) cmocka_unit_test_setup_teardown(test, box_setup, box_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_BOX(empty_box),       WITH_BOX(samples_become_series), WITH_BOX(last_event_that_matches),
		WITH_BOX(damaged_records), WITH_BOX(half_a_record),         WITH_BOX(rows_of_children),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("record", tests, NULL, NULL);
}
