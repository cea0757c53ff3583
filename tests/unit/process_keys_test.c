// SPDX-License-Identifier: MIT
/* What a process is given, how often and when: from YAML to the spec. */
#include "harness/scenario/scenario.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <cmocka.h>

#include "tests/unit/scenario_known.h"

#define HEAD  "scenario: s\n"
#define GUEST "machine: {cpus: 2}\n"

/* The spec's i-th process as compact JSON; the caller's to free. */
static char *process_of(const struct attempt *a, size_t i)
{
	const json_t *one = json_array_get(json_object_get(scenario_spec(a->s, 0), "processes"), i);

	return json_dumps(one, JSON_COMPACT | JSON_SORT_KEYS);
}

/* The keys of process hog, whose mapping holds text besides its run, come to this. */
static void assert_comes_to(const char *head, const char *text, const char *want)
{
	char whole[512];
	struct attempt a;
	char *got;

	snprintf(whole, sizeof(whole), HEAD "%sprocesses:\n  hog: {run: [memset], %s}\n", head, text);
	a = try_text(whole, NULL);
	assert_string_equal(a.said, "");
	got = process_of(&a, 0);
	assert_string_equal(got, want);
	free(got);
	attempt_free(&a);
}

static void assert_refused(const char *head, const char *text, const char *want)
{
	char whole[512];
	struct attempt a;

	snprintf(whole, sizeof(whole), HEAD "%sprocesses:\n  hog: {run: [memset], %s}\n", head, text);
	a = try_text(whole, NULL);
	if (!strstr(a.said, want))
		fail_msg("said: %s\nwanted: %s\nof:\n%s", a.said, want, whole);
	attempt_free(&a);
}

static void test_settings(void **state)
{
	(void)state;
	assert_comes_to(
		"", "rlimits: {as: 64M, data: 0, memlock: unlimited}",
		"{\"cgroup\":\"\",\"name\":\"hog\",\"oom_score_adj\":null,"
		"\"rlimits\":{\"as\":67108864,\"data\":0,\"memlock\":\"unlimited\"},\"run\":[\"memset\"]}");
	assert_comes_to(
		"", "rlimits: {as: null}, user: null, nice: ~",
		"{\"cgroup\":\"\",\"name\":\"hog\",\"oom_score_adj\":null,\"rlimits\":{},\"run\":[\"memset\"]}");
	assert_comes_to("", "user: root",
			"{\"cgroup\":\"\",\"group\":0,\"name\":\"hog\",\"oom_score_adj\":null,"
			"\"run\":[\"memset\"],\"user\":0}");
	/* Nobody has that number, so nobody says which group is his. */
	assert_comes_to("", "user: 4000000001",
			"{\"cgroup\":\"\",\"group\":4000000001,\"name\":\"hog\",\"oom_score_adj\":null,"
			"\"run\":[\"memset\"],\"user\":4000000001}");
	assert_comes_to(
		"", "user: 7, group: root, nice: -20, oom_adj: -17, cpus: 0",
		"{\"cgroup\":\"\",\"cpus\":\"0\",\"group\":0,\"name\":\"hog\",\"nice\":-20,\"oom_adj\":-17,"
		"\"oom_score_adj\":null,\"run\":[\"memset\"],\"user\":7}");
	assert_comes_to(
		GUEST, "cpus: '0-1'",
		"{\"cgroup\":\"\",\"cpus\":\"0-1\",\"name\":\"hog\",\"oom_score_adj\":null,\"run\":[\"memset\"]}");
}

#define WITH_MALLOC(env, malloc)                                                                             \
	"{\"cgroup\":\"\",\"env\":{" env "},\"malloc\":{" malloc                                             \
	"},\"name\":\"hog\",\"oom_score_adj\":null,"                                                         \
	"\"program\":\"/bin/stress-malloc\",\"run\":[\"memset\"]}"
#define PATH_ENV "\"PATH\":\"/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\""

static void test_malloc_library(void **state)
{
	(void)state;
	assert_comes_to("", "malloc: glibc", WITH_MALLOC(PATH_ENV, "\"library\":null,\"name\":\"glibc\""));
	assert_comes_to("", "malloc: fast, env: {A: '1'}",
			WITH_MALLOC("\"A\":\"1\",\"LD_PRELOAD\":\"/lib/libfast.so\",\"OOMLAB_MALLOC\":"
				    "\"/lib/libfast.so\"," PATH_ENV,
				    "\"library\":\"/lib/libfast.so\",\"name\":\"fast\""));
	/* Where it is not installed the place says so: a skip. */
	assert_comes_to("", "malloc: gone",
			WITH_MALLOC(PATH_ENV, "\"library\":null,\"name\":\"gone\",\"package\":\"libgone\""));
	assert_comes_to("", "malloc: /dev/null",
			WITH_MALLOC("\"LD_PRELOAD\":\"/dev/null\",\"OOMLAB_MALLOC\":\"/dev/null\"," PATH_ENV,
				    "\"library\":\"/dev/null\",\"name\":\"/dev/null\""));
	assert_refused(
		"", "malloc: fats",
		"processes.hog.malloc: unknown malloc library 'fats'; did you mean fast; allowed: glibc, "
		"fast, gone, or the path of one\n");
	assert_refused("", "malloc: ./no-such-library.so",
		       "processes.hog.malloc: './no-such-library.so': No such file");
	assert_refused("", "env: {A: '1'}", "processes.hog.env: belongs to exec, or to run with malloc; ");
	assert_refused("", "malloc: fast, stdin: x", "processes.hog.stdin: belongs to exec; ");
}

static void test_bad_settings(void **state)
{
	(void)state;
	assert_refused("", "rlimits: {as: 64}",
		       "F:3:38: processes.hog.rlimits.as: '64' is no size; allowed: ");
	assert_refused("", "rlimits: {as: much}", ", or unlimited\n");
	assert_refused("", "rlimits: {nofile: 1}",
		       "unknown key 'nofile'; allowed: as, data, stack, memlock\n");
	assert_refused("", "rlimits: 64M", "processes.hog.rlimits: is one value; allowed: a mapping\n");
	assert_refused("", "user: no-such-user",
		       "processes.hog.user: this machine has no user 'no-such-user'; allowed: the name of a "
		       "user of this machine, or a number\n");
	assert_refused("", "user: 4294967295", "no user '4294967295'");
	assert_refused("", "group: -1", "no group '-1'");
	assert_refused("", "nice: 20",
		       "processes.hog.nice: '20' is out of range; allowed: a whole number; -20 to 19\n");
	assert_refused("", "oom_adj: 16", "allowed: a whole number; -17 to 15\n");
	assert_refused("", "oom_adj: 1, oom_score_adj: 1",
		       "processes.hog.oom_adj: is given beside oom_score_adj; allowed: one of the two\n");
	assert_refused("", "cpus: all",
		       "'all' is no such list; allowed: numbers and ranges, e.g. 0-3,7, each below 1024\n");
	assert_refused("", "cpus: 1024", "'1024' is no such list");
	assert_refused(GUEST, "cpus: '0,2'", "CPU 2 is more than machine.cpus has; allowed: 0 to 1\n");
	assert_refused("machine: {}\n", "cpus: 1", "allowed: 0 to 0\n");
	assert_refused("", "numa: {policy: bind}", "processes.hog.numa: 'nodes' is missing");
	assert_refused("", "numa: {policy: near, nodes: 0}", "allowed: bind, interleave, preferred\n");
	assert_refused("", "numa: {policy: bind, nodes: x}", "processes.hog.numa.nodes: 'x' is no such list");
	assert_refused("", "numa: {policy: preferred, nodes: 0-1}",
		       "processes.hog.numa.nodes: more than one with preferred; allowed: one node\n");
	assert_refused(GUEST, "numa: {policy: bind, nodes: 1}",
		       "processes.hog.numa.nodes: node 1 is more than machine.nodes has; allowed: 0 to 0\n");
	assert_refused("machine: {memory: 128M, nodes: [64M, 64M]}\n", "numa: {policy: bind, nodes: '0,2'}",
		       "node 2 is more than machine.nodes has; allowed: 0 to 1\n");
	/* Of this machine it is not known before the trial. */
	assert_comes_to(
		"", "cpus: 1000",
		"{\"cgroup\":\"\",\"cpus\":\"1000\",\"name\":\"hog\",\"oom_score_adj\":null,\"run\":[\"memset\"]}");
}

static void test_count(void **state)
{
	struct attempt a = try_text(
		HEAD "processes:\n  hog: {run: [calloc], count: 2}\n  one: {run: [malloc], count: 1}\n"
		     "expect: [{that: hog-2.waste, max: 1M}, {that: victim, is: one-1}]\n",
		NULL);
	static const char *const names[] = { "hog-1", "hog-2", "one-1" };
	size_t i;

	(void)state;
	assert_string_equal(a.said, "");
	assert_int_equal(json_array_size(json_object_get(scenario_spec(a.s, 0), "processes")), 3);
	for (i = 0; i < 3; i++) {
		const json_t *one = json_array_get(json_object_get(scenario_spec(a.s, 0), "processes"), i);

		assert_string_equal(json_string_value(json_object_get(one, "name")), names[i]);
		assert_null(json_object_get(one, "count"));
	}
	attempt_free(&a);
	/* A matrix over it: each cell has its own. */
	a = try_text(HEAD
		     "processes: {hog: {run: [memset], count: 1}}\nmatrix: {processes.hog.count: [1, 64]}\n"
		     "expect: [{that: hog-1.outcome, is: exited}]\n",
		     NULL);
	assert_string_equal(a.said, "");
	assert_int_equal(json_array_size(json_object_get(scenario_spec(a.s, 1), "processes")), 64);
	attempt_free(&a);
}

static void test_bad_count(void **state)
{
	(void)state;
	assert_refused("", "count: 0",
		       "processes.hog.count: '0' is out of range; allowed: a whole number; 1 to 64\n");
	assert_refused("", "count: 64}\n  dog: {run: [malloc]",
		       "processes: 65 processes, with what count makes; allowed: 64\n");
	assert_refused("", "count: 2}\n  hog-2: {run: [malloc]",
		       "processes: there are two processes hog-2; allowed: each name once\n");
	assert_refused("", "count: 2}\nexpect: [{that: hog.outcome, is: exited}]\nsysctl: {",
		       "no process 'hog'; there is: hog-1, hog-2\n");
	assert_refused("", "count: 2}\nexpect: [{that: hog-3.outcome, is: exited}]\nsysctl: {",
		       "no process 'hog-3'");
}

#define OTHERS "}\n  dog: {run: [malloc]}\n  cat: {exec: [true]"

static void test_triggers(void **state)
{
	(void)state;
	assert_comes_to("", "start: {at: 1s}, stop: {at: 2s, signal: STOP}",
			"{\"cgroup\":\"\",\"name\":\"hog\",\"oom_score_adj\":null,\"run\":[\"memset\"],"
			"\"start\":{\"at\":1000000000},\"stop\":{\"at\":2000000000,\"signal\":\"STOP\"}}");
	assert_comes_to("", "start: {after: dog, phase: hold}, stop: {after: cat, rss: 1M, at: 5ms}" OTHERS,
			"{\"cgroup\":\"\",\"name\":\"hog\",\"oom_score_adj\":null,\"run\":[\"memset\"],"
			"\"start\":{\"after\":\"dog\",\"at\":0,\"phase\":\"hold\"},"
			"\"stop\":{\"after\":\"cat\",\"at\":5000000,\"rss\":1048576,\"signal\":\"TERM\"}}");
	/* It may stop by what it has come to itself. */
	assert_comes_to("", "stop: {after: hog, touched: 8M}",
			"{\"cgroup\":\"\",\"name\":\"hog\",\"oom_score_adj\":null,\"run\":[\"memset\"],"
			"\"stop\":{\"after\":\"hog\",\"at\":0,\"signal\":\"TERM\",\"touched\":8388608}}");
}

static void test_bad_triggers(void **state)
{
	(void)state;
	assert_refused("", "start: 1s",
		       "processes.hog.start: is one value; allowed: a mapping, e.g. {at: 1s}");
	assert_refused("", "start: {}",
		       "processes.hog.start: says no time; allowed: at: DURATION, or after: PROCESS");
	assert_refused(
		"", "start: {after: dgo, phase: run}" OTHERS,
		"processes.hog.start.after: no process 'dgo'; did you mean dog; there is: hog, dog, cat\n");
	assert_refused("", "start: {after: dog}" OTHERS,
		       "processes.hog.start.after: nothing is asked of it; allowed: one of");
	assert_refused("", "start: {after: dog, phase: run, rss: 1M}" OTHERS,
		       "several things are asked of it");
	assert_refused("", "start: {at: 1s, rss: 1M}" OTHERS, "asks what nobody has to come to");
	assert_refused("", "start: {after: dog, phase: done}" OTHERS, "allowed: run, hold, ended\n");
	assert_refused(
		"", "start: {after: cat, phase: hold}" OTHERS,
		"processes.hog.start.phase: is not known of a program; allowed: phase: ended, or rss\n");
	assert_refused("", "stop: {after: cat, touched: 1M}" OTHERS,
		       "processes.hog.stop.touched: is not known of a program");
	assert_refused("", "stop: {at: 1s, signal: SEGV}",
		       "allowed: TERM, INT, HUP, KILL, STOP, CONT, USR1, USR2\n");
	assert_refused("", "start: {after: hog, phase: run}",
		       "processes: hog waits for its own start; allowed: one that does not\n");
	assert_refused(
		"",
		"start: {after: dog, phase: run}}\n  dog: {run: [malloc], start: {after: ape, phase: run}}\n"
		"  ape: {run: [malloc], start: {after: dog, phase: ended}",
		"processes: dog waits for its own start");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_settings),     cmocka_unit_test(test_malloc_library),
		cmocka_unit_test(test_bad_settings), cmocka_unit_test(test_count),
		cmocka_unit_test(test_bad_count),    cmocka_unit_test(test_triggers),
		cmocka_unit_test(test_bad_triggers),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
