// SPDX-License-Identifier: MIT
/* What a guest's console tells of its end. */
#include "harness/places/console.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

static void cleaned(void **state)
{
	static const char *const cases[][2] = {
		{ "a\r\nb\r\n", "a\nb\n" },    { "\033c\033[?7l\033[2J\033[0mSeaBIOS\r\n", "SeaBIOS\n" },
		{ "\033]0;title\ax", "x" },    { "\033(Bx\001\377y", "xy" },
		{ "end\033", "end" },          { "end\033[", "end" },
		{ "\033[31\nline", "\nline" }, { "", "" },
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char text[64];

		strcpy(text, cases[i][0]);
		console_clean(text);
		assert_string_equal(text, cases[i][1]);
	}
}

static void panic_is_found_with_what_led_to_it(void **state)
{
	char text[] = "[ 1.0] before\r\n"
		      "[ 1.1] Kernel panic - not syncing: Out of memory: x\r\n"
		      "[ 1.1] RAX: 0\r\n"
		      "[ 1.2] ---[ end Kernel panic - not syncing: Out of memory: x ]---\r\n";
	struct console c;

	(void)state;
	console_parse(text, &c);
	assert_string_equal(c.panic, "Out of memory: x");
	assert_string_equal(c.tail,
			    "\n  [ 1.0] before\n  [ 1.1] Kernel panic - not syncing: Out of memory: x");
}

static void agent_is_heard(void **state)
{
	char complaint[] = "oomlab-agent: first\noomlab-agent: no PCI device\n[ 1.0] reboot\n";
	char up[] = "[ 1.0] x\noomlab-agent: up after 2.000 s\n";
	struct console c;

	(void)state;
	console_parse(complaint, &c);
	assert_string_equal(c.agent, "no PCI device");
	assert_string_equal(c.panic, "");
	console_parse(up, &c);
	assert_string_equal(c.agent, "");
}

static void tail_is_bounded(void **state)
{
	char text[8192] = "";
	struct console c;
	size_t len = 0;
	int i;

	(void)state;
	for (i = 0; i < 20; i++)
		len += (size_t)snprintf(text + len, sizeof(text) - len, "line %d %0200d\n\n", i, 0);
	console_parse(text, &c);
	assert_non_null(strstr(c.tail, "line 19 "));
	assert_non_null(strstr(c.tail, "line 12 "));
	assert_null(strstr(c.tail, "line 11 "));
	assert_true(strlen(c.tail) < sizeof(c.tail));
	console_read("/nowhere/console.log", &c);
	assert_string_equal(c.tail, "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(cleaned),
		cmocka_unit_test(panic_is_found_with_what_led_to_it),
		cmocka_unit_test(agent_is_heard),
		cmocka_unit_test(tail_is_bounded),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("console", tests, NULL, NULL);
}
