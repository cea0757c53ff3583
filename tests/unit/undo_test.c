// SPDX-License-Identifier: MIT
#include "harness/engine/undo.h"

#include "lib/files.h"
#include "lib/json.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

/* Harmless: how often vmstat's counters are folded, in seconds. */
#define SYSCTL      "vm.stat_interval"
#define SYSCTL_PATH "/proc/sys/vm/stat_interval"

struct fixture {
	char dir[64];
	char journal[96];
	char path[2][96]; /* of files that undo is told to remove */
	struct undo u;
	struct err e;
};

static int make_dir(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	int i;

	*state = f;
	strcpy(f->dir, "/tmp/oomlab-undo.XXXXXX");
	if (!mkdtemp(f->dir))
		return -1;
	snprintf(f->journal, sizeof(f->journal), "%s/journal", f->dir);
	for (i = 0; i < 2; i++) {
		snprintf(f->path[i], sizeof(f->path[i]), "%s/swap%d", f->dir, i);
		if (file_write(f->path[i], "x", 1, &f->e) < 0)
			return -1;
	}
	f->u.journal = f->journal;
	return 0;
}

static int drop_dir(void **state)
{
	struct fixture *f = *state;
	int r = tree_remove(f->dir, NULL);

	free(f);
	return r;
}

static bool there(const char *path)
{
	return access(path, F_OK) == 0;
}

/* Adds text as it is to the journal. */
static void add(struct fixture *f, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static void add(struct fixture *f, const char *fmt, ...)
{
	FILE *out = fopen(f->journal, "a");
	va_list ap;

	assert_non_null(out);
	va_start(ap, fmt);
	vfprintf(out, fmt, ap);
	va_end(ap);
	fclose(out);
}

static void add_swap(struct fixture *f, const char *path)
{
	add(f, "{\"undo\":\"swap\",\"path\":\"%s\",\"remove\":true}\n", path);
}

/* The n-th line of the journal as JSON, or NULL. */
static json_t *line(struct fixture *f, int n)
{
	AUTO_FREE char *text = NULL;
	char *p, *nl;

	assert_int_equal(file_read(f->journal, 1 << 16, &text, NULL, &f->e), 0);
	for (p = text; (nl = strchr(p, '\n')); p = nl + 1)
		if (n-- == 0)
			return json_loadb(p, (size_t)(nl - p), 0, NULL);
	return NULL;
}

static void nothing_to_undo(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(undo_replay(f->journal, &f->e), 0);
	assert_false(undo_owner_alive(f->journal));
	assert_int_equal(undo_create(f->journal, getpid(), &f->e), 0);
	assert_int_equal(undo_create(f->journal, getpid(), &f->e), -EEXIST);
	assert_int_equal(undo_replay(f->journal, &f->e), 0);
	assert_false(there(f->journal));
}

static void owner_alive_or_dead(void **state)
{
	struct fixture *f = *state;
	json_t *owner;
	pid_t child = fork();

	if (child == 0) {
		pause();
		_exit(0);
	}
	assert_int_equal(undo_create(f->journal, child, &f->e), 0);
	owner = line(f, 0);
	assert_int_equal(json_number(owner, "harness", 0), child);
	assert_true(undo_owner_alive(f->journal));
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	assert_false(undo_owner_alive(f->journal));
	/* The same pid, another process: ours, which was started at another time. */
	unlink(f->journal);
	add(f, "{\"harness\":%d,\"started\":%lld}\n", (int)getpid(),
	    (long long)json_number(owner, "started", 0));
	json_decref(owner);
	owner = line(f, 0);
	unlink(f->journal);
	assert_int_equal(undo_create(f->journal, getpid(), &f->e), 0);
	assert_true(undo_owner_alive(f->journal));
	unlink(f->journal);
	add(f, "{\"harness\":%d,\"started\":1}\n", (int)getpid());
	assert_false(undo_owner_alive(f->journal));
	json_decref(owner);
}

static void owner_that_cannot_be_read(void **state)
{
	static const char *const texts[] = { "",
					     "x\n",
					     "[]\n",
					     "{}\n",
					     "{\"harness\":1",
					     "{\"harness\":-1}\n",
					     "{\"harness\":\"1\",\"started\":\"1\"}\n" };
	struct fixture *f = *state;
	size_t i;

	for (i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		unlink(f->journal);
		add(f, "%s", texts[i]);
		assert_false(undo_owner_alive(f->journal));
	}
}

/* Newest first, as the order of the errors shows. */
static void in_reverse(void **state)
{
	struct fixture *f = *state;
	char deep[128];

	assert_int_equal(undo_create(f->journal, getpid(), &f->e), 0);
	snprintf(deep, sizeof(deep), "%s/dir", f->dir);
	assert_int_equal(dir_make(deep, &f->e), 0);
	/* A directory is no swap file: it stays, with an error. */
	add_swap(f, f->path[0]);
	add_swap(f, deep);
	add_swap(f, f->path[1]);
	add(f, "{\"undo\":\"sysctl\",\"path\":\"/proc/sys/vm/none\",\"value\":\"1\"}\n");
	assert_int_equal(undo_replay(f->journal, &f->e), -ENOENT); /* the newest one's error, not EISDIR */
	assert_non_null(strstr(f->e.text, "/proc/sys/vm/none"));
	/* It went on after both errors, and the journal is kept. */
	assert_false(there(f->path[0]));
	assert_false(there(f->path[1]));
	assert_true(there(deep));
	assert_true(there(f->journal));
	/* Once the cause is gone it can be done again. */
	rmdir(deep);
	unlink(f->journal);
	add_swap(f, deep);
	assert_int_equal(undo_replay(f->journal, &f->e), 0);
	assert_false(there(f->journal));
}

/* The harness died while it wrote: what was not noted was not done either. */
static void cut_last_line(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(undo_create(f->journal, getpid(), &f->e), 0);
	add_swap(f, f->path[0]);
	add(f, "{\"undo\":\"swap\",\"path\":\"%s\",\"remove\":true}", f->path[1]); /* no newline */
	assert_int_equal(undo_replay(f->journal, &f->e), 0);
	assert_false(there(f->path[0]));
	assert_true(there(f->path[1]));
	assert_false(there(f->journal));
}

/* A line that makes no sense keeps the journal, for somebody to look at; the others are undone. */
static void damaged_lines(void **state)
{
	static const char *const texts[] = {
		"garbage\n",
		"{\"undo\":\"swap\"\n",
		"7\n",
		"[]\n",
		"{\"undo\":\"planet\",\"path\":\"/earth\"}\n",
		"{\"undo\":\"sysctl\",\"path\":\"/etc/passwd\",\"value\":\"\"}\n",
		"{\"undo\":\"cgroup\"}\n",
		"{\"undo\":7}\n"
	};
	struct fixture *f = *state;
	size_t i;

	for (i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		unlink(f->journal);
		f->e.text[0] = 0;
		assert_int_equal(file_write(f->path[0], "x", 1, &f->e), 0);
		assert_int_equal(file_write(f->path[1], "x", 1, &f->e), 0);
		assert_int_equal(undo_create(f->journal, getpid(), &f->e), 0);
		add_swap(f, f->path[0]);
		add(f, "%s", texts[i]);
		add_swap(f, f->path[1]);
		if (undo_replay(f->journal, &f->e) != -EINVAL || !there(f->journal) || !f->e.text[0])
			fail_msg("%s: %s", texts[i], f->e.text);
		assert_false(there(f->path[0]));
		assert_false(there(f->path[1]));
	}
}

/* A journal does not reach beyond /proc/sys. */
static void sysctl_path_that_climbs(void **state)
{
	struct fixture *f = *state;
	AUTO_FREE char *text = NULL;

	add(f, "{\"undo\":\"sysctl\",\"path\":\"/proc/sys/../..%s\",\"value\":\"overwritten\"}\n",
	    f->path[0]);
	assert_int_equal(undo_replay(f->journal, &f->e), -EINVAL);
	assert_int_equal(file_read(f->path[0], 100, &text, NULL, &f->e), 0);
	assert_string_equal(text, "x");
}

/* What somebody has put there is not ours to remove. */
static void directory(void **state)
{
	struct fixture *f = *state;
	char path[PATH_LEN_MAX], inside[PATH_LEN_MAX];

	path_format(path, "%s/data", f->dir);
	path_format(inside, "%s/data/x", f->dir);
	assert_int_equal(undo_create(f->journal, getpid(), &f->e), 0);
	assert_int_equal(undo_make_directory(&f->u, path, &f->e), 0);
	assert_int_equal(file_write(inside, "x", 1, NULL), 0);
	assert_int_equal(undo_replay(f->journal, &f->e), -ENOTEMPTY);
	assert_true(there(f->journal) && there(inside));
	assert_int_equal(unlink(inside), 0);
	assert_int_equal(undo_replay(f->journal, &f->e), 0);
	assert_false(there(f->journal) || there(path));
}

static void cgroup_that_is_not_there(void **state)
{
	struct fixture *f = *state;
	struct err none = ERR_INIT;

	assert_int_equal(undo_create(f->journal, getpid(), &f->e), 0);
	assert_int_equal(undo_note_cgroup(&f->u, "oomlab-unit.none/app", &f->e), 0);
	if (undo_replay(f->journal, &none) == -EOPNOTSUPP)
		skip(); /* no cgroups here at all */
	assert_int_equal(none.code, 0);
	assert_false(there(f->journal));
}

static void sysctl_and_back(void **state)
{
	struct fixture *f = *state;
	char was[128], got[128], first[128];
	AUTO_FREE char *text = NULL;
	json_t *noted;

	if (access(SYSCTL_PATH, W_OK) < 0) {
		print_message("# %s: %s\n", SYSCTL_PATH, strerror(errno));
		skip();
	}
	assert_int_equal(undo_create(f->journal, getpid(), &f->e), 0);
	assert_int_equal(undo_sysctl(&f->u, SYSCTL, "7", first, got, &f->e), 0);
	assert_string_equal(got, "7");
	noted = line(f, 1);
	assert_string_equal(json_text(noted, "undo", ""), "sysctl");
	assert_string_equal(json_text(noted, "path", ""), SYSCTL_PATH);
	assert_string_equal(json_text(noted, "value", ""), first);
	json_decref(noted);
	/* Twice: the value of the first time must be the last to be written back. */
	assert_int_equal(undo_sysctl(&f->u, SYSCTL, "8", was, got, &f->e), 0);
	assert_string_equal(was, "7");
	assert_string_equal(got, "8");
	assert_int_equal(undo_replay(f->journal, &f->e), 0);
	assert_int_equal(file_read(SYSCTL_PATH, 100, &text, NULL, &f->e), 0);
	text[strcspn(text, "\n")] = 0;
	assert_string_equal(text, first);
	assert_false(there(f->journal));
}

static void sysctl_names(void **state)
{
	static const char *const bad[] = { "../etc/passwd", "/etc/passwd", ".", "vm/../../etc", "vm..x" };
	struct undo without = { NULL };
	struct fixture *f = *state;
	char was[128], got[128];
	size_t i;

	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(undo_sysctl(&without, bad[i], "1", was, got, &f->e), -EINVAL);
	assert_int_equal(undo_sysctl(&without, "vm.none", "1", was, got, &f->e), -EOPNOTSUPP);
	assert_non_null(strstr(f->e.text, "vm.none"));
	/* What cannot be noted is not done. */
	assert_int_equal(undo_sysctl(&f->u, "kernel.ostype", "1", was, got, &f->e), -ENOENT);
	assert_non_null(strstr(f->e.text, f->journal));
}

/* A swap file is noted before it is made; undo removes what was not swapped on as well. */
static void swap_file(void **state)
{
	struct undo without = { NULL };
	struct fixture *f = *state;
	char path[128];
	json_t *noted;

	snprintf(path, sizeof(path), "%s/new", f->dir);
	assert_int_equal(undo_create(f->journal, getpid(), &f->e), 0);
	assert_int_equal(undo_swap_on(&f->u, path, 4096, &f->e), -EINVAL); /* less than ten pages */
	assert_non_null(strstr(f->e.text, path));
	noted = line(f, 1);
	assert_string_equal(json_text(noted, "undo", ""), "swap");
	assert_true(json_flag(noted, "remove", false));
	json_decref(noted);
	assert_true(there(path));
	assert_int_equal(undo_replay(f->journal, &f->e), 0);
	assert_false(there(path));
	/* Never over a file that is somebody's. */
	assert_int_equal(undo_swap_on(&without, f->path[0], 1 << 20, &f->e), -EEXIST);
	assert_true(there(f->path[0]));
}

#define WITH_DIR(test) cmocka_unit_test_setup_teardown(test, make_dir, drop_dir)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_DIR(nothing_to_undo),
		WITH_DIR(owner_alive_or_dead),
		WITH_DIR(owner_that_cannot_be_read),
		WITH_DIR(in_reverse),
		WITH_DIR(cut_last_line),
		WITH_DIR(damaged_lines),
		WITH_DIR(sysctl_path_that_climbs),
		WITH_DIR(directory),
		WITH_DIR(cgroup_that_is_not_there),
		WITH_DIR(sysctl_and_back),
		WITH_DIR(sysctl_names),
		WITH_DIR(swap_file),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("undo", tests, NULL, NULL);
}
