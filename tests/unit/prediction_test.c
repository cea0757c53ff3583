// SPDX-License-Identifier: MIT
/* Whom the oracle would have chosen, from a trial's samples and from the report in its log. Pages of 4096. */
#include "harness/prediction.h"

#include "tests/unit/trial_box.h"

#define PAGES(n) ((n)*4096LL)

static const char columns[] = "{'of': 'process', 'names': ['rss_oom', 'swap', 'pgtables']}";
static const char system_columns[] = "{'of': 'system', 'names': ['meminfo.MemTotal', 'meminfo.SwapTotal']}";

static void begin(struct trial_box *b)
{
	box_text(b, BB_COLUMNS, system_columns);
	box_text(b, BB_COLUMNS, columns);
	box_event(b, "{'event': 'start', 'kernel': '6.1.0-50-cloud-amd64'}");
	box_event(b, "{'event': 'cgroup', 'cgroup': 'app', 'path': 'oomlab/app'}");
	box_event(b, "{'event': 'cgroup', 'cgroup': 'app/in', 'path': 'oomlab/app/in'}");
	box_event(b, "{'event': 'cgroup', 'cgroup': '@procs', 'path': 'oomlab/@procs'}");
	box_event(
		b,
		"{'event': 'set', 'cgroup': 'app', 'key': 'memory.max', 'got': '81920000'}"); /* 20000 pages */
	box_event(b, "{'event': 'set', 'cgroup': 'app', 'key': 'memory.swap.max', 'got': '0'}");
	box_event(b, "{'event': 'spawn', 'process': 'big', 'oom_score_adj': 0}");
	box_event(b, "{'event': 'spawn', 'process': 'small', 'oom_score_adj': 100}");
	box_event(b, "{'event': 'spawn', 'process': 'other', 'oom_score_adj': 0}");
	SAMPLE(b, BB_SYSTEM, 0, PAGES(100000), PAGES(50000));
}

static const char spec_text[] =
	"{'processes': [{'name': 'big', 'cgroup': 'app'}, {'name': 'small', 'cgroup': 'app/in'},"
	" {'name': 'other', 'cgroup': ''}]}";

/* Two ticks, 1 ms apart, in which nothing changed. */
static void twice(struct trial_box *b, uint32_t process, int64_t rss, int64_t swap, int64_t pgtables)
{
	SAMPLE(b, BB_PROCESS, process, PAGES(rss), PAGES(swap), PAGES(pgtables));
	SAMPLE(b, BB_PROCESS, process, PAGES(rss), PAGES(swap), PAGES(pgtables));
}

static json_t *predict(struct trial_box *b, const char *spec_as_text)
{
	json_t *spec = json_of(spec_as_text), *found;
	struct record r;

	box_read(b, &r);
	found = prediction(&r, spec, &b->box);
	record_free(&r);
	json_decref(spec);
	return found;
}

static void says(const json_t *found, const char *wanted)
{
	AUTO_FREE char *copy = quoted(wanted);
	json_t *want = json_loads(copy, JSON_DECODE_ANY, NULL), *value;
	const char *key;

	assert_non_null(want);
	json_object_foreach (want, key, value) {
		AUTO_FREE char *got = json_dumps(json_object_get(found, key), JSON_ENCODE_ANY);

		if (!json_equal(json_object_get(found, key), value))
			fail_msg("%s: got %s, wanted it as in %s", key, got ? got : "nothing", wanted);
	}
	json_decref(want);
}

static void nobody(void **state)
{
	json_t *found;

	begin(*state);
	found = predict(*state, spec_text);
	assert_true(json_is_null(found));
	json_decref(found);
}

/* Of the machine all three are candidates; what is sampled after the kill does not count. */
static void whole_machine(void **state)
{
	struct trial_box *b = *state;
	json_t *found;

	begin(b);
	twice(b, 0, 30000, 1000, 60);
	twice(b, 1, 10000, 0, 20);
	twice(b, 2, 40000, 0, 80);
	SAMPLE(b, BB_PROCESS, 0, PAGES(30500), PAGES(1000), PAGES(60));
	box_event(b, "{'event': 'oom-kill', 'process': 'other', 'pid': 9, 'constraint': 'none'}");
	SAMPLE(b, BB_PROCESS, 0, PAGES(90000), PAGES(1000), PAGES(60));
	found = predict(b, spec_text);
	/* small: 10020 and an adj of 100, 150 pages each. */
	says(found,
	     "{'model': '5.9', 'total_pages': 150000, 'predicted': 'other', 'victim': 'other', 'agrees': 'true',"
	     /* 500 pages in the 5 ms between its last samples, 1 ms before the kill: 1.5 times 100, and 32 untold. */
	     " 'margin': 8520, 'error': 182, 'exact': null, 'candidates': [{'process': 'other', 'score': 40080,"
	     " 'change': 0}, {'process': 'big', 'score': 31560, 'change': 500}, {'process': 'small', 'score':"
	     " 25020, 'change': 0}]}");
	json_decref(found);
}

/* Of a group those in it and below; its limit is what an adj of 1000 is worth. */
static void group(void **state)
{
	struct trial_box *b = *state;
	json_t *found;

	begin(b);
	twice(b, 0, 9000, 0, 0);
	twice(b, 1, 8000, 0, 0);
	twice(b, 2, 40000, 0, 0);
	box_event(
		b,
		"{'event': 'oom-kill', 'process': 'big', 'pid': 9, 'constraint': 'memcg', 'oom_memcg': '/oomlab/app'}");
	found = predict(b, spec_text);
	/* 8000 + 100 * 20 is more than 9000: the kernel chose another one. */
	says(found,
	     "{'total_pages': 20000, 'predicted': 'small', 'victim': 'big', 'agrees': 'false', 'margin': 1000}");
	assert_int_equal(json_array_size(json_object_get(found, "candidates")), 2);
	json_decref(found);
}

/* Of a cpuset those whose nodes are among the asker's; the nodes are those of a group above, and as large as the report says. */
static void cpuset(void **state)
{
	static const char report[] =
		"4,1,1,-;x invoked oom-killer: gfp_mask=0x0, order=0, oom_score_adj=0\n"
		"4,2,1,-;Node 1 DMA32 free:416kB min:500kB low:624kB high:748kB present:98176kB managed:58084kB\n"
		"4,2,1,-;Total swap = 40kB\n"
		"4,2,1,-;[  pid  ]   uid  tgid total_vm      rss pgtables_bytes swapents oom_score_adj name\n"
		"4,3,1,-;[      9]     0     9     9000     8000        0        0             0 x\n"
		"4,4,1,-;oom-kill:constraint=CONSTRAINT_CPUSET,nodemask=(null),cpuset=in,mems_allowed=1,"
		"global_oom,task_memcg=/oomlab/app/in,task=x,pid=9,uid=0\n"
		"4,5,1,-;Out of memory: Killed process 9 (x) total-vm:36000kB, anon-rss:32000kB, file-rss:0kB\n";
	struct trial_box *b = *state;
	char copy[sizeof(report)], *rest = copy, *line;
	json_t *found;

	begin(b);
	box_event(b, "{'event': 'set', 'cgroup': 'app', 'key': 'cpuset.mems', 'got': '1'}");
	box_event(b, "{'event': 'set', 'cgroup': 'far', 'key': 'cpuset.mems', 'got': '0'}");
	SAMPLE(b, BB_PROCESS, 0, PAGES(50000), 0, 0);
	SAMPLE(b, BB_PROCESS, 1, PAGES(8000), 0, 0);
	strcpy(copy, report);
	while ((line = strsep(&rest, "\n")))
		if (line[0])
			bb_append(&b->box, BB_KMSG, b->t_ns, line, strlen(line));
	box_event(b, "{'event': 'oom-kill', 'process': 'small', 'pid': 9, 'constraint': 'cpuset'}");
	found = predict(
		b,
		"{'processes': [{'name': 'big', 'cgroup': 'far'}, {'name': 'small', 'cgroup': 'app/in'}]}");
	says(found, "{'predicted': 'small', 'agrees': 'true', 'margin': null, 'total_pages': 24554,"
		    " 'candidates': [{'process': 'small', 'score': 10400, 'change': 0}]}");
	assert_int_equal(json_array_size(json_object_get(found, "candidates")), 1);
	json_decref(found);
}

/* Within what may have changed since: no call. */
static void close_call(void **state)
{
	struct trial_box *b = *state;
	json_t *found;

	begin(b);
	twice(b, 0, 30000, 0, 0);
	SAMPLE(b, BB_PROCESS, 2, PAGES(28000), 0, 0);
	SAMPLE(b, BB_PROCESS, 2, PAGES(29300), 0, 0);
	box_event(b, "{'event': 'oom-kill', 'process': 'other', 'pid': 9, 'constraint': 'none'}");
	found = predict(b, spec_text);
	says(found, "{'predicted': 'big', 'agrees': 'close', 'margin': 700, 'error': 1982}");
	json_decref(found);
}

/* One that rushed before it had to wait for memory may rush again: its last tick does not say how fast it is. */
static void a_rush_before(void **state)
{
	struct trial_box *b = *state;
	json_t *found;

	begin(b);
	twice(b, 0, 30000, 0, 0);
	SAMPLE(b, BB_PROCESS, 2, PAGES(28000), 0, 0);
	SAMPLE(b, BB_PROCESS, 2, PAGES(29200), 0, 0);
	SAMPLE(b, BB_PROCESS, 2, PAGES(29200), 0, 0);
	box_event(b, "{'event': 'oom-kill', 'process': 'other', 'pid': 9, 'constraint': 'none'}");
	found = predict(b, spec_text);
	says(found, "{'agrees': 'close', 'margin': 800, 'error': 1832}");
	json_decref(found);
}

/* The third may be the one that overtakes: it is the nearest by what it may have grown, not by its score. */
static void the_third(void **state)
{
	struct trial_box *b = *state;
	json_t *found;

	begin(b);
	twice(b, 0, 30000, 0, 0);
	twice(b, 1, 14500, 0, 0);
	SAMPLE(b, BB_PROCESS, 2, PAGES(25000), 0, 0);
	SAMPLE(b, BB_PROCESS, 2, PAGES(29000), 0, 0);
	box_event(b, "{'event': 'oom-kill', 'process': 'big', 'pid': 9, 'constraint': 'none'}");
	found = predict(b, spec_text);
	says(found, "{'predicted': 'big', 'agrees': 'close', 'margin': 1000, 'error': 6032}");
	json_decref(found);
}

/* The kernel had chosen when it stamped the line that opens its report; what was sampled later, before we read it, is of no use. */
static void when_it_chose(void **state)
{
	struct trial_box *b = *state;
	json_t *found;

	begin(b);
	twice(b, 0, 30000, 0, 0);
	twice(b, 2, 29000, 0, 0);
	box_event(b, "{'event': 'oom-invoked', 'log_ns': 16500000}");
	SAMPLE(b, BB_PROCESS, 0, PAGES(10), 0, 0);
	box_event(b, "{'event': 'oom-kill', 'process': 'big', 'pid': 9, 'constraint': 'none'}");
	found = predict(b, spec_text);
	says(found, "{'predicted': 'big', 'agrees': 'true', 'margin': 1000, 'error': 0}");
	json_decref(found);
}

/* Of equals that stand still the kernel takes the last it looks at; across groups their order is not known here. */
static void equals(void **state)
{
	struct trial_box *b = *state;
	json_t *found;

	begin(b);
	twice(b, 0, 30000, 0, 0);
	twice(b, 2, 30000, 0, 0);
	box_event(b, "{'event': 'oom-kill', 'process': 'other', 'pid': 9, 'constraint': 'none'}");
	found = predict(b, spec_text);
	says(found, "{'predicted': 'other', 'agrees': 'true', 'margin': 0, 'error': 0}");
	json_decref(found);
	/* Before 6.2 a sample's swap lags as the OOM killer's does. */
	box_again(b);
	begin(b);
	twice(b, 0, 29062, 1000, 0);
	twice(b, 2, 30031, 0, 0);
	box_event(b, "{'event': 'oom-kill', 'process': 'big', 'pid': 9, 'constraint': 'none'}");
	found = predict(b, spec_text);
	says(found, "{'predicted': 'big', 'agrees': 'true', 'margin': 31, 'error': 0}");
	json_decref(found);
	/* From 6.2 on what the OOM killer reads of swap is not quite what a sample says. */
	box_again(b);
	begin(b);
	box_event(b, "{'event': 'start', 'kernel': '6.12.117+deb13-cloud-amd64'}");
	twice(b, 0, 29062, 1000, 0);
	twice(b, 2, 30031, 0, 0);
	box_event(b, "{'event': 'oom-kill', 'process': 'big', 'pid': 9, 'constraint': 'none'}");
	found = predict(b, spec_text);
	says(found, "{'predicted': 'big', 'agrees': 'close', 'margin': 31, 'error': 32}");
	json_decref(found);
	box_again(b);
	begin(b);
	twice(b, 0, 8000, 0, 0);
	twice(b, 1, 6000, 0, 0);
	box_event(
		b,
		"{'event': 'oom-kill', 'process': 'big', 'pid': 9, 'constraint': 'memcg', 'oom_memcg': '/oomlab/app'}");
	found = predict(b, spec_text);
	says(found, "{'agrees': 'close', 'margin': 0, 'error': 0}");
	json_decref(found);
}

/* Which counters the OOM killer reads: what was told of them, since 7.0 their sums. */
static void counters(void **state)
{
	static const struct {
		const char *kernel, *says;
	} cases[] = {
		{ "6.1.0-50-cloud-amd64",
		  "{'predicted': 'big', 'agrees': 'close', 'margin': 10, 'error': 32}" },
		{ "6.12.117+deb13", "{'predicted': 'big', 'agrees': 'close', 'margin': 10, 'error': 32}" },
		{ "6.19.1", "{'predicted': 'big', 'agrees': 'close', 'margin': 10, 'error': 32}" },
		{ "7.0-rc1", "{'predicted': 'other', 'agrees': 'false', 'margin': 1, 'error': 0}" },
		{ "7.2.13+deb14-cloud-amd64",
		  "{'predicted': 'other', 'agrees': 'false', 'margin': 1, 'error': 0}" },
	};
	struct trial_box *b = *state;
	char start[128];
	json_t *found;
	size_t i;

	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		box_again(b);
		box_text(b, BB_COLUMNS, system_columns);
		box_text(b, BB_COLUMNS, "{'of': 'process', 'names': ['rss', 'swap', 'pgtables', 'rss_oom']}");
		snprintf(start, sizeof(start), "{'event': 'start', 'kernel': '%s'}", cases[i].kernel);
		box_event(b, start);
		SAMPLE(b, BB_SYSTEM, 0, PAGES(100000), PAGES(50000));
		SAMPLE(b, BB_PROCESS, 0, PAGES(30020), 0, 0, PAGES(29000));
		SAMPLE(b, BB_PROCESS, 0, PAGES(30020), 0, 0, PAGES(30010));
		SAMPLE(b, BB_PROCESS, 2, PAGES(30021), 0, 0, PAGES(30000));
		SAMPLE(b, BB_PROCESS, 2, PAGES(30021), 0, 0, PAGES(30000));
		box_event(b, "{'event': 'oom-kill', 'process': 'big', 'pid': 9, 'constraint': 'none'}");
		found = predict(b, spec_text);
		says(found, cases[i].says);
		json_decref(found);
	}
}

/* Children are candidates like their parents, with an adj of their own; one that was not seen at the last tick is gone. */
static void children(void **state)
{
	struct trial_box *b = *state;
	json_t *found;

	begin(b);
	twice(b, 0, 30000, 0, 0);
	box_event(b, "{'event': 'child', 'process': 'big', 'pid': 31, 'oom_score_adj': 0, 'row': 65}");
	box_event(b, "{'event': 'child', 'process': 'small', 'pid': 32, 'oom_score_adj': 300, 'row': 66}");
	box_event(b, "{'event': 'child', 'process': 'nobody', 'pid': 33, 'oom_score_adj': 0, 'row': 67}");
	twice(b, 65, 90000, 0, 0);
	SAMPLE(b, BB_SYSTEM, 0, PAGES(100000), PAGES(50000));
	SAMPLE(b, BB_SYSTEM, 0, PAGES(100000), PAGES(50000));
	twice(b, 66, 100, 0, 0);
	twice(b, 67, 99000, 0, 0);
	box_event(
		b,
		"{'event': 'oom-kill', 'process': null, 'child_of': 'small', 'pid': 32, 'constraint': 'none'}");
	found = predict(b, spec_text);
	says(found, "{'predicted': 'small/32', 'victim': 'small/32', 'agrees': 'true', 'margin': 15100,"
		    " 'candidates': [{'process': 'small/32', 'score': 45100, 'change': 0},"
		    " {'process': 'big', 'score': 30000, 'change': 0}]}");
	json_decref(found);
}

/* Who runs and was in no sample may be of any size, be it the only one; one that was not let go yet is nobody. */
static void unseen(void **state)
{
	struct trial_box *b = *state;
	json_t *found;

	begin(b);
	twice(b, 0, 30000, 0, 0);
	box_event(b, "{'event': 'release'}");
	box_event(b, "{'event': 'oom-kill', 'process': 'big', 'pid': 9, 'constraint': 'none'}");
	found = predict(b, spec_text);
	says(found, "{'predicted': 'big', 'agrees': 'close', 'error': 150000}");
	json_decref(found);
	found = predict(
		b,
		"{'processes': [{'name': 'big', 'cgroup': ''}, {'name': 'small', 'cgroup': '', 'start': {'at': 5}}]}");
	says(found, "{'predicted': 'big', 'agrees': 'true'}");
	json_decref(found);
	box_again(b);
	begin(b);
	box_event(b, "{'event': 'release'}");
	box_event(b, "{'event': 'oom-kill', 'process': 'big', 'pid': 9, 'constraint': 'none'}");
	found = predict(b, "{'processes': [{'name': 'big', 'cgroup': ''}]}");
	says(found, "{'predicted': null, 'agrees': 'close'}");
	json_decref(found);
}

/* Of one that was seen once nobody knows how fast it grows. */
static void seen_once(void **state)
{
	struct trial_box *b = *state;
	json_t *found;

	begin(b);
	twice(b, 0, 30000, 0, 0);
	SAMPLE(b, BB_PROCESS, 2, PAGES(16000), 0, 0);
	box_event(b, "{'event': 'oom-kill', 'process': 'other', 'pid': 9, 'constraint': 'none'}");
	found = predict(b, spec_text);
	says(found, "{'agrees': 'close', 'margin': 14000, 'error': 16000}");
	json_decref(found);
}

/* One that has ended is none any more; one that is protected never was; a child of a stressor's is none of ours. */
static void candidates(void **state)
{
	struct trial_box *b = *state;
	json_t *found;

	begin(b);
	box_event(b, "{'event': 'spawn', 'process': 'small', 'oom_score_adj': -1000}");
	SAMPLE(b, BB_PROCESS, 0, PAGES(50000), 0, 0);
	SAMPLE(b, BB_PROCESS, 1, PAGES(60000), 0, 0);
	SAMPLE(b, BB_PROCESS, 2, PAGES(4000), 0, 0);
	box_event(b, "{'event': 'exit', 'process': 'big', 'exit_code': 0}");
	box_event(b, "{'event': 'oom-kill', 'process': null, 'pid': 9, 'constraint': 'none'}");
	found = predict(b, spec_text);
	says(found, "{'predicted': 'other', 'victim': null, 'agrees': null, 'margin': null}");
	assert_int_equal(json_array_size(json_object_get(found, "candidates")), 1);
	json_decref(found);
}

static void a_rule_chose(void **state)
{
	struct trial_box *b = *state;
	json_t *found;

	begin(b);
	SAMPLE(b, BB_PROCESS, 0, PAGES(50000), 0, 0);
	box_event(b, "{'event': 'oom-kill', 'process': 'small', 'pid': 9, 'constraint': 'none'}");
	found = predict(
		b,
		"{'sysctl': {'vm.oom_kill_allocating_task': '1'}, 'processes': [{'name': 'big', 'cgroup': ''}]}");
	says(found, "{'predicted': 'big', 'agrees': null}");
	json_decref(found);
}

/* What the kernel printed itself: tests/fixtures/oom/6.1-memcg-kmsg.log, where pid 79 has the highest score. */
static void from_the_report(void **state)
{
	struct trial_box *b = *state;
	struct err e = ERR_INIT;
	char *text, *rest, *line;
	json_t *found;

	begin(b);
	SAMPLE(b, BB_PROCESS, 0, PAGES(7000), 0, 0);
	if (file_read("tests/fixtures/oom/6.1-memcg-kmsg.log", 1 << 20, &text, NULL, &e) < 0)
		fail_msg("%s", e.text);
	for (rest = text; (line = strsep(&rest, "\n"));)
		bb_append(&b->box, BB_KMSG, b->t_ns, line, strlen(line));
	free(text);
	box_event(
		b,
		"{'event': 'oom-kill', 'process': 'big', 'pid': 79, 'constraint': 'memcg', 'oom_memcg': '/a'}");
	found = predict(b, spec_text);
	says(json_object_get(found, "exact"),
	     "{'pid': 79, 'comm': 'we(ird, na me', 'agreement': 'agrees', 'reason': null}");
	json_decref(found);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, box_setup, box_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(nobody),        TEST(whole_machine), TEST(group),         TEST(close_call),
		TEST(a_rush_before), TEST(the_third),     TEST(when_it_chose), TEST(seen_once),
		TEST(equals),        TEST(counters),      TEST(children),      TEST(unseen),
		TEST(cpuset),        TEST(candidates),    TEST(a_rule_chose),  TEST(from_the_report),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("prediction", tests, NULL, NULL);
}
