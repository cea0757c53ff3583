// SPDX-License-Identifier: MIT
/* Reports as people pass them on: wrapped, cut, without their beginning. Of what is not there nothing is said. */
#include "tests/unit/report_seen.h"

/* Reports in mails are wrapped at 72 characters or so, at blanks and at hyphens, and are quoted. */
static void wrapped(void **state)
{
	static const char mail[] =
		"> [  100.000001] asker invoked oom-killer: gfp_mask=0x201da, order=2,\n"
		"> oom_score_adj=-17\n"
		"> [  100.000002] Node 0 DMA32 free:8000kB min:5000kB low:6000kB\n"
		"> high:7000kB present:90000kB\n"
		"> managed:80000kB all_unreclaimable? no\n"
		"> [  100.000003] [ pid ]   uid  tgid total_vm      rss nr_ptes swapents\n"
		"> oom_score_adj name\n"
		"> [  100.000004] [   79]  1000    79     7418     6617      24        0\n"
		">             0 we(ird, na me\n"
		"> [  100.000005] [   80]     0    80     1100      300       9        0            -3 other\n"
		"> [  100.000006] [   81]     0    81     1100      300       9\n"
		"> [  100.000007] Out of memory: Kill process 79 (we(ird, na me)\n"
		">    score 905 or sacrifice child\n"
		"> [  100.000008] Killed process 79 (we(ird, na me) total-vm:29672kB, anon-\n"
		"> rss:26468kB, file-rss:16kB,\n"
		"> shmem-rss:12kB\n"
		"\n"
		"This is what I saw.\n";
	static const char summary[] =
		"[    2.000001] oom-kill:constraint=CONSTRAINT_MEMCG,nodemask=(null),cpuset=/,mems_allowed=0,\n"
		"   oom_memcg=/a,task_memcg=/a/b,task=hog,pid=79,uid=5\n"
		"[    2.000002] Memory cgroup out of memory: Killed process 79 (hog) total-vm:8kB, anon-rss:4kB, file-rss:0kB,\n"
		"shmem-rss:12kB, UID:5\n"
		"pgtables:96kB oom_score_adj:-6\n"
		"[    2.000003] Tasks in /a/b are going to be killed due to memory.oom.group set\n"
		"[    2.000004] Memory cgroup out of memory: Killed process 80 (hog) total-vm:8kB, anon-rss:4kB, file-rss:0kB, "
		"shmem-rss:0kB, UID:5\n"
		"pgtables:92kB oom_score_adj:-6\n";
	struct seen s;
	const struct oom_report *r = only_text(&s, mail);

	(void)state;
	assert_string_equal(r->when, "> [  100.000001]");
	assert_true(r->invoker_adj_known && r->invoker_adj == -17 && r->order == 2);
	assert_int_equal(r->zones[0].managed_bytes, 80000 * KB);
	assert_int_equal(r->task_count, 2);
	assert_string_equal(r->tasks[0].comm, "we(ird, na me");
	assert_int_equal(r->tasks_lost, 1);
	assert_int_equal(r->chosen_score, 905);
	assert_string_equal(r->killed[0].comm, "we(ird, na me");
	assert_int_equal(r->killed[0].anon_rss_bytes, 26468 * KB);
	assert_int_equal(r->killed[0].shmem_rss_bytes, 12 * KB);
	forget(&s);

	r = only_text(&s, summary);
	assert_int_equal(r->line, 1);
	assert_string_equal(r->oom_memcg, "/a");
	assert_string_equal(r->task_memcg, "/a/b");
	assert_int_equal(r->killed[0].uid, 5);
	assert_int_equal(r->killed[0].shmem_rss_bytes, 12 * KB);
	assert_int_equal(r->killed[0].pgtables_bytes, 96 * KB);
	assert_int_equal(r->killed[1].pgtables_bytes, 92 * KB);
	assert_true(r->killed[0].adj_known && r->killed[0].oom_score_adj == -6);
	forget(&s);
}

/* At a blank as well where the message begins, and by a terminal wherever it is full: then no number may come of it. */
static void wrapped_anywhere(void **state)
{
	static const char mail[] =
		"Jul 22 10:42:40 new kernel: [    9.1] asker invoked oom-killer: gfp_mask=0xd0, order=0, oom_score_adj=0\n"
		"Jul 22 10:42:40 new kernel: [    9.1] CPU: 3 PID: 530 Comm: asker Tainted: G         C O\n"
		"   4.14.79-v7+ #1159\n"
		"Jul 22 10:42:40 new kernel: [    9.1] [ pid ]   uid  tgid total_vm      rss nr_ptes swapents oom_score_adj name\n"
		"Jul 22 10:42:40 new kernel: [    9.1] [ 3035]     0  3035     16\n"
		"55       22       8        0             0 hog\n"
		"Jul 22 10:42:40 new kernel: [    9.1] [ 3036]     0  3036     1655       22       8        0             0 hog\n"
		"Jul 22 10:42:40 new kernel: Out of memory: Kill\n"
		"process 3036 (hog) score 17 or sacrifice child\n"
		"Jul 22 10:42:40 new kernel:\n"
		"Killed process 3037\n"
		"(hog) total-vm:8kB, anon-rss:4kB, file-rss:4kB,\n"
		"shmem-rss:16kB\n"
		"Jul 22 10:42:40 new kernel: oom_reaper: reaped process 3037\n"
		"(hog), now anon-rss:0kB, file-rss:0kB, shmem-rss:12kB\n";
	struct seen s;
	const struct oom_report *r = only_text(&s, mail);

	(void)state;
	assert_string_equal(r->release, "4.14.79-v7+");
	assert_int_equal(r->invoker_pid, 530);
	assert_int_equal(r->task_count, 1);
	assert_int_equal(r->tasks[0].pid, 3036);
	assert_int_equal(r->tasks_lost, 1);
	assert_int_equal(r->chosen_pid, 3036);
	assert_int_equal(r->killed[0].pid, 3037);
	assert_int_equal(r->killed[0].shmem_rss_bytes, 16 * KB);
	assert_int_equal(r->reaped_left_bytes, 12 * KB);
	forget(&s);
}

/* Only what has nothing in front is the rest of a line, and only of one that is cut. */
static void not_wrapped(void **state)
{
	static const char log[] =
		"[    1.000001] asker invoked oom-killer: gfp_mask=0x201da, order=0\n"
		"[    1.000002] asker cpuset=/ mems_allowed=0\n"
		"[    1.000003] [ pid ]   uid  tgid total_vm      rss nr_ptes swapents oom_score_adj name\n"
		"[    1.000004] [   79]  1000    79     7418     6617      24        0             0 hog\n"
		"hog: progress 50 %\n"
		"[    1.000005] [   80]     0    80     1100      300       9        0\n"
		"[    1.000006] Killed process 79 (hog) total-vm:29672kB, anon-rss:26468kB, file-rss:16kB\n"
		", shmem-rss:12kB\n";
	struct seen s;
	const struct oom_report *r = only_text(&s, log);

	(void)state;
	assert_false(r->invoker_adj_known);
	assert_string_equal(r->mems_allowed, "0");
	assert_int_equal(r->task_count, 1);
	assert_string_equal(r->tasks[0].comm, "hog");
	assert_int_equal(r->tasks_lost, 1);
	assert_int_equal(r->killed[0].shmem_rss_bytes, -1);
	forget(&s);
}

/* Before 4.20 the nodes are all that is said of a constraint. */
static void nodes(void **state)
{
	static const struct {
		const char *nodemask, *cpuset, *zone;
		enum oom_constraint constraint;
	} cases[] = {
		{ "1", "/ mems_allowed=0-1", "Node 1 Normal free:8kB", OOM_CONSTRAINT_MEMPOLICY },
		{ "1", "/ mems_allowed=1", "Node 0 Normal free:8kB", OOM_CONSTRAINT_MEMPOLICY },
		{ "0-1", "/ mems_allowed=0-1", "Node 1 Normal free:8kB", OOM_CONSTRAINT_UNKNOWN },
		{ "0", "/ mems_allowed=0", "Node 0 Normal free:8kB", OOM_CONSTRAINT_UNKNOWN },
		{ "(null)", "/ mems_allowed=0-1", "Node 1 Normal free:8kB", OOM_CONSTRAINT_UNKNOWN },
		{ "(null)", "a b mems_allowed=1,3", "Node 1 Normal free:8kB", OOM_CONSTRAINT_CPUSET },
		{ "(null)", "a mems_allowed=0", "Node 1 Normal free:8kB", OOM_CONSTRAINT_CPUSET },
		{ "(null)", "/ mems_allowed=8", "Node 8 Normal free:8kB", OOM_CONSTRAINT_UNKNOWN },
		{ "1", "/ mems_allowed=0-1", "memory: usage 8kB, limit 8kB, failcnt 1",
		  OOM_CONSTRAINT_UNKNOWN },
	};
	struct seen s;
	char text[512];
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const struct oom_report *r;

		snprintf(
			text, sizeof(text),
			"asker invoked oom-killer: gfp_mask=0x15080c0(GFP_KERNEL_ACCOUNT|__GFP_ZERO), nodemask=%s,  order=0, "
			"oom_score_adj=0\nasker cpuset=%s\n%s\n",
			cases[i].nodemask, cases[i].cpuset, cases[i].zone);
		r = only_text(&s, text);
		assert_string_equal(r->nodemask, cases[i].nodemask);
		assert_true(r->cpuset[0] == cases[i].cpuset[0] && !strstr(r->cpuset, " mems"));
		if (r->constraint != cases[i].constraint)
			fail_msg("%zu: %s", i, oom_constraint_name(r->constraint));
		forget(&s);
	}
}

/* The summary of a kernel without CONFIG_CPUSETS, and one that is cut within a list */
static void lists(void **state)
{
	struct seen s;
	const struct oom_report *r = only_text(
		&s,
		"oom-kill:constraint=CONSTRAINT_MEMORY_POLICY,nodemask=0,2-3,global_oom,task_memcg=/,task=hog,"
		"pid=79,uid=0\n");

	(void)state;
	assert_string_equal(r->nodemask, "0,2-3");
	assert_string_equal(r->cpuset, "");
	forget(&s);
	r = only_text(&s, "oom-kill:constraint=CONSTRAINT_NONE,nodemask=(null),cpuset=a,mems_allowed=0-1\n");
	assert_string_equal(r->cpuset, "a");
	assert_string_equal(r->mems_allowed, "");
	forget(&s);
}

/* A report whose first lines a ring buffer has lost begins with whatever is the OOM killer's alone. */
static void begins_in_the_middle(void **state)
{
	static const char *const firsts[] = {
		"Task in /a/b killed as a result of limit of /a\nmemory: usage 8kB, limit 8kB, failcnt 1\n",
		"memory: usage 8kB, limit 8kB, failcnt 1\n",
		"[ pid ]   uid  tgid total_vm      rss nr_ptes swapents oom_score_adj name\n"
		"[   79]  1000    79     7418     6617      24        0             0 hog\n",
		"Memory cgroup out of memory: Kill process 79 (hog) score 905 or sacrifice child\n",
		"Out of memory: kill process 79 (hog) score 191570 or a child\n",
		"oom-kill:constraint=CONSTRAINT_MEMCG,nodemask=(null),cpuset=/,mems_allowed=0,oom_memcg=/a,"
		"task_memcg=/a/b,task=hog,pid=79,uid=0\n",
	};
	static const char other[] = "memory: usage of usb 1-1 over limit\n";
	static const char end[] = "Killed process 79 (hog) total-vm:8kB, anon-rss:4kB, file-rss:0kB\n";
	struct seen s;
	char text[1024];
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(firsts) / sizeof(firsts[0]); i++) {
		snprintf(text, sizeof(text), "%s%s%s%s%s%s", other, firsts[i], end, other, firsts[i], end);
		read_text(&s, text, strlen(text));
		assert_int_equal(s.count, 2);
		assert_int_equal(s.reports[0].line, 2);
		assert_int_equal(s.reports[1].line, (i == 0 || i == 2 ? 2 : 1) + 4);
		assert_int_equal(s.reports[0].killed[0].pid, 79);
		assert_true(s.reports[0].task_count == (i == 2) && s.reports[1].task_count == (i == 2));
		assert_true(i != 0 || !strcmp(s.reports[1].oom_memcg, "/a"));
		assert_true(has_note(&s, "begin-lost"));
		forget(&s);
	}
	/* The killed line of the first is lost too: its table is not the second's. */
	snprintf(text, sizeof(text), "%s%s%s", firsts[2], firsts[2], end);
	read_text(&s, text, strlen(text));
	assert_int_equal(s.count, 2);
	assert_int_equal(s.reports[0].killed_count, 0);
	assert_int_equal(s.reports[1].task_count, 1);
	forget(&s);
}

/* Two lines run into one */
static void header_and_more(void **state)
{
	struct seen s;
	const struct oom_report *r = only_text(
		&s, "[ pid ]   uid  tgid total_vm      rss nr_ptes swapents oom_score_adj name [ pid ] name\n"
		    "[   79]  1000    79     7418     6617      24        0             0 hog\n"
		    "Killed process 79 (hog) total-vm:8kB, anon-rss:4kB, file-rss:0kB\n");

	(void)state;
	assert_int_equal(r->task_count, 1);
	assert_string_equal(r->tasks[0].comm, "hog");
	forget(&s);
}

/* What is not in the log is not said. */
static void unsaid(void **state)
{
	struct seen s;
	const struct oom_report *r =
		only_text(&s, "a invoked oom-killer: gfp_mask=0xd4, order=3, oom_score_adj=0\n"
			      "Out of memory: Kill process 70 (a) score 9 or sacrifice child\n"
			      "Killed process 71 (a) total-vm:8kB, anon-rss:4kB, file-rss:0kB\n");
	(void)state;
	assert_int_equal(r->order, 3);
	assert_string_equal(s.explained[0].notes[0].id, "order");
	assert_null(strstr(s.explained[0].notes[0].text, "free"));
	assert_string_equal(s.explained[0].notes[1].id, "child");
	assert_says(s.explained[0].notes[1].text, "pid 70");
	forget(&s);

	/* 3.7: a group's report with the machine's memory */
	r = only_text(
		&s, "Task in /a killed as a result of limit of /a\nmemory: usage 8kB, limit 8kB, failcnt 1\n"
		    "Mem-Info:\n free:10 slab_unreclaimable:20\n"
		    "Killed process 71 (a) total-vm:8kB, anon-rss:4kB, file-rss:0kB\n");
	assert_int_equal(r->amounts[OOM_SLAB_UNRECLAIMABLE], -1);
	assert_false(has_note(&s, "slab"));
	forget(&s);

	/* Up to 4.19 */
	r = only_text(&s, "a invoked oom-killer: gfp_mask=0xd4, order=0, oom_score_adj=0\n"
			  "Kernel panic - not syncing: Out of memory and no killable processes...\n");
	assert_true(r->panic && r->no_victim);
	assert_false(has_note(&s, "panic"));
	forget(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(wrapped),     cmocka_unit_test(wrapped_anywhere),
		cmocka_unit_test(not_wrapped), cmocka_unit_test(nodes),
		cmocka_unit_test(lists),       cmocka_unit_test(begins_in_the_middle),
		cmocka_unit_test(unsaid),      cmocka_unit_test(header_and_more),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("report_lost", tests, NULL, NULL);
}
