// SPDX-License-Identifier: MIT
/*
 * The table of limits, and, as root on cgroup v1, a group of our own:
 *
 *     oomlab-unit.<pid>
 *     oomlab-unit.<pid>/x
 */
#include "cgroups/cgroups.h"
#include "lib/files.h"

#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#define M (1024LL * 1024)

struct fixture {
	struct cg_system sys;
	char group[64];
	char child[80];
	struct err e;
	const char *why_not; /* there is no group */
	bool memsw;          /* swap is accounted to cgroups */
};

static void file_of(const struct fixture *f, const char *mount, const char *file, char ret[PATH_LEN_MAX])
{
	assert_int_equal(path_format(ret, "%s/%s/%s", mount, f->group, file), 0);
}

static int make_group(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	char path[PATH_LEN_MAX];

	*state = f;
	snprintf(f->group, sizeof(f->group), "oomlab-unit.%d", (int)getpid());
	snprintf(f->child, sizeof(f->child), "%s/x", f->group);
	if (cg_init(&f->sys, &f->e) < 0 || (geteuid() == 0 && cg_may_make(&f->sys, "", &f->e) < 0))
		f->why_not = f->e.text;
	else if (geteuid() != 0)
		f->why_not = "needs root";
	else if (f->sys.version != 1)
		f->why_not = "cgroup v2 is tested by the engine in a guest";
	else if (cg_make(&f->sys, f->group, &f->e) < 0)
		return -1;
	if (f->why_not)
		return 0;
	file_of(f, f->sys.memory, "memory.memsw.limit_in_bytes", path);
	f->memsw = access(path, F_OK) == 0;
	return 0;
}

static int drop_group(void **state)
{
	struct fixture *f = *state;
	int r = f->why_not ? 0 : cg_remove(&f->sys, f->group, &f->e);

	free(f);
	return r;
}

static void need_group(const struct fixture *f)
{
	if (f->why_not) {
		print_message("# %s\n", f->why_not);
		skip();
	}
}

static void need_memsw(const struct fixture *f)
{
	need_group(f);
	if (!f->memsw) {
		print_message("# swap is not accounted to cgroups\n");
		skip();
	}
}

static void table_is_well_formed(void **state)
{
	const char *name;
	size_t i, j;

	(void)state;
	for (i = 0; (name = cg_key_name(i, NULL)); i++) {
		bool v1 = cg_key_here(1, name, NULL) == 0, v2 = cg_key_here(2, name, NULL) == 0;
		enum cg_value value;

		if (!v1 && !v2)
			fail_msg("%s is in no version", name);
		assert_ptr_equal(cg_key_name(i, &value), name);
		assert_true(value <= CG_TEXT);
		assert_true(strchr(name, '.') && !strchr(name, '/') && !strchr(name, ' '));
		assert_true(cg_key_known(name));
		for (j = 0; j < i; j++)
			assert_string_not_equal(name, cg_key_name(j, NULL));
	}
	assert_true(i > 10);
	assert_null(cg_key_name(i + 1, NULL));
}

static void lookup(void **state)
{
	struct err e = ERR_INIT;
	enum cg_value value;
	size_t i;

	(void)state;
	for (i = 0; strcmp(cg_key_name(i, &value), "memory.swap.max") != 0; i++)
		;
	assert_int_equal(value, CG_BYTES);
	for (i = 0; strcmp(cg_key_name(i, &value), "pids.max") != 0; i++)
		;
	assert_int_equal(value, CG_COUNT);
	assert_int_equal(cg_key_here(1, "memory.max", &e), 0);
	assert_int_equal(cg_key_here(2, "memory.max", &e), 0);
	assert_int_equal(cg_key_here(1, "memory.high", &e), -EOPNOTSUPP);
	assert_string_equal(e.text, "memory.high has no twin in cgroup v1");
	assert_int_equal(cg_key_here(2, "memory.swappiness", &e), -EOPNOTSUPP);
	assert_string_equal(e.text, "memory.swappiness has no twin in cgroup v2");
	for (i = 0; strcmp(cg_key_name(i, &value), "cpuset.mems") != 0; i++)
		;
	assert_int_equal(value, CG_TEXT);
	assert_int_equal(cg_key_here(1, "cpuset.mems", &e), -EOPNOTSUPP);
	assert_int_equal(cg_key_here(2, "cpuset.mems", &e), 0);
	assert_int_equal(cg_key_here(2, "memory.maximum", &e), -EINVAL);
	assert_non_null(strstr(e.text, "memory.maximum"));
	assert_false(cg_key_known("memory.limit_in_bytes"));
	assert_false(cg_key_known("memory.max "));
	assert_false(cg_key_known(""));
}

static void set_is(struct fixture *f, const char *key, const char *value, const char *wanted)
{
	char got[32] = "";

	if (cg_set(&f->sys, f->group, key, value, got, &f->e) != 0)
		fail_msg("%s %s: %s", key, value, f->e.text);
	if (strcmp(got, wanted) != 0)
		fail_msg("%s %s: got %s, not %s", key, value, got, wanted);
}

static void set_bytes(struct fixture *f, const char *key, int64_t bytes)
{
	char text[32];

	snprintf(text, sizeof(text), "%lld", (long long)bytes);
	set_is(f, key, text, text);
}

/* What v1's two files say. */
static void files_are(struct fixture *f, int64_t memory, int64_t memsw)
{
	char path[PATH_LEN_MAX];
	uint64_t value;

	file_of(f, f->sys.memory, "memory.limit_in_bytes", path);
	assert_int_equal(file_read_u64(path, &value), 0);
	assert_int_equal(value, memory);
	file_of(f, f->sys.memory, "memory.memsw.limit_in_bytes", path);
	assert_int_equal(file_read_u64(path, &value), 0);
	assert_int_equal(value, memsw);
}

static void made_twice_and_removed(void **state)
{
	struct fixture *f = *state;
	char path[PATH_LEN_MAX];
	struct stat st;

	need_group(f);
	file_of(f, f->sys.memory, "cgroup.procs", path);
	assert_int_equal(stat(path, &st), 0);
	if (f->sys.pids[0]) {
		file_of(f, f->sys.pids, "pids.max", path);
		assert_int_equal(stat(path, &st), 0);
	}
	assert_int_equal(cg_make(&f->sys, f->child, &f->e), 0);
	assert_int_equal(cg_remove(&f->sys, f->group, &f->e), 0);
	file_of(f, f->sys.memory, "", path);
	assert_int_equal(stat(path, &st), -1);
	file_of(f, f->sys.pids, "", path);
	assert_int_equal(stat(path, &st), -1);
	assert_int_equal(cg_remove(&f->sys, f->group, &f->e), 0); /* again */
	assert_int_equal(cg_remove(&f->sys, "", &f->e), -EINVAL);
}

static void limits_read_back(void **state)
{
	struct fixture *f = *state;
	char got[32], none[80];

	need_group(f);
	set_bytes(f, "memory.max", 64 * M);
	set_is(f, "memory.max", "10000001", "9998336"); /* rounded down to pages */
	set_is(f, "memory.swappiness", "10", "10");
	if (f->sys.pids[0]) {
		set_is(f, "pids.max", "20", "20");
		set_is(f, "pids.max", "max", "max");
	}
	assert_int_equal(cg_set(&f->sys, f->group, "memory.high", "1", got, &f->e), -EOPNOTSUPP);
	assert_int_equal(cg_set(&f->sys, f->group, "memory.none", "1", got, &f->e), -EINVAL);
	assert_true(cg_set(&f->sys, f->group, "memory.swappiness", "1000", got, &f->e) < 0);
	assert_non_null(strstr(f->e.text, "memory.swappiness"));
	snprintf(none, sizeof(none), "%s/none", f->group);
	assert_true(cg_set(&f->sys, none, "memory.max", "1048576", got, &f->e) < 0);
	assert_non_null(strstr(f->e.text, none));
}

/* Asked before anything is changed: has the group that limit here? */
static void limits_that_are_there(void **state)
{
	struct fixture *f = *state;
	char none[80];

	need_group(f);
	assert_int_equal(cg_key_there(&f->sys, f->group, "memory.max", &f->e), 0);
	assert_int_equal(cg_key_there(&f->sys, f->group, "memory.oom_control", &f->e), 0);
	if (f->sys.pids[0])
		assert_int_equal(cg_key_there(&f->sys, f->group, "pids.max", &f->e), 0);
	assert_int_equal(cg_key_there(&f->sys, f->group, "memory.reclaim", &f->e), -EOPNOTSUPP);
	assert_non_null(strstr(f->e.text, "memory.reclaim has no twin in cgroup v1"));
	assert_int_equal(cg_hand_down(&f->sys, f->group, "cpuset", &f->e), -EOPNOTSUPP);
	assert_int_equal(cg_key_there(&f->sys, f->group, "memory.none", &f->e), -EINVAL);
	snprintf(none, sizeof(none), "%s/none", f->group);
	assert_int_equal(cg_key_there(&f->sys, none, "memory.max", &f->e), -EOPNOTSUPP);
	assert_non_null(strstr(f->e.text, "this kernel has no memory.limit_in_bytes"));
}

/* v1's memsw is memory and swap together: it moves with memory.max, and swap stays what it was. */
static void swap_beside_memory(void **state)
{
	struct fixture *f = *state;

	need_memsw(f);
	set_bytes(f, "memory.max", 64 * M);
	set_bytes(f, "memory.swap.max", 32 * M);
	files_are(f, 64 * M, 96 * M);
	set_bytes(f, "memory.max", 80 * M); /* up, below the old memsw */
	files_are(f, 80 * M, 112 * M);
	set_bytes(f, "memory.max", 256 * M); /* up, above it */
	files_are(f, 256 * M, 288 * M);
	set_bytes(f, "memory.max", 16 * M); /* down, and memsw with it */
	files_are(f, 16 * M, 48 * M);
	set_bytes(f, "memory.swap.max", 0);
	files_are(f, 16 * M, 16 * M);
	set_bytes(f, "memory.max", 64 * M);
	files_are(f, 64 * M, 64 * M);
	set_bytes(f, "memory.max", 32 * M);
	files_are(f, 32 * M, 32 * M);
	set_bytes(f, "memory.swap.max", 8 * M);
	files_are(f, 32 * M, 40 * M);
}

static void no_limit(void **state)
{
	const int64_t none = 0x7ffffffffffff000;
	struct fixture *f = *state;

	need_memsw(f);
	files_are(f, none, none);
	set_bytes(f, "memory.max", 64 * M);
	files_are(f, 64 * M, none);
	set_is(f, "memory.max", "max", "max");
	files_are(f, none, none);
	set_bytes(f, "memory.max", 64 * M);
	set_bytes(f, "memory.swap.max", 8 * M);
	set_is(f, "memory.swap.max", "max", "max");
	files_are(f, 64 * M, none);
	set_bytes(f, "memory.swap.max", 8 * M);
	files_are(f, 64 * M, 72 * M);
	set_is(f, "memory.max", "max", "max");
	files_are(f, none, none);
	set_is(f, "memory.soft_limit_in_bytes", "max", "max");
	set_is(f, "memory.swap.max", "max", "max");
}

/* v1 cannot limit swap where memory has no limit: said so, and nothing is changed. */
static void swap_without_memory(void **state)
{
	struct fixture *f = *state;
	char got[32];

	need_memsw(f);
	assert_int_equal(cg_set(&f->sys, f->group, "memory.swap.max", "1048576", got, &f->e), -EOPNOTSUPP);
	assert_non_null(strstr(f->e.text, "memory.max"));
	files_are(f, 0x7ffffffffffff000, 0x7ffffffffffff000);
}

/* What runs inside ends with the group, and the group of a child of it as well. */
static void removal_kills(void **state)
{
	struct fixture *f = *state;
	char path[PATH_LEN_MAX];
	int ready[2], status, i;
	pid_t pid[2];
	char byte;

	need_group(f);
	assert_int_equal(cg_make(&f->sys, f->child, &f->e), 0);
	assert_int_equal(pipe(ready), 0);
	for (i = 0; i < 2; i++) {
		pid[i] = fork();
		if (pid[i] == 0) {
			signal(SIGTERM, SIG_IGN);
			if (write(ready[1], "r", 1) == 1)
				pause();
			_exit(0);
		}
		assert_int_equal(read(ready[0], &byte, 1), 1);
		assert_int_equal(cg_attach(&f->sys, i ? f->child : f->group, pid[i], &f->e), 0);
	}
	/* They have to be reaped while cg_remove() waits: a zombie keeps no group. */
	assert_int_equal(cg_remove(&f->sys, f->group, &f->e), 0);
	for (i = 0; i < 2; i++) {
		assert_int_equal(waitpid(pid[i], &status, 0), pid[i]);
		assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	}
	file_of(f, f->sys.memory, "", path);
	assert_int_equal(access(path, F_OK), -1);
	file_of(f, f->sys.pids, "", path);
	assert_int_equal(access(path, F_OK), -1);
	close(ready[0]);
	close(ready[1]);
}

static void what_cannot_be_made(void **state)
{
	struct fixture *f = *state;
	char deep[128];

	need_group(f);
	snprintf(deep, sizeof(deep), "%s/none", f->group);
	assert_int_equal(cg_may_make(&f->sys, deep, &f->e), -EOPNOTSUPP);
	assert_non_null(strstr(f->e.text, deep));
	assert_int_equal(cg_may_make(&f->sys, f->group, &f->e), 0);
	assert_true(cg_attach(&f->sys, deep, getpid(), &f->e) < 0);
	assert_true(cg_open(&f->sys, deep, "memory.stat") < 0);
}

#define WITH_GROUP(test) cmocka_unit_test_setup_teardown(test, make_group, drop_group)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(table_is_well_formed), cmocka_unit_test(lookup),
		WITH_GROUP(made_twice_and_removed),     WITH_GROUP(limits_read_back),
		WITH_GROUP(swap_beside_memory),         WITH_GROUP(no_limit),
		WITH_GROUP(swap_without_memory),        WITH_GROUP(removal_kills),
		WITH_GROUP(what_cannot_be_made),        WITH_GROUP(limits_that_are_there),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("limits", tests, NULL, NULL);
}
