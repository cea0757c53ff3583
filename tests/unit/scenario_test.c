// SPDX-License-Identifier: MIT
/* Good scenarios: their specs, defaults, overrides, `where`; the reference page; scenarios/. */
#include "harness/scenario/scenario.h"

#include "lib/files.h"
#include "lib/json.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <cmocka.h>

#include "tests/unit/scenario_known.h"

#define SMALL   "scenario: small\nprocesses: {hog: {run: [memset]}}\n"
#define EXAMPLE "tests/fixtures/scenarios/example.yaml"

/* Loads a file that must be good. */
static struct scenario *load_good(const char *path, const struct scenario_options *o)
{
	struct complaints *c = complaints_new();
	struct scenario *s = NULL;

	if (scenario_load(path, o, &known, c, &s) < 0)
		complaints_print(c, stderr);
	assert_int_equal(complaints_count(c), 0);
	assert_non_null(s);
	complaints_free(c);
	return s;
}

/* text loads; its first cell's spec is returned with s to be freed. */
static json_t *spec_of(const char *text, const struct scenario_options *o, struct attempt *ret)
{
	*ret = try_text(text, o);
	assert_string_equal(ret->said, "");
	return scenario_spec(ret->s, 0);
}

static void assert_json(const json_t *have, const char *key, const char *want)
{
	char *text = json_dumps(key ? json_object_get(have, key) : have, JSON_COMPACT | JSON_ENCODE_ANY);

	assert_string_equal(text ? text : "absent", want);
	free(text);
}

static void test_example(void **state)
{
	json_t *want = json_load_file("tests/fixtures/scenarios/example.json", 0, NULL);
	struct scenario *s = load_good(EXAMPLE, NULL);
	size_t i;

	(void)state;
	assert_int_equal(scenario_cells(s), 6);
	assert_string_equal(scenario_name(s), "overcommit-modes");
	assert_string_equal(scenario_source(s), "article table, rows A1, A2, D8");
	assert_string_equal(scenario_place(s), "guest");
	assert_string_equal(scenario_path(s), EXAMPLE);
	for (i = 0; i < 6; i++) {
		/* Text, so that the order of the keys counts as well. */
		char *text = json_dumps(json_array_get(want, i), JSON_COMPACT);

		assert_json(scenario_spec(s, i), NULL, text);
		assert_string_equal(scenario_cell(s, i), json_text(json_array_get(want, i), "cell", ""));
		free(text);
	}
	json_decref(want);
	scenario_free(s);
}

static void test_defaults(void **state)
{
	struct attempt a;
	json_t *spec = spec_of(SMALL, NULL, &a);

	(void)state;
	assert_json(spec, "place", "\"host\"");
	assert_json(spec, "cell", "\"all\"");
	assert_json(spec, "axes", "{}");
	assert_json(spec, "machine", "null");
	assert_json(spec, "sysctl", "{}");
	assert_json(spec, "cgroups", "[]");
	assert_json(spec, "processes",
		    "[{\"name\":\"hog\",\"run\":[\"memset\"],\"cgroup\":\"\",\"oom_score_adj\":null}]");
	assert_json(spec, "faults", "[]");
	assert_json(spec, "stop", "{\"timeout\":60000000000,\"settle\":200000000}");
	assert_json(spec, "record", "{\"every\":10000000}");
	assert_json(spec, "expect", "[]");
	assert_string_equal(scenario_about(a.s), "");
	attempt_free(&a);
}

#define KEYS_DEFAULT "\"zswap\":null,\"hugepages\":0,\"thp\":null,\"mglru\":null,\"ksm\":null,"
#define GUEST_DEFAULT                                                                                             \
	"\"memory\":268435456,\"cpus\":1,\"nodes\":[],\"distances\":[],\"swap\":null,\"data\":null," KEYS_DEFAULT \
	"\"cgroup\":\"v2\",\"cmdline\":\"\",\"deterministic\":false,\"seed\":0}"

static void test_machine(void **state)
{
	static const struct {
		const char *text, *place, *machine;
	} cases[] = {
		{ SMALL "machine: {}\n", "\"guest\"", "{\"kernel\":\"debian:6.1\"," GUEST_DEFAULT },
		{ SMALL "place: guest\n", "\"guest\"", "{\"kernel\":\"debian:6.1\"," GUEST_DEFAULT },
		{ SMALL "place: host\nmachine: {}\n", "\"host\"", "{\"kernel\":null," GUEST_DEFAULT },
		{ SMALL "machine: null\n", "\"host\"", "null" },
		{ SMALL "machine: {swap: {kind: none}, kernel: ~}\n", "\"guest\"",
		  "{\"kernel\":\"debian:6.1\"," GUEST_DEFAULT },
		{ SMALL "machine: {swap: {size: 0}}\n", "\"guest\"",
		  "{\"kernel\":\"debian:6.1\"," GUEST_DEFAULT },
		{ SMALL "machine: {memory: 64M, nodes: [32M, 32M], swap: {size: 1M}}\n", "\"guest\"",
		  "{\"kernel\":\"debian:6.1\",\"memory\":67108864,\"cpus\":1,\"nodes\":[33554432,33554432],\"distances\":[],"
		  "\"swap\":{\"size\":1048576,\"kind\":\"disk\"},\"data\":null," KEYS_DEFAULT
		  "\"cgroup\":\"v2\",\"cmdline\":\"\",\"deterministic\":false,\"seed\":0}" },
		{ SMALL
		  "machine:\n  nodes: [128M, 128M]\n  distances: [[10, 11], [255, 10]]\n  thp: never\n"
		  "  mglru: true\n  ksm: true\n  hugepages: 64M\n  zswap: {compressor: lz4, max_pool_percent: 30}\n",
		  "\"guest\"",
		  "{\"kernel\":\"debian:6.1\",\"memory\":268435456,\"cpus\":1,\"nodes\":[134217728,134217728],"
		  "\"distances\":[[10,11],[255,10]],\"swap\":null,\"data\":null,\"zswap\":{\"enabled\":true,\"compressor\":\"lz4\","
		  "\"max_pool_percent\":30},\"hugepages\":67108864,\"thp\":\"never\",\"mglru\":true,\"ksm\":true,"
		  "\"cgroup\":\"v2\",\"cmdline\":\"\",\"deterministic\":false,\"seed\":0}" },
		{ SMALL "machine: {data: {size: 64M}}\n", "\"guest\"",
		  "{\"kernel\":\"debian:6.1\",\"memory\":268435456,\"cpus\":1,\"nodes\":[],\"distances\":[],"
		  "\"swap\":null,\"data\":{\"size\":67108864,\"kind\":\"disk\"}," KEYS_DEFAULT
		  "\"cgroup\":\"v2\",\"cmdline\":\"\",\"deterministic\":false,\"seed\":0}" },
		{ SMALL "machine: {zswap: {}, thp: ~}\n", "\"guest\"",
		  "{\"kernel\":\"debian:6.1\",\"memory\":268435456,\"cpus\":1,\"nodes\":[],\"distances\":[],"
		  "\"swap\":null,\"data\":null,\"zswap\":{\"enabled\":true,\"compressor\":null,\"max_pool_percent\":null},"
		  "\"hugepages\":0,\"thp\":null,\"mglru\":null,\"ksm\":null,"
		  "\"cgroup\":\"v2\",\"cmdline\":\"\",\"deterministic\":false,\"seed\":0}" },
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct attempt a;
		json_t *spec = spec_of(cases[i].text, NULL, &a);

		assert_json(spec, "place", cases[i].place);
		assert_json(spec, "machine", cases[i].machine);
		attempt_free(&a);
	}
}

static void test_groups_and_faults(void **state)
{
	struct attempt a;
	json_t *spec = spec_of(
		SMALL "cgroups:\n"
		      "  a.b/c/d: {memory.max: 50%, pids.max: 10}\n"
		      "  a.b: {memory.max: max}\n"
		      "  x:\n"
		      "faults:\n"
		      "  - {at: 2s, set: {sysctl.vm.swappiness: 1}}\n"
		      "  - {at: 1s, set: {cgroups.a.b.memory.max: 1M, cgroups.a.b/c.memory.max: 1.5K}}\n"
		      "  - {at: 1s, set: {cgroups.x.pids.max: max}}\n",
		NULL, &a);

	(void)state;
	assert_json(spec, "cgroups",
		    "[{\"path\":\"a.b\",\"set\":{\"memory.max\":\"max\"}},{\"path\":\"a.b/c\",\"set\":{}},"
		    "{\"path\":\"a.b/c/d\",\"set\":{\"memory.max\":\"50%\",\"pids.max\":\"10\"}},"
		    "{\"path\":\"x\",\"set\":{}}]");
	assert_json(
		spec, "faults",
		"[{\"at\":1000000000,\"set\":[{\"cgroup\":\"a.b\",\"key\":\"memory.max\",\"value\":\"1048576\"},"
		"{\"cgroup\":\"a.b/c\",\"key\":\"memory.max\",\"value\":\"1536\"}]},"
		"{\"at\":1000000000,\"set\":[{\"cgroup\":\"x\",\"key\":\"pids.max\",\"value\":\"max\"}]},"
		"{\"at\":2000000000,\"set\":[{\"sysctl\":\"vm.swappiness\",\"value\":\"1\"}]}]");
	attempt_free(&a);
}

static void test_expect(void **state)
{
	struct attempt a;
	json_t *spec = spec_of(
		SMALL
		"cgroups: {a/b: {}}\n"
		"expect:\n"
		"  - {that: victim, is: none}\n"
		"  - {that: victim, is: [none, hog]}\n"
		"  - {that: victim, is: null}\n"
		"  - {that: kills, max: 2}\n"
		"  - {that: hog.duration, min: 1.5s}\n"
		"  - {that: cgroup.a.peak, near: 8M}\n"
		"  - {that: cgroup.a/b.oom_kills, near: 8, within: 10%}\n"
		"  - {that: hog.outcome, is: [exited, enomem]}\n"
		"  - {that: hog.guess, is: what}\n"
		"  - {that: system.mem_total, is: 1G}\n"
		"  - {that: hog.touched, min: hog.rss_peak, max: system.mem_total  -  4K + hog.rss_peak}\n"
		"  - {that: cgroup.a/b.oom_kills, near: kills, within: 0}\n"
		"  - {that: constraint, is: none}\n"
		"  - {that: hog.touched, min: 100 * hog.rss_peak, max: 4K + 0.5 * hog.rss_peak  -  2  *  system.mem_total}\n",
		NULL, &a);
	json_t *expect = json_object_get(spec, "expect");
	size_t i;

	(void)state;
	for (i = 0; i < json_array_size(expect); i++)
		json_object_del(json_array_get(expect, i), "at");
	assert_json(json_array_get(expect, 0), NULL, "{\"that\":\"victim\",\"is\":null}");
	assert_json(json_array_get(expect, 1), NULL, "{\"that\":\"victim\",\"is\":[null,\"hog\"]}");
	assert_json(json_array_get(expect, 2), NULL, "{\"that\":\"victim\",\"is\":null}");
	assert_json(json_array_get(expect, 3), NULL, "{\"that\":\"kills\",\"max\":2}");
	assert_json(json_array_get(expect, 4), NULL, "{\"that\":\"hog.duration\",\"min\":1500000000}");
	assert_json(json_array_get(expect, 5), "near", "8388608");
	assert_true(json_real_value(json_object_get(json_array_get(expect, 5), "within")) == 0.05);
	assert_true(json_real_value(json_object_get(json_array_get(expect, 6), "within")) == 0.1);
	assert_json(json_array_get(expect, 7), NULL,
		    "{\"that\":\"hog.outcome\",\"is\":[\"exited\",\"enomem\"]}");
	assert_json(json_array_get(expect, 8), NULL, "{\"that\":\"hog.guess\",\"is\":\"what\"}");
	assert_json(json_array_get(expect, 9), NULL, "{\"that\":\"system.mem_total\",\"is\":1073741824}");
	assert_json(json_array_get(expect, 10), NULL,
		    "{\"that\":\"hog.touched\",\"min\":[\"hog.rss_peak\"],"
		    "\"max\":[\"system.mem_total\",\"-\",4096,\"+\",\"hog.rss_peak\"]}");
	assert_json(json_array_get(expect, 11), "near", "[\"kills\"]");
	assert_true(json_real_value(json_object_get(json_array_get(expect, 11), "within")) == 0);
	assert_json(json_array_get(expect, 12), NULL, "{\"that\":\"constraint\",\"is\":\"none\"}");
	assert_json(json_array_get(expect, 13), NULL,
		    "{\"that\":\"hog.touched\",\"min\":[[100,\"hog.rss_peak\"]],"
		    "\"max\":[4096,\"+\",[0.5,\"hog.rss_peak\"],\"-\",[2,\"system.mem_total\"]]}");
	attempt_free(&a);
}

/* Metrics that one stressor has of its own: by what the process runs in each cell. */
static void test_own_values(void **state)
{
	struct attempt a;
	json_t *spec =
		spec_of("scenario: s\nprocesses: {hog: {run: [calloc]}}\n"
			"matrix: {processes.hog.run.0: [calloc, malloc]}\n"
			"expect:\n"
			"  - {that: hog.waste, max: 1M, where: {processes.hog.run.0: calloc}}\n"
			"  - {that: hog.touched, min: hog.waste, where: {processes.hog.run.0: calloc}}\n",
			NULL, &a);
	json_t *expect = json_object_get(spec, "expect");

	(void)state;
	assert_json(json_array_get(expect, 0), "unit", "\"bytes\"");
	assert_json(json_array_get(expect, 0), "max", "1048576");
	assert_null(json_object_get(json_array_get(expect, 1), "unit"));
	attempt_free(&a);
}

static void test_sets(void **state)
{
	static const char *const sets[] = {
		"processes.hog.run.0=malloc",
		"machine.swap={size: 64M, kind: pmem}",
		"machine.memory=512M",
		"sysctl.vm.new_one=1 2",
		"cgroups.app.pids.max=7",
		"stop.settle=1s",
		"about=",
		"processes.hog.run.2=--limit=1G",
		"faults.0.set.cgroups.app.memory.max=1M",
	};
	struct scenario_options o = { .sets = sets, .set_count = sizeof(sets) / sizeof(sets[0]) };
	struct scenario *s = load_good(EXAMPLE, &o);
	json_t *spec = scenario_spec(s, 2);

	(void)state;
	/* The axis of the stressor is gone: its value was fixed. */
	assert_int_equal(scenario_cells(s), 3);
	assert_string_equal(scenario_cell(s, 2), "overcommit_memory=2");
	assert_string_equal(scenario_about(s), "");
	assert_json(spec, "sysctl", "{\"vm.overcommit_memory\":\"2\",\"vm.new_one\":\"1 2\"}");
	assert_json(json_object_get(spec, "machine"), "swap", "{\"size\":67108864,\"kind\":\"pmem\"}");
	assert_json(json_object_get(spec, "machine"), "memory", "536870912");
	assert_json(json_array_get(json_object_get(spec, "processes"), 0), "run",
		    "[\"malloc\",\"--block=1M\",\"--limit=1G\"]");
	assert_json(json_object_get(spec, "stop"), "settle", "1000000000");
	assert_json(json_array_get(json_object_get(spec, "cgroups"), 0), "set",
		    "{\"memory.max\":\"536870912\",\"memory.swap.max\":\"1073741824\",\"pids.max\":\"7\"}");
	scenario_free(s);
}

/* What is not there yet is made: machine in a scenario of the host, a whole mapping, nothing twice. */
static void test_sets_make(void **state)
{
	static const char *const sets[] = { "machine.swap.size=64M", "stop.timeout=5s",
					    "sysctl.vm.swappiness=60", "machine.swap.kind=zram" };
	static const char *const kernels[] = { "debian:6.12" };
	struct scenario_options o = { .sets = sets, .set_count = 4, .kernels = kernels, .kernel_count = 1 };
	struct attempt a;
	json_t *spec = spec_of(SMALL, &o, &a);

	(void)state;
	assert_json(spec, "place", "\"guest\"");
	assert_json(json_object_get(spec, "machine"), "kernel", "\"debian:6.12\"");
	assert_json(json_object_get(spec, "machine"), "swap", "{\"size\":67108864,\"kind\":\"zram\"}");
	assert_json(spec, "stop", "{\"timeout\":5000000000,\"settle\":200000000}");
	assert_json(spec, "sysctl", "{\"vm.swappiness\":\"60\"}");
	attempt_free(&a);
}

/* The longest key wins: a.b is a group, although a is one too. */
static void test_dots(void **state)
{
	static const char *const sets[] = { "cgroups.a.b.memory.max=1M", "cgroups.a.memory.max=2M" };
	struct scenario_options o = { .sets = sets, .set_count = 2 };
	struct attempt a;
	json_t *spec = spec_of(SMALL "cgroups: {a: {}, a.b: {memory.max: 3M}, a.b.c: {}}\n", &o, &a);

	(void)state;
	assert_json(
		spec, "cgroups",
		"[{\"path\":\"a\",\"set\":{\"memory.max\":\"2097152\"}},"
		"{\"path\":\"a.b\",\"set\":{\"memory.max\":\"1048576\"}},{\"path\":\"a.b.c\",\"set\":{}}]");
	attempt_free(&a);
}

static void test_place(void **state)
{
	struct scenario_options o = { .place = "host" };
	struct scenario *s = load_good(EXAMPLE, &o);

	(void)state;
	assert_string_equal(scenario_place(s), "host");
	assert_json(scenario_spec(s, 0), "place", "\"host\"");
	scenario_free(s);
}

/* Taking cells away must not turn the file's own `where` into an error; nor may a new value. */
static void test_where_and_options(void **state)
{
	static const char *const one[] = { "sysctl.vm.overcommit_memory=2" };
	static const char *const other[] = { "sysctl.vm.overcommit_memory=3" };
	struct scenario_options o = { .matrices = one, .matrix_count = 1 };
	struct scenario *s = load_good(EXAMPLE, &o);

	(void)state;
	assert_int_equal(scenario_cells(s), 2);
	assert_int_equal(json_array_size(json_object_get(scenario_spec(s, 0), "expect")), 2);
	scenario_free(s);
	o = (struct scenario_options){ .sets = other, .set_count = 1 };
	s = load_good(EXAMPLE, &o);
	assert_int_equal(scenario_cells(s), 2);
	assert_int_equal(json_array_size(json_object_get(scenario_spec(s, 0), "expect")), 1);
	scenario_free(s);
}

static void test_run_checked_once(void **state)
{
	struct scenario *s;

	(void)state;
	runs_checked = 0;
	s = load_good(EXAMPLE, NULL);
	assert_int_equal(runs_checked, 2);
	scenario_free(s);
}

/* Every row of the table stands in the reference as the table prints it: key, value, default and help. */
static void test_reference(void **state)
{
	AUTO_FREE char *doc = NULL, *rows = NULL;
	struct err e = ERR_INIT;
	size_t len = 0;
	FILE *to = open_memstream(&rows, &len);
	char *row, *next;

	(void)state;
	scenario_keys_print(to);
	fclose(to);
	assert_int_equal(file_read("docs/scenario.md", 1 << 20, &doc, NULL, &e), 0);
	for (row = rows; *row; row = next) {
		next = strchr(row, '\n') + 1;
		next[-1] = 0;
		if (!strstr(doc, row))
			fail_msg("docs/scenario.md lacks the row: %s", row);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_example),
		cmocka_unit_test(test_defaults),
		cmocka_unit_test(test_machine),
		cmocka_unit_test(test_groups_and_faults),
		cmocka_unit_test(test_expect),
		cmocka_unit_test(test_own_values),
		cmocka_unit_test(test_sets),
		cmocka_unit_test(test_sets_make),
		cmocka_unit_test(test_dots),
		cmocka_unit_test(test_place),
		cmocka_unit_test(test_where_and_options),
		cmocka_unit_test(test_run_checked_once),
		cmocka_unit_test(test_reference),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
