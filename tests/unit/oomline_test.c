// SPDX-License-Identifier: MIT
/* oom_line_message(): the message within a line, whatever tool printed it. */
#include "harness/oracle/oomreport.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
// clang-format off
#include <cmocka.h>
// clang-format on

static const struct {
	const char *line, *message;
} cases[] = {
	{ "6,1234,5678,-;text; more", "text; more" },
	{ "4,1234,5678,-,caller=T57;text", "text" },
	{ "4,1,2,c;[  pid  ]   uid", "[  pid  ]   uid" },
	{ " SUBSYSTEM=pci", "" },
	{ " DEVICE=+pci:0000:00:01.0", "" },
	{ " free:424 free_pcp:101", " free:424 free_pcp:101" },
	{ "[   12.345678] text", "text" },
	{ "[   12.345678]  <TASK>", " <TASK>" },
	{ "[12345.345678] text\r", "text" },
	{ "[   12.345678][  T123] text", "text" },
	{ "[   12.345678][    C0] text", "text" },
	{ "[   12.345678] [  T123] text", "text" },
	{ "[   12.345678] [     78]     0    78 hog", "[     78]     0    78 hog" },
	{ "[     78]     0    78 hog", "[     78]     0    78 hog" },
	{ "<6>[   12.3] text", "text" },
	{ "[   12.345678] [2:  kswapd0:   78] text", "text" },
	{ "<4>[   12.345678]  (1)[78:kswapd0]text", "text" },
	{ "[   12.345678] (1)[   78]     0    78 hog", "(1)[   78]     0    78 hog" },
	{ "[12.345678s][pid:78,cpu1,kswapd0]text", "text" },
	{ "[2-3219.1870] text", "text" },
	{ "[2-3219.1870] [   78]     0    78 hog", "[   78]     0    78 hog" },
	{ "[   12.345678 / 01-02 03:04:05.678] text", "text" },
	{ "[   12.345678] [  pid  ]   uid", "[  pid  ]   uid" },
	{ "<30>text", "text" },
	{ "kern  :warn  : [   12.345678] text", "text" },
	{ "[Sat Nov 22 07:44:01 2025] text", "text" },
	{ "[Nov22 07:44] text", "text" },
	{ "[  +0.000012] text", "text" },
	{ "2025-11-22T07:44:01,123456+00:00 text", "text" },
	{ "Nov 22 07:44:01 host kernel: text", "text" },
	{ "Nov  2 07:44:01 host kernel: [   12.3] text\r\n", "text" },
	{ "<4>Nov  2 07:44:01 host kernel: text", "text" },
	{ "Nov 22 07:44:01.123456 a.host kernel: text", "text" },
	{ "Nov 22 07:44:01 host earlyoom[44]: Killed process 4 (x)", "" },
	{ "2025-11-22T07:44:01.5+01:00 host kernel: [   12.3] text", "text" },
	{ "2025-11-22T07:44:01+0000 host kernel: text", "text" },
	{ "Sat 2025-11-22 07:44:01 UTC host kernel: text", "text" },
	{ "[   12.345678] host kernel: text", "text" },
	{ "[   12.345678 <    0.000012>] text", "text" },
	{ "Nov 22 07:44:01 host user.warn kernel: [   12.3] text", "text" },
	{ "Nov 22 07:44:01 host kernel[0]: text", "text" },
	{ "Nov 22 07:44:01 host kernel[x]: text", "" },
	{ "Nov 22 07:44:01 host earlyoom: kernel: text", "" },
	{ "Fri Nov 22 07:44:01 2025 kern.warn kernel: [   12.3] text", "text" },
	{ "<4>1 2025-11-22T07:44:01.000Z host kernel - - - [   12.3] text", "text" },
	{ "1763797441.123456 host kernel: text", "text" },
	{ "2025-11-22T07:44:01.123456789Z stdout F [   12.345678] text", "text" },
	{ "11-22 07:44:01.123     0     0 W kernel  : [   12.345678] text", "text" },
	{ "kern.log:1234:Nov 22 07:44:01 host kernel: [   12.345678] text", "text" },
	{ "host kernel: text", "text" },
	{ "kernel: text", "text" },
	{ "> > [   12.345678] text", "text" },
	{ "> Out of memory", "Out of memory" },
	{ "\t   [   12.345678][   C1] text", "text" },
	{ "host login: [   12.345678] text", "text" },
	{ "{\"_TRANSPORT\":\"kernel\",\"MESSAGE\":\"a \\\"b\\\" c\",\"X\":\"y\"}", "a \\\"b\\\" c" },
	{ "{\"MESSAGE\" : \"text\"}", "text" },
	{ "\t\"MESSAGE\" : \"a \\\"b\\\" c\",", "a \\\"b\\\" c" },
	{ "         \"msg\": \"text\"", "text" },
	{ "\t\"__MESSAGE\" : \"text\",", "\t\"__MESSAGE\" : \"text\"," },
	{ "\t\"MESSAGE\" : null,", "\t\"MESSAGE\" : null," },
	{ "data: {\"MESSAGE\":\"text\"}", "text" },
	{ "\x1e{\"MESSAGE\":\"text\"}", "text" },
	{ "{\"textPayload\": \"text\"}", "text" },
	{ "{\"x\":\"\\\"log\\\"\",\"log\":[],\"msg\":\"text\"}", "text" },
	{ "2025-11-22 07:44:01.0 +0000 kernel: {\"message\":\"[   12.345678] text\"}", "text" },
	{ "MESSAGE=text", "text" },
	{ "    MESSAGE=[   12.345678] text", "text" },
	{ "{\"_TRANSPORT\":\"syslog\",\"MESSAGE\":\"text\"}", "" },
	{ "{\"log\":\"[   12.345678] text\\n\",\"stream\":\"stdout\"}", "text" },
	{ "{\"message\": \"Nov 22 07:44:01 host kernel: text", "text" },
	{ "{\"log\":\"\\", "\\" },
	{ "[2025-11-22 07:44:01] [   12.345678] text", "text" },
	{ "[2025-11-22 07:44:01.123] Nov 22 07:44:01 host kernel: [   12.345678] text", "text" },
	{ "[2025-11-22T07:44:01Z] text", "text" },
	{ "Nov 22 07:44:01 [   12.345678] text", "text" },
	{ "2025-11-22\thost\tkernel\ttext", "text" },
	{ "[07:44:01] [   12.345678][  T123] text", "text" },
	{ "[   12.345678]: text", "text" },
	{ "[Sat Nov 22 07:44:01 2025]: text", "text" },
	{ "2025-11-22T07:44:01+0000 [   12.345678] text", "text" },
	{ "2025-11-22T07:44:01Z Nov 22 07:44:01 host kernel: text", "text" },
	{ "[   12.345678] Nov 22 07:44:01 host kernel: text", "text" },
	{ "[2025-11-22 07:44:01] Nov 22 07:44:01 host sshd[12]: Killed process 4 (x)", "" },
	{ "11-22 07:44:01.123     0     0 W         : text", "text" },
	{ "11-22 07:44:01.123     0     0 W         : [   12.345678] text", "text" },
	{ "11-22 07:44:01.123   512   530 I lmkd: Killed process 4 (x)",
	  "11-22 07:44:01.123   512   530 I lmkd: Killed process 4 (x)" },
	{ "2025-11-22,host,kernel,\"a, b\"", "a, b" },
	{ "\"Nov 22 07:44:01\",\"host\",\"kernel\",\"[   12.345678] a, b\"", "a, b" },
	{ "[     78:1]     0    78 hog", "[     78:1]     0    78 hog" },
	/* The name of a process is none of the kernel's, and the kernel's own words are not foreign. */
	{ "Killed process 5 (kernel: x) total-vm:1kB", "Killed process 5 (kernel: x) total-vm:1kB" },
	{ "[   12.3] unable to handle kernel: x", "unable to handle kernel: x" },
	{ "[     78]     0    78    1    1 xkernel: y", "[     78]     0    78    1    1 xkernel: y" },
	{ "text", "text" },
	{ "Out of memory: Killed process 5 (x)", "Out of memory: Killed process 5 (x)" },
	{ "Memory cgroup out of memory", "Memory cgroup out of memory" },
	{ "[", "[" },
	{ "[ 12.3", "[ 12.3" },
	{ "\r", "" },
	{ "", "" },
};

static void test_dress(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		size_t len;
		const char *got = oom_line_message(cases[i].line, strlen(cases[i].line), &len);

		if (len != strlen(cases[i].message) || memcmp(got, cases[i].message, len) != 0)
			fail_msg("'%s': got '%.*s', wanted '%s'", cases[i].line, (int)len, got,
				 cases[i].message);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_dress),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
