// SPDX-License-Identifier: MIT
/* The cache of snapshots: whole or not at all, checked before use, bounded, one maker at a time. */
#include "harness/places/snapshot.h"

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

#define CONSOLE  "[    0.0] Linux\n"
#define STATE    "QEVM and so on"
#define KEY_TEXT "01020304050607080900000000000000.snapshot"
#define BLOCK    (1u << 20)

static const struct snapshot_key key = { { 1, 2, 3, 4, 5, 6, 7, 8, 9 } };

struct fixture {
	char dir[64];
	char file[160];
};

static int make_cache(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	*state = f;
	strcpy(f->dir, "/tmp/oomlab-snapshot.XXXXXX");
	if (!mkdtemp(f->dir))
		return -1;
	snprintf(f->file, sizeof(f->file), "%s/oomlab/snapshots/" KEY_TEXT, f->dir);
	unsetenv("OOMLAB_SNAPSHOTS_MAX");
	return setenv("XDG_CACHE_HOME", f->dir, 1);
}

static int drop_cache(void **state)
{
	struct fixture *f = *state;
	int r = tree_remove(f->dir, NULL);

	free(f);
	return r;
}

static void save(const struct snapshot_key *k, size_t bytes)
{
	struct snapshot s;
	char *state = calloc(1, bytes);

	memcpy(state, STATE, sizeof(STATE));
	assert_int_equal(snapshot_begin(CONSOLE, strlen(CONSOLE), bytes, &s), 0);
	assert_int_equal(write_all(s.fd, state, bytes), 0);
	assert_int_equal(snapshot_commit(&s, k), 0);
	snapshot_close(&s);
	free(state);
}

static bool is_there(const struct snapshot_key *k)
{
	struct snapshot s;

	if (snapshot_open(k, &s) < 0)
		return false;
	snapshot_close(&s);
	return true;
}

static void test_what_was_saved_comes_back(void **state)
{
	char text[sizeof(STATE)];
	struct snapshot s;

	(void)state;
	assert_int_equal(snapshot_open(&key, &s), -ENOENT);
	save(&key, sizeof(STATE));
	assert_int_equal(snapshot_open(&key, &s), 0);
	assert_int_equal(s.console_bytes, strlen(CONSOLE));
	assert_memory_equal(s.console, CONSOLE, strlen(CONSOLE));
	assert_int_equal(read(s.fd, text, sizeof(text)), sizeof(text)); /* from its offset on */
	assert_string_equal(text, STATE);
	snapshot_close(&s);
	assert_false(is_there(&(struct snapshot_key){ { 9 } }));
	snapshot_remove(&key);
	assert_false(is_there(&key));
}

static void test_unfinished_leaves_nothing(void **state)
{
	struct fixture *f = *state;
	char dir[160];
	struct snapshot s;

	assert_int_equal(snapshot_begin(CONSOLE, strlen(CONSOLE), 64, &s), 0);
	assert_int_equal(write_all(s.fd, STATE, sizeof(STATE)), 0);
	snprintf(dir, sizeof(dir), "%s/oomlab/snapshots", f->dir);
	assert_int_equal(dir_is_empty(dir), 1);
	snapshot_close(&s);
	assert_int_equal(dir_is_empty(dir), 1);
}

static void change_byte(const char *path, off_t at)
{
	int fd = open(path, O_RDWR | O_CLOEXEC);
	unsigned char c;

	assert_true(fd >= 0);
	assert_int_equal(pread(fd, &c, 1, at), 1);
	c ^= 1;
	assert_int_equal(pwrite(fd, &c, 1, at), 1);
	close(fd);
}

/* A bit anywhere, a cut: found, deleted, as if it had never been. */
static void test_damaged_ones_are_deleted(void **state)
{
	struct fixture *f = *state;
	const off_t places[] = { 0, 8, 12, 16, 24, 4096, 4096 + (off_t)strlen(CONSOLE), 4096 + 100 };
	struct stat st;
	size_t i;

	for (i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		save(&key, 4096);
		change_byte(f->file, places[i]);
		assert_false(is_there(&key));
		assert_int_equal(access(f->file, F_OK), -1);
	}
	for (i = 0; i < 3; i++) {
		save(&key, 4096);
		assert_int_equal(stat(f->file, &st), 0);
		assert_int_equal(truncate(f->file, i == 0 ? 0 : i == 1 ? 4096 : st.st_size - 1), 0);
		assert_false(is_there(&key));
	}
	save(&key, 4096);
	assert_true(is_there(&key));
}

static void test_one_maker_at_a_time(void **state)
{
	struct snapshot first, second;

	(void)state;
	assert_int_equal(snapshot_begin(CONSOLE, 1, 64, &first), 0);
	assert_int_equal(snapshot_begin(CONSOLE, 1, 64, &second), -EBUSY);
	snapshot_close(&first);
	assert_int_equal(snapshot_begin(CONSOLE, 1, 64, &second), 0);
	snapshot_close(&second);
}

static void test_the_least_recently_used_go(void **state)
{
	struct snapshot_key keys[4] = { { { 1 } }, { { 2 } }, { { 3 } }, { { 4 } } };
	size_t i;

	(void)state;
	setenv("OOMLAB_SNAPSHOTS_MAX", "3500K", 1);
	for (i = 0; i < 3; i++)
		save(&keys[i], BLOCK);
	assert_true(is_there(&keys[0])); /* used: the second one is the oldest now */
	save(&keys[3], BLOCK);
	assert_true(is_there(&keys[0]));
	assert_false(is_there(&keys[1]));
	assert_true(is_there(&keys[2]));
	assert_true(is_there(&keys[3]));
}

static void test_larger_than_the_limit(void **state)
{
	char block[8192] = "";
	struct snapshot s;

	(void)state;
	save(&key, sizeof(STATE));
	setenv("OOMLAB_SNAPSHOTS_MAX", "4K", 1);
	assert_int_equal(snapshot_begin(CONSOLE, 1, 64, &s), 0);
	assert_int_equal(write_all(s.fd, block, sizeof(block)), 0);
	assert_int_equal(snapshot_commit(&s, &(struct snapshot_key){ { 7 } }), -ENOSPC);
	snapshot_close(&s);
	assert_true(is_there(&key)); /* others do not go for one that is not kept */
}

static void test_no_room(void **state)
{
	struct err e = ERR_INIT;
	struct snapshot s;

	(void)state;
	assert_int_equal(snapshot_room(1ULL << 60, &e), -ENOSPC);
	assert_non_null(strstr(e.text, "are free"));
	assert_int_equal(snapshot_begin(CONSOLE, 1, 1ULL << 60, &s), -ENOSPC);
	assert_int_equal(snapshot_room(4096, &e), 0);
}

#define WITH_CACHE(test) cmocka_unit_test_setup_teardown(test, make_cache, drop_cache)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_CACHE(test_what_was_saved_comes_back),
		WITH_CACHE(test_unfinished_leaves_nothing),
		WITH_CACHE(test_damaged_ones_are_deleted),
		WITH_CACHE(test_one_maker_at_a_time),
		WITH_CACHE(test_the_least_recently_used_go),
		WITH_CACHE(test_larger_than_the_limit),
		WITH_CACHE(test_no_room),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
