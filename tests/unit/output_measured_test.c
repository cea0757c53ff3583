// SPDX-License-Identifier: MIT
/* What was measured where expectations leave room, as part of the table for people. */
#include "harness/output/output.h"

#include "lib/json.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#define IN_RANGE(that, wanted, got)                                                                          \
	"{\"that\": \"" that "\", \"wanted\": \"" wanted "\", \"got\": " got ", \"verdict\": \"pass\"}"
#define RESULT(scenario, cell, axes, trial, metrics, expectations)                                           \
	"{\"scenario\": \"" scenario "\", \"cell\": \"" cell "\", \"axes\": {" axes "}, \"trial\": " trial   \
	", \"verdict\": \"pass\", \"victims\": [], \"processes\": [], \"metrics\": {" metrics                \
	"}, \"expectations\": [" expectations "]}"

/* What stands below the table of processes: up to the sum, which is left out. */
static void says(const char *results, const char *wanted)
{
	struct output_options options = { .width = 100 };
	char *got = NULL, *below, *sum;
	json_error_t where;
	size_t len = 0;
	FILE *out = open_memstream(&got, &len);
	json_t *list = json_loads(results, 0, &where), *run;

	if (!list)
		fail_msg("%s: %s", results + where.position, where.text);
	run = json_pack("{s:{}, s:o}", "run", "results", list);
	assert_int_equal(output_find("table")->write(out, run, &options), 0);
	fclose(out);
	sum = strrchr(got, '\n');
	for (*sum = '\0'; sum > got && strncmp(sum, "\n\n", 2) != 0; sum--)
		;
	*sum = '\0';
	below = strstr(got, "pass\n\n");
	below = below ? below + strlen("pass\n\n") : "";
	if (strcmp(below, wanted) != 0)
		fail_msg("got\n%s\n, wanted\n%s\n, of\n%s", below, wanted, got);
	free(got);
	json_decref(run);
}

/* In the unit of the range, also where the range is not asked for; what was not measured is "-". */
static void cell_by_cell(void **state)
{
	(void)state;
	says("[" RESULT(
		     "s", "n=1", "\"n\": \"1\"", "1",
		     "\"hog.wasted\": 50331648, \"system.pswpout\": 14406, \"hog.bloat\": 1.23456",
		     IN_RANGE("hog.wasted", "at least 45M", "50331648") "," IN_RANGE(
			     "system.pswpout", "between 1 and 20000",
			     "14406") "," IN_RANGE("hog.bloat", "at most 1.5",
						   "1.23456")) "," RESULT("s", "n=2", "\"n\": \"2\"", "1",
									  "\"hog.wasted\": 135168, \"system.pswpout\": null",
									  "") "]",
	     "measured  hog.wasted  system.pswpout  hog.bloat\n"
	     "n=1              48M           14406      1.235\n"
	     "n=2             132K               -          -");
}

static void trials_of_one_cell(void **state)
{
	(void)state;
	says("[" RESULT("s", "all", "", "1", "\"a.duration\": 1500000000",
			IN_RANGE("a.duration", "at least 1s", "1500000000") "," IN_RANGE(
				"a.duration", "at most 2s",
				"1500000000")) "," RESULT("s", "all", "", "2", "\"a.duration\": 1750000000",
							  "") "]",
	     "trial  a.duration\n"
	     "    1        1.5s\n"
	     "    2        1.8s");
}

/* What is one value, no number, near something, or in the table above is not said again. */
static void nothing_new(void **state)
{
	(void)state;
	says("[" RESULT("s", "all", "", "1", "\"kills\": 0, \"hog.rss_peak\": 4096",
			IN_RANGE("kills", "0", "0") "," IN_RANGE(
				"hog.rss_peak", "at most 8K",
				"4096") "," IN_RANGE("hog.touched", "at least 1M",
						     "1048576") "," IN_RANGE("hog.wasted", "at most 1M",
									     "null")) "]",
	     "");
}

static void several_scenarios_or_kernels(void **state)
{
	(void)state;
	says("[" RESULT("s", "all", "", "1", "\"a.wasted\": 4096",
			IN_RANGE("a.wasted", "at most 8K",
				 "4096")) "," RESULT("t", "all", "", "1", "\"a.wasted\": 4096",
						     IN_RANGE("a.wasted", "at most 8K", "4096")) "]",
	     "t\n\nprocess  allocated  touched  peak RSS  peak swap  outcome  victim  verdict\n"
	     "-        -          -        -         -          -        -       pass");
	says("[" RESULT("s", "k", "\"kernel\": \"k\"", "1", "\"a.wasted\": 4096",
			IN_RANGE("a.wasted", "at most 8K", "4096")) "]",
	     "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(cell_by_cell),
		cmocka_unit_test(trials_of_one_cell),
		cmocka_unit_test(nothing_new),
		cmocka_unit_test(several_scenarios_or_kernels),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("output_measured", tests, NULL, NULL);
}
