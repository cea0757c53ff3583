// SPDX-License-Identifier: MIT
/* Who was killed, by whom, when and with how much left. Records of the box are 1 ms apart. */
#include "harness/kills.h"

#include "tests/unit/trial_box.h"

#define SPEC                                                                                                 \
	"{'processes': [{'name': 'hog'}, {'name': 'web'}, {'name': 'killer', 'killer': {'name': 'earlyoom'}}]}"
#define ALONE "{'processes': [{'name': 'hog'}, {'name': 'web'}]}"
#define SIGNAL(process, pid, number, ns)                                                                     \
	"{'event': 'signal', 'process': '" process "', 'pid': " pid ", 'comm': 'c', 'signal': " number       \
	", 'sender': 'killer', 'sent_ns': " ns "}"
#define KERNEL(process, pid, more)                                                                           \
	"{'event': 'oom-kill', 'process': " process ", 'pid': " pid ", 'comm': 'c'" more "}"

static void begin(struct trial_box *b)
{
	box_text(
		b, BB_COLUMNS,
		"{'of': 'system', 'names': ['meminfo.SwapFree', 'meminfo.MemFree', 'meminfo.MemAvailable']}");
	box_event(b, "{'event': 'release'}");        /* 1 ms */
	SAMPLE(b, BB_SYSTEM, 0, 900, 800, 700);      /* 2 ms */
	SAMPLE(b, BB_SYSTEM, 0, 90, 80, BB_MISSING); /* 3 ms */
	SAMPLE(b, BB_SYSTEM, 0, 9, 8, 7);            /* 4 ms */
}

/* The list and the metrics, both as compact JSON with sorted keys. */
static void comes_to(struct trial_box *b, const char *spec_text, const char *kills, const char *metrics)
{
	json_t *spec = json_of(spec_text), *list, *told = json_object();
	AUTO_FREE char *want_kills = quoted(kills), *want_metrics = quoted(metrics), *got = NULL,
		       *said = NULL;
	struct record r;

	box_read(b, &r);
	list = kills_list(&r, spec, &b->box);
	kills_say(told, list, spec);
	got = json_dumps(list, JSON_COMPACT | JSON_SORT_KEYS);
	said = json_dumps(told, JSON_COMPACT | JSON_SORT_KEYS);
	assert_string_equal(got, want_kills);
	assert_string_equal(said, want_metrics);
	record_free(&r);
	json_decref(told);
	json_decref(list);
	json_decref(spec);
}

#define NONE(killer_kills)                                                                                   \
	"{'first_kill.by':'nobody','first_kill.mem_available':null,'first_kill.mem_free':null,"              \
	"'first_kill.process':null,'first_kill.swap_free':null,'first_kill.time':null,'killer.ahead':null,"  \
	"'killer.kills':" killer_kills "}"

static void nobody(void **state)
{
	begin(*state);
	comes_to(*state, SPEC, "[]", NONE("0"));
	comes_to(*state, ALONE, "[]", NONE("null"));
}

/* By the time of the deed, not of the record: the trace is read at the next tick. TERM and KILL to one is one kill. */
static void both(void **state)
{
	struct trial_box *b = *state;

	begin(b);
	box_event(b, KERNEL("'web'", "7", ", 'log_ns': 4500000"));
	box_event(b, SIGNAL("hog", "8", "15", "3999999"));
	box_event(b, SIGNAL("hog", "8", "9", "4600000"));
	comes_to(
		b, SPEC,
		"[{'by':'earlyoom','comm':'c','mem_available':null,'mem_free':80,'pid':8,'process':'hog','signal':15,"
		"'swap_free':90,'t_ns':2999999},{'by':'kernel','comm':'c','mem_available':7,'mem_free':8,'pid':7,"
		"'process':'web','signal':9,'swap_free':9,'t_ns':3500000}]",
		"{'first_kill.by':'earlyoom','first_kill.mem_available':null,'first_kill.mem_free':80,"
		"'first_kill.process':'hog','first_kill.swap_free':90,'first_kill.time':2999999,'killer.ahead':500001,"
		"'killer.kills':1}");
}

/* Without a stamp it is when the log was read; a child of a process is none of the scenario's. */
static void the_kernel_first(void **state)
{
	struct trial_box *b = *state;

	begin(b);
	box_event(b, KERNEL("null", "7", "")); /* 5 ms */
	box_event(b, SIGNAL("hog", "8", "9", "6000000"));
	comes_to(
		b, SPEC,
		"[{'by':'kernel','comm':'c','mem_available':7,'mem_free':8,'pid':7,'process':null,'signal':9,"
		"'swap_free':9,'t_ns':4000000},{'by':'earlyoom','comm':'c','mem_available':7,'mem_free':8,'pid':8,"
		"'process':'hog','signal':9,'swap_free':9,'t_ns':5000000}]",
		"{'first_kill.by':'kernel','first_kill.mem_available':7,'first_kill.mem_free':8,"
		"'first_kill.process':null,'first_kill.swap_free':9,'first_kill.time':4000000,'killer.ahead':-1000000,"
		"'killer.kills':1}");
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, box_setup, box_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = { TEST(nobody), TEST(both), TEST(the_kernel_first) };

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("kills", tests, NULL, NULL);
}
