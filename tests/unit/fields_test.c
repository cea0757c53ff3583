// SPDX-License-Identifier: MIT
#include "lib/fields.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#define NONE INT64_MIN

/* Reads one key of a text, with a fresh field. */
static int64_t one(const char *text, const char *key, int64_t scale)
{
	struct field f = { .key = key, .scale = scale };
	int64_t value = 77;

	fields_read(text, strlen(text), &f, 1, NONE, &value);
	return value;
}

static void whole_words_at_line_starts(void **state)
{
	(void)state;
	assert_int_equal(one("Name:\tVmRSS: 5\nVmRSS:\t  896 kB\n", "VmRSS:", 1024), 896 * 1024);
	assert_int_equal(one("Name:\tx VmRSS: 5\n", "VmRSS:", 1024), NONE);
	assert_int_equal(one("pgscan_kswapd_foo 7\npgscan_kswapd 120\n", "pgscan_kswapd", 0), 120);
	assert_int_equal(one("pgscan_kswapd 120\npgscan_kswapd_foo 7\n", "pgscan_kswapd_foo", 0), 7);
	assert_int_equal(one("pgscan_kswapd_foo 7\n", "pgscan_kswapd", 0), NONE);
	assert_int_equal(one("total_pgscan_kswapd 7\n", "pgscan_kswapd", 0), NONE);
	assert_int_equal(one("oom_kill_disable 0\nunder_oom 1\noom_kill 3\n", "oom_kill", 0), 3);
	assert_int_equal(one("oom 1\noom_kill 2\noom_group_kill 4\n", "oom_kill", 0), 2);
	assert_int_equal(one("Node 0 MemFree:  123 kB\n", "Node 0 MemFree:", 1024), 123 * 1024);
}

static void ends_of_the_text(void **state)
{
	struct field f = { .key = "a" };
	int64_t value = 77;

	(void)state;
	assert_int_equal(one("", "a", 0), NONE);
	assert_int_equal(one("\n\n\na 4", "a", 0), 4);
	assert_int_equal(one("a", "a", 0), NONE);
	assert_int_equal(one("a ", "a", 0), NONE);
	assert_int_equal(one("b 1\nlong_key", "long_key", 0), NONE);
	assert_int_equal(one("a kB\n", "a", 0), NONE);
	assert_int_equal(one("a max\nb 5\n", "a", 0), NONE); /* not the next line's number */
	/* What stands behind the text is not read. */
	fields_read("a 1234", 4, &f, 1, NONE, &value);
	assert_int_equal(value, 12);
	fields_read("a 1234", 2, &f, 1, NONE, &value);
	assert_int_equal(value, NONE);
	fields_read("", 0, &f, 1, NONE, &value);
	assert_int_equal(value, NONE);
}

static void scale_and_missing(void **state)
{
	struct field f[] = { { .key = "a" }, { .key = "none" }, { .key = "b", .scale = 4096 } };
	int64_t values[] = { 1, 2, 3 };

	(void)state;
	fields_read("a 5\nb 2\n", 8, f, 3, -7, values);
	assert_int_equal(values[0], 5);
	assert_int_equal(values[1], -7);
	assert_int_equal(values[2], 8192);
	assert_int_equal(one("a 0\n", "a", 1024), 0);
}

/* What does not fit is the largest there is: neither garbage nor "not known". */
static void huge_numbers(void **state)
{
	(void)state;
	assert_int_equal(one("a 9223372036854775807\n", "a", 1), INT64_MAX);
	assert_int_equal(one("a 9223372036854771712\n", "a", 1), 9223372036854771712LL);
	assert_int_equal(one("a 9223372036854775808\n", "a", 1), INT64_MAX);
	assert_int_equal(one("a 18446744073709551615\n", "a", 1), INT64_MAX);
	assert_int_equal(one("a 18446744073709551621\n", "a", 1), INT64_MAX);
	assert_int_equal(one("a 99999999999999999999999999\n", "a", 1), INT64_MAX);
	assert_int_equal(one("a 0000000000000000000000000012\n", "a", 1), 12);
	assert_int_equal(one("a 9007199254740991 kB\n", "a", 1024), 9007199254740991 * 1024);
	assert_int_equal(one("a 9007199254740992 kB\n", "a", 1024), INT64_MAX);
	assert_int_equal(one("VmallocTotal:   34359738367 kB\n", "VmallocTotal:", 1024), 34359738367 * 1024);
}

static void any_order_is_correct(void **state)
{
	static const char text[] = "a 1\nb 2\nc 3\nd 4\n";
	static const char *const keys[] = { "a", "b", "c", "d" };
	unsigned int order, i;

	(void)state;
	for (order = 0; order < 256; order++) {
		struct field f[4] = { { 0 } };
		int64_t values[4];
		int again;

		for (i = 0; i < 4; i++)
			f[i].key = keys[order >> 2 * i & 3];
		for (again = 0; again < 2; again++) {
			fields_read(text, strlen(text), f, 4, NONE, values);
			for (i = 0; i < 4; i++)
				assert_int_equal(values[i], (order >> 2 * i & 3) + 1);
		}
	}
}

/* The remembered place is a hint: texts that share no layout, one after the other, with the same fields. */
static void layout_shifts_between_reads(void **state)
{
	static const struct {
		const char *text;
		int64_t a, b;
		const char *why;
	} reads[] = {
		{ "a 1\nb 2\n", 1, 2, "first" },
		{ "a 1\nb 2\n", 1, 2, "the same" },
		{ "xxx b 9\nb 4\na 1\n", 1, 4, "the old place is within a line now" },
		{ "a 1\nb 2\n", 1, 2, "once more" },
		{ "a 1\nbb 2\nb 3\n", 1, 3, "the old place has a longer key" },
		{ "a 1\nb 2\n", 1, 2, "once more" },
		{ "a 10\nb 20\n", 10, 20, "a number grew" },
		{ "a 7\nb 8\n", 7, 8, "and shrank" },
		{ "x 9\na 3\nb 4\n", 3, 4, "a line came before" },
		{ "b 5\na 6\n", 6, 5, "the order turned" },
		{ "a 1\n", 1, NONE, "the text got shorter than the place" },
		{ "", NONE, NONE, "nothing" },
		{ "bb 1\nab 2\nba b 5\na 3\nb 4\n", 3, 4, "keys within other lines" },
		{ "xxxxxxxxxxx\nb 4", NONE, 4, "no newline at the end" },
		{ "a 1\nb 2\n", 1, 2, "and back" },
	};
	struct field f[] = { { .key = "a" }, { .key = "b" } };
	int64_t values[2];
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(reads) / sizeof(reads[0]); i++) {
		fields_read(reads[i].text, strlen(reads[i].text), f, 2, NONE, values);
		if (values[0] != reads[i].a || values[1] != reads[i].b)
			fail_msg("%s: %lld %lld", reads[i].why, (long long)values[0], (long long)values[1]);
	}
}

static void digits_says_where_it_stopped(void **state)
{
	const char text[] = " \t42 kB";
	const char *end;

	(void)state;
	assert_int_equal(digits(text, text + 7, &end), 42);
	assert_ptr_equal(end, text + 4);
	assert_int_equal(digits(text, text + 3, &end), 4);
	assert_ptr_equal(end, text + 3);
	assert_int_equal(digits(text, text + 2, &end), -1);
	assert_ptr_equal(end, text);
	assert_int_equal(digits(text + 5, text + 7, &end), -1);
	assert_ptr_equal(end, text + 5);
	assert_int_equal(digits(text, text, &end), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(whole_words_at_line_starts),
		cmocka_unit_test(ends_of_the_text),
		cmocka_unit_test(scale_and_missing),
		cmocka_unit_test(huge_numbers),
		cmocka_unit_test(any_order_is_correct),
		cmocka_unit_test(layout_shifts_between_reads),
		cmocka_unit_test(digits_says_where_it_stopped),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("fields", tests, NULL, NULL);
}
