// SPDX-License-Identifier: MIT
/* oomlab record's options as a spec. */
#include "harness/recording.h"

#include "harness/engine/spec.h"
#include "harness/scenario/programs.h"
#include "lib/json.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#define MIB (1ULL << 20)

static char *argv_of_two[] = { (char *)"sort", (char *)"-r", NULL };

static void drop(struct recording *r)
{
	json_decref(r->limits);
	json_decref(r->env);
	json_decref(r->files);
}

static void limits(void **state)
{
	static const char *const good[][3] = {
		{ "memory.max", "64M", "67108864" },   { "memory.max", "0", "0" },
		{ "memory.max", "50%", "50%" },        { "memory.high", "max", "max" },
		{ "memory.swap.max", "1.5K", "1536" }, { "pids.max", "12", "12" },
		{ "pids.max", "max", "max" },          { "memory.oom.group", "1", "1" },
	};
	static const char *const bad[][3] = {
		{ "memory.max", "64Q", "K, M, G or T" },
		{ "memory.max", "64", "K, M, G or T" },
		{ "memory.max", "", "or N%, or max" },
		{ "memory.max", "101%", "or N%, or max" },
		{ "memory.max", "-1M", "or N%" },
		{ "pids.max", "-1", "a whole number, or max" },
		{ "pids.max", "1M", "a whole number" },
		{ "memory.oom.group", "max", "a whole number" },
		{ "memory.mx", "1M", "did you mean memory.max" },
	};
	struct recording r = { 0 };
	struct err e = ERR_INIT;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		assert_int_equal(recording_limit(&r, good[i][0], good[i][1], &e), 0);
		assert_string_equal(json_text(r.limits, good[i][0], ""), good[i][2]);
	}
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_int_equal(recording_limit(&r, bad[i][0], bad[i][1], &e), -EINVAL);
		assert_non_null(strstr(e.text, bad[i][2]));
	}
	drop(&r);
}

static void environment(void **state)
{
	static const char *const bad[] = { "", "=x", "A B=x", "OOMLAB_TEST_ABSENT", "A=\xff" };
	struct recording r = { 0 };
	struct err e = ERR_INIT;
	size_t i;

	(void)state;
	setenv("OOMLAB_TEST_THERE", "own", 1);
	assert_int_equal(recording_env(&r, "OOMLAB_TEST_THERE", &e), 0);
	assert_int_equal(recording_env(&r, "A=b=c", &e), 0);
	assert_int_equal(recording_env(&r, "EMPTY=", &e), 0);
	assert_string_equal(json_text(r.env, "OOMLAB_TEST_THERE", ""), "own");
	assert_string_equal(json_text(r.env, "A", ""), "b=c");
	assert_string_equal(json_text(r.env, "EMPTY", "?"), "");
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(recording_env(&r, bad[i], &e), -EINVAL);
	drop(&r);
}

static void text(void **state)
{
	static const char *const rows[][2] = {
		{ "", "" },
		{ "a\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80z", "a\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80z" },
		{ "a\xff\xfez", "a\xef\xbf\xbd\xef\xbf\xbdz" },
		{ "\xc3", "\xef\xbf\xbd" },
		{ "\xe2\x82z", "\xef\xbf\xbd\xef\xbf\xbdz" },
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char *got = recording_text(rows[i][0]);

		assert_string_equal(got, rows[i][1]);
		free(got);
	}
}

static json_t *spec_of(const struct recording *r, struct spec *ret)
{
	json_t *json = recording_spec(r);
	struct err e = ERR_INIT;
	char *as_text;

	assert_non_null(json);
	as_text = json_dumps(json, 0);
	assert_int_equal(spec_parse(as_text, strlen(as_text), ret, &e), 0);
	free(as_text);
	return json;
}

/* What the engine makes of it, on the host. */
static void host_spec(void **state)
{
	struct recording r = { .argv = argv_of_two,
			       .program = "/usr/bin/sort",
			       .cpu_list = "0-1",
			       .cpus = 2,
			       .oom_score_adj = 7 };
	struct spec s;
	json_t *json;

	(void)state;
	assert_int_equal(recording_limit(&r, "memory.max", "64M", NULL), 0);
	json = spec_of(&r, &s);
	assert_string_equal(json_text(json, "scenario", ""), "sort");
	assert_string_equal(json_text(json, "place", ""), "host");
	assert_true(json_is_null(json_object_get(json, "machine")));
	assert_int_equal(s.process_count, 1);
	assert_int_equal(s.processes[0].streams, STREAMS_CALLER);
	assert_string_equal(s.processes[0].argv[1], "-r");
	assert_null(s.processes[0].env[0]); /* the caller's is nobody's business */
	assert_int_equal(s.processes[0].group, 0);
	assert_true(s.processes[0].adj_set);
	assert_int_equal(s.processes[0].adj, 7);
	assert_true(s.processes[0].settings.cpus_set);
	assert_int_equal(s.setup_count, 1);
	assert_string_equal(s.setup[0].key, "memory.max");
	assert_string_equal(s.setup[0].value, "67108864");
	assert_int_equal(s.every_ns, RECORDING_EVERY_NS);
	assert_true(s.timeout_ns > 1000ULL * 86400 * 1000000000);
	spec_free(&s);
	json_decref(json);
	r.timeout_ns = 5;
	r.every_ns = 3;
	json = spec_of(&r, &s);
	assert_int_equal(s.timeout_ns, 5);
	assert_int_equal(s.every_ns, 3);
	spec_free(&s);
	json_decref(json);
	drop(&r);
}

static void guest_spec(void **state)
{
	static const struct {
		const char *memory, *swap;
		uint64_t given, want_memory, want_swap;
	} rows[] = {
		{ "64M", NULL, 0, RECORDING_MACHINE_MIN, 0 },
		{ NULL, NULL, 0, RECORDING_MACHINE_MIN, 0 },
		{ "4G", "1000K", 0, (4096 + 256) * MIB, MIB },
		{ "max", "max", 0, RECORDING_MACHINE_MIN, RECORDING_MACHINE_MIN },
		{ "50%", "25%", 256 * MIB, 256 * MIB, 64 * MIB },
		{ "64M", "0", 128 * MIB, 128 * MIB, 0 },
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct recording r = { .guest = true,
				       .argv = argv_of_two,
				       .program = "/opt/-x y/.z",
				       .machine_memory_bytes = rows[i].given,
				       .cpus = 3,
				       .stdin_path = "/in" };
		struct spec s;
		json_t *json, *machine, *swap;

		assert_int_equal(recording_env(&r, "A=b", NULL), 0);
		if (rows[i].memory)
			assert_int_equal(recording_limit(&r, "memory.max", rows[i].memory, NULL), 0);
		if (rows[i].swap)
			assert_int_equal(recording_limit(&r, "memory.swap.max", rows[i].swap, NULL), 0);
		json = spec_of(&r, &s);
		machine = json_object_get(json, "machine");
		swap = json_object_get(machine, "swap");
		assert_string_equal(json_text(json, "scenario", ""), "z");
		assert_string_equal(json_text(machine, "kernel", ""), RECORDING_KERNEL);
		assert_int_equal(json_number(machine, "memory", 0), rows[i].want_memory);
		assert_int_equal(json_number(machine, "cpus", 0), 3);
		assert_int_equal(json_number(swap, "size", 0), rows[i].want_swap);
		assert_int_equal(json_is_null(swap), rows[i].want_swap == 0);
		assert_int_equal(s.processes[0].streams, STREAMS_KEPT);
		assert_string_equal(s.processes[0].env[0], "PATH=" PROGRAM_PATH);
		assert_string_equal(s.processes[0].env[1], "A=b");
		assert_string_equal(s.processes[0].stdin_file, "/in");
		assert_false(s.processes[0].adj_set);
		spec_free(&s);
		json_decref(json);
		drop(&r);
	}
}

static void write_program(const char *path, const char *what, mode_t mode)
{
	assert_int_equal(file_write(path, what, strlen(what), NULL), 0);
	assert_int_equal(chmod(path, mode), 0);
}

static int find(char *word, const char *path_list, struct recording *r, struct err *e)
{
	char *argv[] = { word, NULL }, whole[256];
	int ret;

	memset(r, 0, sizeof(*r));
	r->argv = argv;
	snprintf(whole, sizeof(whole), "PATH=%s", path_list);
	assert_int_equal(recording_env(r, whole, NULL), 0);
	ret = recording_find(r, e);
	json_decref(r->env);
	return ret;
}

static void programs(void **state)
{
	char dir[] = "/tmp/oomlab-recording.XXXXXX", path[64], lists[80];
	struct err e = ERR_INIT;
	struct recording r;

	(void)state;
	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/good", dir);
	write_program(path, "#!/bin/sh\n", 0755);
	snprintf(lists, sizeof(lists), "/nowhere:%s", dir);
	assert_int_equal(find((char *)"good", lists, &r, &e), 0);
	assert_string_equal(r.program, path);
	assert_int_equal(find(path, "/nowhere", &r, &e), 0);
	assert_string_equal(r.program, path);
	assert_int_equal(find((char *)"good", "/nowhere", &r, &e), -ENOENT);
	assert_non_null(strstr(e.text, "no such program in /nowhere"));
	assert_int_equal(find((char *)"", lists, &r, &e), -ENOENT);
	assert_int_equal(find(dir, lists, &r, &e), -EACCES);
	snprintf(path, sizeof(path), "%s/lost", dir);
	write_program(path, "#!/nowhere/sh\n", 0755);
	assert_int_equal(find(path, lists, &r, &e), -ENOENT);
	assert_non_null(strstr(e.text, "its interpreter /nowhere/sh"));
	assert_int_equal(tree_remove(dir, NULL), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(limits),    cmocka_unit_test(environment), cmocka_unit_test(text),
		cmocka_unit_test(host_spec), cmocka_unit_test(guest_spec),  cmocka_unit_test(programs),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("recording", tests, NULL, NULL);
}
