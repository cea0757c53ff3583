// SPDX-License-Identifier: MIT
/* Which rows of facts a scenario's `source` names. */
#include "harness/rows.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static void named(void **state)
{
	static const char *const cases[][2] = {
		{ "", "[]" },
		{ "mm/oom_kill.c", "[]" },
		{ "article, rows A1, A2, A6", "[\"A1\",\"A2\",\"A6\"]" },
		{ "article table, rows D8, A1, A2, C4", "[\"A1\",\"A2\",\"C4\",\"D8\"]" },
		{ "row D10; row D1", "[\"D1\",\"D10\"]" },
		{ "rows A1 and A1.", "[\"A1\"]" },
		{ "(A12)", "[\"A12\"]" },
		{ "rows D6-D8", "[\"D6\",\"D7\",\"D8\"]" },
		{ "rows A12-A13, B1", "[\"A12\",\"A13\",\"B1\"]" },
		{ "row E (limits that shrink); -ENOMEM", "[\"E\"]" },
		/* No rows: other words, and what begins or ends as one does. */
		{ "A14, B0, A01, a1, XA1, A1_x, A1b, E2BIG, sp-D", "[]" },
		/* What a dash cannot join counts by itself. */
		{ "D8-D6", "[\"D6\",\"D8\"]" },
		{ "A1-B2", "[\"A1\",\"B2\"]" },
		{ "A1-", "[\"A1\"]" },
		{ "-A1-x-A3", "[\"A1\",\"A3\"]" },
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		json_t *list = rows_in(cases[i][0]);
		char *text = json_dumps(list, JSON_COMPACT);

		if (strcmp(text, cases[i][1]) != 0)
			fail_msg("\"%s\": %s, not %s", cases[i][0], text, cases[i][1]);
		free(text);
		json_decref(list);
	}
}

/* Each letter's rows are numbered from 1 without a gap, and each has its fact. */
static void table(void **state)
{
	static const struct {
		char letter;
		int count;
	} want[] = { { 'A', 13 }, { 'B', 6 }, { 'C', 5 }, { 'D', 10 } };
	const char *fact = NULL;
	size_t at = 0, i;
	int n;

	(void)state;
	for (i = 0; i < sizeof(want) / sizeof(want[0]); i++)
		for (n = 1; n <= want[i].count; n++, at++) {
			assert_non_null(row_at(at, &fact));
			assert_int_equal(row_at(at, NULL)[0], want[i].letter);
			assert_int_equal(atoi(row_at(at, NULL) + 1), n);
			assert_true(strlen(fact) > 10);
		}
	assert_string_equal(row_at(at, NULL), "E");
	assert_null(row_at(at + 1, NULL));
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(named), cmocka_unit_test(table) };

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("rows", tests, NULL, NULL);
}
