// SPDX-License-Identifier: MIT
/* The table of where kernels differ, as the end of the table for people. */
#include "harness/output/output.h"

#include "lib/json.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

struct cell {
	const char *kernel, *n, *verdict, *metrics;
};

static const char *const expected[][2] = {
	{ "victim", "hog" },
	{ "kills", "1" },
	{ "hog.touched", "at least 1M" },
	{ "hog.duration", "at most 2.0s" },
	{ "cgroup.app.peak", "24M" },
	{ "victim", "hog" },
};

static json_t *result_of(const struct cell *c)
{
	json_t *expectations = json_array();
	size_t i;

	for (i = 0; i < sizeof(expected) / sizeof(expected[0]); i++)
		json_array_append_new(expectations, json_pack("{s:s, s:s}", "that", expected[i][0], "wanted",
							      expected[i][1]));
	return json_pack("{s:s, s:s, s:{s:s, s:s}, s:s, s:s, s:o, s:o}", "scenario", "up", "cell", "c",
			 "axes", "kernel", c->kernel, "n", c->n, "verdict", c->verdict, "reason",
			 "no such kernel", "metrics", json_loads(c->metrics, 0, NULL), "expectations",
			 expectations);
}

/* What the table of these cells says from there on, at most as much as wanted. */
static void says(const struct cell *cells, size_t count, const char *from, const char *wanted)
{
	struct output_options options = { .width = 100 };
	json_t *results = json_array(), *run;
	char *got = NULL, *start;
	size_t len = 0, i;
	FILE *out = open_memstream(&got, &len);

	for (i = 0; i < count; i++)
		json_array_append_new(results, result_of(&cells[i]));
	run = json_pack("{s:{}, s:o}", "run", "results", results);
	assert_non_null(run);
	assert_int_equal(output_find("table")->write(out, run, &options), 0);
	fclose(out);
	start = strstr(got, from);
	if (!wanted ? start != NULL : !start || strncmp(start, wanted, strlen(wanted)) != 0)
		fail_msg("got\n%s", got);
	free(got);
	json_decref(run);
}

#define HEAD "where kernels differ"

/* Kernels in the order of the run; what is within 1% is the same, what is not known on one of two differs. */
static void what_differs(void **state)
{
	static const struct cell cells[] = {
		{ "a", "1", "pass",
		  "{\"victim\": \"hog\", \"kills\": 1, \"hog.touched\": 10485760, \"hog.duration\": 1000, "
		  "\"cgroup.app.peak\": null}" },
		{ "b", "1", "fail",
		  "{\"victim\": \"dog\", \"kills\": 1, \"hog.touched\": 10400000, \"hog.duration\": 2000000, "
		  "\"cgroup.app.peak\": 25165824}" },
		{ "c", "1", "skip", "{\"kills\": 9}" },
		{ "b", "2", "pass", "{\"victim\": \"hog\", \"kills\": 3}" },
		{ "a", "2", "pass", "{\"victim\": \"hog\", \"kills\": 300}" },
	};

	(void)state;
	says(cells, 5, HEAD,
	     "where kernels differ  a     b     c\n"
	     "up, n=1               pass  fail  skip\n"
	     "  victim              hog   dog   -\n"
	     "  hog.duration        1us   2ms   -\n"
	     "  cgroup.app.peak     -     24M   -\n"
	     "up, n=2               pass  pass  -\n"
	     "  kills               300   3     -\n"
	     "\n"
	     "fail  up/c\n");
}

static void nothing_differs(void **state)
{
	static const struct cell cells[] = {
		{ "a", "1", "pass", "{\"victim\": \"hog\"}" },
		{ "b", "1", "pass", "{\"victim\": \"hog\"}" },
	};

	(void)state;
	says(cells, 2, HEAD,
	     "where kernels differ  a     b\n"
	     "up, n=1               pass  pass\n"
	     "No metric of an expectation differs.\n"
	     "\n2 cells");
	says(cells, 1, HEAD, NULL); /* one kernel is nothing to compare */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_differs),
		cmocka_unit_test(nothing_differs),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("output_kernels", tests, NULL, NULL);
}
