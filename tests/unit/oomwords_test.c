// SPDX-License-Identifier: MIT
/* The OOM report parser on single wordings: mixed reports, hard names, kernels that are no longer at hand. */
#include "tests/unit/oom_seen.h"

#define INVOKED(comm) comm " invoked oom-killer: gfp_mask=0xcc0(GFP_KERNEL), order=2, oom_score_adj=0\n"
#define SUMMARY(cg, comm, pid)                                                                               \
	"oom-kill:constraint=CONSTRAINT_MEMCG,nodemask=(null),cpuset=/,mems_allowed=0,oom_memcg=" cg         \
	",task_memcg=" cg "/t,task=" comm ",pid=" pid ",uid=5\n"
#define KILLED(comm, pid)                                                                                    \
	"Memory cgroup out of memory: Killed process " pid " (" comm ") total-vm:8kB, anon-rss:4kB, "        \
	"file-rss:0kB, shmem-rss:0kB, UID:5 pgtables:40kB oom_score_adj:-7\n"

static void assert_context(const struct oom_kill *k, int64_t pid, const char *invoker, const char *memcg)
{
	char task[64] = "";

	if (memcg[0])
		snprintf(task, sizeof(task), "%s/t", memcg);
	assert_int_equal(k->pid, pid);
	assert_string_equal(k->invoker, invoker);
	assert_int_equal(k->order, invoker[0] ? 2 : -1);
	assert_string_equal(k->oom_memcg, memcg);
	assert_string_equal(k->task_memcg, task);
	assert_int_equal(k->constraint, OOM_CONSTRAINT_MEMCG);
	assert_int_equal(k->oom_score_adj, -7);
	assert_false(k->group_kill);
}

static void test_interleaved(void **state)
{
	struct seen s;

	(void)state;
	s = see(INVOKED("a") SUMMARY("/A", "va", "10") INVOKED("b") SUMMARY("/B", "vb", "20")
			KILLED("va", "10") KILLED("vb", "20"));
	assert_int_equal(s.kills_n, 2);
	assert_context(&s.kills[0], 10, "", "");
	assert_context(&s.kills[1], 20, "b", "/B");

	/* Which of the two invoked lines is whose cannot be known. */
	s = see(INVOKED("a") INVOKED("b") SUMMARY("/A", "va", "10") KILLED("va", "10")
			SUMMARY("/B", "vb", "20") KILLED("vb", "20"));
	assert_int_equal(s.kills_n, 2);
	assert_context(&s.kills[0], 10, "", "/A");
	assert_context(&s.kills[1], 20, "", "/B");

	s = see(INVOKED("a") INVOKED("b") SUMMARY("/A", "va", "10") SUMMARY("/B", "vb", "20") KILLED(
		"va", "10") KILLED("vb", "20") INVOKED("c") SUMMARY("/C", "vc", "30") KILLED("vc", "30"));
	assert_int_equal(s.kills_n, 3);
	assert_context(&s.kills[0], 10, "", "");
	assert_context(&s.kills[1], 20, "", "/B");
	assert_context(&s.kills[2], 30, "c", "/C");

	/* The kill in the middle is of a report that was held back by the rate limit. */
	s = see(INVOKED("a") SUMMARY("/A", "va", "10") KILLED("other", "11") KILLED("va", "10"));
	assert_context(&s.kills[0], 11, "", "");
	assert_context(&s.kills[1], 10, "a", "/A");

	/* Lines of two reports are lost: what is left of a's must not become b's. */
	s = see(INVOKED("a") KILLED("va", "10") SUMMARY("/B", "vb", "20") KILLED("vb", "20"));
	assert_context(&s.kills[0], 10, "", "");
	assert_context(&s.kills[1], 20, "", "/B");
	s = see(INVOKED("a") SUMMARY("/A", "va", "10") SUMMARY("/B", "vb", "20") KILLED("vb", "20"));
	assert_int_equal(s.kills_n, 1);
	assert_context(&s.kills[0], 20, "", "/B");

	/* The same pid, but a global kill is not what a memcg's report announced. */
	s = see(SUMMARY("/A", "va",
			"10") "Out of memory: Killed process 10 (va) total-vm:8kB, anon-rss:4kB\n");
	assert_int_equal(s.kills[0].constraint, OOM_CONSTRAINT_UNKNOWN);
	assert_string_equal(s.kills[0].oom_memcg, "");
}

static void test_group_ends(void **state)
{
	struct seen s = see("Tasks in /x are going to be killed due to memory.oom.group set\n" KILLED(
		"m", "4") SUMMARY("/A", "va", "10") KILLED("va", "10") KILLED("n", "5"));

	(void)state;
	assert_int_equal(s.kills_n, 3);
	assert_true(s.kills[0].group_kill);
	assert_false(s.kills[1].group_kill);
	assert_false(s.kills[2].group_kill);
}

static void test_hard_names(void **state)
{
	struct seen s;

	(void)state;
	s = see(INVOKED("a) total-vm:9kB") SUMMARY("/x,task=y,pid=3,uid=4", "v,pid=1,uid=2", "10")
			KILLED("v,pid=1,uid=2", "10"));
	assert_int_equal(s.kills_n, 1);
	assert_string_equal(s.kills[0].invoker, "a) total-vm:9kB");
	assert_string_equal(s.kills[0].oom_memcg, "/x,task=y,pid=3,uid=4");
	assert_string_equal(s.kills[0].comm, "v,pid=1,uid=2");
	assert_int_equal(s.kills[0].uid, 5);

	s = see(KILLED(") total-vm:9kB", "10") KILLED("))((", "11") KILLED("), UID 7, ", "12")
			KILLED("", "13"));
	assert_int_equal(s.kills_n, 4);
	assert_string_equal(s.kills[0].comm, ") total-vm:9kB");
	assert_string_equal(s.kills[1].comm, "))((");
	assert_string_equal(s.kills[2].comm, "), UID 7, ");
	assert_string_equal(s.kills[3].comm, "");
	for (int i = 0; i < 4; i++) {
		assert_int_equal(s.kills[i].uid, 5);
		assert_int_equal(s.kills[i].total_vm_bytes, 8 * KB);
		assert_int_equal(s.kills[i].pgtables_bytes, 40 * KB);
	}

	/* Another program's report of a kill is none of ours. */
	s = see("myapp: Killed process 5 (x) total-vm:1kB\nxKilled process 5 (x) total-vm:1kB\n"
		"Out of memory: Killed process -5 (x) total-vm:1kB\nKilled process 0 (x) total-vm:1kB\n");
	assert_int_equal(s.kills_n, 0);
}

static void test_older_kernels(void **state)
{
	struct seen s;

	(void)state;
	/* 4.19, a memcg */
	s = see("hog invoked oom-killer: gfp_mask=0x6000c0(GFP_KERNEL), nodemask=(null), order=0, oom_score_adj=9\n"
		"hog cpuset=/ mems_allowed=0\n"
		"Task in /a/b killed as a result of limit of /a\n"
		"Memory cgroup out of memory: Kill process 31 (hog) score 905 or sacrifice child\n"
		"Killed process 31 (hog) total-vm:12kB, anon-rss:8kB, file-rss:4kB, shmem-rss:0kB\n");
	assert_int_equal(s.kills_n, 1);
	assert_kill(&s.kills[0], &(struct oom_kill){ .constraint = OOM_CONSTRAINT_MEMCG,
						     .invoker = "hog",
						     .gfp = "0x6000c0(GFP_KERNEL)",
						     .oom_memcg = "/a",
						     .task_memcg = "/a/b",
						     .pid = 31,
						     .comm = "hog",
						     .uid = -1,
						     .total_vm_bytes = 12 * KB,
						     .anon_rss_bytes = 8 * KB,
						     .file_rss_bytes = 4 * KB,
						     .pgtables_bytes = -1,
						     .oom_score_adj = -1 });

	/* 4.4, global: a child is sacrificed, of which no line says anything */
	s = see("sh invoked oom-killer: gfp_mask=0x201da, order=0, oom_score_adj=0\n"
		"Out of memory: Kill process 31 (hog) score 905 or sacrifice child\n"
		"Killed process 32 (kid), UID 99, total-vm:12kB, anon-rss:8kB, file-rss:4kB\n");
	assert_kill(&s.kills[0], &(struct oom_kill){ .order = -1,
						     .pid = 32,
						     .comm = "kid",
						     .uid = 99,
						     .total_vm_bytes = 12 * KB,
						     .anon_rss_bytes = 8 * KB,
						     .file_rss_bytes = 4 * KB,
						     .shmem_rss_bytes = -1,
						     .pgtables_bytes = -1,
						     .oom_score_adj = -1 });
	s = see("Killed process 2703, UID 99, (a b) total-vm:12kB, anon-rss:8kB, file-rss:4kB\n"
		"Killed process 7 (x) vsz:12kB, anon-rss:8kB, file-rss:4kB\n"
		"Out of Memory: Killed process 8 (memtest).\n"
		"Out of memory (oom_kill_allocating_task): Killed process 9 (y) total-vm:4kB, anon-rss:4kB\n");
	assert_int_equal(s.kills_n, 4);
	assert_string_equal(s.kills[0].comm, "a b");
	assert_int_equal(s.kills[0].uid, 99);
	assert_int_equal(s.kills[1].total_vm_bytes, 12 * KB);
	assert_string_equal(s.kills[2].comm, "memtest");
	assert_string_equal(s.kills[3].comm, "y");
}

/* As pages of the web have them, whose blanks got lost. */
static void test_lost_blanks(void **state)
{
	struct seen s = see("httpd invoked oom-killer:gfp_mask=0x201da, order=0, oom_score_adj=0\n"
			    "Out of memory: Kill process 31(mysqld) score 9 or sacrifice child\n"
			    "Killed process 31, UID 27,(mysqld) total-vm:12kB, anon-rss:8kB, file-rss:4kB\n");

	(void)state;
	assert_int_equal(s.kills_n, 1);
	assert_string_equal(s.kills[0].invoker, "httpd");
	assert_string_equal(s.kills[0].gfp, "0x201da");
	assert_string_equal(s.kills[0].comm, "mysqld");
	assert_int_equal(s.kills[0].uid, 27);
	assert_int_equal(s.kills[0].file_rss_bytes, 4 * KB);
}

static void test_panics(void **state)
{
	(void)state;
	assert_string_equal(oom_panic_name("Out of memory: compulsory panic_on_oom is enabled"), "oom");
	assert_string_equal(oom_panic_name("Out of memory: system-wide panic_on_oom is enabled"), "oom");
	assert_string_equal(oom_panic_name("Out of memory and no killable processes..."), "oom");
	assert_string_equal(oom_panic_name("System is deadlocked on memory"), "oom");
	assert_string_equal(oom_panic_name("Attempted to kill init! exitcode=0x00000009"), "other");
	assert_string_equal(oom_panic_name(""), "other");
}

static void test_other_events(void **state)
{
	struct seen s;

	(void)state;
	s = see("Out of memory and no killable processes...\nMemory cgroup out of memory: no killable processes\n");
	assert_int_equal(s.no_victim, 2);
	s = see("Kernel panic - not syncing: Out of memory and no killable processes...\n"
		"Kernel panic - not syncing: VFS: Unable to mount root fs on unknown-block(0,0)\n");
	assert_int_equal(s.panics, 2);
	assert_int_equal(s.no_victim, 0);
	s = see("sh invoked oom-killer: gfp_mask=0xcc0(GFP_KERNEL), order=-1, oom_score_adj=0\n");
	assert_int_equal(s.invoked, 1);
	assert_int_equal(s.parser.pending.order, -1);
	s = see("oom-kill:constraint=CONSTRAINT_MEMORY_POLICY,nodemask=1,cpuset=c,mems_allowed=0-1,global_oom,"
		"task_memcg=/,task=v,pid=6,uid=0\n"
		"Out of memory: Killed process 6 (v) total-vm:99999999999999999999kB, anon-rss:9223372036854775807kB\n");
	assert_int_equal(s.kills[0].constraint, OOM_CONSTRAINT_MEMPOLICY);
	assert_int_equal(s.kills[0].total_vm_bytes, -1);
	assert_int_equal(s.kills[0].anon_rss_bytes, -1);
	assert_int_equal(s.kills[0].uid, 0);
	assert_string_equal(oom_constraint_name(OOM_CONSTRAINT_MEMCG), "memcg");
	assert_string_equal(oom_constraint_name(OOM_CONSTRAINT_CPUSET), "cpuset");
	assert_string_equal(oom_constraint_name((enum oom_constraint)99), "unknown");
}

/* A name that does not fit is unknown, not shortened. */
static void test_too_long(void **state)
{
	char line[2048], group[OOM_GROUP_MAX + 1];
	struct seen s;

	(void)state;
	memset(group, 'g', OOM_GROUP_MAX);
	group[OOM_GROUP_MAX] = '\0';
	for (size_t cut = 0; cut < 2; cut++) {
		group[OOM_GROUP_MAX - cut] = '\0';
		snprintf(
			line, sizeof(line),
			"oom-kill:constraint=CONSTRAINT_MEMCG,nodemask=(null),oom_memcg=/a,task_memcg=%s,task=v,pid=6,uid=0\n"
			"Memory cgroup out of memory: Killed process 6 (v) total-vm:4kB, anon-rss:4kB\n",
			group);
		s = see(line);
		assert_int_equal(s.kills_n, 1);
		assert_string_equal(s.kills[0].oom_memcg, "/a");
		assert_string_equal(s.kills[0].task_memcg, cut ? group : "");
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_interleaved), cmocka_unit_test(test_group_ends),
		cmocka_unit_test(test_hard_names),  cmocka_unit_test(test_older_kernels),
		cmocka_unit_test(test_panics),      cmocka_unit_test(test_other_events),
		cmocka_unit_test(test_too_long),    cmocka_unit_test(test_lost_blanks),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
