// SPDX-License-Identifier: MIT
/* Which shard a cell is in. */
#include "harness/shard.h"

#include "lib/hash.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#define CELLS 400

static char names[CELLS + 1][32];
static const char *cells[CELLS + 1];

static int make_names(void **state)
{
	size_t i;

	(void)state;
	for (i = 0; i <= CELLS; i++) {
		snprintf(names[i], sizeof(names[i]), "scenario-%zu/value=%zu", i % 3, i);
		cells[i] = names[i];
	}
	return 0;
}

static void words(void **state)
{
	static const char *const bad[] = {
		"",      "/",       "1",     "1/",
		"/2",    "0/2",     "3/2",   "-1/2",
		"1/2/3", "1/10001", "1.0/2", "1/4294967298",
		"a/b",   "1/2 ",    " 1/2",  "99999999999999999999/99999999999999999999"
	};
	struct shard s = { 7, 7 };
	char text[SHARD_TEXT_MAX];
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		if (shard_parse(bad[i], &s) || s.index != 7 || s.count != 7)
			fail_msg("\"%s\" was taken", bad[i]);
	assert_true(shard_parse("2/3", &s));
	assert_int_equal(s.index, 2);
	assert_int_equal(s.count, 3);
	assert_string_equal(shard_format(text, s), "2/3");
	assert_true(shard_parse("10000/10000", &s));
	assert_string_equal(shard_format(text, s), "10000/10000");
}

/* A share is as large as any other, or one cell larger: no machine waits for another. */
static void even(void **state)
{
	unsigned int dealt[CELLS], count;
	size_t n, i;

	(void)state;
	for (n = 0; n <= CELLS; n += n < 30 ? 1 : 37)
		for (count = 1; count <= 40; count += count < 9 ? 1 : 7) {
			size_t sizes[41] = { 0 };

			assert_int_equal(shard_deal(cells, n, count, dealt), 0);
			for (i = 0; i < n; i++) {
				assert_in_range(dealt[i], 1, count);
				sizes[dealt[i]]++;
			}
			for (i = 1; i <= count; i++)
				assert_in_range(sizes[i], n / count, (n + count - 1) / count);
		}
}

static void order_does_not_count(void **state)
{
	const char *backwards[CELLS];
	unsigned int dealt[CELLS], again[CELLS];
	size_t i;

	(void)state;
	for (i = 0; i < CELLS; i++)
		backwards[i] = cells[CELLS - 1 - i];
	assert_int_equal(shard_deal(cells, CELLS, 7, dealt), 0);
	assert_int_equal(shard_deal(backwards, CELLS, 7, again), 0);
	for (i = 0; i < CELLS; i++)
		assert_int_equal(dealt[i], again[CELLS - 1 - i]);
}

/* One more cell leaves the others where they are, but for a few that make room: fewer than 2 on average. */
static void few_move(void **state)
{
	unsigned int before[CELLS + 1], after[CELLS + 1], count;
	size_t n, i, moved;

	(void)state;
	for (count = 2; count <= 8; count++) {
		moved = 0;
		for (n = 6; n < CELLS; n++) {
			assert_int_equal(shard_deal(cells, n, count, before), 0);
			assert_int_equal(shard_deal(cells, n + 1, count, after), 0);
			for (i = 0; i < n; i++)
				moved += before[i] != after[i];
		}
		assert_true(moved > 0 && moved < 2 * (CELLS - 6));
	}
}

/* Machines with builds of different age must agree, so this stands for ever. */
static void as_ever(void **state)
{
	static const unsigned int want[12] = { 3, 1, 4, 3, 2, 1, 2, 2, 3, 4, 4, 1 };
	unsigned int dealt[12];

	(void)state;
	assert_int_equal(hash_text(""), 0xcbf29ce484222325);
	assert_int_equal(hash_text("foobar"), 0x85944171f73967e8); /* of its authors' test suite */
	assert_int_equal(shard_deal(cells, 12, 4, dealt), 0);
	assert_memory_equal(dealt, want, sizeof(want));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(words),    cmocka_unit_test(even),    cmocka_unit_test(order_does_not_count),
		cmocka_unit_test(few_move), cmocka_unit_test(as_ever),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, make_names, NULL);
}
