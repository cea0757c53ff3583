// SPDX-License-Identifier: MIT
#include "harness/metrics.h"

#include "tests/unit/trial_box.h"

#define MISSING BB_MISSING

static const char spec_text[] =
	"{'cgroups': [{'path': 'app'}, {'path': 'app/x.y'}], 'processes': [{'name': 'hog'},"
	" {'name': 'free'}]}";
static const char processes_text[] =
	"[{'name': 'hog', 'outcome': 'oom-killed', 'exit_code': null, 'signal': 9, 'phase': 'run'},"
	" {'name': 'free', 'outcome': null, 'exit_code': null, 'signal': null, 'phase': 'hold'}]";

/* metrics_compute() over what is in the box. */
static json_t *compute(struct trial_box *b, const char *victims_text)
{
	json_t *spec = json_of(spec_text), *processes = json_of(processes_text);
	json_t *victims = json_of(victims_text), *all;
	struct record r;

	box_read(b, &r);
	all = metrics_compute(&r, spec, processes, victims);
	record_free(&r);
	json_decref(victims);
	json_decref(processes);
	json_decref(spec);
	return all;
}

static void metric_is(const json_t *all, const char *name, const char *wanted)
{
	const json_t *got = json_object_get(all, name);
	AUTO_FREE char *text = got ? json_dumps(got, JSON_ENCODE_ANY) : strdup("absent");
	AUTO_FREE char *as_json = quoted(wanted);

	if (strcmp(text, as_json) != 0)
		fail_msg("%s: got %s, not %s", name, text, as_json);
	if (got && !metric_find(name))
		fail_msg("%s is in no table", name);
}

static void whole_trial(void **state)
{
	struct trial_box *b = *state;
	json_t *all;

	box_text(
		b, BB_COLUMNS,
		"{'of': 'system', 'names': ['meminfo.MemTotal', 'meminfo.MemFree', 'meminfo.SwapTotal',"
		" 'meminfo.SwapFree', 'vmstat.oom_kill', 'vmstat.allocstall_dma', 'vmstat.allocstall_normal',"
		" 'vmstat.pgscan_kswapd']}");
	box_text(b, BB_COLUMNS,
		 "{'of': 'process', 'names': ['rss_peak', 'rss', 'swap', 'minor_faults', 'touched']}");
	box_text(b, BB_COLUMNS,
		 "{'of': 'cgroup', 'names': ['current', 'peak', 'oom_kills', 'shmem', 'psi_some']}");
	SAMPLE(b, BB_SYSTEM, 0, 100, 90, 50, 50, 3, 1, 20, 5); /* at 3 ms */
	SAMPLE(b, BB_CGROUP, 0, 1, 2, 0, 7, 4000);
	SAMPLE(b, BB_CGROUP, 1, 3, 4, 1, MISSING);
	box_event(b, "{'event': 'release'}");
	SAMPLE(b, BB_PROCESS, 0, 10, 9, 0, 100, 8);
	SAMPLE(b, BB_PROCESS, 0, 12, 11, 7, 200, 9);
	SAMPLE(b, BB_PROCESS, 1, 5, 4, MISSING, 50, 3);
	SAMPLE(b, BB_SYSTEM, 0, 100, 20, 50, 15, 3, 1, 25, 5);
	SAMPLE(b, BB_PROCESS, 0, MISSING, MISSING, MISSING, MISSING, 9);
	box_event(b, "{'event': 'exit', 'process': 'hog', 'signal': 9, 'phase': 'run', 'allocated': 64,"
		     " 'touched': 33, 'check_errors': 0, 'minor_faults': 222, 'major_faults': 2}");
	box_event(b, "{'event': 'phase', 'process': 'free', 'phase': 'hold', 'allocated': 16, 'touched': 6,"
		     " 'check_errors': 1}");
	SAMPLE(b, BB_SYSTEM, 0, 100, 80, 50, 40, 4, 2, 31, 5);
	SAMPLE(b, BB_CGROUP, 0, 6, 9, 2, 5, 9000);
	SAMPLE(b, BB_CGROUP, 1, 2, 8, MISSING, MISSING);
	all = compute(b, "[{'process': 'hog'}, {'process': 'free'}]");
	metric_is(all, "hog.outcome", "'oom-killed'");
	metric_is(all, "hog.signal", "9");
	metric_is(all, "hog.exit_code", "null");
	metric_is(all, "hog.duration", "6000000");
	metric_is(all, "hog.allocated", "64");
	metric_is(all, "hog.touched", "33"); /* of its end, not of the last sample */
	metric_is(all, "hog.rss_peak", "12");
	metric_is(all, "hog.rss_last", "11");
	metric_is(all, "hog.swap_peak", "7");
	metric_is(all, "hog.minor_faults", "222");
	metric_is(all, "hog.vsize_peak", "null"); /* no such column */
	metric_is(all, "free.outcome", "null");
	metric_is(all, "free.duration", "null");
	metric_is(all, "free.touched", "6"); /* of its last phase */
	metric_is(all, "free.check_errors", "1");
	metric_is(all, "free.minor_faults", "50"); /* of its last sample: a phase does not say */
	metric_is(all, "free.swap_peak", "null");
	metric_is(all, "cgroup.app.current_peak", "6");
	metric_is(all, "cgroup.app.peak", "9");
	metric_is(all, "cgroup.app.oom_kills", "2");
	metric_is(all, "cgroup.app.shmem_peak", "7");
	metric_is(all, "cgroup.app.psi_some", "5000");
	metric_is(all, "cgroup.app.psi_full", "null");
	metric_is(all, "cgroup.app/x.y.current_peak", "3");
	metric_is(all, "cgroup.app/x.y.oom_kills", "0");
	metric_is(all, "cgroup.app.pgscan", "null");
	metric_is(all, "system.mem_total", "100");
	metric_is(all, "system.mem_free_min", "20");
	metric_is(all, "system.mem_available_min", "null");
	metric_is(all, "system.swap_used_peak", "35");
	metric_is(all, "system.oom_kills", "1");
	metric_is(all, "system.allocstall", "12"); /* 1 + 11, of both zones */
	metric_is(all, "system.pgscan_kswapd", "0");
	metric_is(all, "system.pgscan_direct", "null");
	metric_is(all, "victim", "'hog'");
	metric_is(all, "kills", "2");
	metric_is(all, "constraint", "null"); /* no log tells */
	metric_is(all, "hog.none", "absent");
	json_decref(all);
}

#define ORDER                                                                                                \
	"{'of': 'system', 'names': ['meminfo.Cached', 'meminfo.SwapFree', 'vmstat.pswpout',"                 \
	" 'vmstat.oom_kill', 'vmstat.workingset_refault', 'meminfo.SwapTotal', 'meminfo.SReclaimable']}"

/* What there was before the first page went to swap, and before the first kill: of the last sample before it. */
static void before_marks(void **state)
{
	struct trial_box *b = *state;
	json_t *all;

	box_text(b, BB_COLUMNS, ORDER);
	SAMPLE(b, BB_SYSTEM, 0, 50, 40, 7, 2, 1000, 40, 30); /* pages and kills of before */
	SAMPLE(b, BB_SYSTEM, 0, 48, 40, 7, 2, 1000, 40, 29);
	SAMPLE(b, BB_SYSTEM, 0, MISSING, 39, 7, MISSING, MISSING, 40, 29);
	SAMPLE(b, BB_SYSTEM, 0, 20, 36, 9, 2, 1030, 40, 25); /* a tenth, and no more */
	all = compute(b, "[]");
	metric_is(all, "system.cached_before_swap", "48");
	metric_is(all, "system.cached_before_swap_tenth", "null");
	metric_is(all, "system.cached_before_kill", "null"); /* there was none */
	metric_is(all, "system.swap_free_before_kill", "null");
	json_decref(all);
	SAMPLE(b, BB_SYSTEM, 0, 6, 1, 99, 2, 1040, 40, 4);
	SAMPLE(b, BB_SYSTEM, 0, 4, 12, 99, 3, 1042, 40, 3);
	SAMPLE(b, BB_SYSTEM, 0, 3, 11, 99, 3, 1042, 40, 3);
	all = compute(b, "[]");
	metric_is(all, "system.cached_peak", "50");
	metric_is(all, "system.cached_before_swap", "48");
	metric_is(all, "system.cached_before_swap_tenth", "20");
	metric_is(all, "system.sreclaimable_before_swap_tenth", "25");
	metric_is(all, "system.cached_before_kill", "6");
	metric_is(all, "system.swap_free_before_kill", "1");
	metric_is(all, "system.pswpout", "92");
	metric_is(all, "system.refault_file", "42"); /* by its older name */
	metric_is(all, "system.refault_anon", "null");
	json_decref(all);
}

/* As mm/util.c counts: in whole pages, and huge pages are no part of it. */
static void commit_accounting(void **state)
{
	struct trial_box *b = *state;
	json_t *all;

	box_event(b, "{'event': 'start', 'page_size': 4096}");
	box_text(b, BB_COLUMNS,
		 "{'of': 'system', 'names': ['meminfo.MemTotal', 'meminfo.Hugetlb', 'meminfo.SwapTotal',"
		 " 'meminfo.Committed_AS']}");
	box_text(b, BB_COLUMNS, "{'of': 'process', 'names': ['vsize_peak']}");
	SAMPLE(b, BB_SYSTEM, 0, 1003 * 4096, 100 * 4096, 50 * 4096, 7000);
	all = compute(b, "[]");
	metric_is(all, "system.commit_predicted", "null"); /* no ratio is known */
	metric_is(all, "system.committed_start", "7000");
	json_decref(all);
	box_event(b, "{'event': 'setting', 'setting': 'overcommit_ratio', 'value': 50}");
	box_event(b, "{'event': 'setting', 'setting': 'overcommit_kbytes', 'value': 0}");
	box_event(b, "{'event': 'setting', 'setting': 'user_reserve_kbytes', 'value': 40}");
	SAMPLE(b, BB_PROCESS, 0, (10 * 32 - 1) * 4096);
	SAMPLE(b, BB_PROCESS, 1, 11 * 32 * 4096);
	SAMPLE(b, BB_SYSTEM, 0, 1003 * 4096, 100 * 4096, 50 * 4096, 9000);
	box_event(b, "{'event': 'maps', 'process': 'hog', 'vmas': 12, 'private': 5000}");
	box_event(b, "{'event': 'exit', 'process': 'hog', 'allocated': 4800}");
	box_event(b, "{'event': 'exit', 'process': 'free', 'allocated': 10}");
	all = compute(b, "[]");
	metric_is(all, "system.commit_predicted", "2052096"); /* (451 + 50) pages of 4096: 451.5 is cut */
	metric_is(all, "system.committed_start", "7000");
	metric_is(all, "hog.user_reserve", "36864");
	metric_is(all, "free.user_reserve", "40960"); /* at most 40 kB */
	metric_is(all, "hog.overhead", "200");
	metric_is(all, "hog.vmas", "12");
	metric_is(all, "free.overhead", "null"); /* it was killed: nobody looked */
	json_decref(all);
	/* Setting one of them clears the other, in the kernel. */
	box_event(b, "{'event': 'setting', 'setting': 'overcommit_ratio', 'value': 0}");
	box_event(b, "{'event': 'setting', 'setting': 'overcommit_kbytes', 'value': 81}");
	all = compute(b, "[]");
	metric_is(all, "system.commit_predicted", "286720"); /* 20 + 50 pages */
	json_decref(all);
}

static void constraint_is(struct trial_box *b, const char *kill, const char *constraint, const char *group)
{
	json_t *all;

	box_again(b);
	box_event(b, "{'event': 'cgroup', 'cgroup': 'app', 'path': 'g/app'}");
	box_event(b, "{'event': 'cgroup', 'cgroup': 'tree/app', 'path': 'g/tree/app'}");
	box_event(b, kill);
	box_event(b, "{'event': 'oom-kill', 'process': 'hog', 'constraint': 'none', 'oom_memcg': ''}");
	all = compute(b, "[]");
	metric_is(all, "constraint", constraint);
	metric_is(all, "limit_cgroup", group);
	json_decref(all);
}

#define KILL(members) "{'event': 'oom-kill', 'process': null, " members "}"

/* The first kill counts, also that of a process that is none of the scenario's. */
static void first_kill(void **state)
{
	struct trial_box *b = *state;

	constraint_is(b, KILL("'constraint': 'memcg', 'oom_memcg': '/g/app'"), "'memcg'", "'app'");
	constraint_is(b, KILL("'constraint': 'memcg', 'oom_memcg': '/g/tree/app'"), "'memcg'", "'tree/app'");
	constraint_is(b, KILL("'constraint': 'memcg', 'oom_memcg': '/docker/1/g/app'"), "'memcg'", "'app'");
	constraint_is(b, KILL("'constraint': 'memcg', 'oom_memcg': '/g'"), "'memcg'", "'/g'");
	constraint_is(b, KILL("'constraint': 'memcg', 'oom_memcg': '/wrong/app'"), "'memcg'", "'/wrong/app'");
	constraint_is(b, KILL("'constraint': 'cpuset', 'oom_memcg': ''"), "'cpuset'", "null");
	constraint_is(b, KILL("'constraint': 'unknown'"), "null", "null");
	constraint_is(b, "{'event': 'oom-invoked'}", "'none'", "null");
}

static void panics(void **state)
{
	struct trial_box *b = *state;
	json_t *all;

	box_event(b, "{'event': 'end', 'kernel_log_lost': 0}");
	all = compute(b, "[]");
	metric_is(all, "panic", "'none'");
	json_decref(all);
	box_again(b);
	box_event(
		b,
		"{'event': 'panic', 'panic': 'oom', 'cause': 'Out of memory: compulsory panic_on_oom is enabled'}");
	all = compute(b, "[]");
	metric_is(all, "panic", "'oom'");
	metric_is(all, "constraint", "null");
	json_decref(all);
}

/* Every metric is there, and none has a number. */
static void empty_box(void **state)
{
	json_t *all = compute(*state, "[]"), *value;
	const char *name;
	size_t count = 0, i;

	json_object_foreach (all, name, value)
		if (json_is_number(value) && strcmp(name, "kills") != 0 && strcmp(name, "hog.signal") != 0)
			fail_msg("%s", name);
	metric_is(all, "victim", "null");
	metric_is(all, "panic", "null"); /* it has no end */
	metric_is(all, "kills", "0");
	for (i = 0; metric_at(METRIC_PROCESS, i); i++)
		count += 2;
	for (i = 0; metric_at(METRIC_CGROUP, i); i++)
		count += 2;
	for (i = 0; metric_at(METRIC_SYSTEM, i); i++)
		count++;
	for (i = 0; metric_at(METRIC_TRIAL, i); i++)
		count++;
	assert_int_equal(json_object_size(all), count);
	json_decref(all);
}

static void found_by_full_name(void **state)
{
	static const char *const unknown[] = { "hog.none", "none", "hog.",          "cgroup.app.touched",
					       "",         "hog",  "victim.victim", "system.touched",
					       "system.",  ".",    "hog.Touched",   "cgroup.app.mem_total" };
	size_t i;

	(void)state;
	assert_int_equal(metric_find("hog.touched")->unit, METRIC_BYTES);
	assert_int_equal(metric_find("a.b.outcome")->unit, METRIC_OUTCOME);
	assert_int_equal(metric_find("hog.duration")->unit, METRIC_NS);
	assert_string_equal(metric_find("cgroup.a/b.c.peak")->name, "peak");
	assert_ptr_equal(metric_find("system.oom_kills")->about, metric_find("system.oom_kills")->about);
	assert_ptr_not_equal(metric_find("system.oom_kills"), metric_find("cgroup.a.oom_kills"));
	assert_int_equal(metric_find("victim")->unit, METRIC_WORD);
	assert_int_equal(metric_find("kills")->unit, METRIC_COUNT);
	assert_int_equal(metric_find("constraint")->unit, METRIC_WORD);
	for (i = 0; i < sizeof(unknown) / sizeof(unknown[0]); i++)
		if (metric_find(unknown[i]))
			fail_msg("%s", unknown[i]);
}

static void tables_are_well_formed(void **state)
{
	const struct metric *m, *n;
	unsigned int scope;
	size_t i, j;

	(void)state;
	for (scope = 0; scope < METRIC_SCOPES; scope++) {
		assert_non_null(metric_at((enum metric_scope)scope, 0));
		for (i = 0; (m = metric_at((enum metric_scope)scope, i)); i++) {
			assert_true(m->name[0] && m->about[0]);
			/* Whose metric it is stands in front of a dot, but for the trial's own. */
			assert_true(!strchr(m->name, '.') || scope == METRIC_TRIAL);
			assert_ptr_equal(scope == METRIC_TRIAL ? metric_find(m->name) : m, m);
			for (j = 0; j < i; j++) {
				n = metric_at((enum metric_scope)scope, j);
				assert_string_not_equal(m->name, n->name);
			}
		}
		assert_null(metric_at((enum metric_scope)scope, i + 1));
	}
}

#define WITH_BOX(test) cmocka_unit_test_setup_teardown(test, box_setup, box_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_BOX(whole_trial),
		WITH_BOX(before_marks),
		WITH_BOX(commit_accounting),
		WITH_BOX(first_kill),
		WITH_BOX(panics),
		WITH_BOX(empty_box),
		cmocka_unit_test(found_by_full_name),
		cmocka_unit_test(tables_are_well_formed),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("metrics", tests, NULL, NULL);
}
