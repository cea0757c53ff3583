// SPDX-License-Identifier: MIT
/* Trials of one cell held against each other. */
#include "harness/determinism.h"

#include "lib/files.h"
#include "lib/json.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <cmocka.h>

#define TRIALS 4

struct fixture {
	char dir[64];
	json_t *spec, *other;
	struct job jobs[TRIALS];
	struct err e;
};

static void put(const struct fixture *f, int trial, const char *name, const char *text, size_t len)
{
	char path[PATH_LEN_MAX];

	path_format(path, "%s/all/%d/%s", f->dir, trial, name);
	assert_int_equal(file_write(path, text, len, NULL), 0);
}

/* Trials 1 to 4 of one deterministic cell, alike but for their numbers. */
static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	char path[PATH_LEN_MAX];
	int i;

	*state = f;
	strcpy(f->dir, "/tmp/oomlab-determinism.XXXXXX");
	if (!mkdtemp(f->dir))
		return -1;
	f->spec = json_loads("{\"machine\": {\"deterministic\": true}}", 0, NULL);
	f->other = json_deep_copy(f->spec);
	for (i = 0; i < TRIALS; i++) {
		struct job *job = &f->jobs[i];

		job->spec = f->spec;
		job->number = i + 1;
		if (asprintf(&job->relative, "all/%d", i + 1) < 0)
			return -1;
		path_format(path, "%s/%s", f->dir, job->relative);
		dir_make(path, NULL);
		job->result = json_pack("{s:s, s:i, s:s, s:n}", "cell", "all", "trial", i + 1, "verdict",
					"pass", "reason");
		path_format(path, "%s/%s/result.json", f->dir, job->relative);
		json_write(path, job->result, NULL);
		put(f, i + 1, "system.csv", "a,b\n1,2\n3,4\n", 12);
	}
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;
	int i, r = tree_remove(f->dir, &f->e);

	for (i = 0; i < TRIALS; i++) {
		free(f->jobs[i].relative);
		json_decref(f->jobs[i].result);
	}
	json_decref(f->spec);
	json_decref(f->other);
	free(f);
	return r;
}

static void check(struct fixture *f)
{
	assert_int_equal(determinism_check(f->jobs, TRIALS, f->dir, &f->e), 0);
}

/* reason NULL: the trial passed. What is in its result.json is what is in the job. */
static void assert_trial(const struct fixture *f, int trial, const char *reason)
{
	const json_t *result = f->jobs[trial - 1].result;
	char path[PATH_LEN_MAX];
	json_t *file;

	assert_string_equal(json_text(result, "verdict", ""), reason ? "broken" : "pass");
	assert_string_equal(json_text(result, "reason", ""), reason ? reason : "");
	path_format(path, "%s/all/%d/result.json", f->dir, trial);
	file = json_load_file(path, 0, NULL);
	assert_true(json_equal(file, result));
	json_decref(file);
}

static void equal_trials_stay(void **state)
{
	struct fixture *f = *state;
	int i;

	check(f);
	for (i = 1; i <= TRIALS; i++)
		assert_trial(f, i, NULL);
}

static void first_line_that_differs(void **state)
{
	struct fixture *f = *state;

	put(f, 2, "system.csv", "a,b\n1,2\n3,5\n", 12);
	put(f, 3, "system.csv", "a,b\n1,2\n", 8);
	put(f, 4, "system.csv", "a,b\n1,2\n3,4", 11);
	check(f);
	assert_trial(f, 1, NULL);
	assert_trial(f, 2, "not deterministic: against trial 1, system.csv:3 differs");
	assert_trial(f, 3, "not deterministic: against trial 1, system.csv:3 differs");
	assert_trial(f, 4, "not deterministic: against trial 1, system.csv:3 differs");
}

static void first_file_by_name(void **state)
{
	struct fixture *f = *state;

	put(f, 2, "system.csv", "", 0);
	put(f, 2, "console.log", "\0x", 2);
	put(f, 1, "console.log", "\0y", 2);
	put(f, 3, "console.log", "\0y", 2);
	put(f, 3, "qemu.log", "warning\n", 8);
	check(f);
	assert_trial(f, 2, "not deterministic: against trial 1, console.log:1 differs");
	assert_trial(f, 3, "not deterministic: against trial 1, only one of them has qemu.log");
	assert_trial(f, 4, "not deterministic: against trial 1, only one of them has console.log");
}

static void result_counts_but_for_the_number(void **state)
{
	struct fixture *f = *state;
	char path[PATH_LEN_MAX];

	json_object_set_new(f->jobs[2].result, "cell", json_string("none"));
	path_format(path, "%s/all/3/result.json", f->dir);
	json_write(path, f->jobs[2].result, NULL);
	check(f);
	assert_trial(f, 2, NULL);
	assert_trial(f, 3, "not deterministic: against trial 1, result.json:2 differs");
}

/* What was not judged has nothing to be compared, another cell is another matter, and so is an ordinary one. */
static void others_are_left_alone(void **state)
{
	struct fixture *f = *state;

	put(f, 1, "system.csv", "x", 1);
	put(f, 4, "system.csv", "y", 1);
	json_object_set_new(f->jobs[0].result, "verdict", json_string("skip"));
	f->jobs[3].spec = f->other;
	check(f);
	assert_trial(f, 2, NULL);
	assert_trial(f, 3, NULL);
	assert_trial(f, 4, NULL);
	json_object_set_new(json_object_get(f->spec, "machine"), "deterministic", json_false());
	put(f, 3, "system.csv", "z", 1);
	check(f);
	assert_trial(f, 3, NULL);
}

static void unreadable_is_an_error(void **state)
{
	struct fixture *f = *state;
	char path[PATH_LEN_MAX];

	path_format(path, "%s/all/2", f->dir);
	tree_remove(path, NULL);
	assert_int_equal(determinism_check(f->jobs, TRIALS, f->dir, &f->e), -ENOENT);
	assert_non_null(strstr(f->e.text, "/all/2"));
	dir_make(path, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(equal_trials_stay, setup, teardown),
		cmocka_unit_test_setup_teardown(first_line_that_differs, setup, teardown),
		cmocka_unit_test_setup_teardown(first_file_by_name, setup, teardown),
		cmocka_unit_test_setup_teardown(result_counts_but_for_the_number, setup, teardown),
		cmocka_unit_test_setup_teardown(others_are_left_alone, setup, teardown),
		cmocka_unit_test_setup_teardown(unreadable_is_an_error, setup, teardown),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("determinism", tests, NULL, NULL);
}
