// SPDX-License-Identifier: MIT
/* The score of a process by each version of the kernel, by hand. */
#include "harness/oracle/badness.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
// clang-format off
#include <setjmp.h>
#include <cmocka.h>
// clang-format on

/* 1 GiB of memory and swap. */
static const struct oom_scope scope = { .total_pages = 262144, .page_bytes = 4096 };

static struct oom_subject subject(void)
{
	return (struct oom_subject){ .pid = 7,
				     .total_vm_pages = 100000,
				     .rss_pages = 20000,
				     .swap_pages = 6000,
				     .pgtables_bytes = 400 * 4096,
				     .children_vm_pages = -1,
				     .cpu_s = -1,
				     .run_s = -1 };
}

static void versions(void **state)
{
	static const struct {
		const char *release;
		enum oom_model model;
	} rows[] = {
		{ "2.6.18-8.el5", OOM_2_6 },
		{ "2.6.32-5-amd64", OOM_2_6 },
		{ "2.6.35", OOM_2_6 },
		{ "2.6.36", OOM_2_6_36 },
		{ "2.6.38.8-35.fc15", OOM_2_6_36 },
		{ "2.6.39-4-amd64", OOM_2_6_39 },
		{ "3.0.0", OOM_2_6_39 },
		{ "3.5.0-17-generic", OOM_2_6_39 },
		{ "3.6.0", OOM_3_6 },
		{ "3.10.0-957.el7.x86_64", OOM_3_6 },
		{ "3.13.0-24-generic", OOM_3_6 },
		{ "3.14.0", OOM_3_14 },
		{ "3.16.0-4-amd64", OOM_3_14 },
		{ "4.4.0-142-generic", OOM_3_14 },
		{ "4.16.18", OOM_3_14 },
		{ "4.17.0", OOM_4_17 },
		{ "4.18.0-305.el8.x86_64", OOM_4_17 },
		{ "5.0.0", OOM_4_17 },
		{ "5.1.0", OOM_5_1 },
		{ "5.4.0-150-generic", OOM_5_1 },
		{ "5.8.0", OOM_5_1 },
		{ "5.9.0", OOM_5_9 },
		{ "5.10.0-32-cloud-amd64", OOM_5_9 },
		{ "6.1.0", OOM_5_9 },
		{ "7.3.4+deb13", OOM_5_9 },
		{ "", OOM_5_9 },
		{ "4", OOM_3_14 },
		{ "unknown", OOM_5_9 },
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (oom_model_of(rows[i].release) != rows[i].model)
			fail_msg("%s: %s, wanted %s", rows[i].release,
				 oom_models[oom_model_of(rows[i].release)].name,
				 oom_models[rows[i].model].name);
}

static void today(void **state)
{
	struct oom_subject s = subject();

	(void)state;
	assert_int_equal(oom_badness(OOM_5_9, &s, &scope), 26400);
	s.root = true;
	assert_int_equal(oom_badness(OOM_5_9, &s, &scope), 26400);
	/* In whole pages a point: 262144 / 1000 is 262. */
	s.adj = 100;
	assert_int_equal(oom_badness(OOM_5_9, &s, &scope), 26400 + 26200);
	s.adj = -500;
	assert_int_equal(oom_badness(OOM_5_9, &s, &scope), 26400 - 131000);
	assert_int_equal(oom_badness(OOM_5_1, &s, &scope), 1);
	s.adj = -1000;
	assert_true(oom_badness(OOM_5_9, &s, &scope) == OOM_EXEMPT);
	s = subject();
	s.swap_pages = -1; /* unknown counts as nothing */
	assert_int_equal(oom_badness(OOM_5_9, &s, &scope), 20400);
}

static void root_bonus(void **state)
{
	struct oom_subject s = subject();

	(void)state;
	s.root = true;
	assert_int_equal(oom_badness(OOM_4_17, &s, &scope), 26400);
	assert_int_equal(oom_badness(OOM_3_14, &s, &scope), 26400 - 792);
	assert_int_equal(oom_badness(OOM_3_6, &s, &scope), 26400 - 30 * 262);
	/* 26400 and 26000 of 262144, per mille */
	assert_int_equal(oom_badness(OOM_2_6_39, &s, &scope), 100 - 30);
	assert_int_equal(oom_badness(OOM_2_6_36, &s, &scope), 99 - 30);
	s.rss_pages = 100;
	s.swap_pages = 0;
	assert_int_equal(oom_badness(OOM_2_6_36, &s, &scope), 1);
	s.adj = 1000;
	assert_int_equal(oom_badness(OOM_2_6_39, &s, &scope), 971);
	s.rss_pages = 200000;
	assert_int_equal(oom_badness(OOM_2_6_39, &s, &scope), 1000);
}

static void heuristic_of_2_6(void **state)
{
	struct oom_subject s = subject();

	(void)state;
	assert_int_equal(oom_badness(OOM_2_6, &s, &scope), 100000);
	s.children_vm_pages = 30000;
	assert_int_equal(oom_badness(OOM_2_6, &s, &scope), 115000);
	s.cpu_s = 128; /* 16 units of 8 s, whose root is 4 */
	assert_int_equal(oom_badness(OOM_2_6, &s, &scope), 28750);
	s.run_s = 16 << 10; /* 16 units of 1024 s: the root of the root is 2 */
	assert_int_equal(oom_badness(OOM_2_6, &s, &scope), 14375);
	s.niced = true;
	assert_int_equal(oom_badness(OOM_2_6, &s, &scope), 28750);
	s.root = true;
	assert_int_equal(oom_badness(OOM_2_6, &s, &scope), 7187);
	s.raw_io = true;
	assert_int_equal(oom_badness(OOM_2_6, &s, &scope), 1796);
	s.adj = 3;
	assert_int_equal(oom_badness(OOM_2_6, &s, &scope), 14368);
	s.adj = -3;
	assert_int_equal(oom_badness(OOM_2_6, &s, &scope), 224);
	s.adj = -17;
	assert_true(oom_badness(OOM_2_6, &s, &scope) == OOM_EXEMPT);
}

static struct oom_task task(int64_t pid, int64_t rss, int64_t adj)
{
	return (struct oom_task){ .pid = pid,
				  .tgid = pid,
				  .uid = 1000,
				  .total_vm_pages = rss,
				  .rss_pages = rss,
				  .has_score_adj = true,
				  .oom_score_adj = adj };
}

/* Of equals the last in the table since 5.3, the first before; init and -1000 behind all others. */
static void ranking(void **state)
{
	struct oom_task tasks[] = { task(1, 900, 0), task(10, 100, 0), task(11, 200, 0), task(12, 200, 0),
				    task(13, 800, -1000) };
	static const int64_t now[] = { 12, 11, 10 }, then[] = { 11, 12, 10 };
	struct oom_report r = { .tasks = tasks, .task_count = 5, .page_bytes = 4096, .ram_pages = 262144 };
	struct oom_rank *ranks;
	size_t i;

	(void)state;
	assert_int_equal(oom_ranking(&r, OOM_5_9, &ranks), 0);
	for (i = 0; i < 3; i++)
		assert_int_equal(tasks[ranks[i].task].pid, now[i]);
	assert_non_null(ranks[3].exempt);
	assert_non_null(ranks[4].exempt);
	free(ranks);
	assert_int_equal(oom_ranking(&r, OOM_3_14, &ranks), 0);
	for (i = 0; i < 3; i++)
		assert_int_equal(tasks[ranks[i].task].pid, then[i]);
	free(ranks);
}

/* oom_adj and oom_score_adj stand for each other: -17 is -1000, 15 is 1000. */
static void both_adjs(void **state)
{
	struct oom_task t = task(10, 100, 0);
	struct oom_report r = { .tasks = &t, .task_count = 1, .page_bytes = 4096 };

	(void)state;
	t.oom_score_adj = -1000;
	assert_int_equal(oom_subject_of(&r, &t, OOM_2_6).adj, -17);
	t.oom_score_adj = 1000;
	assert_int_equal(oom_subject_of(&r, &t, OOM_2_6).adj, 15);
	t.has_score_adj = false;
	t.has_adj = true;
	t.oom_adj = 15;
	assert_int_equal(oom_subject_of(&r, &t, OOM_5_9).adj, 1000);
	t.oom_adj = -17;
	assert_int_equal(oom_subject_of(&r, &t, OOM_5_9).adj, -1000);
	t.oom_adj = 8;
	assert_int_equal(oom_subject_of(&r, &t, OOM_5_9).adj, 470);
}

/* What is managed of the machine, but what is present of the nodes that a request was kept to; swap with both. */
static void scope_of_nodes(void **state)
{
	struct oom_report r = { .constraint = OOM_CONSTRAINT_NONE,
				.page_bytes = 4096,
				.swap_total_bytes = 40960 };

	(void)state;
	r.zone_count = 1;
	r.zones[0].present_bytes = 98176 << 10;
	r.zones[0].managed_bytes = 58084 << 10;
	assert_int_equal(oom_scope_of(&r).total_pages, 58084 / 4 + 10);
	r.constraint = OOM_CONSTRAINT_MEMPOLICY;
	assert_int_equal(oom_scope_of(&r).total_pages, 98176 / 4 + 10);
	r.constraint = OOM_CONSTRAINT_CPUSET;
	assert_int_equal(oom_scope_of(&r).total_pages, 98176 / 4 + 10);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(versions),         cmocka_unit_test(today),   cmocka_unit_test(root_bonus),
		cmocka_unit_test(heuristic_of_2_6), cmocka_unit_test(ranking), cmocka_unit_test(both_adjs),
		cmocka_unit_test(scope_of_nodes),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("badness", tests, NULL, NULL);
}
