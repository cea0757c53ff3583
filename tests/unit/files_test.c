// SPDX-License-Identifier: MIT
#include "lib/files.h"

#include <errno.h>
#include <fcntl.h>
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
	char path[128];
	struct err e;
};

static const char *in(struct fixture *f, const char *name)
{
	snprintf(f->path, sizeof(f->path), "%s/%s", f->dir, name);
	return f->path;
}

static int make_dir(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	*state = f;
	strcpy(f->dir, "/tmp/oomlab-files.XXXXXX");
	return mkdtemp(f->dir) ? 0 : -1;
}

static int drop_dir(void **state)
{
	struct fixture *f = *state;
	int r = tree_remove(f->dir, &f->e);

	if (r == 0 && access(f->dir, F_OK) == 0)
		r = -1;
	free(f);
	return r;
}

static void write_and_read(void **state)
{
	static const size_t sizes[] = { 0, 1, 4095, 4096, 4097, 8192, 100000 };
	struct fixture *f = *state;
	char data[100000], part[160];
	size_t i, len;

	for (i = 0; i < sizeof(data); i++)
		data[i] = (char)(i * 7);
	for (i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		AUTO_FREE char *text = NULL;

		assert_int_equal(file_write(in(f, "file"), data, sizes[i], &f->e), 0);
		assert_int_equal(file_read(f->path, sizes[i], &text, &len, &f->e), 0);
		assert_int_equal(len, sizes[i]);
		assert_memory_equal(text, data, len);
		assert_int_equal(text[len], 0);
	}
	snprintf(part, sizeof(part), "%s.part", f->path);
	assert_int_equal(access(part, F_OK), -1);
}

static void too_long_to_read(void **state)
{
	struct fixture *f = *state;
	char *text = NULL;

	assert_int_equal(file_write(in(f, "file"), "12345", 5, &f->e), 0);
	assert_int_equal(file_read(f->path, 4, &text, NULL, &f->e), -EFBIG);
	assert_null(text);
	assert_non_null(strstr(f->e.text, "larger than 4B"));
	/* endless: must stop by itself */
	assert_int_equal(file_read("/dev/zero", 1 << 20, &text, NULL, &f->e), -EFBIG);
	assert_null(text);
}

static void errors_name_the_path(void **state)
{
	struct fixture *f = *state;
	char *text;

	assert_int_equal(file_read(in(f, "none"), 10, &text, NULL, &f->e), -ENOENT);
	assert_non_null(strstr(f->e.text, f->path));
	assert_int_equal(file_read(f->dir, 10, &text, NULL, &f->e), -EISDIR);
	assert_int_equal(file_write(in(f, "none/file"), "x", 1, &f->e), -ENOENT);
	assert_non_null(strstr(f->e.text, f->path));
	assert_int_equal(file_put(in(f, "none"), "x", &f->e), -ENOENT);
	assert_int_equal(access(f->path, F_OK), -1); /* it creates nothing */
	assert_int_equal(file_put("/dev/full", "x", &f->e), -ENOSPC);
	assert_non_null(strstr(f->e.text, "No space left"));
}

/* A write that fails leaves what was there before. */
static void old_file_survives(void **state)
{
	struct fixture *f = *state;
	AUTO_FREE char *text = NULL;
	char part[160];

	assert_int_equal(file_write(in(f, "file"), "old", 3, &f->e), 0);
	snprintf(part, sizeof(part), "%s.part", f->path);
	assert_int_equal(symlink("/dev/full", part), 0);
	assert_int_equal(file_write(f->path, "new", 3, &f->e), -ENOSPC);
	assert_int_equal(file_read(f->path, 10, &text, NULL, &f->e), 0);
	assert_string_equal(text, "old");
}

static void put_writes_over(void **state)
{
	struct fixture *f = *state;
	AUTO_FREE char *text = NULL;

	assert_int_equal(file_write(in(f, "file"), "12345", 5, &f->e), 0);
	assert_int_equal(file_put(f->path, "ab", &f->e), 0);
	assert_int_equal(file_read(f->path, 10, &text, NULL, &f->e), 0);
	assert_string_equal(text, "ab345");
}

static void numbers(void **state)
{
	struct fixture *f = *state;
	uint64_t value = 77;

	assert_int_equal(file_write(in(f, "n"), "18446744073709551615\n", 21, &f->e), 0);
	assert_int_equal(file_read_u64(f->path, &value), 0);
	assert_true(value == UINT64_MAX);
	value = 77;
	assert_int_equal(file_write(f->path, "max\n", 4, &f->e), 0);
	assert_int_equal(file_read_u64(f->path, &value), -ENODATA);
	assert_int_equal(file_write(f->path, "", 0, &f->e), 0);
	assert_int_equal(file_read_u64(f->path, &value), -ENODATA);
	assert_int_equal(file_read_u64(in(f, "none"), &value), -ENOENT);
	assert_int_equal(value, 77);
}

static void directories(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(dir_make(in(f, "a/b//c/"), &f->e), 0);
	assert_int_equal(dir_make(f->path, &f->e), 0); /* again */
	assert_int_equal(dir_is_empty(f->path), 1);
	assert_int_equal(dir_is_empty(in(f, "a")), 0);
	assert_int_equal(dir_is_empty(in(f, "none")), -ENOENT);
	assert_int_equal(file_write(in(f, "file"), "", 0, &f->e), 0);
	assert_int_equal(dir_is_empty(f->path), -ENOTDIR);
	assert_int_equal(dir_make(in(f, "file/b"), &f->e), -ENOTDIR);
	assert_int_equal(dir_make(in(f, "file"), &f->e), -ENOTDIR);
	assert_int_equal(dir_make(f->dir, &f->e), 0);
}

static void remove_keeps_what_links_point_to(void **state)
{
	struct fixture *f = *state;
	char target[128], link[160];

	snprintf(target, sizeof(target), "%s", in(f, "kept"));
	assert_int_equal(dir_make(target, &f->e), 0);
	assert_int_equal(file_write(in(f, "kept/file"), "x", 1, &f->e), 0);
	assert_int_equal(dir_make(in(f, "tree/deep"), &f->e), 0);
	snprintf(link, sizeof(link), "%s/link", f->path);
	assert_int_equal(symlink(target, link), 0);
	assert_int_equal(tree_remove(in(f, "tree"), &f->e), 0);
	assert_int_equal(access(f->path, F_OK), -1);
	assert_int_equal(access(in(f, "kept/file"), F_OK), 0);
	assert_int_equal(tree_remove(in(f, "none"), &f->e), 0);
	assert_int_equal(tree_remove(in(f, "kept/file"), &f->e), 0);
}

static void long_paths(void **state)
{
	char path[PATH_LEN_MAX], name[PATH_LEN_MAX + 1];

	(void)state;
	memset(name, 'n', sizeof(name));
	name[PATH_LEN_MAX - 1] = 0;
	assert_int_equal(path_format(path, "%s", name), 0);
	assert_int_equal(path_format(path, "/%s", name), -ENAMETOOLONG);
}

static void errors_grow(void **state)
{
	struct err e = ERR_INIT;
	char text[ERR_TEXT_MAX + 10];

	(void)state;
	assert_int_equal(err_set(&e, EINVAL, "%s: %d", "value", 3), -EINVAL);
	assert_string_equal(e.text, "value: 3");
	assert_int_equal(err_errno(&e, ENOENT, "open"), -ENOENT);
	assert_string_equal(e.text, "open: No such file or directory");
	assert_int_equal(err_prefix(&e, "path"), -ENOENT);
	assert_string_equal(e.text, "path: open: No such file or directory");
	assert_int_equal(err_set(NULL, EIO, "x"), -EIO);
	assert_int_equal(err_errno(NULL, EIO, "x"), -EIO);
	memset(text, 't', sizeof(text));
	text[sizeof(text) - 1] = 0;
	assert_int_equal(err_errno(&e, ENOENT, "%s", text), -ENOENT);
	assert_int_equal(err_prefix(&e, "%s", text), -ENOENT);
	assert_int_equal(strlen(e.text), ERR_TEXT_MAX - 1);
}

#define WITH_DIR(test) cmocka_unit_test_setup_teardown(test, make_dir, drop_dir)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_DIR(write_and_read),       WITH_DIR(too_long_to_read),
		WITH_DIR(errors_name_the_path), WITH_DIR(old_file_survives),
		WITH_DIR(put_writes_over),      WITH_DIR(numbers),
		WITH_DIR(directories),          WITH_DIR(remove_keeps_what_links_point_to),
		cmocka_unit_test(long_paths),   cmocka_unit_test(errors_grow),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("files", tests, NULL, NULL);
}
