// SPDX-License-Identifier: MIT
/* /proc/PID/maps: this process's own, and files as the kernel writes them. */
#include "harness/engine/maps.h"

#include "lib/files.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#define PID 91

static char root[] = "/tmp/oomlab-maps.XXXXXX";

static int make_root(void **state)
{
	char path[PATH_LEN_MAX];

	(void)state;
	if (!mkdtemp(root) || path_format(path, "%s/proc/%d", root, PID) < 0)
		return -1;
	return dir_make(path, NULL);
}

static int remove_root(void **state)
{
	(void)state;
	return tree_remove(root, NULL);
}

static void read_text(const char *text, size_t len, struct maps *ret)
{
	char path[PATH_LEN_MAX];

	path_format(path, "%s/proc/%d/maps", root, PID);
	assert_int_equal(file_write(path, text, len, NULL), 0);
	assert_int_equal(maps_read(root, PID, ret), 0);
}

static void a_32_bit_process(void **state)
{
	static const char text[] =
		"08048000-08049000 r--p 00000000 00:02 5035       /oomlab-stress\n"
		"094b3000-094d5000 rw-p 00000000 00:00 0          [heap]\n"
		"b7f4b000-bffff000 rw-p 00000000 00:00 0 \n"
		"bffff000-c0000000 rw-s 00001000 00:01 7          /memfd:a page (deleted)\n";
	struct maps m;

	(void)state;
	read_text(text, sizeof(text) - 1, &m);
	assert_int_equal(m.count, 4);
	assert_true(m.whole);
	assert_int_equal(m.listed[0].start, 0x08048000);
	assert_int_equal(m.listed[0].bytes, 4096);
	assert_string_equal(m.listed[0].perms, "r--p");
	assert_string_equal(m.listed[0].name, "/oomlab-stress");
	assert_string_equal(m.listed[1].name, "[heap]");
	assert_int_equal(m.listed[2].bytes, 0xbffff000 - 0xb7f4b000);
	assert_string_equal(m.listed[2].name, "");
	assert_string_equal(m.listed[3].perms, "rw-s");
	assert_string_equal(m.listed[3].name, "/memfd:a page (deleted)");
}

/* More than one read(2) gives, with a line across each boundary; only the first are kept. */
static void many(void **state)
{
	enum { COUNT = 5000 };
	AUTO_FREE char *text = malloc(COUNT * 64);
	struct maps m;
	size_t len = 0;
	int i;

	(void)state;
	for (i = 0; i < COUNT; i++)
		len += (size_t)sprintf(text + len, "%x-%x ---p 00000000 00:00 0 %s\n", (2 * i + 1) << 12,
				       (2 * i + 2) << 12, i % 3 ? "" : "        [some name]");
	read_text(text, len, &m);
	assert_int_equal(m.count, COUNT);
	assert_true(m.whole);
	for (i = 0; i < MAPS_LISTED_MAX; i++) {
		assert_int_equal(m.listed[i].start, (2 * i + 1) << 12);
		assert_string_equal(m.listed[i].name, i % 3 ? "" : "[some name]");
	}
}

/* A name is cut to what fits; a line that no kernel writes is where counting ends. */
static void long_lines(void **state)
{
	static const char start[] = "1000-2000 r-xp 00000000 08:01 12 /";
	AUTO_FREE char *text = malloc(100000);
	struct maps m;

	(void)state;
	memset(text, 'x', 100000);
	memcpy(text, start, sizeof(start) - 1);
	text[16000] = '\n';
	read_text(text, 16001, &m);
	assert_true(m.whole && m.count == 1);
	assert_int_equal(strlen(m.listed[0].name), sizeof(m.listed[0].name) - 1);
	read_text(text, 100000, &m);
	assert_int_equal(m.count, 1);
	assert_false(m.whole);
}

static void none(void **state)
{
	struct maps m;

	(void)state;
	read_text("", 0, &m); /* a kernel thread's, or a zombie's */
	assert_true(m.whole && m.count == 0);
	assert_true(maps_read(root, PID + 1, &m) < 0);
}

/* Two pages between which a third is taken out are two mappings more. */
static void its_own(void **state)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE), before;
	struct maps m;
	char *p;

	(void)state;
	assert_int_equal(maps_read("", getpid(), &m), 0);
	before = m.count;
	p = mmap(NULL, 3 * page, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	assert_true(p != MAP_FAILED && munmap(p + page, page) == 0);
	assert_int_equal(maps_read("", getpid(), &m), 0);
	assert_int_equal(m.count, before + 2);
	munmap(p, 3 * page);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_32_bit_process), cmocka_unit_test(many),
		cmocka_unit_test(long_lines),       cmocka_unit_test(none),
		cmocka_unit_test(its_own),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("maps", tests, make_root, remove_root);
}
