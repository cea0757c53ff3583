// SPDX-License-Identifier: MIT
/*
 * Where a scenario's own folder is follows from where the program is, so this
 * program copies itself beside one, and is asked there: PROGRAM find WORD.
 */
#include "harness/verbs.h"

#include "lib/capture.h"
#include "lib/files.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

struct fixture {
	char dir[64];
	char program[96];
	char home[PATH_LEN_MAX];
	struct err e;
};

static void touch(const char *path)
{
	char dir[PATH_LEN_MAX];

	path_format(dir, "%.*s", (int)(strrchr(path, '/') - path), path);
	assert_int_equal(dir_make(dir, NULL), 0);
	assert_int_equal(file_write(path, "x", 1, NULL), 0);
}

static int copy_self(const char *to)
{
	AUTO_CLOSE int in = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	AUTO_CLOSE int out = open(to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0755);
	struct stat st;

	if (in < 0 || out < 0 || fstat(in, &st) < 0)
		return -1;
	while (st.st_size > 0) {
		ssize_t n = sendfile(out, in, NULL, (size_t)st.st_size);

		if (n <= 0)
			return -1;
		st.st_size -= n;
	}
	return 0;
}

/* A tree as in a checkout, with the working directory beside it. */
static int make_tree(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	*state = f;
	strcpy(f->dir, "/tmp/oomlab-catalogue.XXXXXX");
	if (!mkdtemp(f->dir) || !getcwd(f->home, sizeof(f->home)) || chdir(f->dir) < 0)
		return -1;
	touch("scenarios/limits/memory-max.yaml");
	touch("scenarios/limits/deep/er/swap.yml");
	touch("scenarios/overcommit/overcommit-modes.yaml");
	touch("scenarios/overcommit/overcommit-modes.md");
	touch("scenarios/overcommit/overcommit.v2.yaml");
	touch("scenarios/overcommit/.yaml");
	touch("scenarios/a.yaml");
	touch("scenarios/b.yaml~");
	assert_int_equal(mkdir("scenarios/dir.yaml", 0755), 0);
	touch("build/x");
	snprintf(f->program, sizeof(f->program), "%s/build/catalogue", f->dir);
	return copy_self(f->program);
}

static int drop_tree(void **state)
{
	struct fixture *f = *state;
	int r = chdir(f->home);

	if (r == 0)
		r = tree_remove(f->dir, NULL);
	free(f);
	return r;
}

/* What the program beside the tree says of word: its paths from scenarios/ on, or "-CODE text". */
static int find(int argc, char **argv)
{
	struct err e = ERR_INIT;
	char **paths;
	int i, r;

	r = catalogue_find(argc > 2 ? argv[2] : "", &paths, &e);
	if (r < 0) {
		printf("%d %s\n", r, e.text);
		return 0;
	}
	for (i = 0; paths[i]; i++)
		printf("%s\n", strstr(paths[i], "/../") ? strstr(paths[i], "/../") + 4 : paths[i]);
	catalogue_free(paths);
	return 0;
}

static void finds(struct fixture *f, const char *word, const char *wanted)
{
	const char *const argv[] = { f->program, "find", word, NULL };
	AUTO_FREE char *text = NULL;
	int status;

	assert_int_equal(capture(argv, 20000, &text, &status, NULL), 0);
	assert_int_equal(status, 0);
	if (strcmp(text, wanted) != 0)
		fail_msg("%s: got \"%s\"", word, text);
}

static void by_name(void **state)
{
	finds(*state, "memory-max", "scenarios/limits/memory-max.yaml\n");
	finds(*state, "swap", "scenarios/limits/deep/er/swap.yml\n");
	finds(*state, "overcommit-modes", "scenarios/overcommit/overcommit-modes.yaml\n");
	finds(*state, "a", "scenarios/a.yaml\n");
	finds(*state, "overcommit.v2", "scenarios/overcommit/overcommit.v2.yaml\n"); /* dots are a name's */
}

static void by_folder(void **state)
{
	finds(*state, "overcommit",
	      "scenarios/overcommit/overcommit-modes.yaml\nscenarios/overcommit/overcommit.v2.yaml\n");
	finds(*state, "limits", "scenarios/limits/deep/er/swap.yml\nscenarios/limits/memory-max.yaml\n");
	finds(*state, "er", "scenarios/limits/deep/er/swap.yml\n");
	touch("scenarios/overcommit/limits.yaml"); /* a scenario's name comes first */
	finds(*state, "limits", "scenarios/overcommit/limits.yaml\n");
}

/* Not a part of a name, not another kind of file. */
static void no_such_name(void **state)
{
	static const char *const words[] = { "memory",     "overcommi", "memory-max.yam", "", "b",
					     "MEMORY-MAX", "dir" };
	char wanted[256];
	size_t i;

	for (i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		snprintf(
			wanted, sizeof(wanted),
			"-%d %s: no file, no folder and no scenario or folder of oomlab's; see oomlab list scenarios\n",
			ENOENT, words[i]);
		finds(*state, words[i], wanted);
	}
}

/* Whatever is wrong with a file, loading it says. */
static void by_path(void **state)
{
	touch("./plain");
	touch("./memory-max");
	finds(*state, "scenarios/a.yaml", "scenarios/a.yaml\n");
	finds(*state, "none/at/all", "none/at/all\n");
	finds(*state, "none.yaml", "none.yaml\n");
	finds(*state, "./plain", "./plain\n");
	finds(*state, "plain", "plain\n");
	finds(*state, "memory-max", "memory-max\n"); /* a file here comes before a name */
}

static void folders_sorted(void **state)
{
	finds(*state, "scenarios",
	      "scenarios/a.yaml\n"
	      "scenarios/limits/deep/er/swap.yml\n"
	      "scenarios/limits/memory-max.yaml\n"
	      "scenarios/overcommit/overcommit-modes.yaml\n"
	      "scenarios/overcommit/overcommit.v2.yaml\n");
	finds(*state, "scenarios/limits/deep", "scenarios/limits/deep/er/swap.yml\n");
	assert_int_equal(mkdir("empty", 0755), 0);
	finds(*state, "empty", "-2 empty: no scenario (*.yaml) in this folder\n");
	assert_int_equal(symlink("scenarios/limits", "link"), 0);
	finds(*state, "link", "link/deep/er/swap.yml\nlink/memory-max.yaml\n");
}

/* Whatever the order in which they were made. */
static void many_sorted(void **state)
{
	char path[64], wanted[1024] = "";
	size_t len = 0;
	int i;

	for (i = 0; i < 23; i++) {
		snprintf(path, sizeof(path), "many/%c.yaml", 'a' + i * 7 % 23);
		touch(path);
		len += (size_t)snprintf(wanted + len, sizeof(wanted) - len, "many/%c.yaml\n", 'a' + i);
	}
	finds(*state, "many", wanted);
}

/* Links within a folder are not followed: neither round in circles nor out of it. */
static void circles(void **state)
{
	touch("mine/x.yaml");
	assert_int_equal(symlink("..", "mine/up"), 0);
	finds(*state, "mine", "mine/x.yaml\n");
}

static void list_of_one(void **state)
{
	char **paths = NULL;
	struct err e = ERR_INIT;

	(void)state;
	assert_int_equal(catalogue_find("x.yaml", &paths, &e), 0);
	assert_string_equal(paths[0], "x.yaml");
	assert_null(paths[1]);
	catalogue_free(paths);
	catalogue_free(NULL);
}

#define IN_TREE(test) cmocka_unit_test_setup_teardown(test, make_tree, drop_tree)

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		IN_TREE(by_name),        IN_TREE(by_folder),
		IN_TREE(no_such_name),   IN_TREE(by_path),
		IN_TREE(folders_sorted), IN_TREE(many_sorted),
		IN_TREE(circles),        cmocka_unit_test(list_of_one),
	};

	if (argc > 1 && !strcmp(argv[1], "find"))
		return find(argc, argv);
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("catalogue", tests, NULL, NULL);
}
