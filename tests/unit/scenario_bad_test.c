// SPDX-License-Identifier: MIT
/* Bad input: every complaint with its place, all of a file in one go, and nothing that breaks the loader. */
#include "harness/scenario/scenario.h"

#include "lib/files.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <sys/stat.h>
#include <cmocka.h>

#include "tests/unit/scenario_known.h"

#define GOOD    "scenario: s\nprocesses: {hog: {run: [memset]}}\n"
#define NODES   "nodes: [128M, 128M], distances: "
#define BAD     "tests/fixtures/scenarios/bad.yaml"
#define EXAMPLE "tests/fixtures/scenarios/example.yaml"

/* The first complaint about text begins so. What is in quotes stands after the quote: libfyaml counts so. */
static void assert_says(const char *text, const char *want)
{
	struct attempt a = try_text(text, NULL);

	if (strncmp(a.said, want, strlen(want)) != 0)
		fail_msg("said: %s\nwanted: %s\nof:\n%s", a.said, want, text);
	attempt_free(&a);
}

/* A file with a mistake of every kind: bad.txt holds all that is said, with lines and carets. */
static void test_all_in_one_go(void **state)
{
	struct complaints *c = complaints_new();
	struct scenario *s = NULL;
	AUTO_FREE char *want = NULL;
	struct err e = ERR_INIT;
	char *said;

	(void)state;
	assert_int_equal(file_read("tests/fixtures/scenarios/bad.txt", 1 << 20, &want, NULL, &e), 0);
	assert_true(scenario_load(BAD, NULL, &known, c, &s) < 0);
	assert_null(s);
	said = said_of(c, BAD);
	assert_string_equal(said, want);
	free(said);
	complaints_free(c);
}

static void test_files(void **state)
{
	static const char *const paths[][2] = {
		{ "tests/fixtures/scenarios", "F: is a directory; a scenario is a regular file\n" },
		{ "tests/fixtures/scenarios/none.yaml", "F: No such file or directory\n" },
		{ "/dev/zero", "F: is no regular file; a scenario is a regular file\n" },
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
		struct complaints *c = complaints_new();
		struct scenario *s = NULL;
		char *said;

		assert_true(scenario_load(paths[i][0], NULL, &known, c, &s) < 0);
		said = said_of(c, paths[i][0]);
		assert_string_equal(said, paths[i][1]);
		free(said);
		complaints_free(c);
	}
}

/* 100 MB with holes: refused for its size, not read, so it costs no time. */
static void test_large(void **state)
{
	char path[] = "/tmp/oomlab-scenario.XXXXXX";
	struct complaints *c = complaints_new();
	struct scenario *s = NULL;
	int fd = mkstemp(path);
	char *said;

	(void)state;
	assert_true(fd >= 0 && ftruncate(fd, 100 << 20) == 0);
	close(fd);
	assert_true(scenario_load(path, NULL, &known, c, &s) < 0);
	said = said_of(c, path);
	assert_string_equal(said, "F: is larger than 1 MiB; no scenario is\n");
	free(said);
	complaints_free(c);
	unlink(path);
}

static void test_text(void **state)
{
	struct attempt a;

	(void)state;
	a = try_bytes("a: 1\nb: x\0y\n", 12, NULL);
	assert_string_equal(a.said,
			    "F:2:5: byte 0x00 (offset 9) is no text; a scenario is UTF-8 without control "
			    "characters\n");
	attempt_free(&a);
	assert_says("", "F: is empty; ");
	assert_says("# nothing\n\n", "F: is empty; ");
	assert_says("a: \xff", "F:1:4: byte 0xff ");
	assert_says("a: \xc3(", "F:1:4: byte 0xc3 ");
	assert_says("a: \xc0\x80", "F:1:4: byte 0xc0 ");
	assert_says("a: \xed\xa0\x80", "F:1:4: byte 0xed ");
	assert_says("a: \xf4\x90\x80\x80", "F:1:4: byte 0xf4 ");
	assert_says("a: \xe2\x82", "F:1:4: byte 0xe2 ");
	assert_says("a: \x1b[31m", "F:1:4: byte 0x1b ");
	assert_says("a: \xc2\x9b", "F:1:4: byte 0xc2 ");
	assert_says("\x7f"
		    "ELF",
		    "F:1:1: byte 0x7f ");
	/* What YAML's escapes make of it must not reach a terminal either. */
	assert_says("\"\\e[31m\": 1\n" GOOD, "F:1:2: unknown key ' [31m'; allowed");
	assert_says(GOOD "about: \"a\\0b\"\n", "F:3:9: about: is a text with a NUL byte; allowed: text");
}

/* Deep nesting is said once, where it begins: the rest of such a file is not looked at. */
static void test_deep(void **state)
{
	char text[3000] = "a: ";
	struct attempt a;

	(void)state;
	memset(text + 3, '[', 2500);
	a = try_text(text, NULL);
	assert_string_equal(a.said, "F:1:19: nested deeper than 16 levels\n");
	attempt_free(&a);
}

static void test_yaml(void **state)
{
	(void)state;
	assert_says("scenario: [a\n", "F:2:1: flow sequence without a closing bracket\n");
	assert_says("a: b: c\n", "F:1:5: invalid nested block mapping on the same line\na: b: c\n    ^\n");
	assert_says("scenario: a\nscenario: b\n", "F:2:1: duplicate key\nscenario: b\n^\n");
	assert_says("a: &x 1\n", "F:1:5: an anchor is not allowed; write the value out\n");
	assert_says("b: *x\n", "F:1:5: an alias is not allowed; write the value out\n");
	assert_says("<<: {a: 1}\n", "F:1:1: a merge key is not allowed; write the values out\n");
	assert_says("a: !!str 1\n", "F:1:4: a tag is not allowed; write the value without it\n");
	assert_says("%YAML 3.0\n---\na: 1\n", "F:1:1: a YAML directive is not allowed; take the line out\n");
	assert_says("a: 1\n---\nb: 1\n", "F:2:1: a second document; a file holds one scenario\n");
	assert_says("a: [[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]\n", "F:1:19: nested deeper than 16 levels\n");
	assert_says("? [a]\n: 1\n", "F:1:4: a key must be a plain name; allowed: scenario, ");
	assert_says("- a\n", "F:1:3: is a list; allowed: a mapping\n");
	assert_says("a\n", "F:1:1: is one value; allowed: a mapping\n");
	assert_says("processes: {hog: {run: [memset]}}\n",
		    "F:1:1: 'scenario' is missing; it must be given: ");
	assert_says("scenario: s\n", "F:1:1: 'processes' is missing; it must be given: ");
}

static void test_names(void **state)
{
	(void)state;
	assert_says(GOOD "machin: {}\n",
		    "F:3:1: unknown key 'machin'; did you mean machine; allowed: scenario, ");
	assert_says(GOOD "place: moon\n",
		    "F:3:8: place: 'moon' is none of the choices; allowed: host, guest\n");
	assert_says(GOOD "machine:\n", "F:3:1: machine: has no value; {} asks for all defaults\n");
	assert_says(GOOD "machine: {kernel: 'debian:9'}\n",
		    "F:3:20: machine.kernel: no kernel 'debian:9'; allowed: debian:6.1\n");
	assert_says(GOOD "place: host\nmachine: {deterministic: true}\n",
		    "F:4:26: machine.deterministic: a trial on the host is never the same twice; "
		    "allowed: true with place guest\n");
	assert_says(GOOD "machine: {seed: 7}\n",
		    "F:3:17: machine.seed: without deterministic: true every trial differs anyway; "
		    "allowed: 0, or deterministic: true\n");
	assert_says(
		GOOD "machine: {deterministic: true, seed: 4294967296}\n",
		"F:3:38: machine.seed: '4294967296' is out of range; allowed: a whole number; 0 to 4294967295\n");
	assert_says(GOOD "machine: {nodes: [16M, 32M]}\n",
		    "F:3:19: machine.nodes: together 48M; allowed: exactly machine.memory, 256M\n");
	assert_says("scenario: s\nprocesses: {hog: {run: [malloc, --bad]}}\n",
		    "F:2:33: processes.hog.run: malloc: unknown option --bad\n");
	assert_says("scenario: s\nprocesses: {Hog: {run: [malloc]}}\n",
		    "F:2:13: processes: 'Hog' is no name of a process; allowed: ");
	assert_says("scenario: s\nprocesses: {hog: {run: [malloc]}, hog: {run: [malloc]}}\n",
		    "F:2:35: duplicate key\n");
	assert_says("scenario: s\nprocesses: {hog: {run: [malloc, ]}, dog: {run: [~]}}\n",
		    "F:2:49: processes.dog.run: unknown stressor '~'; allowed: malloc, memset, calloc\n");
	assert_says(GOOD "stop: {timeout: 1e3s}\n", "F:3:17: stop.timeout: '1e3s' is no duration; allowed: ");
	assert_says(GOOD "record: {every: 500us}\n",
		    "F:3:17: record.every: '500us' is out of range; allowed: ");
	assert_says(GOOD "machine: {memory: 99999999999T}\n",
		    "F:3:19: machine.memory: '99999999999T' is out of range; allowed: ");
	assert_says(GOOD "matrix: {about: [1]}\n", "F:3:10: matrix: about: cannot vary; allowed: ");
	assert_says(GOOD "matrix: {stop.timeout: []}\n",
		    "F:3:10: matrix: stop.timeout: an empty list; allowed: at least one value\n");
	assert_says(GOOD "matrix: {stop.timeout: 3s}\n",
		    "F:3:10: matrix: stop.timeout: is one value; allowed: a list of values\n");
	assert_says(
		GOOD "matrix: {processes.dog.run.0: [malloc]}\n",
		"F:3:10: matrix: 'processes.dog.run.0' names nothing (at 'dog'); did you mean hog; there is: hog\n");
	assert_says(GOOD "matrix: {stop.timeout: [1s, 0s]}\n",
		    "F:3:29: stop.timeout: '0s' is out of range; allowed: ");
}

/* Keys of the machine that must fit each other, and the words of the others. */
static void test_machine(void **state)
{
	static const char *const cases[][2] = {
		{ "hugepages: 3M",
		  "22: machine.hugepages: '3M' is not a whole number of huge pages; allowed: steps of 2M" },
		{ "hugepages: 256M",
		  "22: machine.hugepages: '256M' is all of the RAM; allowed: less than machine.memory, 256M" },
		{ "hugepages: 2", "22: machine.hugepages: '2' is no size; " },
		{ "thp: on",
		  "16: machine.thp: 'on' is none of the choices; allowed: always, madvise, never" },
		{ "thp: alw", "16: machine.thp: 'alw' is none of the choices; " },
		{ "mglru: 1", "18: machine.mglru: '1' is neither true nor false; " },
		{ "zswap: on", "18: machine.zswap: is one value; allowed: a mapping" },
		{ "zswap: {compressor: ../x}", "31: machine.zswap.compressor: '../x' is no name; " },
		{ "zswap: {max_pool_percent: 0}",
		  "37: machine.zswap.max_pool_percent: '0' is out of range; " },
		{ "zswap: {zpool: x}",
		  "19: machine.zswap: unknown key 'zpool'; allowed: enabled, compressor, " },
		{ "data: {size: 0}", "24: machine.data.size: '0' is out of range; allowed: " },
		{ "data: {size: 3M}", "24: machine.data.size: '3M' is out of range; allowed: " },
		{ "data: {kind: pmem}", "18: machine.data: 'size' is missing" },
		{ "data: {size: 4M, kind: zram}",
		  "34: machine.data.kind: 'zram' is none of the choices; allowed: disk, pmem" },
		{ "distances: [[10]]",
		  "24: machine.distances: rows: 1; allowed: as many as machine.nodes has entries, 0" },
		{ "distances: [[10, 300]]", "28: machine.distances.0.1: '300' is out of range; " },
		{ "distances: [10]", "23: machine.distances.0: is one value; allowed: a list" },
		{ NODES "[[10, 20]]",
		  "45: machine.distances: rows: 1; allowed: as many as machine.nodes has entries, 2" },
		{ NODES "[[10, 20], [20]]",
		  "45: machine.distances: row 1: length 1; allowed: 2, one to each node" },
		{ NODES "[[11, 20], [20, 10]]",
		  "45: machine.distances: 11 from node 0 to 0; allowed: 10 to itself" },
		{ NODES "[[10, 20], [10, 10]]",
		  "45: machine.distances: 10 from node 1 to 0; allowed: 11 to 255 to another" },
	};
	char text[512], want[512];
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		snprintf(text, sizeof(text), GOOD "machine: {%s}\n", cases[i][0]);
		snprintf(want, sizeof(want), "F:3:%s", cases[i][1]);
		assert_says(text, want);
	}
}

/* A metric that another stressor has is said of the cells where nobody measures it. */
static void test_own_values(void **state)
{
	(void)state;
	assert_says(GOOD "expect: [{that: hog.waste, max: 1M}]\n",
		    "F:3:11: expect.0: hog.waste: what that process runs does not measure it; ");
	assert_says(GOOD "expect: [{that: hog.touched, max: hog.waste}]\n",
		    "F:3:11: expect.0: hog.waste: what that process runs does not measure it; ");
	assert_says("scenario: s\nprocesses: {hog: {run: [calloc]}}\nexpect: [{that: hog.waste, max: 10}]\n",
		    "F:3:33: expect.0.max: '10' does not fit this metric; allowed: a number with B");
}

static void test_where(void **state)
{
	(void)state;
	assert_says(GOOD "matrix: {machine.cpus: [1, 2]}\n"
			 "expect: [{that: kills, is: 0, where: {machine.cpus: [2, 3]}}]\n",
		    "F:4:57: expect.0.where: no cell has '3' at machine.cpus\n");
	assert_says(GOOD "expect: [{that: kills, is: 0, where: {machine.cpus: 1}}]\n",
		    "F:3:39: expect.0.where: 'machine.cpus' names nothing in any cell; ");
	assert_says(GOOD "expect: [{that: kills, is: 0, where: {machine.cpus: []}}]\n",
		    "F:3:39: expect.0.where: allowed: a path and one value, or a list of them\n");
	assert_says(GOOD "expect: [{that: kills, is: 0}, {that: victim, is: hog, where: {a: 1}}]\n",
		    "F:3:64: expect.1.where: 'a' names nothing in any cell; ");
}

/* A bound that is a metric, or several with signs between them. */
static void test_bounds(void **state)
{
	static const char *const cases[][2] = {
		{ "that: hog.touched, max: system.mem",
		  "35: expect.0.max: the system has no metric 'mem'; allowed: mem_total, " },
		{ "that: hog.touched, max: hgo.touched",
		  "35: expect.0.max: no process 'hgo'; did you mean hog; there is: hog\n" },
		{ "that: hog.touched, near: hog.touched - cgroup.x.peak",
		  "36: expect.0.near: no cgroup 'x'; there is: nothing\n" },
		{ "that: hog.touched, min: hog.duration",
		  "35: expect.0.min: 'hog.duration' is a duration; allowed: a metric that is a size, as the one it "
		  "is held against\n" },
		{ "that: hog.touched, min: system.mem_total - kills",
		  "35: expect.0.min: 'kills' is a whole number; allowed: a metric that is a size, " },
		{ "that: kills, max: hog.outcome",
		  "29: expect.0.max: 'hog.outcome' is an outcome; allowed: a metric that is a whole number, " },
		{ "that: hog.outcome, max: hog.outcome",
		  "35: expect.0.max: this metric is a word; allowed: is\n" },
		{ "that: constraint, max: 1", "34: expect.0.max: this metric is a word; allowed: is\n" },
		{ "that: constrained, is: memcg",
		  "17: expect.0.that: 'constrained' is no metric; allowed: PROCESS.METRIC, "
		  "cgroup.PATH.METRIC, system.METRIC, victim, kills, constraint\n" },
		{ "that: hog.touched, max: system.mem_total - 10",
		  "35: expect.0.max: '10' does not fit this metric; allowed: a number with B, " },
		{ "that: hog.touched, max: lots",
		  "35: expect.0.max: 'lots' does not fit this metric; allowed: a number with B, " },
		{ "that: hog.touched, max: system.mem_total -",
		  "35: expect.0.max: ends with a sign; allowed: a metric or an amount after it\n" },
		{ "that: hog.touched, max: + system.mem_total",
		  "35: expect.0.max: '+' stands where a metric must; allowed: a metric or an amount, and others "
		  "after ' + ' or ' - '\n" },
		{ "that: hog.touched, max: system.mem_total 1M",
		  "35: expect.0.max: '1M' stands where + or - must; " },
		{ "that: hog.touched, max: system.mem_total * 2",
		  "35: expect.0.max: 'system.mem_total' stands where a factor must; allowed: a number, ' * ' and a "
		  "metric, e.g. 1.5 * system.mem_total\n" },
		{ "that: hog.touched, max: 2 * 64M", "35: expect.0.max: '64M' stands where a metric must; " },
		{ "that: hog.touched, max: 2 * 3 * system.mem_total",
		  "35: expect.0.max: '3' does not fit this metric; " },
		{ "that: kills, max: 2 * 3 * kills", "29: expect.0.max: '3' stands where a metric must; " },
		{ "that: hog.touched, max: 2 *", "35: expect.0.max: '*' stands where a metric must; " },
		{ "that: kills, max: kills - 2 *", "29: expect.0.max: '*' stands where a metric must; " },
		{ "that: hog.touched, max: 2 * hog.duration",
		  "35: expect.0.max: 'hog.duration' is a duration; " },
		{ "that: hog.touched, max: 2 * sytem.mem_total", "35: expect.0.max: no process 'sytem'; " },
		{ "that: hog.touched, max: -2 * hog.touched",
		  "35: expect.0.max: '-2' stands where a factor must; " },
		{ "that: hog.touched, max: 1e3 * hog.touched",
		  "35: expect.0.max: '1e3' stands where a factor must; " },
		{ "that: hog.touched, max: 2. * hog.touched",
		  "35: expect.0.max: '2.' stands where a factor must; " },
		{ "that: hog.touched, max: 1000000000 * hog.touched",
		  "35: expect.0.max: '1000000000' stands where a factor must; " },
		{ "that: hog.touched, max: 2 * hog.touched 1M",
		  "35: expect.0.max: '1M' stands where + or - must; " },
		{ "that: hog.touched, max: 2*hog.touched",
		  "35: expect.0.max: '2*hog.touched' does not fit " },
		{ "that: hog.touched, max: system.mem_total-1M",
		  "35: expect.0.max: the system has no metric 'mem_total-1M'; did you mean mem_total; " },
		{ "that: hog.touched, max: [system.mem_total]",
		  "36: expect.0.max: is a list; allowed: a size, " },
	};
	char text[512], want[512];
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		snprintf(text, sizeof(text), GOOD "expect: [{%s}]\n", cases[i][0]);
		snprintf(want, sizeof(want), "F:3:%s", cases[i][1]);
		assert_says(text, want);
	}
}

struct option_case {
	const char *set, *matrix, *kernel, *place, *said;
};

static void test_options(void **state)
{
	static const struct option_case cases[] = {
		{ .set = "machine.memroy=1M",
		  .said = "--set machine.memroy=1M: 'machine.memroy' names nothing (at 'memroy'); did you mean memory; "
			  "there is: kernel, memory, " },
		{ .set = "machine.memory=12",
		  .said = "--set machine.memory=12: machine.memory: '12' is no size; " },
		{ .set = "machine.swap={}",
		  .said = "--set machine.swap={}: machine.swap: 'size' is missing; " },
		{ .set = "novalue", .said = "--set novalue: no PATH=VALUE; allowed: " },
		{ .set = "=1", .said = "--set =1: no PATH=VALUE; allowed: " },
		{ .set = "about=[1", .said = "--set about=[1: " },
		{ .set = "about=*x", .said = "--set about=*x: an alias is not allowed; " },
		{ .set = "about=a\x01", .said = "--set about=a\x01: byte 0x01 " },
		{ .set = "processes.dog.run=[memset]",
		  .said = "--set processes.dog.run=[memset]: 'processes.dog.run' names nothing (at 'dog'); did you mean hog; there is: hog\n" },
		{ .set = "processes.hog.run.1=--bad",
		  .said = "--set processes.hog.run.1=--bad: processes.hog.run: malloc: unknown option --bad\n--set " },
		{ .set = "processes.hog.run.3=a",
		  .said = "--set processes.hog.run.3=a: 'processes.hog.run.3' names nothing (at '3'); there is: 3 items" },
		{ .set = "cgroups.b.memory.max=1M",
		  .said = "--set cgroups.b.memory.max=1M: 'cgroups.b.memory.max' names nothing (at 'b'); there is: app\n" },
		{ .set = "cgroups.app.memory.mex=1M",
		  .said = "--set cgroups.app.memory.mex=1M: unknown cgroup key 'memory.mex'; did you mean memory.max; " },
		{ .set = "sysctl.../x=1", .said = "--set sysctl.../x=1: '../x' is no name of a sysctl; " },
		{ .set = "matrix.machine.cpus=[1]",
		  .said = "--set matrix.machine.cpus=[1]: an axis is not set; " },
		{ .set = "scenario.x=1",
		  .said = "--set scenario.x=1: 'scenario.x' names nothing (at 'x'); " },
		{ .matrix = "machine.cpus=1,0",
		  .said = "--matrix machine.cpus=1,0: machine.cpus: '0' is out of range; " },
		{ .matrix = "machine.cpus=",
		  .said = "--matrix machine.cpus=: machine.cpus: an empty list; " },
		{ .matrix = "nothing=1",
		  .said = "--matrix nothing=1: 'nothing' names nothing (at 'nothing'); " },
		{ .matrix = "expect.0.is=1", .said = "--matrix expect.0.is=1: expect.0.is: cannot vary; " },
		{ .kernel = "debian:9", .said = "--kernel debian:9: machine.kernel: no kernel 'debian:9'; " },
		{ .place = "moon", .said = "--place moon: place: 'moon' is none of the choices; " },
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const struct option_case *k = &cases[i];
		struct scenario_options o = { .sets = &k->set,
					      .set_count = k->set != NULL,
					      .matrices = &k->matrix,
					      .matrix_count = k->matrix != NULL,
					      .kernels = &k->kernel,
					      .kernel_count = k->kernel != NULL,
					      .place = k->place };
		struct complaints *c = complaints_new();
		struct scenario *s = NULL;
		char *said;

		assert_true(scenario_load(EXAMPLE, &o, &known, c, &s) < 0);
		said = said_of(c, EXAMPLE);
		if (strncmp(said, k->said, strlen(k->said)) != 0)
			fail_msg("said: %s\nwanted: %s", said, k->said);
		free(said);
		complaints_free(c);
	}
}

/* Ten cells say the same thing once; more than fifty things are counted. */
static void test_bounded(void **state)
{
	char text[8192] = GOOD "matrix: {machine.cpus: [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]}\n";
	struct attempt a;
	size_t len = strlen(text), i;
	char *line;
	int lines = 0;

	(void)state;
	for (i = 0; i < 60; i++)
		len += (size_t)snprintf(text + len, sizeof(text) - len, "wrong%zu: 1\n", i);
	a = try_text(text, NULL);
	for (line = a.said; (line = strstr(line, "F:")); line++)
		lines++;
	assert_int_equal(lines, 51);
	assert_non_null(strstr(a.said, "\nF: and 10 more\n"));
	attempt_free(&a);
}

/* An editor's half-written file: whatever is cut off, it is loaded or refused with a word. */
static void test_truncated(void **state)
{
	AUTO_FREE char *text = NULL;
	struct err e = ERR_INIT;
	size_t len, i;

	(void)state;
	assert_int_equal(file_read(EXAMPLE, 1 << 20, &text, &len, &e), 0);
	for (i = 0; i <= len; i++) {
		struct attempt a = try_bytes(text, i, NULL);

		if (i == len)
			assert_string_equal(a.said, "");
		attempt_free(&a);
	}
}

/* The same with one byte replaced by each that YAML gives a meaning to. */
static void test_replaced(void **state)
{
	static const char bytes[] = "\n :-[]{},'\"#&*!|>%@?~";
	AUTO_FREE char *text = NULL;
	struct err e = ERR_INIT;
	size_t len, i;

	(void)state;
	assert_int_equal(file_read(EXAMPLE, 1 << 20, &text, &len, &e), 0);
	for (i = 0; i < len; i++) {
		char was = text[i];
		struct attempt a;

		text[i] = bytes[i % (sizeof(bytes) - 1)];
		a = try_bytes(text, len, NULL);
		attempt_free(&a);
		text[i] = was;
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_all_in_one_go), cmocka_unit_test(test_files),
		cmocka_unit_test(test_large),         cmocka_unit_test(test_text),
		cmocka_unit_test(test_deep),          cmocka_unit_test(test_yaml),
		cmocka_unit_test(test_names),         cmocka_unit_test(test_machine),
		cmocka_unit_test(test_own_values),    cmocka_unit_test(test_where),
		cmocka_unit_test(test_bounds),        cmocka_unit_test(test_options),
		cmocka_unit_test(test_bounded),       cmocka_unit_test(test_truncated),
		cmocka_unit_test(test_replaced),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
