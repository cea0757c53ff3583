// SPDX-License-Identifier: MIT
/*
 * How processes ended, by three witnesses. Groups, when there are any:
 *
 *     oomlab.1.1/app      hog, helper
 *     oomlab.1.1/app/x    kid
 *     oomlab.1.1/@procs   free
 */
#include "harness/outcome.h"

#include "tests/unit/trial_box.h"

#define MISSING   BB_MISSING
#define LINES_MAX 10

#define HOG    "{'name': 'hog', 'run': ['memset'], 'cgroup': 'app'}"
#define HELPER "{'name': 'helper', 'run': ['memset'], 'cgroup': 'app'}"
#define KID    "{'name': 'kid', 'run': ['memset'], 'cgroup': 'app/x'}"
#define FREE   "{'name': 'free', 'run': ['memset'], 'cgroup': ''}"

/* Events, as the engine writes them. */
#define KERNEL(memcg, more)                                                                                  \
	"{'event': 'oom-kill', 'task_memcg': '" memcg "', 'constraint': 'memcg', " more "}"
#define KILL(name)        KERNEL("/oomlab.1.1/app", "'process': '" name "', 'pid': 91")
#define KILL_KID          KERNEL("/oomlab.1.1/app/x", "'process': 'kid', 'pid': 93")
#define KILL_MEMBER(name) KERNEL("", "'process': '" name "', 'pid': 92, 'group_kill': true")
#define EXIT(name, how)   "{'event': 'exit', 'process': '" name "', 'pid': 91, " how "}"
#define SIGKILLED(name)   EXIT(name, "'signal': 9, 'ended_by': null, 'phase': 'run'")
#define DONE(name)        EXIT(name, "'exit_code': 0, 'ended_by': null, 'phase': 'done'")
#define AS_ONE(group)                                                                                        \
	"{'event': 'set', 'cgroup': '" group "', 'key': 'memory.oom.group', 'wanted': '1', 'got': '1'}"
#define SIGNALLED(name, number)                                                                              \
	"{'event': 'signal', 'process': '" name "', 'pid': 91, 'signal': " number ", 'sender': 'killer'}"
#define NO_TRACE "{'event': 'no-signal-trace', 'reason': 'No such file or directory'}"
#define NO_LOG   "{'event': 'no-kernel-log', 'reason': 'Permission denied'}"
#define LOST     "{'event': 'end', 'reason': 'all processes ended', 'kernel_log_lost': 2}"

struct story {
	const char *about;
	int version;                   /* of cgroups */
	const char *processes;         /* elements of the spec's list */
	int64_t app, app_x, procs;     /* rise of oom_kill */
	const char *events[LINES_MAX]; /* NULL-terminated */
	const char *outcomes;          /* "hog=exited kid=null" */
	const char *victims;           /* "hog kid" */
	const char *disagreement;      /* NULL: they agree */
};

static json_t *spec_of(const struct story *s)
{
	char text[1024];

	snprintf(text, sizeof(text),
		 "{'spec': 1, 'cgroups': [{'path': 'app'}, {'path': 'app/x'}], 'processes': [%s]}",
		 s->processes);
	return json_of(text);
}

static void write_story(struct trial_box *b, const struct story *s)
{
	const int64_t rise[] = { s->app, s->app_x, s->procs };
	static const char *const groups[] = { "app", "app/x", "@procs" };
	char text[256];
	uint32_t i;

	box_again(b);
	snprintf(text, sizeof(text), "{'event': 'start', 'cgroup_version': %d}", s->version);
	box_event(b, text);
	box_text(b, BB_COLUMNS, "{'of': 'cgroup', 'names': ['current', 'oom_kills', 'oom_group_kills']}");
	for (i = 0; i < 3; i++) {
		snprintf(text, sizeof(text), "{'event': 'cgroup', 'cgroup': '%s', 'path': 'oomlab.1.1/%s'}",
			 groups[i], groups[i]);
		box_event(b, text);
		/* A counter need not start at 0, and only its rise counts. */
		SAMPLE(b, BB_CGROUP, i, 0, rise[i] == MISSING ? MISSING : 7, MISSING);
	}
	box_event(b, "{'event': 'spawn', 'process': 'hog', 'pid': 91}");
	for (i = 0; i < LINES_MAX && s->events[i]; i++)
		box_event(b, s->events[i]);
	for (i = 0; i < 3; i++)
		SAMPLE(b, BB_CGROUP, i, 0, rise[i] == MISSING ? MISSING : 7 + rise[i], MISSING);
}

/* "hog=exited kid=null" */
static void outcomes_text(const json_t *processes, char ret[256])
{
	size_t i, len = 0;

	ret[0] = 0;
	for (i = 0; i < json_array_size(processes); i++) {
		const json_t *p = json_array_get(processes, i);

		len += (size_t)snprintf(ret + len, 256 - len, "%s%s=%s", i ? " " : "",
					json_text(p, "name", "?"), json_text(p, "outcome", "null"));
	}
}

static void victims_text(const json_t *victims, char ret[256])
{
	size_t i, len = 0;

	ret[0] = 0;
	for (i = 0; i < json_array_size(victims); i++)
		len += (size_t)snprintf(ret + len, 256 - len, "%s%s", i ? " " : "",
					json_text(json_array_get(victims, i), "process", "?"));
}

static void same_text(const struct story *s, const char *what, const char *got, const char *wanted)
{
	if (strcmp(got, wanted) != 0)
		fail_msg("%s: %s: got \"%s\", not \"%s\"", s->about, what, got, wanted);
}

static void tell(void **state, const struct story *s, size_t count)
{
	for (; count-- > 0; s++) {
		json_t *spec = spec_of(s), *processes, *victims;
		struct trial_box *b = *state;
		char *disagreement, text[256];
		struct record r;

		write_story(b, s);
		box_read(b, &r);
		processes = outcome_processes(&r, spec);
		victims = outcome_victims(&r, spec, &disagreement);
		outcomes_text(processes, text);
		same_text(s, "outcomes", text, s->outcomes);
		victims_text(victims, text);
		same_text(s, "victims", text, s->victims);
		same_text(s, "disagreement", disagreement ? disagreement : "none",
			  s->disagreement ? s->disagreement : "none");
		free(disagreement);
		json_decref(victims);
		json_decref(processes);
		json_decref(spec);
		record_free(&r);
	}
}

#define TELL(stories) tell(state, stories, sizeof(stories) / sizeof((stories)[0]))
#define END(how)                                                                                             \
	{                                                                                                    \
		EXIT("hog", how)                                                                             \
	}

static void ends(void **state)
{
	/* clang-format off */
	static const struct story stories[] = {
		{ "limit reached", 2, HOG, 0, 0, 0, { DONE("hog") }, "hog=exited", "", NULL },
		{ "NULL", 2, HOG, 0, 0, 0, END("'exit_code': 1, 'phase': 'enomem', 'errno': 12"),
		  "hog=enomem", "", NULL },
		{ "a signal", 2, HOG, 0, 0, 0, END("'signal': 15, 'phase': 'run'"), "hog=signalled", "",
		  NULL },
		{ "killed by hand", 2, HOG, 0, 0, 0, { SIGKILLED("hog") }, "hog=signalled", "", NULL },
		{ "oom-killed", 2, HOG, 1, 0, 0, { KILL("hog"), SIGKILLED("hog") }, "hog=oom-killed", "hog",
		  NULL },
		{ "on v1", 1, HOG, 1, 0, 0, { KILL("hog"), SIGKILLED("hog") }, "hog=oom-killed", "hog",
		  NULL },
		{ "in a container", 2, HOG, 1, 0, 0,
		  { KERNEL("/docker/1f/oomlab.1.1/app", "'process': 'hog', 'pid': 91"), SIGKILLED("hog") },
		  "hog=oom-killed", "hog", NULL },
		{ "no room in a mapping", 2, HOG, 0, 0, 0, END("'signal': 7, 'phase': 'run'"), "hog=sigbus",
		  "", NULL },
		{ "by a killer", 2, HOG, 0, 0, 0, { SIGNALLED("hog", "15"), EXIT("hog", "'signal': 15") },
		  "hog=killer", "", NULL },
		{ "by a killer that asked it to go", 2, HOG, 0, 0, 0, { SIGNALLED("hog", "15"), DONE("hog") },
		  "hog=killer", "", NULL },
		{ "a killer killed another", 2, HOG ", " HELPER, 0, 0, 0, { SIGNALLED("helper", "9"), DONE("hog") },
		  "hog=exited helper=null", "", NULL },
		{ "a killer, and then the kernel", 2, HOG, 1, 0, 0,
		  { SIGNALLED("hog", "15"), KILL("hog"), EXIT("hog", "'signal': 15") }, "hog=oom-killed", "hog", NULL },
		{ "a killer hurried and the trial was over", 2, HOG, 0, 0, 0,
		  { SIGNALLED("hog", "15"), EXIT("hog", "'signal': 9, 'ended_by': 'timeout'") }, "hog=timeout", "", NULL },
		{ "a killer, and nobody could see", 2, HOG, 0, 0, 0, { NO_TRACE, SIGKILLED("hog") }, "hog=killer", "", NULL },
		{ "nobody could see, and nothing happened", 2, HOG, 0, 0, 0, { NO_TRACE, DONE("hog") }, "hog=exited", "", NULL },
		{ "out of time", 2, HOG, 0, 0, 0, END("'signal': 9, 'ended_by': 'timeout', 'phase': 'hold'"),
		  "hog=timeout", "", NULL },
		{ "stopped with the trial", 2, HOG, 0, 0, 0, END("'signal': 9, 'ended_by': 'stop'"),
		  "hog=stopped", "", NULL },
		{ "said enomem, then died", 2, HOG, 0, 0, 0, END("'signal': 11, 'phase': 'enomem'"),
		  "hog=signalled", "", NULL },
		{ "nobody knows", 2, HOG, 0, 0, 0, { NULL }, "hog=null", "", NULL },
		{ "killed, and its exit was never seen", 2, HOG, 1, 0, 0, { KILL("hog") }, "hog=oom-killed",
		  "hog", NULL },
		{ "killed by the kernel just before we did", 2, HOG, 1, 0, 0, { KILL("hog"), EXIT("hog",
		  "'signal': 9, 'ended_by': 'timeout'") }, "hog=oom-killed", "hog", NULL },
	};
	/* clang-format on */

	TELL(stories);
}

static void disagreements(void **state)
{
#define ABOUT(name) "the witnesses disagree about " name ": "
	/* clang-format off */
	static const struct story stories[] = {
		{ "the counter did not see it", 2, HOG, 0, 0, 0, { KILL("hog"), SIGKILLED("hog") },
		  "hog=oom-killed", "hog", ABOUT("hog")
		  "kernel log: killed (1 killed in its cgroup); cgroup: oom_kill rose by 0;"
		  " wait status: signal 9" },
		{ "the counter saw two", 2, HOG, 2, 0, 0, { KILL("hog"), SIGKILLED("hog") },
		  "hog=oom-killed", "hog", ABOUT("hog")
		  "kernel log: killed (1 killed in its cgroup); cgroup: oom_kill rose by 2;"
		  " wait status: signal 9" },
		{ "the log did not see it", 2, HOG, 1, 0, 0, { SIGKILLED("hog") }, "hog=signalled", "",
		  ABOUT("hog") "kernel log: not killed (0 killed in its cgroup); cgroup: oom_kill rose by 1;"
		  " wait status: signal 9" },
		{ "the wait status did not see it", 2, HOG, 1, 0, 0, { KILL("hog"), DONE("hog") },
		  "hog=oom-killed", "hog", ABOUT("hog")
		  "kernel log: killed (1 killed in its cgroup); cgroup: oom_kill rose by 1;"
		  " wait status: exit 0" },
		{ "another signal", 2, HOG, 1, 0, 0, { KILL("hog"), EXIT("hog", "'signal': 11") },
		  "hog=oom-killed", "hog", ABOUT("hog")
		  "kernel log: killed (1 killed in its cgroup); cgroup: oom_kill rose by 1;"
		  " wait status: signal 11" },
		{ "the counter alone", 2, HOG, 1, 0, 0, { DONE("hog") }, "hog=exited", "", ABOUT("hog")
		  "kernel log: not killed (0 killed in its cgroup); cgroup: oom_kill rose by 1;"
		  " wait status: exit 0" },
		{ "no counter", 2, HOG, MISSING, 0, 0, { KILL("hog"), DONE("hog") }, "hog=oom-killed", "hog",
		  ABOUT("hog") "kernel log: killed (1 killed in its cgroup); cgroup: no counter;"
		  " wait status: exit 0" },
		{ "never reaped", 2, HOG, 0, 0, 0, { KILL("hog") }, "hog=oom-killed", "hog", ABOUT("hog")
		  "kernel log: killed (1 killed in its cgroup); cgroup: oom_kill rose by 0;"
		  " wait status: never reaped" },
		{ "one of two", 2, HOG "," FREE, 1, 0, 1, { KILL("hog"), SIGKILLED("hog"), DONE("free") },
		  "hog=oom-killed free=exited", "hog", ABOUT("free")
		  "kernel log: not killed (0 killed in its cgroup); cgroup: oom_kill rose by 1;"
		  " wait status: exit 0" },
		{ "a log with holes that saw it all the same", 2, HOG, 1, 0, 0, { KILL("hog"), DONE("hog"),
		  LOST }, "hog=oom-killed", "hog", ABOUT("hog")
		  "kernel log: killed (1 killed in its cgroup); cgroup: oom_kill rose by 1;"
		  " wait status: exit 0" },
	};
	/* clang-format on */

	TELL(stories);
}

/* Then the counter and the wait status decide. */
static void without_a_log(void **state)
{
	/* clang-format off */
	static const struct story stories[] = {
		{ "both say so", 2, HOG, 1, 0, 0, { NO_LOG, SIGKILLED("hog") }, "hog=oom-killed", "hog",
		  NULL },
		{ "no counter rose", 2, HOG, 0, 0, 0, { NO_LOG, SIGKILLED("hog") }, "hog=signalled", "",
		  NULL },
		{ "no counter", 2, HOG, MISSING, 0, 0, { NO_LOG, SIGKILLED("hog") }, "hog=signalled", "",
		  NULL },
		{ "another's counter rose", 2, HOG, 0, 1, 1, { NO_LOG, SIGKILLED("hog") }, "hog=signalled",
		  "", NULL },
		{ "its neighbour", 2, HOG "," HELPER, 1, 0, 0, { NO_LOG, SIGKILLED("hog"), DONE("helper") },
		  "hog=oom-killed helper=exited", "hog", NULL },
		{ "out of time", 2, HOG, 1, 0, 0, { NO_LOG,
		  EXIT("hog", "'signal': 9, 'ended_by': 'timeout'") }, "hog=timeout", "", NULL },
		{ "overwritten before it was read", 2, HOG, 1, 0, 0, { SIGKILLED("hog"), LOST },
		  "hog=oom-killed", "hog", NULL },
		{ "overwritten in part", 2, HOG "," HELPER, 2, 0, 0, { KILL("hog"), SIGKILLED("hog"),
		  SIGKILLED("helper"), LOST }, "hog=oom-killed helper=oom-killed", "hog helper", NULL },
	};
	/* clang-format on */

	TELL(stories);
}

/*
 * memory.oom.group: the chosen victim is counted once or twice and told once, the others are told
 * without their group. 6.1 and 5.10 with oom.group on app, two processes in app/x: oom_kill 3 in
 * both groups, oom_group_kill 1 in app and 0 in app/x (6.1), or no such line (5.10).
 */
static void groups_that_die_as_one(void **state)
{
	/* clang-format off */
	static const struct story stories[] = {
		{ "counted once", 2, HOG "," HELPER, 2, 0, 0, { AS_ONE("app"), KILL("hog"),
		  KILL_MEMBER("helper"), SIGKILLED("hog"), SIGKILLED("helper") },
		  "hog=oom-killed helper=oom-killed", "hog helper", NULL },
		{ "counted twice", 2, HOG "," HELPER, 3, 0, 0, { AS_ONE("app"), KILL("hog"),
		  KILL_MEMBER("helper"), SIGKILLED("hog"), SIGKILLED("helper") },
		  "hog=oom-killed helper=oom-killed", "hog helper", NULL },
		{ "counted thrice", 2, HOG, 3, 0, 0, { AS_ONE("app"), KILL("hog"), SIGKILLED("hog") },
		  "hog=oom-killed", "hog", ABOUT("hog")
		  "kernel log: killed (1 killed in its cgroup); cgroup: oom_kill rose by 3;"
		  " wait status: signal 9" },
		{ "alone and counted twice", 2, HOG, 2, 0, 0, { AS_ONE("app"), KILL("hog"), SIGKILLED("hog")
		  }, "hog=oom-killed", "hog", NULL },
		{ "told above the group", 2, KID, 2, 2, 0, { AS_ONE("app"), KILL_KID, SIGKILLED("kid") },
		  "kid=oom-killed", "kid", NULL },
		{ "told in another group", 2, HOG, 2, 0, 0, { AS_ONE("app/x"), KILL("hog"), SIGKILLED("hog")
		  }, "hog=oom-killed", "hog", ABOUT("hog")
		  "kernel log: killed (1 killed in its cgroup); cgroup: oom_kill rose by 2;"
		  " wait status: signal 9" },
		{ "one fewer than the log told", 2, HOG "," HELPER, 1, 0, 0, { AS_ONE("app"), KILL("hog"),
		  KILL_MEMBER("helper"), SIGKILLED("hog"), SIGKILLED("helper") },
		  "hog=oom-killed helper=oom-killed", "hog helper", ABOUT("hog")
		  "kernel log: killed (2 killed in its cgroup); cgroup: oom_kill rose by 1;"
		  " wait status: signal 9" },
		{ "a child of a process goes with it", 2, HOG, 3, 0, 0, { AS_ONE("app"), KILL("hog"),
		  KERNEL("", "'process': null, 'pid': 99, 'group_kill': true"), SIGKILLED("hog") },
		  "hog=oom-killed", "hog", NULL },
	};
	/* clang-format on */

	TELL(stories);
}

static void groups_within_groups(void **state)
{
	/* clang-format off */
	static const struct story stories[] = {
		{ "v2 counts above", 2, HOG "," KID, 1, 1, 0, { KILL_KID, SIGKILLED("kid"), DONE("hog") },
		  "hog=exited kid=oom-killed", "kid", NULL },
		{ "v1 does not", 1, HOG "," KID, 0, 1, 0, { KILL_KID, SIGKILLED("kid"), DONE("hog") },
		  "hog=exited kid=oom-killed", "kid", NULL },
		{ "v2 that does not", 2, HOG "," KID, 0, 1, 0, { KILL_KID, SIGKILLED("kid"), DONE("hog") },
		  "hog=exited kid=oom-killed", "kid", ABOUT("hog")
		  "kernel log: not killed (1 killed in its cgroup); cgroup: oom_kill rose by 0;"
		  " wait status: exit 0" },
		{ "v1 that does", 1, HOG "," KID, 1, 1, 0, { KILL_KID, SIGKILLED("kid"), DONE("hog") },
		  "hog=exited kid=oom-killed", "kid", ABOUT("hog")
		  "kernel log: not killed (0 killed in its cgroup); cgroup: oom_kill rose by 1;"
		  " wait status: exit 0" },
		{ "a name that begins alike", 2, HOG, 0, 0, 0, { KERNEL("/oomlab.1.1/app2",
		  "'process': null, 'pid': 5"), DONE("hog") }, "hog=exited", "", NULL },
		{ "another trial's", 2, HOG, 0, 0, 0, { KERNEL("/oomlab.2.1/app",
		  "'process': null, 'pid': 5"), DONE("hog") }, "hog=exited", "", NULL },
		{ "a child of a process", 2, HOG, 1, 0, 0, { KERNEL("/oomlab.1.1/app",
		  "'process': null, 'pid': 5"), DONE("hog") }, "hog=exited", "", NULL },
		{ "no group of its own", 2, FREE, 0, 0, 1, { KERNEL("/oomlab.1.1/@procs",
		  "'process': 'free', 'pid': 5"), SIGKILLED("free") }, "free=oom-killed", "free", NULL },
		{ "in the order of time", 2, HOG "," KID, 2, 1, 0, { KILL_KID, SIGKILLED("kid"), KILL("hog"),
		  SIGKILLED("hog") }, "hog=oom-killed kid=oom-killed", "kid hog", NULL },
	};
	/* clang-format on */

	TELL(stories);
}

static void witness_is(const json_t *victim, const char *name, const json_t *wanted)
{
	const json_t *got = json_object_get(json_object_get(victim, "witnesses"), name);

	if (got != wanted)
		fail_msg("%s: %d", name, got ? (int)json_typeof(got) : -1);
}

/* All that the log told stands in the victim, and what it did not tell is null. */
static void what_is_known_of_a_victim(void **state)
{
	static const struct story told = {
		"told",
		2,
		HOG,
		1,
		0,
		0,
		{ "{'event': 'oom-kill', 'process': 'hog', 'pid': 91, 'comm': 'oomlab-stress', 'uid': 7,"
		  " 'constraint': 'memcg', 'oom_memcg': '/oomlab.1.1', 'task_memcg': '/oomlab.1.1/app',"
		  " 'total_vm': 5, 'anon_rss': 4, 'pgtables': 3, 'oom_score_adj': -2}",
		  SIGKILLED("hog") },
		"hog=oom-killed",
		"hog",
		NULL
	};
	struct trial_box *b = *state;
	json_t *spec = spec_of(&told), *victims;
	const json_t *v;
	struct record r;
	char *disagreement;

	write_story(b, &told);
	box_read(b, &r);
	victims = outcome_victims(&r, spec, &disagreement);
	v = json_array_get(victims, 0);
	assert_int_equal(json_number(v, "pid", 0), 91);
	assert_string_equal(json_text(v, "comm", ""), "oomlab-stress");
	assert_int_equal(json_number(v, "uid", 0), 7);
	assert_string_equal(json_text(v, "constraint", ""), "memcg");
	assert_string_equal(json_text(v, "oom_memcg", ""), "/oomlab.1.1");
	assert_string_equal(json_text(v, "task_memcg", ""), "/oomlab.1.1/app");
	assert_int_equal(json_number(v, "anon_rss", 0), 4);
	assert_int_equal(json_number(v, "oom_score_adj", 0), -2);
	assert_true(json_is_null(json_object_get(v, "file_rss")));
	assert_true(json_number(v, "t_ns", 0) > 0);
	assert_true(json_is_true(json_object_get(v, "agree")));
	witness_is(v, "kernel_log", json_true());
	witness_is(v, "cgroup", json_true());
	witness_is(v, "wait_status", json_true());
	json_decref(victims);
	json_decref(spec);
	record_free(&r);
}

/* null: that one could not speak. */
static void who_saw_it(void **state)
{
	/* clang-format off */
	static const struct story stories[] = {
		{ "no log", 2, HOG, 1, 0, 0, { NO_LOG, SIGKILLED("hog") }, NULL, "n++", NULL },
		{ "no counter", 2, HOG, MISSING, 0, 0, { KILL("hog"), SIGKILLED("hog") }, NULL, "+n+", NULL },
		{ "never reaped", 2, HOG, 1, 0, 0, { KILL("hog") }, NULL, "++n", NULL },
		{ "the log had holes", 2, HOG, 1, 0, 0, { KILL("hog"), SIGKILLED("hog"), LOST }, NULL, "+++",
		  NULL },
		{ "counter and exit deny it", 2, HOG, 0, 0, 0, { KILL("hog"), DONE("hog") }, NULL, "+--",
		  NULL },
	};
	/* clang-format on */
	static const char *const names[] = { "kernel_log", "cgroup", "wait_status" };
	size_t i, j;

	for (i = 0; i < sizeof(stories) / sizeof(stories[0]); i++) {
		json_t *spec = spec_of(&stories[i]), *victims;
		struct trial_box *b = *state;
		struct record r;
		char *disagreement;

		write_story(b, &stories[i]);
		box_read(b, &r);
		victims = outcome_victims(&r, spec, &disagreement);
		assert_int_equal(json_array_size(victims), 1);
		for (j = 0; j < 3; j++) {
			char mark = stories[i].victims[j];

			witness_is(json_array_get(victims, 0), names[j],
				   mark == 'n' ? json_null() : json_boolean(mark == '+'));
		}
		assert_int_equal(json_number(json_array_get(victims, 0), "pid", 0), 91);
		free(disagreement);
		json_decref(victims);
		json_decref(spec);
		record_free(&r);
	}
}

static void what_is_known_of_a_process(void **state)
{
	static const struct story alive = {
		"its last phase",
		2,
		HOG,
		0,
		0,
		0,
		{ "{'event': 'phase', 'process': 'hog', 'phase': 'run', 'errno': 0, 'note': ''}",
		  "{'event': 'phase', 'process': 'hog', 'phase': 'hold', 'errno': 0, 'note': 'n'}" },
		NULL,
		NULL,
		NULL
	};
	struct trial_box *b = *state;
	json_t *spec = spec_of(&alive), *processes;
	const json_t *p;
	struct record r;

	write_story(b, &alive);
	box_read(b, &r);
	processes = outcome_processes(&r, spec);
	p = json_array_get(processes, 0);
	assert_string_equal(json_text(p, "phase", ""), "hold");
	assert_string_equal(json_text(p, "note", ""), "n");
	assert_int_equal(json_number(p, "pid", 0), 91);
	assert_string_equal(json_text(p, "cgroup", ""), "app");
	assert_int_equal(json_array_size(json_object_get(p, "run")), 1);
	assert_true(json_is_null(json_object_get(p, "outcome")));
	assert_true(json_is_null(json_object_get(p, "exit_code")));
	assert_true(json_is_null(json_object_get(p, "signal")));
	json_decref(processes);
	json_decref(spec);
	record_free(&r);
}

#define WITH_BOX(test) cmocka_unit_test_setup_teardown(test, box_setup, box_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_BOX(ends),
		WITH_BOX(disagreements),
		WITH_BOX(without_a_log),
		WITH_BOX(groups_that_die_as_one),
		WITH_BOX(groups_within_groups),
		WITH_BOX(what_is_known_of_a_victim),
		WITH_BOX(who_saw_it),
		WITH_BOX(what_is_known_of_a_process),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("outcome", tests, NULL, NULL);
}
