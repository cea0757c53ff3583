// SPDX-License-Identifier: MIT
/* Disk images for guests: the one with a file system is the same every time, and known by the agent. */
#include "harness/places/image.h"

#include "guest/devices.h"
#include "lib/files.h"
#include "lib/paths.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#define M (1 << 20)

struct fixture {
	char dir[64];
	struct err e;
};

static int make_dir(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	*state = f;
	strcpy(f->dir, "/tmp/oomlab-image.XXXXXX");
	return mkdtemp(f->dir) ? 0 : -1;
}

static int drop_dir(void **state)
{
	struct fixture *f = *state;
	int r = tree_remove(f->dir, NULL);

	free(f);
	return r;
}

static const char *path_of(int fd)
{
	static char path[64];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	return path;
}

static bool has_mke2fs(void)
{
	char path[PATH_LEN_MAX];

	return paths_program(IMAGE_PROGRAM, path) == 0;
}

static void blank(void **state)
{
	struct fixture *f = *state;
	AUTO_CLOSE int fd = image_blank(f->dir, "swap", 3 * M, &f->e);
	struct stat st;

	assert_true(fd >= 0);
	assert_int_equal(fstat(fd, &st), 0);
	assert_int_equal(st.st_size, 3 * M);
	assert_int_equal(st.st_nlink, 0);
	assert_int_equal(dir_is_empty(f->dir), 1);
	assert_false(device_holds(path_of(fd), DEVICE_DATA_UUID));
	assert_int_equal(image_blank("/nonexistent", "swap", M, &f->e), -ENOENT);
	assert_non_null(strstr(f->e.text, "swap image in /nonexistent: create: No such file"));
}

static void data(void **state)
{
	struct fixture *f = *state;
	AUTO_FREE char *one = malloc(8 * M), *two = malloc(8 * M);
	AUTO_CLOSE int first = -1;
	AUTO_CLOSE int second = -1;

	if (!has_mke2fs())
		skip();
	first = image_data(f->dir, 8 * M, true, &f->e);
	second = image_data(f->dir, 8 * M, false, &f->e);
	assert_true(first >= 0 && second >= 0);
	assert_int_equal(dir_is_empty(f->dir), 1);
	assert_true(device_holds(path_of(first), DEVICE_DATA_UUID));
	assert_int_equal(pread(first, one, 8 * M, 0), 8 * M);
	assert_int_equal(pread(second, two, 8 * M, 0), 8 * M);
	assert_memory_equal(one, two, 8 * M);
	/* Another UUID is not ours, nor is one byte less of a superblock. */
	assert_int_equal(pwrite(second, "x", 1, 1024 + 0x68 + 15), 1);
	assert_false(device_holds(path_of(second), DEVICE_DATA_UUID));
	assert_int_equal(ftruncate(first, 1024 + 0x68 + 15), 0);
	assert_false(device_holds(path_of(first), DEVICE_DATA_UUID));
}

static void too_small(void **state)
{
	struct fixture *f = *state;

	if (!has_mke2fs())
		skip();
	assert_int_equal(image_data(f->dir, 64 << 10, false, &f->e), -EIO);
	assert_non_null(strstr(f->e.text, "data image of 64K: mke2fs failed: "));
	assert_non_null(strstr(f->e.text, "too big for a  filesystem with 16 blocks"));
	assert_null(strchr(f->e.text, '\n'));
}

/* The first in PATH counts; without any, where administrators have theirs. */
static void programs(void **state)
{
	struct fixture *f = *state;
	AUTO_FREE char *before = strdup(getenv("PATH") ? getenv("PATH") : "");
	char mine[128], path[PATH_LEN_MAX];

	snprintf(mine, sizeof(mine), "%s/" IMAGE_PROGRAM, f->dir);
	setenv("PATH", f->dir, 1);
	assert_int_equal(paths_program("oomlab-no-such-program", path), -ENOENT);
	assert_int_equal(file_write(mine, "#!/bin/sh\necho no room\nexit 1\n", 29, NULL), 0);
	assert_true(paths_program(IMAGE_PROGRAM, path) < 0 || strcmp(path, mine) != 0);
	assert_int_equal(chmod(mine, 0755), 0);
	assert_int_equal(paths_program(IMAGE_PROGRAM, path), 0);
	assert_string_equal(path, mine);
	assert_int_equal(image_data(f->dir, 8 * M, false, &f->e), -EIO);
	assert_string_equal(f->e.text, "data image of 8192K: mke2fs failed: no room");
	setenv("PATH", before, 1);
}

#define WITH_DIR(test) cmocka_unit_test_setup_teardown(test, make_dir, drop_dir)

int main(void)
{
	const struct CMUnitTest tests[] = { WITH_DIR(blank), WITH_DIR(data), WITH_DIR(too_small),
					    WITH_DIR(programs) };

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("image", tests, NULL, NULL);
}
