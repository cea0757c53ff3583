// SPDX-License-Identifier: MIT
/* The policy of Android's low memory killer, and the kernel's numbers that it is about. Pages of 4096. */
#include "guest/killers/minfree.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>

#define PAGE 4096

static struct minfree parsed(const char *text)
{
	struct err e = ERR_INIT;
	struct minfree m;

	if (minfree_parse(text, PAGE, &m, &e) < 0)
		fail_msg("%s", e.text);
	return m;
}

static void levels(void **state)
{
	struct minfree m = parsed("6M:0,8M:58,16M:352,64M:705");

	(void)state;
	assert_int_equal(m.count, 4);
	assert_int_equal(m.levels[0].pages, 1536);
	assert_int_equal(m.levels[3].adj, 705);
	assert_int_equal(parsed("4K:-1000").levels[0].adj, -1000);
}

static void bad_levels(void **state)
{
	static const char *const bad[] = { "",
					   "6M",
					   ":0",
					   "6M:",
					   "6:0",
					   "6M:x",
					   "6M:1001",
					   "6M:-1001",
					   "6M:0,",
					   "6M:0,6M:1",
					   "8M:0,6M:1",
					   "6M:5,8M:1",
					   "1M:0,2M:0,3M:0,4M:0,5M:0,6M:0,7M:0",
					   "99999999999999999999999999999999999999999999M:0",
					   "6M:00000000000000000000000000000000000000000" };
	struct minfree m;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct err e = ERR_INIT;

		if (minfree_parse(bad[i], PAGE, &m, &e) != -EINVAL || !strstr(e.text, "allowed: "))
			fail_msg("\"%s\" was taken, or \"%s\" said", bad[i], e.text);
	}
}

/* The smallest level that both are below; being below with one alone is no reason. */
static void which_level(void **state)
{
	struct minfree m = parsed("6M:0,8M:58,64M:705");

	(void)state;
	assert_null(minfree_level(&m, 16384, 0));
	assert_null(minfree_level(&m, 0, 16384));
	assert_int_equal(minfree_level(&m, 16383, 16383)->adj, 705);
	assert_int_equal(minfree_level(&m, 0, 2048)->adj, 705);
	assert_int_equal(minfree_level(&m, 2047, -600)->adj, 58);
	assert_int_equal(minfree_level(&m, 100, 100)->adj, 0);
}

static void meminfo(void **state)
{
	static const char text[] =
		"MemTotal:         223632 kB\nMemFree:           40000 kB\nMemAvailable:      30000 kB\n"
		"Buffers:            1024 kB\nCached:            20480 kB\nSwapCached:         4096 kB\n"
		"Unevictable:        2048 kB\nMlocked:            2048 kB\nShmem:              8192 kB\n";
	struct minfree_state s = minfree_state(text, PAGE);

	(void)state;
	assert_int_equal(s.free_pages, 10000);
	assert_int_equal(s.file_pages, 256 + 5120 - 512 - 2048);
	assert_int_equal(minfree_state("MemFree: 4 kB\nCached: 4 kB\n", PAGE).free_pages, -1);
	assert_int_equal(minfree_state("", PAGE).free_pages, -1);
}

/* min(managed, high + the largest reserve) of each zone; the per-CPU lists have a "high:" of their own. */
static void zoneinfo(void **state)
{
	static const char text[] =
		"Node 0, zone      DMA\n  per-node stats\n      nr_inactive_anon 5\n  pages free     1000\n        boost    0\n"
		"        min      10\n        low      12\n        high     15\n        spanned  4095\n        present  3998\n"
		"        managed  200\n        cma      0\n        protection: (0, 190, 190, 190)\n      nr_free_pages 1000\n"
		"  pagesets\n    cpu: 0\n              count: 3\n              high:  999\n              batch: 1\n"
		"Node 0, zone    DMA32\n  pages free     5000\n        min      100\n        low      120\n        high     150\n"
		"        managed  50000\n        protection: (0, 0, 700, 0)\n  pagesets\n    cpu: 0\n"
		"              high:  888\n              high_min: 5\n"
		"Node 0, zone   Normal\n  pages free     0\n        min      0\n        low      0\n        high     0\n"
		"        managed  0\n        protection: (0, 0, 0, 0)\n";

	(void)state;
	assert_int_equal(minfree_reserve(text), 200 + 850);
	assert_int_equal(minfree_reserve(""), 0);
}

/* Highest adj, then largest; without memory it is a kernel thread, or dead. */
static void whom(void **state)
{
	const struct minfree_task none = { 0 }, large = { 1, 0, 900 }, small = { 2, 0, 800 },
				  cached = { 3, 900, 5 }, thread = { 4, 1000, 0 };

	(void)state;
	assert_true(minfree_rather(&small, &none));
	assert_true(minfree_rather(&large, &small));
	assert_false(minfree_rather(&small, &large));
	assert_false(minfree_rather(&large, &large));
	assert_true(minfree_rather(&cached, &large));
	assert_false(minfree_rather(&large, &cached));
	assert_false(minfree_rather(&thread, &none));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(levels),  cmocka_unit_test(bad_levels), cmocka_unit_test(which_level),
		cmocka_unit_test(meminfo), cmocka_unit_test(zoneinfo),   cmocka_unit_test(whom),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("minfree", tests, NULL, NULL);
}
