// SPDX-License-Identifier: MIT
/* Names of kernels that are built here, and what the cache holds of them; nothing is built. */
#include "guest/built.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#define TABLE                                                                                                \
	"debian:6.1\tbookworm\tmain\tp\tamd64\t64M\tx\n"                                                     \
	"debian:6.12\ttrixie\tmain\tp\tamd64\t64M\tx\n"                                                      \
	"debian:6.1-rt\tbookworm\tmain\tp\tamd64\t64M\tx\n"

struct fixture {
	char dir[64];
	struct kernel_table table;
	struct err e;
};

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	*state = f;
	strcpy(f->dir, "/tmp/oomlab-built.XXXXXX");
	if (!mkdtemp(f->dir) || setenv("XDG_CACHE_HOME", f->dir, 1) < 0)
		return -1;
	return kernels_parse(TABLE, "t", &f->table, &f->e);
}

static int teardown(void **state)
{
	struct fixture *f = *state;
	int r = tree_remove(f->dir, &f->e);

	unsetenv("XDG_CACHE_HOME");
	free(f);
	return r;
}

static void names_are_taken_apart(void **state)
{
	static const struct {
		const char *given, *name, *fragment;
		size_t row;
	} cases[] = {
		{ "built:tiny-fast", "built:6.1-tiny-fast", "tiny-fast", 0 },
		{ "built:6.1-tiny-fast", "built:6.1-tiny-fast", "tiny-fast", 0 },
		{ "built:6.12-mine", "built:6.12-mine", "mine", 1 },
		{ "built:6.1-rt-mine", "built:6.1-rt-mine", "rt-mine", 0 },
		{ "built:7-mine", "built:6.1-7-mine", "7-mine", 0 },
	};
	struct fixture *f = *state;
	struct built b;
	size_t i;

	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_int_equal(built_parse(&f->table, cases[i].given, &b, &f->e), 0);
		assert_string_equal(b.name, cases[i].name);
		assert_string_equal(b.fragment, cases[i].fragment);
		assert_ptr_equal(b.row, &f->table.rows[cases[i].row]);
		assert_int_equal(b.path[0] != 0, i < 2); /* ours is there */
	}
	assert_true(built_is("built:x"));
	assert_false(built_is("./built:x"));
}

static void bad_names_are_refused(void **state)
{
	static const char *const names[] = { "built:",
					     "built:6.1-",
					     "built:.x",
					     "built:../x",
					     "built:a/b",
					     "built:a b",
					     "built:a012345678901234567890123456789012345678901" };
	struct fixture *f = *state;
	struct built b;
	size_t i;

	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		assert_int_equal(built_parse(&f->table, names[i], &b, &f->e), -EINVAL);
}

/* A directory as build-kernel leaves it. */
static void add_to_cache(struct fixture *f, const char *name, const char *fragment)
{
	unsigned char image[0x400] = { 0 };
	char path[PATH_LEN_MAX];

	memcpy(image + 0x202, "HdrS", 4);
	assert_int_equal(path_format(path, "%s/oomlab/kernels/%s", f->dir, name), 0);
	assert_int_equal(dir_make(path, &f->e), 0);
	assert_int_equal(path_format(path, "%s/oomlab/kernels/%s/vmlinuz", f->dir, name), 0);
	assert_int_equal(file_write(path, image, sizeof(image), &f->e), 0);
	assert_int_equal(path_format(path, "%s/oomlab/kernels/%s/version", f->dir, name), 0);
	assert_int_equal(file_write(path, "9.9\n", 4, &f->e), 0);
	assert_int_equal(path_format(path, "%s/oomlab/kernels/%s/fragment", f->dir, name), 0);
	assert_int_equal(file_write(path, fragment, strlen(fragment), &f->e), 0);
}

static void cache_is_looked_into(void **state)
{
	struct fixture *f = *state;
	struct kernel k;

	assert_int_equal(kernels_find("built:tiny-fast", &k, &f->e), 0);
	assert_true(k.built && !k.cached && !k.stale);
	assert_int_equal(kernels_ensure(&k, &f->e), -EOPNOTSUPP);
	assert_non_null(strstr(f->e.text, "is not built: oomlab kernels build tiny-fast"));

	add_to_cache(f, "built-6.12-tiny-fast", "CONFIG_A=y\n");
	assert_int_equal(kernels_find("built:6.12-tiny-fast", &k, &f->e), 0);
	assert_true(k.built && !k.cached && k.stale);
	assert_int_equal(kernels_ensure(&k, &f->e), -EOPNOTSUPP);
	assert_non_null(strstr(f->e.text, "another fragment"));
	assert_non_null(strstr(f->e.text, "build tiny-fast --source debian:6.12"));

	/* Of one that is not ours nothing is known but the cache. */
	assert_int_equal(kernels_find("built:mine", &k, &f->e), -ENOENT);
	assert_non_null(strstr(f->e.text, "fault-injection, tiny-fast"));
	add_to_cache(f, "built-6.1-mine", "CONFIG_A=y\n");
	assert_int_equal(kernels_find("built:mine", &k, &f->e), 0);
	assert_true(k.cached && !k.stale);
	assert_string_equal(k.name, "built:6.1-mine");
	assert_string_equal(k.version, "9.9");
	assert_string_equal(k.modules_dir, "");
}

static void list_has_ours_and_what_was_built(void **state)
{
	struct built *list = calloc(BUILT_MAX, sizeof(*list));
	struct fixture *f = *state;

	add_to_cache(f, "built-6.12-mine", "CONFIG_A=y\n");
	add_to_cache(f, "built-6.1-tiny-fast", "CONFIG_A=y\n");
	add_to_cache(f, "built-6.1-mine.part.77", "CONFIG_A=y\n");
	assert_int_equal(built_list(&f->table, list, &f->e), 3);
	assert_string_equal(list[0].name, "built:6.1-fault-injection");
	assert_string_equal(list[1].name, "built:6.1-tiny-fast");
	assert_string_equal(list[2].name, "built:6.12-mine");
	assert_string_equal(list[2].row->suite, "trixie");
	free(list);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(names_are_taken_apart, setup, teardown),
		cmocka_unit_test_setup_teardown(bad_names_are_refused, setup, teardown),
		cmocka_unit_test_setup_teardown(cache_is_looked_into, setup, teardown),
		cmocka_unit_test_setup_teardown(list_has_ours_and_what_was_built, setup, teardown),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("built", tests, NULL, NULL);
}
