// SPDX-License-Identifier: MIT
/* Whole texts, so that a change of a form shows in the test that goes with it. */
#include "harness/output/output.h"

#include "lib/files.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#define ESC "\033["

/* Results written short: the parts that every one of them has. */
#define CELL(scenario, cell, axes)                                                                           \
	"{'scenario': '" scenario "', 'cell': '" cell "', 'axes': {" axes                                    \
	"}, 'trial': 1, 'place': 'guest', "                                                                  \
	"'kernel': '6.1.0-49-cloud-amd64', "
#define MODES(mode, stressor)                                                                                \
	CELL("overcommit-modes", "overcommit_memory=" mode ",stressor=" stressor,                            \
	     "'overcommit_memory': '" mode "', 'stressor': '" stressor "'")
#define PROCESS(name, outcome, allocated, touched, rss, swap)                                                \
	"{'name': '" name "', 'outcome': '" outcome "', 'metrics': {'allocated': " allocated                 \
	", 'touched': " touched ", 'rss_peak': " rss ", 'swap_peak': " swap "}}"

#define PASS                                                                                                 \
	MODES("0", "malloc")                                                                                 \
	"'verdict': 'pass', 'victims': [], 'processes': [" PROCESS(                                          \
		"hog", "exited", "8589934592", "0", "33554437",                                              \
		"0") "], 'expectations': [{'that': 'hog.outcome', 'wanted': 'exited', 'got': 'exited', "     \
		     "'verdict': 'pass', 'at': 'modes.yaml:21'}]}"
#define FAIL                                                                                                    \
	MODES("0", "memset")                                                                                    \
	"'verdict': 'fail', 'victims': [{'process': 'hog', 'comm': 'memset'}], 'processes': [" PROCESS(         \
		"hog", "oom-killed", "1134559232", "1134000000", "209715200",                                   \
		"931135488") "], 'expectations': ["                                                             \
			     "{'that': 'hog.touched', 'wanted': 'between 1000M and 1050M', 'got': 1134000000, " \
			     "'verdict': 'fail', 'at': 'modes.yaml:23'}, "                                      \
			     "{'that': 'hog.outcome', 'wanted': 'oom-killed', 'got': 'oom-killed', "            \
			     "'verdict': 'pass', 'at': 'modes.yaml:24'}, "                                      \
			     "{'that': 'kills', 'wanted': '2', 'got': 1, 'verdict': 'fail', 'at': 'modes.yaml:25'}]}"
#define SKIP(stressor)                                                                                       \
	MODES("2", stressor)                                                                                 \
	"'verdict': 'skip', 'reason': 'no cgroup v2 here: #1 is v1', 'victims': [], 'processes': [], "       \
	"'expectations': []}"
#define BROKEN                                                                                               \
	MODES("2", "memset")                                                                                 \
	"'verdict': 'broken', 'reason': 'the kernel panicked:\\n  [ 1.2] Kernel panic\\n  [ 1.3] end', "     \
	"'victims': [], 'processes': [], 'expectations': []}"

static const char six_kinds[] = "{'run': {'wall_ns': 61249000000}, 'results': [" PASS "," FAIL "," BROKEN
				"," SKIP("malloc") "," SKIP("calloc") "]}";

/* JSON is easier to read here with single quotes. */
static json_t *run_of(const char *text)
{
	char *copy = strdup(text), *p;
	json_error_t error;
	json_t *run;

	for (p = copy; *p; p++)
		if (*p == '\'')
			*p = '"';
	run = json_loads(copy, 0, &error);
	if (!run)
		fail_msg("%s", error.text);
	free(copy);
	return run;
}

/* The run in that form; the caller's to free. */
static char *text_of(const char *form, const char *text, bool colour, unsigned int width)
{
	struct output_options options = { .colour = colour, .width = width, .run_dir = "results/runs/x" };
	const struct output *output = output_find(form);
	json_t *run = run_of(text);
	char *got = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&got, &len);

	assert_non_null(output);
	assert_int_equal(output->write(out, run, &options), 0);
	fclose(out);
	json_decref(run);
	return got;
}

static void is_text(const char *form, const char *run, const char *wanted)
{
	char *got = text_of(form, run, false, 0);

	if (strcmp(got, wanted) != 0)
		fail_msg("%s: got\n%s\nwanted\n%s", form, got, wanted);
	free(got);
}

static void table_of_all_verdicts(void **state)
{
	(void)state;
	is_text("table", six_kinds,
		"overcommit-modes  on guest  Linux 6.1.0-49-cloud-amd64\n"
		"\n"
		"overcommit_memory  stressor  allocated  touched  peak RSS  peak swap  outcome     victim  verdict\n"
		"                0  malloc        8192M       0B       32M         0B  exited      -       pass\n"
		"                0  memset        1082M    1081M      200M       888M  oom-killed  hog     fail\n"
		"                2  memset            -        -         -          -  -           -       broken\n"
		"                2  malloc            -        -         -          -  -           -       skip\n"
		"                2  calloc            -        -         -          -  -           -       skip\n"
		"\n"
		"fail  overcommit-modes/overcommit_memory=0,stressor=memset\n"
		"    hog.touched: got 1134000000 (1081M), wanted between 1000M and 1050M  (modes.yaml:23)\n"
		"    kills: got 1, wanted 2  (modes.yaml:25)\n"
		"\n"
		"broken  overcommit-modes/overcommit_memory=2,stressor=memset\n"
		"    the kernel panicked:\n"
		"      [ 1.2] Kernel panic\n"
		"      [ 1.3] end\n"
		"\n"
		"skip  overcommit-modes/overcommit_memory=2,stressor=malloc and 1 more\n"
		"    no cgroup v2 here: #1 is v1\n"
		"\n"
		"5 cells: 1 pass, 1 fail, 2 skip, 1 broken in 61.2s\n"
		"results/runs/x\n");
}

#define TWO_PROCESSES(trial)                                                                                 \
	"{'scenario': 'pair', 'cell': '', 'axes': {}, 'trial': " trial                                       \
	", 'place': 'host', 'kernel': '6.18', "                                                              \
	"'verdict': 'pass', 'victims': [{'process': 'hog'}, {'process': null, 'comm': 'cron'}], "            \
	"'processes': [" PROCESS("hog", "oom-killed", "1048576", "1", "2", "null") "," PROCESS(              \
		"web", "stopped", "5", "4096", "null", "null") "], 'expectations': []}"

static void table_of_processes_and_trials(void **state)
{
	(void)state;
	is_text("table", "{'run': {}, 'results': [" TWO_PROCESSES("1") "," TWO_PROCESSES("2") "]}",
		"pair  on host  Linux 6.18\n"
		"\n"
		"trial  process  allocated  touched  peak RSS  peak swap  outcome     victim     verdict\n"
		"    1  hog          1024K       1B        2B  -          oom-killed  hog, cron  pass\n"
		"       web             5B    4096B         -  -          stopped\n"
		"    2  hog          1024K       1B        2B  -          oom-killed  hog, cron  pass\n"
		"       web             5B    4096B         -  -          stopped\n"
		"\n"
		"2 trials of 1 cell: 2 pass\n"
		"results/runs/x\n");
}

#define NEAR(verdict, got, wanted, off)                                                                      \
	"{'that': 'hog.allocated', 'wanted': '', 'got': 1, 'verdict': '" verdict "', 'at': 'm.yaml:9', "     \
	"'near': {'got': '" got "', 'wanted': '" wanted "', 'off': " off ", 'within': 0.01}}"
#define WITH_NEAR(cell, axes, expectations)                                                                  \
	"{'scenario': 's', 'cell': '" cell "', 'axes': " axes ", 'trial': 1, 'place': 'guest', "             \
	"'verdict': 'pass', 'victims': [], 'processes': [], 'expectations': [" expectations "]}"

static void table_of_references(void **state)
{
	(void)state;
	is_text("table",
		"{'run': {}, 'results': [" WITH_NEAR(
			"n=1", "{'n': '1'}",
			"{'that': 'kills', 'wanted': '0', 'got': 0, 'verdict': 'pass', 'at': 'm.yaml:8'}, " NEAR(
				"pass", "3055M", "3056M",
				"-0.000327") "," NEAR("pass", "7", "7",
						      "-0.00001")) "," WITH_NEAR("n=2", "{'n': '2'}",
										 NEAR("fail", "none", "12K",
										      "null")) "]}",
		"s  on guest\n"
		"\n"
		"n  allocated  touched  peak RSS  peak swap  outcome  victim  verdict\n"
		"1  -          -        -         -          -        -       pass\n"
		"2  -          -        -         -          -        -       pass\n"
		"\n"
		"cell  metric         got     near  % off  % allowed\n"
		"n=1   hog.allocated  3055M  3056M  -0.03          1\n"
		"n=1   hog.allocated  7          7   0.00          1\n"
		"n=2   hog.allocated  none     12K      -          1\n"
		"\n"
		"2 cells: 2 pass\n"
		"results/runs/x\n");
}

#define LONG(kernel)                                                                                         \
	CELL("long", "c",                                                                                    \
	     "'cgroups.app/child/one.memory.max': '512M', 'processes.hog.run.3': '--block=1M', "             \
	     "'kernel': '" kernel "', 'sysctl.vm.overcommit_memory': '1'")                                   \
	"'verdict': 'pass', 'victims': [], 'processes': [" PROCESS("hog", "oom-killed", "1", "2", "3",       \
								   "4") "], 'expectations': []}"

static const char long_axes[] = "{'run': {}, 'results': [" LONG("/boot/vmlinuz-6.12.9-cloud-amd64") "," LONG(
	"/boot/vmlinuz-5.10.0-cloud-amd64") "]}";

static void long_axes_fit(void **state)
{
	(void)state;
	is_text("table", long_axes,
		"long  on guest  Linux 6.1.0-49-cloud-amd64\n"
		"\n"
		"cgroups.\n"
		"    app/\n"
		"  child/                        sysctl.\n"
		"    one.  processe                  vm.\n"
		" memory.  s.hog.              overcommi                      peak  peak\n"
		"     max  run.3     kernel     t_memory  allocated  touched   RSS  swap  outcome     victim  verdict\n"
		"    512M  --bloc..  ..6.12..          1         1B       2B    3B    4B  oom-killed  -       pass\n"
		"    512M  --bloc..  ..5.10..          1         1B       2B    3B    4B  oom-killed  -       pass\n"
		"\n"
		"                                                                                  /boot/    /boot/\n"
		"                                                                                  vmlinuz-  vmlinuz-\n"
		"                                                                                  6.12.9-   5.10.0-\n"
		"                                                                                  cloud-    cloud-\n"
		"where kernels differ                                                              amd64     amd64\n"
		"long, cgroups.app/child/one.memory.max=512M, processes.hog.run.3=--block=1M, s..  pass      pass\n"
		"No metric of an expectation differs.\n"
		"\n"
		"2 cells: 2 pass\n"
		"results/runs/x\n");
}

/* As wide as it is allowed to be, at every width that can be met at all. */
static void no_line_is_too_wide(void **state)
{
	unsigned int width;

	(void)state;
	for (width = 100; width < 220; width++) {
		char *got = text_of("table", long_axes, false, width), *line, *rest = got;

		while ((line = strsep(&rest, "\n"))) {
			assert_true(strlen(line) <= width);
			assert_true(!*line || line[strlen(line) - 1] != ' ');
		}
		free(got);
	}
}

/* The table of slow x fast cells. */
static char *table_of_cells(int slow, int fast)
{
	char *run = NULL, *got;
	size_t len = 0;
	FILE *to = open_memstream(&run, &len);
	int i;

	fputs("{'run': {}, 'results': [", to);
	for (i = 0; i < slow * fast; i++)
		fprintf(to,
			"%s{'scenario': 's', 'cell': 'c', 'axes': {'slow': '%d', 'fast': '%d'}, 'verdict': 'pass'}",
			i ? ", " : "", i / fast, i % fast);
	fputs("]}", to);
	fclose(to);
	got = text_of("table", run, false, 0);
	free(run);
	return got;
}

static int heads_of(const char *table)
{
	int n = 0;

	for (; (table = strstr(table, "\n\nslow  fast  ")); table += 2)
		n++;
	return n;
}

/* Past a screen, the heads stand above each value of the axis that varies slowest, if that has some rows. */
static void long_tables_have_blocks(void **state)
{
	static const struct {
		int slow, fast, heads;
	} cases[] = { { 2, 10, 1 }, { 2, 11, 2 }, { 3, 18, 3 }, { 1, 30, 1 }, { 10, 5, 1 }, { 10, 6, 10 } };
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char *got = table_of_cells(cases[i].slow, cases[i].fast);

		assert_int_equal(heads_of(got), cases[i].heads);
		free(got);
	}
}

static void text_that_is_not_ascii(void **state)
{
	char *got;

	(void)state;
	got = text_of(
		"table",
		"{'run': {}, 'results': [" CELL("s", "c", "'k': '\xc3\xa9\xc3\xa9\xc3\xa9'") "'verdict': 'pass', 'processes': []}," CELL(
			"s", "c", "'k': 'abcd'") "'verdict': 'pass', 'processes': []}]}",
		false, 0);
	assert_non_null(strstr(got, "\n\xc3\xa9\xc3\xa9\xc3\xa9   -  "));
	assert_non_null(strstr(got, "\nabcd  -  "));
	free(got);
}

static void colours(void **state)
{
	char *got = text_of("table", six_kinds, true, 0);
	char *plain = text_of("table", six_kinds, false, 0);
	char *p, *to;

	(void)state;
	assert_non_null(strstr(got, ESC "1mallocated" ESC "0m"));
	assert_non_null(strstr(got, "  " ESC "32mpass" ESC "0m\n"));
	assert_non_null(strstr(got, "  " ESC "1;31mfail" ESC "0m\n"));
	assert_non_null(strstr(got, "\n" ESC "1;35mbroken" ESC "0m  overcommit-modes/"));
	assert_null(strstr(plain, "\033"));
	/* Without its colours it is the same text. */
	for (p = to = got; *p; p++) {
		if (*p == '\033')
			p += strcspn(p, "m");
		else
			*to++ = *p;
	}
	*to = 0;
	assert_string_equal(got, plain);
	free(got);
	free(plain);
}

static void table_of_nothing(void **state)
{
	(void)state;
	is_text("table", "{'run': {}, 'results': []}", "\n0 cells\nresults/runs/x\n");
}

static const char tap_of_all[] =
	"TAP version 13\n"
	"1..7\n"
	"ok 1 - overcommit-modes/overcommit_memory=0,stressor=malloc: hog.outcome is exited\n"
	"not ok 2 - overcommit-modes/overcommit_memory=0,stressor=memset: hog.touched is between 1000M and 1050M\n"
	"  ---\n"
	"  got: 1134000000\n"
	"  wanted: \"between 1000M and 1050M\"\n"
	"  at: \"modes.yaml:23\"\n"
	"  ...\n"
	"ok 3 - overcommit-modes/overcommit_memory=0,stressor=memset: hog.outcome is oom-killed\n"
	"not ok 4 - overcommit-modes/overcommit_memory=0,stressor=memset: kills is 2\n"
	"  ---\n"
	"  got: 1\n"
	"  wanted: \"2\"\n"
	"  at: \"modes.yaml:25\"\n"
	"  ...\n"
	"not ok 5 - overcommit-modes/overcommit_memory=2,stressor=memset\n"
	"  ---\n"
	"  broken: |\n"
	"    the kernel panicked:\n"
	"      [ 1.2] Kernel panic\n"
	"      [ 1.3] end\n"
	"  ...\n"
	"ok 6 - overcommit-modes/overcommit_memory=2,stressor=malloc # SKIP no cgroup v2 here: #1 is v1\n"
	"ok 7 - overcommit-modes/overcommit_memory=2,stressor=calloc # SKIP no cgroup v2 here: #1 is v1\n";

static const char tap_of_skips[] = "TAP version 13\n1..0 # SKIP no cgroup v2 here: #1 is v1\n";

#define STRANGE                                                                                              \
	"{'run': {}, 'results': [{'scenario': 'a # TODO b', 'cell': 'x\\\\y\\nz', 'axes': {}, 'trial': 3, "  \
	"'verdict': 'pass', 'processes': [], 'expectations': []}]}"

static void tap_texts(void **state)
{
	(void)state;
	is_text("tap", six_kinds, tap_of_all);
	is_text("tap", "{'run': {}, 'results': [" SKIP("malloc") "," SKIP("calloc") "]}", tap_of_skips);
	is_text("tap", STRANGE, "TAP version 13\n1..1\nok 1 - a \\# TODO b/x\\\\y; z (trial 3)\n");
	is_text("tap", "{'run': {}, 'results': []}", "TAP version 13\n1..0 # SKIP nothing to run\n");
}

/* prove's exit status and what it printed, for a run. */
static int prove(const char *run, char ret_text[4096])
{
	char path[] = "/tmp/oomlab-output.XXXXXX", command[128];
	char *tap = text_of("tap", run, false, 0);
	int fd = mkstemp(path), status;
	FILE *pipe;
	size_t n;

	assert_int_equal(write_all(fd, tap, strlen(tap)), 0);
	close(fd);
	snprintf(command, sizeof(command), "prove -v --exec cat %s 2>&1", path);
	pipe = popen(command, "r");
	n = fread(ret_text, 1, 4095, pipe);
	ret_text[n] = 0;
	status = pclose(pipe);
	unlink(path);
	free(tap);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static void prove_agrees(void **state)
{
	char text[4096];

	(void)state;
	assert_int_equal(prove("{'run': {}, 'results': [" PASS "," SKIP("calloc") "]}", text), 0);
	assert_non_null(strstr(text, "Result: PASS"));
	assert_int_equal(prove(six_kinds, text), 1);
	assert_non_null(strstr(text, "Failed 3/7 subtests"));
	assert_non_null(strstr(text, "(less 2 skipped subtests"));
	assert_null(strstr(text, "Parse errors"));
	assert_int_equal(prove("{'run': {}, 'results': [" BROKEN "]}", text), 1);
	assert_null(strstr(text, "Parse errors"));
	assert_int_equal(prove("{'run': {}, 'results': [" SKIP("calloc") "]}", text), 0);
	assert_non_null(strstr(text, "skipped: no cgroup v2 here"));
	assert_int_equal(prove(STRANGE, text), 0);
	assert_non_null(strstr(text, "Tests=1"));
	assert_null(strstr(text, "todo"));
}

static void json_is_whole(void **state)
{
	char *got = text_of("json", six_kinds, false, 0);
	json_t *back = json_loads(got, 0, NULL), *run = run_of(six_kinds);

	(void)state;
	assert_true(json_equal(back, run));
	assert_int_equal(got[strlen(got) - 1], '\n');
	json_decref(back);
	json_decref(run);
	free(got);
}

static void forms_by_name(void **state)
{
	size_t i;

	(void)state;
	for (i = 0; outputs[i]; i++)
		assert_ptr_equal(output_find(outputs[i]->name), outputs[i]);
	assert_true(i >= 3);
	assert_null(output_find("xml"));
	assert_null(output_find(""));
}

static void live_line(void **state)
{
	struct live_state s = { .cell = 2,
				.cells = 6,
				.what = "overcommit_memory=0,stressor=memset",
				.elapsed_ns = 12345678901,
				.rss_bytes = 209715200,
				.swap_bytes = 4096 };
	char *got = NULL;
	size_t len, i;
	FILE *out = open_memstream(&got, &len);

	(void)state;
	live_update(out, &s);
	assert_string_equal(
		got, "\rcell 2/6   12.3s  RSS  200M  swap 4096B  overcommit_memory=0,stressor=memset\033[K");
	s.what =
		"a\nb\033[2J, and so on until there is no more room on the eighty columns of a terminal that nobody sees";
	rewind(out);
	live_update(out, &s);
	assert_null(strchr(got, '\n'));
	for (i = 1; got[i] != '\033'; i++)
		assert_true((unsigned char)got[i] >= ' ');
	assert_int_equal(i - 1, 79);
	rewind(out);
	live_clear(out);
	fclose(out);
	assert_memory_equal(got, "\r\033[K", 4);
	free(got);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(table_of_all_verdicts),  cmocka_unit_test(table_of_processes_and_trials),
		cmocka_unit_test(table_of_references),    cmocka_unit_test(long_axes_fit),
		cmocka_unit_test(no_line_is_too_wide),    cmocka_unit_test(long_tables_have_blocks),
		cmocka_unit_test(text_that_is_not_ascii), cmocka_unit_test(colours),
		cmocka_unit_test(table_of_nothing),       cmocka_unit_test(tap_texts),
		cmocka_unit_test(prove_agrees),           cmocka_unit_test(json_is_whole),
		cmocka_unit_test(forms_by_name),          cmocka_unit_test(live_line),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("output", tests, NULL, NULL);
}
