// SPDX-License-Identifier: MIT
#include "lib/units.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>

#define K 1024ULL

/* As assert_int_equal(), naming the text it is about. */
#define IS(text, got, wanted)                                                                                \
	do {                                                                                                 \
		long long is = (long long)(got), should = (long long)(wanted);                               \
		if (is != should)                                                                            \
			fail_msg("\"%s\": %lld, not %lld", text, is, should);                                \
	} while (0)

struct good {
	const char *text;
	uint64_t value;
};

static void sizes(void **state)
{
	static const struct good table[] = {
		{ "0", 0 },
		{ "0B", 0 },
		{ "1B", 1 },
		{ "4K", 4 * K },
		{ "4KiB", 4 * K },
		{ "007K", 7 * K },
		{ "1.5K", 1536 },
		{ "0.5B", 0 },
		{ "888M", 888 * K * K },
		{ "888MiB", 888 * K * K },
		{ "2G", 2 * K * K * K },
		{ "2GiB", 2 * K * K * K },
		{ "1.5G", 1536 * K * K },
		{ "128T", 128 * K * K * K * K },
		{ "1TiB", K * K * K * K },
		{ "8388607T", 8388607 * K * K * K * K },
		{ "9223372036854775807B", INT64_MAX },
		{ "9007199254740993B", 9007199254740993ULL }, /* more than a double holds */
	};
	uint64_t value;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		IS(table[i].text, size_parse(table[i].text, &value), 0);
		IS(table[i].text, value, table[i].value);
	}
}

static void sizes_refused(void **state)
{
	static const char *const unit[] = {
		"",     "1",   "4096",  "00",   "0.0",  "-1M",   "+1M",   "K",     "M1",   " 1M",  "1M ",
		"1 M",  "1k",  "1m",    "1MB",  "1Mi",  "1mib",  "1P",    "1E",    "1.M",  ".5M",  "1..5M",
		"1,5M", "1M2", "0x10M", "1e3M", "infM", "nanM",  "50%",   "max",   "1\nM", "1M\n", "1KK",
		"1s",   "--",  "1.5",   "1B0",  "1bB",  "\xc2K", "1\xc2", "1KiBx",
	};
	static const char *const range[] = { "8388608T", "9223372036854775808B",
					     "99999999999999999999999999T" };
	uint64_t value = 77;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(unit) / sizeof(unit[0]); i++) {
		IS(unit[i], size_parse(unit[i], &value), -EINVAL);
	}
	for (i = 0; i < sizeof(range) / sizeof(range[0]); i++)
		IS(range[i], size_parse(range[i], &value), -ERANGE);
	assert_int_equal(value, 77); /* written only on success */
}

static void durations(void **state)
{
	static const struct good table[] = {
		{ "0", 0 },
		{ "0s", 0 },
		{ "1ns", 1 },
		{ "10us", 10000 },
		{ "10ms", 10000000 },
		{ "2s", 2000000000ULL },
		{ "1.5s", 1500000000ULL },
		{ "3m", 180000000000ULL },
		{ "1h", 3600000000000ULL },
		{ "0.25ms", 250000 },
		{ "2562047h", 2562047ULL * 3600000000000ULL },
	};
	static const char *const bad[] = { "",    "1", "10", "-1s", "1S",   "1sec",
					   "1 s", "s", "1d", "1M",  "1min", "forever" };
	uint64_t value = 77;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		IS(bad[i], duration_parse(bad[i], &value), -EINVAL);
	assert_int_equal(duration_parse("2562048h", &value), -ERANGE);
	assert_int_equal(value, 77);
	for (i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		IS(table[i].text, duration_parse(table[i].text, &value), 0);
		IS(table[i].text, value, table[i].value);
	}
}

static void percents(void **state)
{
	static const char *const bad[] = { "", "50", "%", "-5%", "50 %", "50%%", "x%", "1e2%", "50% " };
	double value = 77;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		IS(bad[i], percent_parse(bad[i], &value), -EINVAL);
	assert_true(value > 76 && value < 78);
	assert_int_equal(percent_parse("50%", &value), 0);
	assert_true(value > 49.999 && value < 50.001);
	assert_int_equal(percent_parse("12.5%", &value), 0);
	assert_true(value > 12.499 && value < 12.501);
}

static void whole_numbers(void **state)
{
	static const char *const bad[] = { "",    "-",   "+1", " 1", "1 ",  "0x1",
					   "1.0", "--1", "a",  "1a", "- 1", "-+1" };
	int64_t value = 77;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		IS(bad[i], int_parse(bad[i], &value), -EINVAL);
	assert_int_equal(int_parse("9223372036854775808", &value), -ERANGE);
	assert_int_equal(int_parse("-9223372036854775809", &value), -ERANGE);
	assert_int_equal(value, 77);
	assert_int_equal(int_parse("-1000", &value), 0);
	assert_int_equal(value, -1000);
	assert_int_equal(int_parse("9223372036854775807", &value), 0);
	assert_true(value == INT64_MAX);
}

static void size_texts(void **state)
{
	static const struct good table[] = {
		{ "0B", 0 },
		{ "1B", 1 },
		{ "9999B", 9999 },
		{ "10K", 10000 },
		{ "10K", 10 * K },
		{ "1024K", K * K },
		{ "9999K", 9999 * K },
		{ "1082M", 1134559232 },
		{ "9999K", 9999 * K + 511 },
		{ "10M", 9999 * K + 512 }, /* rounded up it would have five digits */
		{ "9999M", 9999 * K * K },
		{ "10G", 10 * K * K * K },
		{ "8192P", (uint64_t)INT64_MAX },
		{ "16E", UINT64_MAX },
	};
	char buf[UNITS_TEXT_MAX];
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		assert_string_equal(size_format(buf, table[i].value), table[i].text);
	}
}

/* What is shown can be typed in again and means nearly the same. */
static void size_round_trip(void **state)
{
	uint64_t bytes, back;
	char buf[UNITS_TEXT_MAX];

	(void)state;
	for (bytes = 1; bytes < 1ULL << 50; bytes = bytes * 17 / 11 + 1) {
		size_format(buf, bytes);
		assert_true(strlen(buf) <= 5);
		assert_int_equal(size_parse(buf, &back), 0);
		assert_true(back >= bytes - bytes / 19 && back <= bytes + bytes / 19);
	}
}

static void duration_texts(void **state)
{
	static const struct good table[] = {
		{ "0ns", 0 },           { "999ns", 999 },         { "1us", 1000 },
		{ "1.5us", 1500 },      { "10ms", 10000000 },     { "2.0s", 2000000000 },
		{ "1.5s", 1500000000 }, { "61.2s", 61249000000 }, { "1ms", 999999 },
		{ "1.0s", 999999999 },
	};
	char buf[UNITS_TEXT_MAX];
	uint64_t back;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		assert_string_equal(duration_format(buf, table[i].value), table[i].text);
		assert_int_equal(duration_parse(buf, &back), 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sizes),           cmocka_unit_test(sizes_refused),
		cmocka_unit_test(durations),       cmocka_unit_test(percents),
		cmocka_unit_test(whole_numbers),   cmocka_unit_test(size_texts),
		cmocka_unit_test(size_round_trip), cmocka_unit_test(duration_texts),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("units", tests, NULL, NULL);
}
