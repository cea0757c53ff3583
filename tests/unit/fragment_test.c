// SPDX-License-Identifier: MIT
/* Fragments of configurations: what is read, what a later line does, what is refused. */
#include "guest/fragment.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

struct fixture {
	char dir[64];
	char path[PATH_LEN_MAX]; /* of what is read */
	struct err e;
};

static void put(struct fixture *f, const char *name, const char *text)
{
	char path[PATH_LEN_MAX];

	assert_int_equal(path_format(path, "%s/%s.config", f->dir, name), 0);
	assert_int_equal(file_write(path, text, strlen(text), &f->e), 0);
}

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	*state = f;
	strcpy(f->dir, "/tmp/oomlab-fragment.XXXXXX");
	if (!mkdtemp(f->dir))
		return -1;
	return path_format(f->path, "%s/mine.config", f->dir);
}

static int teardown(void **state)
{
	struct fixture *f = *state;
	int r = tree_remove(f->dir, &f->e);

	free(f);
	return r;
}

static void reads_as(struct fixture *f, const char *expected)
{
	char *text;

	assert_int_equal(fragment_read(f->path, f->dir, &text, &f->e), 0);
	assert_string_equal(text, expected);
	free(text);
}

static void every_form_is_read(void **state)
{
	struct fixture *f = *state;

	put(f, "mine",
	    "# What it is for.\n\n  CONFIG_A=y\t\nCONFIG_B=y # optional\n# CONFIG_C is not set\n"
	    "# CONFIG_D is not set # optional\nCONFIG_E=18\nCONFIG_F=0x10 #optional\nCONFIG_G=\"a #b\"\n"
	    "#CONFIG_H=y\n");
	reads_as(f, "CONFIG_A=y\nCONFIG_B=y # optional\nCONFIG_C=n\nCONFIG_D=n # optional\nCONFIG_E=18\n"
		    "CONFIG_F=0x10 # optional\nCONFIG_G=\"a #b\"\n");
}

static void later_line_counts(void **state)
{
	struct fixture *f = *state;

	put(f, "mine", "CONFIG_A=y\nCONFIG_B=y\nCONFIG_A=n # optional\n");
	reads_as(f, "CONFIG_B=y\nCONFIG_A=n # optional\n");
}

static void what_is_needed_comes_first_and_once(void **state)
{
	struct fixture *f = *state;

	put(f, "base", "# needs: mine\nCONFIG_A=1\nCONFIG_B=1\n");
	put(f, "more", "# needs: base\nCONFIG_B=2\n");
	put(f, "mine", "# needs: more base\nCONFIG_C=3\n");
	reads_as(f, "CONFIG_A=1\nCONFIG_B=2\nCONFIG_C=3\n");
}

static void bad_lines_are_named(void **state)
{
	static const struct {
		const char *text, *says;
	} cases[] = {
		{ "\nCONFIG_A=m\n", "mine.config:2: CONFIG_A: m: a kernel built here has no modules" },
		{ "CONFIG_A=yes\n", "mine.config:1: CONFIG_A: not a value" },
		{ "CONFIG_A=\n", "mine.config:1: CONFIG_A: not a value" },
		{ "CONFIG_A=y # perhaps\n", "mine.config:1: CONFIG_A: not a value" },
		{ "CONFIG_A=\"x\n", "mine.config:1: CONFIG_A: not a value" },
		{ "CONFIG_A y\n", "mine.config:1: CONFIG_A y: not an option" },
		{ "CONFIG_=y\n", "not an option" },
		{ "A=y\n", "mine.config:1: A=y: not an option" },
		{ "# CONFIG_A is unset\n", "not an option" },
		{ "# needs: ../x\n", "mine.config:1: needs ../x: a name of ours" },
		{ "# needs: nothing\n", "mine.config:1: needs nothing: " },
		{ "# none\n", "mine.config: no option in it" },
	};
	struct fixture *f = *state;
	char *text = NULL;
	size_t i;

	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		put(f, "mine", cases[i].text);
		assert_true(fragment_read(f->path, f->dir, &text, &f->e) < 0);
		assert_non_null(strstr(f->e.text, cases[i].says));
		assert_null(text);
	}
}

static void first_comment_says_what_it_is_for(void **state)
{
	struct fixture *f = *state;
	char about[32];

	put(f, "mine", "# What it is for.\n# needs: x\n");
	fragment_about(f->path, about, sizeof(about));
	assert_string_equal(about, "What it is for.");
	put(f, "mine", "# needs: x\n# What it is for.\n");
	fragment_about(f->path, about, sizeof(about));
	assert_string_equal(about, "");
}

/* fault-injection stands on tiny-fast, and both can be read. */
static void own_fragments_are_sound(void **state)
{
	struct err e = ERR_INIT;
	char *text;

	(void)state;
	assert_int_equal(fragment_read("guest/kconfig/fault-injection.config", "guest/kconfig", &text, &e),
			 0);
	assert_non_null(strstr(text, "CONFIG_FAILSLAB=y\n"));
	assert_non_null(strstr(text, "CONFIG_MEMCG=y\n"));
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(every_form_is_read, setup, teardown),
		cmocka_unit_test_setup_teardown(later_line_counts, setup, teardown),
		cmocka_unit_test_setup_teardown(what_is_needed_comes_first_and_once, setup, teardown),
		cmocka_unit_test_setup_teardown(bad_lines_are_named, setup, teardown),
		cmocka_unit_test_setup_teardown(first_comment_says_what_it_is_for, setup, teardown),
		cmocka_unit_test(own_fragments_are_sound),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("fragment", tests, NULL, NULL);
}
