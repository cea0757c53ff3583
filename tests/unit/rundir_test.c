// SPDX-License-Identifier: MIT
#include "harness/rundir.h"

#include "lib/json.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

struct fixture {
	char dir[64];
	char home[PATH_LEN_MAX]; /* where the test came from */
	struct rundir d;
	struct err e;
};

/* A fresh working directory. */
static int enter(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	*state = f;
	strcpy(f->dir, "/tmp/oomlab-rundir.XXXXXX");
	return mkdtemp(f->dir) && getcwd(f->home, sizeof(f->home)) && chdir(f->dir) == 0 ? 0 : -1;
}

static int leave(void **state)
{
	struct fixture *f = *state;
	int r = chdir(f->home);

	if (r == 0)
		r = tree_remove(f->dir, NULL);
	free(f);
	return r;
}

static void out_that_is_not_there(void **state)
{
	struct fixture *f = *state;
	char path[PATH_LEN_MAX];

	assert_int_equal(rundir_make("new/deep", "name", &f->d, &f->e), 0);
	path_format(path, "%s/new/deep", f->dir);
	assert_string_equal(f->d.path, path);
	assert_string_equal(f->d.shown, "new/deep");
	assert_true(f->d.made);
	assert_int_equal(dir_is_empty("new/deep"), 1);
	rundir_discard(&f->d);
	assert_int_equal(dir_is_empty("new/deep"), -ENOENT);
	assert_int_equal(dir_make(path, NULL), 0);
	rundir_discard(&f->d); /* it is somebody else's by now */
	assert_int_equal(dir_is_empty("new/deep"), 1);
}

/* It was there before us: it stays when the run is called off. */
static void out_that_is_empty(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(mkdir("empty", 0755), 0);
	assert_int_equal(symlink("empty", "link"), 0);
	assert_int_equal(rundir_make("link/", "name", &f->d, &f->e), 0);
	assert_non_null(strstr(f->d.path, "/empty"));
	assert_string_equal(f->d.shown, "link/");
	assert_false(f->d.made);
	rundir_discard(&f->d);
	assert_int_equal(dir_is_empty("empty"), 1);
}

static void out_that_will_not_do(void **state)
{
	static const struct {
		const char *out;
		int code;
	} bad[] = {
		{ "full", ENOTEMPTY },  { "full/file", ENOTDIR },     { "full/file/below", ENOTDIR },
		{ "dangling", EEXIST }, { "dangling/below", ENOENT }, { "/proc/none", ENOENT },
		{ "", ENOENT },         { "/dev/null", ENOTDIR },
	};
	struct fixture *f = *state;
	size_t i;

	assert_int_equal(mkdir("full", 0755), 0);
	assert_int_equal(file_write("full/file", "x", 1, &f->e), 0);
	assert_int_equal(symlink("nowhere/at/all", "dangling"), 0);
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		int r = rundir_make(bad[i].out, "name", &f->d, &f->e);

		if (r >= 0 || !f->e.text[0] || !strstr(f->e.text, bad[i].out))
			fail_msg("%s: %d: %s", bad[i].out, r, f->e.text);
		if (bad[i].code != EEXIST && r != -bad[i].code)
			fail_msg("%s: %s", bad[i].out, f->e.text);
		rundir_discard(&f->d); /* nothing to take away */
	}
	assert_int_equal(access("full/file", F_OK), 0);
	assert_int_equal(access("nowhere", F_OK), -1);
	assert_int_equal(access("results", F_OK), -1); /* nothing in another place either */
}

static void out_not_writable(void **state)
{
	struct fixture *f = *state;

	if (geteuid() == 0) { /* root may write anywhere but here */
		assert_true(rundir_make("/proc/self/fd", "name", &f->d, &f->e) < 0);
		assert_non_null(strstr(f->e.text, "/proc/self/fd"));
		return;
	}
	assert_int_equal(mkdir("sealed", 0555), 0);
	assert_int_equal(rundir_make("sealed", "name", &f->d, &f->e), -EACCES);
	assert_int_equal(rundir_make("sealed/new", "name", &f->d, &f->e), -EACCES);
}

/* results/runs/<UTC time>-<name>, and .2, .3 within the same second. */
static void default_names(void **state)
{
	struct rundir runs[5];
	struct fixture *f = *state;
	const char *stem;
	int i, j, year;
	char plain[PATH_LEN_MAX];

	for (i = 0; i < 5; i++) {
		assert_int_equal(rundir_make(NULL, "overcommit", &runs[i], &f->e), 0);
		assert_true(runs[i].made);
		assert_int_equal(strncmp(runs[i].shown, "results/runs/20", 15), 0);
		assert_int_equal(dir_is_empty(runs[i].path), 1);
		for (j = 0; j < i; j++)
			assert_string_not_equal(runs[i].path, runs[j].path);
	}
	stem = strrchr(runs[0].shown, '/') + 1;
	assert_int_equal(strlen(stem), strlen("20261122T084546Z-overcommit"));
	assert_string_equal(stem + 16, "-overcommit");
	assert_int_equal(stem[8], 'T');
	assert_int_equal(stem[15], 'Z');
	assert_int_equal(sscanf(runs[0].started, "%d-", &year), 1);
	assert_true(year >= 2024);
	assert_int_equal(runs[0].started[strlen(runs[0].started) - 1], 'Z');
	/* Five in at most two seconds: at least two shared one. */
	for (i = 1, j = 0; i < 5; i++) {
		path_format(plain, "%.*s.", (int)strcspn(runs[i].shown, "."), runs[i].shown);
		j += strncmp(runs[i].shown, plain, strlen(plain)) == 0;
	}
	assert_true(j >= 1);
	rundir_discard(&runs[2]);
	assert_int_equal(access(runs[2].path, F_OK), -1);
	assert_int_equal(access(runs[1].path, F_OK), 0);
}

static void default_in_the_way(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(file_write("results", "x", 1, &f->e), 0);
	assert_int_equal(rundir_make(NULL, "name", &f->d, &f->e), -ENOTDIR);
	assert_non_null(strstr(f->e.text, "results/runs"));
}

static void run_json(void **state)
{
	char *words[] = { "oomlab", "run", "caf\xc3\xa9", "\xff\xfe" };
	struct fixture *f = *state;
	json_t *run, *again, *host;
	char path[PATH_LEN_MAX];

	assert_int_equal(rundir_make("out", "name", &f->d, &f->e), 0);
	run = rundir_describe(&f->d, 4, words);
	assert_non_null(run);
	assert_int_equal(rundir_finish(&f->d, run, &f->e), 0);
	path_format(path, "%s/run.json", f->d.path);
	again = json_load_file(path, 0, NULL);
	assert_true(json_equal(run, again));
	assert_int_equal(json_number(again, "run", 0), 1);
	assert_int_equal(strncmp(json_text(again, "tool", ""), "oomlab ", 7), 0);
	assert_int_equal(json_array_size(json_object_get(again, "arguments")), 4);
	assert_string_equal(json_string_value(json_array_get(json_object_get(again, "arguments"), 2)),
			    words[2]);
	assert_string_equal(json_text(again, "started", ""), f->d.started);
	host = json_object_get(again, "host");
	assert_true(json_text(host, "kernel", "")[0] && json_number(host, "cpus", 0) > 0);
	assert_true(json_number(host, "memory", 0) > 1 << 20);
	assert_int_equal(tree_remove(f->d.path, NULL), 0);
	assert_true(rundir_finish(&f->d, run, &f->e) < 0);
	assert_non_null(strstr(f->e.text, "run.json"));
	json_decref(again);
	json_decref(run);
}

#define IN_DIR(test) cmocka_unit_test_setup_teardown(test, enter, leave)

int main(void)
{
	const struct CMUnitTest tests[] = {
		IN_DIR(out_that_is_not_there),
		IN_DIR(out_that_is_empty),
		IN_DIR(out_that_will_not_do),
		IN_DIR(out_not_writable),
		IN_DIR(default_names),
		IN_DIR(default_in_the_way),
		IN_DIR(run_json),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("rundir", tests, NULL, NULL);
}
