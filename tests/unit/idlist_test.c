// SPDX-License-Identifier: MIT
#include "lib/idlist.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

static const char *again(const char *text)
{
	static char buf[64];
	struct idlist list;

	assert_int_equal(idlist_parse(text, &list), 0);
	return idlist_format(&list, buf, sizeof(buf));
}

static void test_good(void **state)
{
	struct idlist list;

	(void)state;
	assert_string_equal(again("0"), "0");
	assert_string_equal(again("0-3,7"), "0-3,7");
	assert_string_equal(again("7,2,3,0-1"), "0-3,7");
	assert_string_equal(again("62-66"), "62-66");
	assert_string_equal(again("1023"), "1023");
	assert_string_equal(again("5-5,4"), "4-5");
	assert_int_equal(idlist_parse("1,64-65", &list), 0);
	assert_true(idlist_has(&list, 1) && idlist_has(&list, 64) && idlist_has(&list, 65));
	assert_false(idlist_has(&list, 0) || idlist_has(&list, 63) || idlist_has(&list, 66));
	assert_false(idlist_has(&list, IDLIST_MAX));
	assert_int_equal(idlist_last(&list), 65);
	memset(&list, 0, sizeof(list));
	assert_int_equal(idlist_last(&list), -1);
}

static void test_bad(void **state)
{
	static const char *const none[] = { "",    ",",  "1,", ",1",   "a",   "1-",   "-1",
					    "3-1", "1 ", " 1", "1--2", "0x1", "1-2-3" };
	struct idlist list;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(none) / sizeof(none[0]); i++)
		assert_int_equal(idlist_parse(none[i], &list), -EINVAL);
	assert_int_equal(idlist_parse("1024", &list), -ERANGE);
	assert_int_equal(idlist_parse("0-99999999999999999999", &list), -ERANGE);
}

static void test_room(void **state)
{
	struct idlist list;
	char buf[6];

	(void)state;
	assert_int_equal(idlist_parse("0,2,4,6,8", &list), 0);
	assert_string_equal(idlist_format(&list, buf, sizeof(buf)), "0,2,4");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good),
		cmocka_unit_test(test_bad),
		cmocka_unit_test(test_room),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
