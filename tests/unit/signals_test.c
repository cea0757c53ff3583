// SPDX-License-Identifier: MIT
/* Lines of trace_pipe about signals; names in them are whatever a program calls itself. */
#include "harness/engine/signals.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

/* From a guest of 6.1. */
static void a_line(void **state)
{
	struct signal_sent s;

	(void)state;
	assert_true(signals_parse(
		"        earlyoom-82      [000] d..1.    11.291234: signal_generate: sig=15 errno=0 code=0 "
		"comm=leak pid=81 grp=1 res=0",
		&s));
	assert_string_equal(s.sender_comm, "earlyoom");
	assert_int_equal(s.sender, 82);
	assert_string_equal(s.comm, "leak");
	assert_int_equal(s.pid, 81);
	assert_int_equal(s.signal, 15);
	assert_int_equal(s.code, 0);
	assert_int_equal(s.t_ns, 11291234000ULL);
	/* By the OOM killer, in the name of who asked. */
	assert_true(signals_parse(
		"leak-81 [001] .... 7.000001: signal_generate: sig=9 errno=0 code=128 comm=web pid=79 grp=1 res=0",
		&s));
	assert_int_equal(s.code, 128);
	assert_true(signals_parse(
		"a-1 [000] .... 7.000001: signal_generate: sig=9 errno=0 code=-6 comm=b pid=2 grp=0 res=1",
		&s));
	assert_int_equal(s.code, -6);
}

static void odd_names(void **state)
{
	struct signal_sent s;

	(void)state;
	assert_true(signals_parse(
		"  kill er-7 [0]-82 [000] d..1. 1.000002: signal_generate: sig=9 errno=0 code=0 comm=x pid=5 pid=81 "
		"grp=1 res=0",
		&s));
	assert_string_equal(s.sender_comm, "kill er-7 [0]");
	assert_int_equal(s.sender, 82);
	assert_string_equal(s.comm, "x pid=5");
	assert_int_equal(s.pid, 81);
	assert_true(signals_parse(
		"<...>-82 [000] d..1. 1.000002: signal_generate: sig=9 errno=0 code=0 comm= pid=81 grp=1 res=0",
		&s));
	assert_string_equal(s.comm, "");
	/* Longer than any: cut, not run over. */
	assert_true(signals_parse(
		"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa-82 [000] d..1. 1.000002: signal_generate: "
		"sig=9 errno=0 code=0 comm=b pid=81 grp=1 res=0",
		&s));
	assert_int_equal(strlen(s.sender_comm), SIGNALS_COMM_MAX - 1);
}

static void no_such_line(void **state)
{
	static const char *const lines[] = {
		"",
		"CPU:0 [LOST 12 EVENTS]",
		"a-1 [000] d..1. 1.000002: sched_switch: prev_comm=x",
		"a-1 [000] d..1. 1.000002: signal_generate: ",
		"a-1 [000] d..1. 1.000002: signal_generate: sig=9 errno=0 code=0 comm=x",
		"a-1 [000] d..1. 1.000002: signal_generate: sig=9 errno=0 code=0 comm=x pid=",
		"a-1 [000] d..1. when: signal_generate: sig=9 errno=0 code=0 comm=x pid=2",
		"a [000] d..1. 1.000002: signal_generate: sig=9 errno=0 code=0 comm=x pid=2",
		"1.000002: signal_generate: sig=9 errno=0 code=0 comm=x pid=2",
	};
	struct signal_sent s;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
		if (signals_parse(lines[i], &s))
			fail_msg("was taken: %s", lines[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_line),
		cmocka_unit_test(odd_names),
		cmocka_unit_test(no_such_line),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("signals", tests, NULL, NULL);
}
