// SPDX-License-Identifier: MIT
/* What belongs to a program, found on this machine, and the file system for guests that is made of it. */
#include "harness/places/closure.h"

#include "guest/devices.h"
#include "harness/places/executable.h"
#include "harness/places/image.h"
#include "harness/places/programs.h"
#include "lib/capture.h"
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

struct fixture {
	char dir[64], path[PATH_LEN_MAX];
	struct closure c;
	struct err e;
};

static const char *const plain[] = { "PATH=/usr/bin:/bin", NULL };

static int make_dir(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	*state = f;
	strcpy(f->dir, "/tmp/oomlab-closure.XXXXXX");
	return mkdtemp(f->dir) ? 0 : -1;
}

static int drop_dir(void **state)
{
	struct fixture *f = *state;
	int r = tree_remove(f->dir, NULL);

	closure_free(&f->c);
	free(f);
	return r;
}

static const char *in_dir(struct fixture *f, const char *name)
{
	path_format(f->path, "%s/%s", f->dir, name);
	return f->path;
}

static const char *script(struct fixture *f, const char *name, const char *text)
{
	in_dir(f, name);
	assert_int_equal(file_write(f->path, text, strlen(text), &f->e), 0);
	assert_int_equal(chmod(f->path, 0755), 0);
	return f->path;
}

/* Is there an entry whose path ends so? */
static const struct closure_entry *ending(const struct closure *c, const char *end)
{
	size_t i;

	for (i = 0; i < c->count; i++) {
		const char *path = c->entries[i]->path;

		if (strlen(path) >= strlen(end) && strcmp(path + strlen(path) - strlen(end), end) == 0)
			return c->entries[i];
	}
	return NULL;
}

/* What the dynamic loader would open is there: this very program has libraries. */
static void test_elf(void **state)
{
	struct fixture *f = *state;
	const struct closure_entry *libc;
	struct executable x;
	size_t i;

	assert_int_equal(executable_read("/proc/self/exe", &x, &f->e), 0);
	assert_false(x.script);
	assert_true(x.dynamic);
	assert_int_equal(x.bits, (int)sizeof(void *) * 8);
	assert_true(readlink("/proc/self/exe", f->path, sizeof(f->path) - 1) > 0);
	assert_int_equal(closure_program(&f->c, f->path, plain, &f->e), 0);
	assert_non_null(closure_find(&f->c, f->path));
	libc = ending(&f->c, "/libc.so.6");
	assert_non_null(libc);
	assert_true(S_ISREG(libc->mode) && libc->bytes > 100000);
	assert_non_null(ending(&f->c, "/libcmocka.so.0"));
	assert_string_equal(f->c.loader, x.interpreter);
	closure_sort(&f->c);
	assert_non_null(closure_find(&f->c, "/etc"));
	for (i = 1; i < f->c.count; i++)
		assert_true(strcmp(f->c.entries[i - 1]->path, f->c.entries[i]->path) < 0);
}

/* Packages that are unpacked and not installed: their files are at the paths that they have when they are. */
static void test_overlay(void **state)
{
	struct fixture *f = *state;
	const struct closure_entry *found;
	char root[PATH_LEN_MAX];

	path_format(root, "%s/root", f->dir);
	assert_int_equal(dir_make(in_dir(f, "root/opt/it"), &f->e), 0);
	assert_int_equal(symlink("run", in_dir(f, "root/opt/it/link")), 0);
	strcpy(f->c.overlay, root);
	assert_int_equal(closure_program(&f->c, script(f, "root/opt/it/run", "#!/bin/sh\n"), plain, &f->e),
			 0);
	assert_int_equal(closure_file(&f->c, root, plain, &f->e), 0);
	f->c.overlay[0] = 0;
	found = closure_find(&f->c, "/opt/it/run");
	assert_non_null(found);
	assert_string_equal(found->source, in_dir(f, "root/opt/it/run"));
	assert_string_equal(closure_find(&f->c, "/opt/it/link")->target, "run");
	/* What it needs is this machine's; where the packages lie on it is nowhere. */
	found = ending(&f->c, "/libc.so.6");
	assert_non_null(found);
	assert_null(found->source);
	assert_null(closure_find(&f->c, f->dir));
	assert_null(closure_find(&f->c, root));
}

/* A path through links: each of them, and what it leads to, by names without links. */
static void test_links(void **state)
{
	struct fixture *f = *state;
	char real[PATH_LEN_MAX], path[PATH_LEN_MAX];
	const struct closure_entry *entry;

	assert_int_equal(mkdir(in_dir(f, "usr"), 0750), 0);
	assert_int_equal(file_write(in_dir(f, "usr/data"), "x", 1, &f->e), 0);
	assert_int_equal(symlink("usr", in_dir(f, "lib")), 0);
	path_format(real, "%s/lib/./data", f->dir);
	assert_int_equal(symlink(real, in_dir(f, "usr/name")), 0);
	path_format(path, "%s/usr/../lib/name", f->dir);
	assert_int_equal(closure_file(&f->c, path, plain, &f->e), 0);
	entry = closure_find(&f->c, in_dir(f, "lib"));
	assert_non_null(entry);
	assert_string_equal(entry->target, "usr");
	entry = closure_find(&f->c, in_dir(f, "usr/name"));
	assert_non_null(entry);
	assert_string_equal(entry->target, real);
	entry = closure_find(&f->c, in_dir(f, "usr"));
	assert_non_null(entry);
	assert_int_equal(entry->mode, S_IFDIR | 0750);
	assert_non_null(closure_find(&f->c, in_dir(f, "usr/data")));
	assert_null(closure_find(&f->c, path));
	/* Round in circles */
	assert_int_equal(symlink("loop", in_dir(f, "loop")), 0);
	assert_int_equal(closure_file(&f->c, in_dir(f, "loop"), plain, &f->e), -ELOOP);
	assert_int_equal(closure_file(&f->c, in_dir(f, "gone"), plain, &f->e), -ENOENT);
	assert_non_null(strstr(f->e.text, "/gone"));
}

static void test_scripts(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(closure_program(&f->c, script(f, "a", "#! /bin/sh -e\ntrue\n"), plain, &f->e), 0);
	assert_non_null(closure_find(&f->c, in_dir(f, "a")));
	assert_non_null(ending(&f->c, "bin/dash") ?: ending(&f->c, "bin/bash"));
	assert_non_null(ending(&f->c, "/libc.so.6"));
	assert_null(ending(&f->c, "bin/sort"));
	assert_int_equal(executable_bits(f->path, "", &f->e), (int)sizeof(void *) * 8);
	script(f, "b", "#!/usr/bin/env -S A=1 sort -n\n");
	assert_int_equal(closure_program(&f->c, f->path, plain, &f->e), 0);
	assert_non_null(ending(&f->c, "bin/env"));
	assert_non_null(ending(&f->c, "bin/sort"));
	script(f, "c", "#!/usr/bin/env no-such-program\n");
	assert_int_equal(closure_program(&f->c, f->path, plain, &f->e), -ENOENT);
	assert_non_null(strstr(f->e.text, "no-such-program"));
	assert_int_equal(closure_program(&f->c, script(f, "d", "#!/nowhere/sh\n"), plain, &f->e), -ENOENT);
	assert_non_null(strstr(f->e.text, "/nowhere/sh"));
	assert_int_equal(closure_program(&f->c, script(f, "e", "true\n"), plain, &f->e), -ENOEXEC);
	script(f, "f", "#!");
	strcat(strcpy(f->e.text, "#!"), f->path);
	script(f, "f", f->e.text);
	assert_int_equal(closure_program(&f->c, f->path, plain, &f->e), -ELOOP);
	assert_int_equal(executable_bits(f->path, "", &f->e), -ELOOP);
}

/* This program, told to need a library that there is not: its bytes, but for one letter of a name. */
static void test_missing_library(void **state)
{
	static const char name[] = "libcmocka.so.0";
	struct fixture *f = *state;
	char *text, *at;
	size_t len;

	assert_int_equal(file_read("/proc/self/exe", 256u << 20, &text, &len, &f->e), 0);
	for (at = text; (at = memmem(at, len - (size_t)(at - text), name, sizeof(name))); at++)
		if (at[-1] == 0) /* in .dynstr, and not here above */
			at[3] = 'X';
	in_dir(f, "program");
	assert_int_equal(file_write(f->path, text, len, &f->e), 0);
	free(text);
	assert_int_equal(chmod(f->path, 0755), 0);
	assert_int_equal(closure_program(&f->c, f->path, plain, &f->e), -ENOENT);
	assert_non_null(strstr(f->e.text, "libXmocka.so.0"));
	assert_non_null(strstr(f->e.text, f->path));
	/* Among further files it is no error: nobody said that it is to run. */
	assert_int_equal(closure_file(&f->c, f->path, plain, &f->e), 0);
}

static void test_preload(void **state)
{
	const char *const with[] = { "LD_PRELOAD=libm.so.6", NULL };
	const char *const wrong[] = { "LD_PRELOAD=/nowhere.so", NULL };
	struct fixture *f = *state;

	assert_int_equal(closure_program(&f->c, "/usr/bin/env", plain, &f->e), 0);
	assert_null(ending(&f->c, "/libm.so.6"));
	assert_int_equal(closure_program(&f->c, "/usr/bin/env", with, &f->e), 0);
	assert_non_null(ending(&f->c, "/libm.so.6"));
	assert_int_equal(closure_program(&f->c, "/usr/bin/env", wrong, &f->e), -ENOENT);
	assert_non_null(strstr(f->e.text, "/nowhere.so"));
}

static void test_python(void **state)
{
	struct fixture *f = *state;
	size_t i;

	if (!paths_executable("/usr/bin/python3"))
		skip();
	assert_int_equal(closure_program(&f->c, script(f, "a", "#!/usr/bin/env python3\n"), plain, &f->e), 0);
	assert_non_null(ending(&f->c, "/json/decoder.py"));
	assert_non_null(ending(&f->c, "/encodings/utf_8.py"));
	for (i = 0; i < f->c.count; i++) {
		const char *path = f->c.entries[i]->path;

		assert_null(strstr(path, "/test/"));
		assert_null(strstr(path, "-packages/"));
		assert_true(!strstr(path, "/__pycache__/") || !strstr(path, ".opt-"));
	}
	/* A library that no program names, but a module of Python's does */
	if (ending(&f->c, "_sqlite3.cpython-311-x86_64-linux-gnu.so"))
		assert_non_null(ending(&f->c, "/libsqlite3.so.0"));
}

static json_t *spec_of(const char *program, const char *file)
{
	return json_pack("{s:[{s:s}, {s:s, s:[s], s:s, s:{s:s}, s:[s]}]}", "processes", "name", "other",
			 "name", "app", "exec", "x", "program", program, "env", "PATH", "/usr/bin:/bin",
			 "files", file);
}

/* Where the kernel is told that the data begin: dataoff of struct nd_pfn_sb, 4096 bytes into the device. */
static uint64_t offset_of(int fd)
{
	uint64_t offset = 0;

	assert_int_equal(pread(fd, &offset, sizeof(offset), 4096 + 56), sizeof(offset));
	return offset;
}

/* The answer of e2fsprogs, which knows nothing of how the image was made. */
static void ask(int fd, const char *request, char **ret_text)
{
	char image[96], program[PATH_LEN_MAX];
	const char *const command[] = { program, "-R", request, image, NULL };
	int status;

	assert_int_equal(paths_program(PROGRAMS_FILLER, program), 0);
	snprintf(image, sizeof(image), "/proc/%d/fd/%d?offset=%llu", (int)getpid(), fd,
		 (unsigned long long)offset_of(fd));
	assert_int_equal(capture(command, 20000, ret_text, &status, NULL), 0);
}

static void *bytes_of(int fd, size_t len)
{
	void *all = malloc(len);

	assert_int_equal(pread(fd, all, len, 0), len);
	return all;
}

/* In the image everything is as it is here: contents, modes, times, links, odd names. */
static void test_image(void **state)
{
	struct fixture *f = *state;
	char path[PATH_LEN_MAX], odd[PATH_LEN_MAX], request[2 * PATH_LEN_MAX];
	const struct timespec times[2] = { { 1234567890, 0 }, { 1234567890, 0 } };
	uint64_t bytes = 0, again = 0;
	json_t *spec;
	char *text;
	void *data;
	int fd;

	if (paths_program(PROGRAMS_FILLER, path) < 0 || paths_program(IMAGE_PROGRAM, path) < 0)
		skip();
	strcpy(path, script(f, "run", "#!/bin/sh\n"));
	assert_int_equal(utimensat(AT_FDCWD, path, times, 0), 0);
	assert_int_equal(mkdir(in_dir(f, "more"), 0755), 0);
	strcpy(odd, in_dir(f, "more/a \"b\" 'c' $d;e"));
	assert_int_equal(file_write(odd, "odd", 3, &f->e), 0);
	spec = spec_of(path, in_dir(f, "more"));
	assert_true(programs_wanted(spec));
	fd = programs_image(spec, &bytes, &f->e);
	if (fd < 0)
		fail_msg("%s", f->e.text);
	assert_int_equal(bytes % (2 << 20), 0);
	/* What the kernel shows as a device is what follows its own notes, 64 bytes for each page. */
	assert_int_equal(offset_of(fd) % (2 << 20), 0);
	assert_true(offset_of(fd) >= 8192 + bytes / 4096 * 64);
	data = bytes_of(fd, bytes);
	assert_int_equal(file_write(in_dir(f, "device"), (char *)data + offset_of(fd), 4096, &f->e), 0);
	assert_true(device_holds(f->path, DEVICE_PROGRAMS_UUID));
	assert_false(device_holds(f->path, DEVICE_DATA_UUID));
	free(data);
	snprintf(request, sizeof(request), "cat %s", path);
	ask(fd, request, &text);
	assert_non_null(strstr(text, "\n#!/bin/sh\n"));
	free(text);
	snprintf(request, sizeof(request), "stat %s", path);
	ask(fd, request, &text);
	assert_non_null(strstr(text, "Mode:  0755"));
	snprintf(request, sizeof(request), " mtime: 0x%08x:", 1234567890);
	assert_non_null(strstr(text, request));
	free(text);
	ask(fd, "stat /bin/sh", &text);
	assert_non_null(strstr(text, "Fast link dest: \"dash\""));
	free(text);
	snprintf(request, sizeof(request), "ls -p %s/more", f->dir);
	ask(fd, request, &text);
	assert_non_null(strstr(text, "/a \"b\" 'c' $d;e/3/"));
	free(text);
	/* Asked again it is the same one, also when its files have changed since. */
	assert_int_equal(file_write(odd, "other", 5, &f->e), 0);
	assert_int_equal(programs_image(spec, &again, &f->e), fd);
	assert_int_equal(again, bytes);
	json_decref(spec);
}

/* Two sets that differ in their name alone have images with the same bytes, whenever they are made. */
static void test_same_bytes(void **state)
{
	struct fixture *f = *state;
	char path[PATH_LEN_MAX], file[PATH_LEN_MAX], dotted[2 * PATH_LEN_MAX];
	uint64_t bytes[2] = { 0 };
	json_t *specs[2];
	void *all[2];
	int i, fds[2];

	if (paths_program(PROGRAMS_FILLER, path) < 0 || paths_program(IMAGE_PROGRAM, path) < 0)
		skip();
	strcpy(path, script(f, "run", "#!/bin/sh\n"));
	strcpy(file, in_dir(f, "run"));
	snprintf(dotted, sizeof(dotted), "%s/./run", f->dir);
	specs[0] = spec_of(path, file);
	specs[1] = spec_of(path, dotted);
	for (i = 0; i < 2; i++) {
		fds[i] = programs_image(specs[i], &bytes[i], &f->e);
		assert_true(fds[i] >= 0);
		all[i] = bytes_of(fds[i], bytes[i]);
		sleep(i == 0); /* a second later by the clock that file systems have */
	}
	assert_int_not_equal(fds[0], fds[1]);
	assert_int_equal(bytes[0], bytes[1]);
	assert_memory_equal(all[0], all[1], bytes[0]);
	for (i = 0; i < 2; i++) {
		json_decref(specs[i]);
		free(all[i]);
	}
}

static void test_fit(void **state)
{
	uint64_t bytes = 0;
	struct fixture *f = *state;
	json_t *spec = spec_of(script(f, "run", "#!/bin/sh\n"), "/etc");

	assert_int_equal(programs_there(spec, &f->e), 0);
	assert_int_equal(programs_fit(spec, 64, &f->e), 0);
	assert_int_equal(programs_fit(spec, 32, &f->e), sizeof(void *) == 8 ? -EOPNOTSUPP : 0);
	json_decref(spec);
	spec = spec_of("/nowhere/run", "/etc"); /* no skip: broken, when it is to be used */
	assert_int_equal(programs_fit(spec, 32, &f->e), 0);
	assert_int_equal(programs_image(spec, &bytes, &f->e), -ENOENT);
	assert_non_null(strstr(f->e.text, "processes.app: /nowhere/run"));
	json_decref(spec);
	spec = json_pack("{s:[{s:s, s:{s:s, s:s}}]}", "processes", "name", "p", "malloc", "name", "fast",
			 "package", "libfast1");
	assert_int_equal(programs_there(spec, &f->e), -EOPNOTSUPP);
	assert_string_equal(f->e.text, "processes.p: fast is not installed: apt-get install libfast1");
	json_decref(spec);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_elf, make_dir, drop_dir),
		cmocka_unit_test_setup_teardown(test_overlay, make_dir, drop_dir),
		cmocka_unit_test_setup_teardown(test_links, make_dir, drop_dir),
		cmocka_unit_test_setup_teardown(test_scripts, make_dir, drop_dir),
		cmocka_unit_test_setup_teardown(test_missing_library, make_dir, drop_dir),
		cmocka_unit_test_setup_teardown(test_preload, make_dir, drop_dir),
		cmocka_unit_test_setup_teardown(test_python, make_dir, drop_dir),
		cmocka_unit_test_setup_teardown(test_image, make_dir, drop_dir),
		cmocka_unit_test_setup_teardown(test_same_bytes, make_dir, drop_dir),
		cmocka_unit_test_setup_teardown(test_fit, make_dir, drop_dir),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
