// SPDX-License-Identifier: MIT
/* The table of kernels, the cache and images of the user's own; nothing is fetched. */
#include "guest/kernels.h"

#include "lib/files.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>
#include <cmocka.h>

#define TABLE "tests/fixtures/kernels/table.tsv"
#define ROW   "a:1\ts\tmain\tp\tamd64\t64M\tx\n"

struct fixture {
	char dir[64];
	char image[96];
	struct kernel_table table;
	struct err e;
};

/* The smallest file that passes for a bzImage of version "9.8.7-test". */
static void write_image(const char *path, const char *magic)
{
	unsigned char image[0x400] = { 0 };

	memcpy(image + 0x202, magic, 4);
	image[0x20e] = 0x00;
	image[0x20f] = 0x01;
	strcpy((char *)image + 0x300, "9.8.7-test (someone@somewhere) #1");
	assert_int_equal(file_write(path, image, sizeof(image), NULL), 0);
}

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	char *text;

	*state = f;
	strcpy(f->dir, "/tmp/oomlab-kernels.XXXXXX");
	if (!mkdtemp(f->dir) || file_read(TABLE, 1 << 16, &text, NULL, &f->e) < 0)
		return -1;
	snprintf(f->image, sizeof(f->image), "%s/bzImage", f->dir);
	write_image(f->image, "HdrS");
	assert_int_equal(kernels_parse(text, TABLE, &f->table, &f->e), 0);
	free(text);
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;
	int r = tree_remove(f->dir, &f->e);

	free(f);
	return r;
}

static void table_is_parsed(void **state)
{
	const struct fixture *f = *state;

	assert_int_equal(f->table.count, 2);
	assert_string_equal(f->table.rows[0].name, "first:1.0");
	assert_string_equal(f->table.rows[0].about, "The default");
	assert_string_equal(f->table.rows[1].suite, "new");
	assert_string_equal(f->table.rows[1].package, "linux-image-b");
	assert_int_equal(f->table.rows[1].memory_min_bytes, 1536ull << 20);
}

static void bad_rows_name_line_and_column(void **state)
{
	static const struct {
		const char *text, *says;
	} cases[] = {
		{ "# only\n\n", "t: no kernel in it" },
		{ ROW "b:1\ts\tmain\n", "t:2: column \"package\" is missing" },
		{ ROW ROW, "t:2: a:1: a second row" },
		{ "a:1\ts\tmain\tp\tamd64\t64\tx\n", "t:1: least memory" },
		{ "a/b\ts\tmain\tp\tamd64\t64M\tx\n", "t:1: name" },
		{ "..\ts\tmain\tp\tamd64\t64M\tx\n", "t:1: name" },
		{ "a:1\t-o\tmain\tp\tamd64\t64M\tx\n", "t:1: suite" },
		{ "a:1\ts\tmain\tp q\tamd64\t64M\tx\n", "t:1: package" },
		{ "a:1\ts\tmain\tp\tamd64\t64M\tx\ty\n", "t:1: an eighth column" },
		{ "a:1\t\tmain\tp\tamd64\t64M\tx\n", "t:1: suite" },
	};
	struct kernel_table table;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct err e = ERR_INIT;

		assert_int_equal(kernels_parse(cases[i].text, "t", &table, &e), -EINVAL);
		assert_int_equal(strncmp(e.text, cases[i].says, strlen(cases[i].says)), 0);
	}
}

static void own_table_is_sound(void **state)
{
	struct kernel_table table;
	char *text;

	(void)state;
	assert_int_equal(file_read("guest/kernels/table.tsv", 1 << 16, &text, NULL, NULL), 0);
	assert_int_equal(kernels_parse(text, "table", &table, NULL), 0);
	assert_string_equal(table.rows[0].name, "debian:6.1");
	free(text);
}

static void unknown_name_lists_the_known(void **state)
{
	struct fixture *f = *state;
	struct kernel k;

	assert_int_equal(kernels_find_in(&f->table, f->dir, "third", &k, &f->e), -ENOENT);
	assert_non_null(strstr(f->e.text, "\"third\""));
	assert_non_null(strstr(f->e.text, "first:1.0, second:2.0"));
}

static void absent_kernel_is_not_cached(void **state)
{
	struct fixture *f = *state;
	struct kernel k;

	assert_int_equal(kernels_find_in(&f->table, f->dir, NULL, &k, &f->e), 0);
	assert_string_equal(k.name, "first:1.0");
	assert_true(k.in_table);
	assert_false(k.cached);
	assert_non_null(strstr(k.dir, "/first-1.0"));
}

static void cached_kernel_is_found(void **state)
{
	struct fixture *f = *state;
	char path[PATH_LEN_MAX];
	struct kernel k;

	path_format(path, "%s/second-2.0", f->dir);
	assert_int_equal(dir_make(path, &f->e), 0);
	path_format(path, "%s/second-2.0/vmlinuz", f->dir);
	write_image(path, "HdrS");
	path_format(path, "%s/second-2.0/version", f->dir);
	assert_int_equal(file_write(path, "9.8.7-test\n", 11, &f->e), 0);
	assert_int_equal(kernels_find_in(&f->table, f->dir, "second:2.0", &k, &f->e), 0);
	assert_true(k.cached);
	assert_string_equal(k.version, "9.8.7-test");
	assert_int_equal(k.memory_min_bytes, 1536ull << 20);
	assert_string_equal(k.arch, f->table.rows[1].arch);
	assert_non_null(strstr(k.modules_dir, "/second-2.0/modules/lib/modules/9.8.7-test"));
}

static void path_of_an_image_is_taken(void **state)
{
	struct fixture *f = *state;
	struct kernel k;

	assert_int_equal(kernels_find_in(&f->table, f->dir, f->image, &k, &f->e), 0);
	assert_true(k.cached);
	assert_false(k.in_table);
	assert_string_equal(k.version, "9.8.7-test");
	assert_string_equal(k.arch, "");
	assert_string_equal(k.vmlinuz, f->image);
	assert_string_equal(k.modules_dir, "");
}

/* Protocol 2.12 or later at 0x206, a 64-bit entry is bit 0 at 0x236. */
static void image_tells_its_architecture(void **state)
{
	struct fixture *f = *state;
	struct kernel k;
	char *image;
	size_t len;

	assert_int_equal(file_read(f->image, 1 << 16, &image, &len, &f->e), 0);
	image[0x206] = 0x0c;
	image[0x207] = 0x02;
	image[0x236] = 0x3f;
	assert_int_equal(file_write(f->image, image, len, &f->e), 0);
	assert_int_equal(kernels_find_in(&f->table, f->dir, f->image, &k, &f->e), 0);
	assert_string_equal(k.arch, "amd64");
	image[0x236] = 0x3e;
	assert_int_equal(file_write(f->image, image, len, &f->e), 0);
	assert_int_equal(kernels_find_in(&f->table, f->dir, f->image, &k, &f->e), 0);
	assert_string_equal(k.arch, "i386");
	free(image);
}

static void row_by_name(void **state)
{
	struct fixture *f = *state;

	assert_ptr_equal(kernels_row(&f->table, "second:2.0", &f->e), &f->table.rows[1]);
	assert_null(kernels_row(&f->table, "second", &f->e));
	assert_string_equal(f->e.text, "unknown kernel \"second\"; known: first:1.0, second:2.0");
}

/* Taken away with all that is in it; not while fetch holds its lock. */
static void kernel_is_removed(void **state)
{
	struct fixture *f = *state;
	char path[PATH_LEN_MAX], lock[PATH_LEN_MAX];
	int fd;

	assert_int_equal(setenv("XDG_CACHE_HOME", f->dir, 1), 0);
	path_format(path, "%s/oomlab/kernels/a-1/modules/x", f->dir);
	assert_int_equal(dir_make(path, &f->e), 0);
	path_format(path, "%s/oomlab/kernels/a-1", f->dir);
	path_format(lock, "%s/oomlab/apt", f->dir);
	assert_int_equal(dir_make(lock, &f->e), 0);
	path_format(lock, "%s/oomlab/apt/lock", f->dir);
	fd = open(lock, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	assert_int_equal(flock(fd, LOCK_EX), 0);
	assert_int_equal(kernels_remove("a:1", &f->e), -EBUSY);
	assert_int_equal(access(path, F_OK), 0);
	close(fd);
	assert_int_equal(kernels_remove("a:2", &f->e), 0);
	assert_int_equal(access(path, F_OK), 0);
	assert_int_equal(kernels_remove("a:1", &f->e), 1);
	path_format(path, "%s/oomlab/kernels", f->dir);
	assert_int_equal(dir_is_empty(path), 1);
	assert_int_equal(unlink(lock), 0);
	assert_int_equal(kernels_remove("a:1", &f->e), 0);
	unsetenv("XDG_CACHE_HOME");
}

static void path_may_name_modules(void **state)
{
	char name[PATH_LEN_MAX], dir[PATH_LEN_MAX];
	struct fixture *f = *state;
	struct kernel k;

	path_format(name, "%s:tests/fixtures/kernels/modules", f->image);
	assert_int_equal(kernels_find_in(&f->table, f->dir, name, &k, &f->e), 0);
	assert_string_equal(k.modules_dir, "tests/fixtures/kernels/modules");

	path_format(dir, "%s/lib/modules/9.8.7-test", f->dir);
	assert_int_equal(dir_make(dir, &f->e), 0);
	path_format(name, "%s/modules.dep", dir);
	assert_int_equal(file_write(name, "", 0, &f->e), 0);
	path_format(name, "%s:%s", f->image, f->dir);
	assert_int_equal(kernels_find_in(&f->table, f->dir, name, &k, &f->e), 0);
	assert_string_equal(k.modules_dir, dir);

	path_format(name, "%s:/nowhere", f->image);
	assert_int_equal(kernels_find_in(&f->table, f->dir, name, &k, &f->e), -ENOENT);
	assert_non_null(strstr(f->e.text, "modules.dep"));
}

static void what_is_no_image_is_refused(void **state)
{
	struct fixture *f = *state;
	struct kernel k;

	write_image(f->image, "HdrX");
	assert_int_equal(kernels_find_in(&f->table, f->dir, f->image, &k, &f->e), -ENOEXEC);
	assert_non_null(strstr(f->e.text, "not a bzImage"));
	assert_int_equal(file_write(f->image, "short", 5, &f->e), 0);
	assert_int_equal(kernels_find_in(&f->table, f->dir, f->image, &k, &f->e), -ENOEXEC);
	assert_int_equal(kernels_find_in(&f->table, f->dir, "/nowhere/bzImage", &k, &f->e), -ENOENT);
	assert_int_equal(kernels_find_in(&f->table, f->dir, f->dir, &k, &f->e), -EISDIR);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(table_is_parsed, setup, teardown),
		cmocka_unit_test(bad_rows_name_line_and_column),
		cmocka_unit_test(own_table_is_sound),
		cmocka_unit_test_setup_teardown(unknown_name_lists_the_known, setup, teardown),
		cmocka_unit_test_setup_teardown(absent_kernel_is_not_cached, setup, teardown),
		cmocka_unit_test_setup_teardown(cached_kernel_is_found, setup, teardown),
		cmocka_unit_test_setup_teardown(path_of_an_image_is_taken, setup, teardown),
		cmocka_unit_test_setup_teardown(image_tells_its_architecture, setup, teardown),
		cmocka_unit_test_setup_teardown(row_by_name, setup, teardown),
		cmocka_unit_test_setup_teardown(kernel_is_removed, setup, teardown),
		cmocka_unit_test_setup_teardown(path_may_name_modules, setup, teardown),
		cmocka_unit_test_setup_teardown(what_is_no_image_is_refused, setup, teardown),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("kernels", tests, NULL, NULL);
}
