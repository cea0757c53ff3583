// SPDX-License-Identifier: MIT
#include "stressors/latency.c" /* NOLINT(bugprone-suspicious-include): stressors are in no library */

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

/* Stands in for the runtime's. */
void stress_value(struct stress *s, const char *name, int64_t value)
{
	(void)s;
	(void)name;
	(void)value;
}

/* Every bucket ends where the next one begins, and none is wider than 1/32 of what is in it. */
static void buckets_are_without_gaps(void **state)
{
	uint64_t start = 0;
	size_t i;

	(void)state;
	for (i = 0; i < LATENCY_BUCKETS; i++) {
		uint64_t end = end_of(i);

		assert_int_equal(bucket_of(start), i);
		assert_int_equal(bucket_of(end), i);
		assert_true(end >= start && (end - start) <= start / 32);
		start = end + 1;
	}
	assert_int_equal(start, 0); /* beyond the last of 64 bits */
	assert_int_equal(bucket_of(UINT64_MAX), LATENCY_BUCKETS - 1);
}

/* Of 1, 2, ... 1000 what 1 to 1000 per mille took at most, to 1/32. */
static void percentiles(void **state)
{
	struct latency l = { .count = 0 };
	unsigned int i;

	(void)state;
	assert_int_equal(latency_at(&l, 500), 0);
	for (i = 1000; i > 0; i--)
		latency_add(&l, i);
	for (i = 1; i <= 1000; i++) {
		assert_true(latency_at(&l, i) >= i);
		assert_true(latency_at(&l, i) <= i + i / 32);
	}
	assert_int_equal(latency_at(&l, 50), 50);
	assert_int_equal(latency_at(&l, 1000), 1000);
	assert_int_equal(l.max_ns, 1000);
}

/* One in a thousand is beyond 999 of 1000, of ten the slowest is. */
static void the_tail(void **state)
{
	struct latency l = { .count = 0 };
	int i;

	(void)state;
	for (i = 0; i < 9; i++)
		latency_add(&l, 10);
	latency_add(&l, 5000000000ULL);
	assert_int_equal(latency_at(&l, 900), 10);
	assert_int_equal(latency_at(&l, 901), 5000000000ULL);
	assert_int_equal(latency_at(&l, 999), 5000000000ULL);
	for (i = 0; i < 990; i++)
		latency_add(&l, 10);
	assert_int_equal(latency_at(&l, 999), 10);
	assert_int_equal(latency_at(&l, 1000), 5000000000ULL);
}

/* As many as fit a count are no overflow. */
static void very_many(void **state)
{
	struct latency l = { .count = UINT64_MAX, .max_ns = 7 };

	(void)state;
	l.buckets[3] = UINT64_MAX / 2;
	l.buckets[7] = UINT64_MAX - UINT64_MAX / 2;
	assert_int_equal(latency_at(&l, 499), 3);
	assert_int_equal(latency_at(&l, 501), 7);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(buckets_are_without_gaps),
		cmocka_unit_test(percentiles),
		cmocka_unit_test(the_tail),
		cmocka_unit_test(very_many),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("latency", tests, NULL, NULL);
}
