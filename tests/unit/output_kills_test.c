// SPDX-License-Identifier: MIT
/* Who killed whom, as part of the table for people: only where a killer ran. */
#include "harness/output/output.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#define KILL(by, process, signal, t, available)                                                              \
	"{\"by\": \"" by "\", \"process\": " process ", \"comm\": \"kid\", \"signal\": " signal              \
	", \"t_ns\": " t ", \"mem_available\": " available ", \"swap_free\": 0}"
#define RESULT(scenario, cell, trial, processes, kills)                                                      \
	"{\"scenario\": \"" scenario "\", \"cell\": \"" cell                                                 \
	"\", \"axes\": {\"killer\": \"x\"}, \"trial\": " trial                                               \
	", \"verdict\": \"pass\", \"victims\": [], \"processes\": [" processes                               \
	"], \"metrics\": {}, \"kills\": [" kills "], \"expectations\": []}"
#define HOG    "{\"name\": \"hog\"}"
#define KILLER HOG ", {\"name\": \"killer\"}"

/* The table of kills: NULL, there is none. */
static void says(const char *results, const char *wanted)
{
	struct output_options options = { .width = 100 };
	char *got = NULL, *at, *end;
	size_t len = 0;
	FILE *out = open_memstream(&got, &len);
	json_t *run = json_pack("{s:{}, s:o}", "run", "results", json_loads(results, 0, NULL));

	assert_non_null(run);
	assert_int_equal(output_find("table")->write(out, run, &options), 0);
	fclose(out);
	at = strstr(got, "\ncell ");
	end = at ? strstr(at + 1, "\n\n") : NULL;
	if (end)
		end[1] = '\0';
	if (wanted ? !at || strcmp(at + 1, wanted) != 0 : at != NULL)
		fail_msg("got\n%s, wanted\n%s", at ? at + 1 : got, wanted ? wanted : "none");
	free(got);
	json_decref(run);
}

static void by_whom(void **state)
{
	(void)state;
	says("[" RESULT("s", "killer=none", "1", HOG,
			KILL("kernel", "\"hog\"", "9", "6500000000",
			     "6529024")) "," RESULT("s", "killer=lmk", "1", KILLER,
						    KILL("lmk", "\"hog\"", "15", "1400000000",
							 "82837504") "," KILL("lmk", "null", "9",
									      "1500000000",
									      "null")) "," RESULT("s",
												  "killer=x",
												  "1", KILLER,
												  "") "]",
	     "cell         killed  by      signal  after  available  swap free\n"
	     "killer=none  hog     kernel  KILL     6.5s      6376K         0B\n"
	     "killer=lmk   hog     lmk     TERM     1.4s        79M         0B\n"
	     "             kid     lmk     KILL     1.5s          -         0B\n"
	     "killer=x     -       nobody  -           -          -          -\n");
}

static void trials_of_one_cell(void **state)
{
	(void)state;
	says("[" RESULT("s", "all", "1", KILLER, "") "," RESULT(
		     "s", "all", "2", KILLER, KILL("lmk", "\"hog\"", "9", "1000", "4096")) "]",
	     "cell  trial  killed  by      signal  after  available  swap free\n"
	     "all       1  -       nobody  -       -              -          -\n"
	     "all       2  hog     lmk     KILL    1us        4096B         0B\n");
}

static void without_a_killer(void **state)
{
	(void)state;
	says("[" RESULT("s", "all", "1", HOG, KILL("kernel", "\"hog\"", "9", "1000", "4096")) "]", NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(by_whom), cmocka_unit_test(trials_of_one_cell),
					    cmocka_unit_test(without_a_killer) };

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("output_kills", tests, NULL, NULL);
}
