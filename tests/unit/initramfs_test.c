// SPDX-License-Identifier: MIT
/* Module order on a made-up kernel, and the archive read back with libarchive. */
#include "guest/initramfs.h"

#include "lib/files.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>
#include <cmocka.h>

#define MODULES "tests/fixtures/kernels/modules"

struct fixture {
	char dir[64];
	struct module_list modules;
	struct err e;
};

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	*state = f;
	strcpy(f->dir, "/tmp/oomlab-initramfs.XXXXXX");
	return mkdtemp(f->dir) ? 0 : -1;
}

static int teardown(void **state)
{
	struct fixture *f = *state;
	int r = tree_remove(f->dir, &f->e);

	modules_free(&f->modules);
	free(f);
	return r;
}

/* libkmod gives absolute paths. */
static void assert_module(const struct fixture *f, size_t i, const char *path)
{
	const char *got = strstr(f->modules.paths[i], MODULES "/");

	assert_non_null(got);
	assert_string_equal(got, path);
}

static void needs_come_first_and_once(void **state)
{
	const char *const names[] = { "disk", "bus", "other", NULL };
	struct fixture *f = *state;

	assert_int_equal(modules_resolve(MODULES, names, &f->modules, &f->e), 0);
	assert_int_equal(f->modules.count, 4);
	assert_module(f, 0, MODULES "/kernel/lib/base.ko.xz");
	assert_module(f, 1, MODULES "/kernel/drivers/bus.ko");
	assert_module(f, 2, MODULES "/kernel/drivers/disk.ko");
	assert_module(f, 3, MODULES "/kernel/drivers/other.ko");
}

static void built_in_is_left_out(void **state)
{
	const char *const names[] = { "solid", NULL };
	struct fixture *f = *state;

	assert_int_equal(modules_resolve(MODULES, names, &f->modules, &f->e), 0);
	assert_int_equal(f->modules.count, 0);
}

static void missing_is_a_skip_that_names_it(void **state)
{
	const char *const names[] = { "bus", "nosuch", NULL };
	struct fixture *f = *state;

	assert_int_equal(modules_resolve(MODULES, names, &f->modules, &f->e), -EOPNOTSUPP);
	assert_non_null(strstr(f->e.text, "nosuch"));
	assert_int_equal(f->modules.count, 0);
}

static void optional_may_be_missing(void **state)
{
	const char *const names[] = { "-nosuch", "-bus", NULL };
	struct fixture *f = *state;

	assert_int_equal(modules_resolve(MODULES, names, &f->modules, &f->e), 0);
	assert_int_equal(f->modules.count, 2);
	assert_module(f, 1, MODULES "/kernel/drivers/bus.ko");
}

/* Packs contents as `xz` would. */
static void write_xz(const char *path, const char *contents)
{
	struct archive *a = archive_write_new();
	struct archive_entry *entry = archive_entry_new();

	archive_write_set_format_raw(a);
	archive_write_add_filter_xz(a);
	assert_int_equal(archive_write_open_filename(a, path), ARCHIVE_OK);
	archive_entry_set_pathname(entry, "x");
	archive_entry_set_filetype(entry, AE_IFREG);
	assert_int_equal(archive_write_header(a, entry), ARCHIVE_OK);
	assert_int_equal(archive_write_data(a, contents, strlen(contents)), strlen(contents));
	archive_entry_free(entry);
	assert_int_equal(archive_write_close(a), ARCHIVE_OK);
	archive_write_free(a);
}

/* dir/agent, dir/stress, dir/base.ko.xz and dir/disk.ko, and the modules listed in that order. */
static void make_contents(struct fixture *f, char agent[PATH_LEN_MAX], char stress[PATH_LEN_MAX])
{
	char path[PATH_LEN_MAX];

	path_format(agent, "%s/agent", f->dir);
	path_format(stress, "%s/stress", f->dir);
	assert_int_equal(file_write(agent, "the agent", 9, &f->e), 0);
	assert_int_equal(file_write(stress, "stress", 6, &f->e), 0);
	path_format(path, "%s/base.ko.xz", f->dir);
	write_xz(path, "base module");
	f->modules.paths[f->modules.count++] = strdup(path);
	path_format(path, "%s/disk.ko", f->dir);
	assert_int_equal(file_write(path, "disk module", 11, &f->e), 0);
	f->modules.paths[f->modules.count++] = strdup(path);
}

static int write_archive(struct fixture *f)
{
	char agent[PATH_LEN_MAX], stress[PATH_LEN_MAX], path[PATH_LEN_MAX];
	int fd;

	make_contents(f, agent, stress);
	path_format(path, "%s/cpio", f->dir);
	fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);
	assert_true(fd >= 0);
	assert_int_equal(initramfs_write(fd, agent, stress, &f->modules, &f->e), 0);
	assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
	return fd;
}

/* The entry's contents as text; NULL when the archive has no such entry. */
static char *entry_text(int fd, const char *name, mode_t *ret_mode, dev_t *ret_rdev)
{
	struct archive *a = archive_read_new();
	struct archive_entry *entry;
	char *text = NULL;

	assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
	archive_read_support_format_cpio(a);
	assert_int_equal(archive_read_open_fd(a, fd, 4096), ARCHIVE_OK);
	while (!text && archive_read_next_header(a, &entry) == ARCHIVE_OK) {
		if (strcmp(archive_entry_pathname(entry), name) != 0)
			continue;
		text = calloc(1, (size_t)archive_entry_size(entry) + 1);
		assert_int_equal(archive_read_data(a, text, (size_t)archive_entry_size(entry)),
				 archive_entry_size(entry));
		*ret_mode = archive_entry_mode(entry);
		*ret_rdev = archive_entry_rdev(entry);
	}
	archive_read_free(a);
	return text;
}

static void archive_holds_what_the_guest_needs(void **state)
{
	static const struct {
		const char *name, *text;
		mode_t mode;
	} wanted[] = {
		{ "init", "the agent", S_IFREG | 0755 },
		{ "bin/oomlab-stress", "stress", S_IFREG | 0755 },
		{ "modules/base.ko", "base module", S_IFREG | 0644 },
		{ "modules/disk.ko", "disk module", S_IFREG | 0644 },
		{ "modules/order", "/modules/base.ko\n/modules/disk.ko\n", S_IFREG | 0644 },
		{ "dev/console", "", S_IFCHR | 0600 },
		{ "proc", "", S_IFDIR | 0755 },
		{ "sys", "", S_IFDIR | 0755 },
	};
	struct fixture *f = *state;
	int fd = write_archive(f);
	size_t i;

	for (i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++) {
		mode_t mode = 0;
		dev_t rdev = 0;
		char *text = entry_text(fd, wanted[i].name, &mode, &rdev);

		assert_non_null(text);
		assert_string_equal(text, wanted[i].text);
		assert_int_equal(mode, wanted[i].mode);
		if (S_ISCHR(mode))
			assert_int_equal(rdev, makedev(5, 1));
		free(text);
	}
	close(fd);
}

static void equal_contents_make_equal_bytes(void **state)
{
	char agent[PATH_LEN_MAX], stress[PATH_LEN_MAX], path[2][PATH_LEN_MAX];
	struct fixture *f = *state;
	char *bytes[2];
	size_t len[2];
	int i;

	make_contents(f, agent, stress);
	for (i = 0; i < 2; i++) {
		int fd;

		path_format(path[i], "%s/cpio.%d", f->dir, i);
		fd = open(path[i], O_WRONLY | O_CREAT, 0600);
		assert_int_equal(initramfs_write(fd, agent, stress, &f->modules, &f->e), 0);
		close(fd);
		assert_int_equal(file_read(path[i], 1 << 20, &bytes[i], &len[i], &f->e), 0);
	}
	assert_int_equal(len[0], len[1]);
	assert_memory_equal(bytes[0], bytes[1], len[0]);
	assert_memory_equal(bytes[0], "070701", 6);
	free(bytes[0]);
	free(bytes[1]);
}

static void missing_program_is_named(void **state)
{
	struct fixture *f = *state;
	int fd = open("/dev/null", O_WRONLY);

	assert_int_equal(initramfs_write(fd, "/nowhere/agent", "/nowhere/stress", NULL, &f->e), -ENOENT);
	assert_non_null(strstr(f->e.text, "/nowhere/agent"));
	close(fd);
}

static void full_disk_is_an_error(void **state)
{
	char agent[PATH_LEN_MAX], stress[PATH_LEN_MAX];
	struct fixture *f = *state;
	int fd = open("/dev/full", O_WRONLY);

	make_contents(f, agent, stress);
	assert_int_equal(initramfs_write(fd, agent, stress, &f->modules, &f->e), -ENOSPC);
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(needs_come_first_and_once, setup, teardown),
		cmocka_unit_test_setup_teardown(built_in_is_left_out, setup, teardown),
		cmocka_unit_test_setup_teardown(missing_is_a_skip_that_names_it, setup, teardown),
		cmocka_unit_test_setup_teardown(optional_may_be_missing, setup, teardown),
		cmocka_unit_test_setup_teardown(archive_holds_what_the_guest_needs, setup, teardown),
		cmocka_unit_test_setup_teardown(equal_contents_make_equal_bytes, setup, teardown),
		cmocka_unit_test_setup_teardown(missing_program_is_named, setup, teardown),
		cmocka_unit_test_setup_teardown(full_disk_is_an_error, setup, teardown),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("initramfs", tests, NULL, NULL);
}
