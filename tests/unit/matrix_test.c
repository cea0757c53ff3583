// SPDX-License-Identifier: MIT
/* Cells: their order, labels, ids and number. */
#include "harness/scenario/matrix.h"
#include "harness/scenario/scenario.h"

#include "lib/json.h"

#include <ctype.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <cmocka.h>

#include "tests/unit/scenario_known.h"

#define BASE                                                                                                 \
	"scenario: s\n"                                                                                      \
	"machine: {memory: 64M, cpus: 1, swap: {size: 1M}}\n"                                                \
	"sysctl: {vm.swappiness: 1}\n"                                                                       \
	"cgroups: {app: {}, a.b: {}}\n"                                                                      \
	"processes: {hog: {run: [memset, x]}, dog: {run: [memset]}}\n"                                       \
	"matrix:\n"

/* The ids of all cells, with spaces between. */
static void assert_ids(const char *matrix, const struct scenario_options *o, const char *want)
{
	char text[4096], have[4096] = "";
	struct attempt a;
	size_t i;

	snprintf(text, sizeof(text), BASE "%s", matrix);
	a = try_text(text, o);
	assert_string_equal(a.said, "");
	for (i = 0; i < scenario_cells(a.s); i++)
		snprintf(have + strlen(have), sizeof(have) - strlen(have), "%s%s", i ? " " : "",
			 scenario_cell(a.s, i));
	assert_string_equal(have, want);
	attempt_free(&a);
}

static void test_order(void **state)
{
	(void)state;
	assert_ids("  machine.cpus: [1, 2]\n  machine.memory: [64M, 1G]\n", NULL,
		   "cpus=1,memory=64M cpus=1,memory=1G cpus=2,memory=64M cpus=2,memory=1G");
	assert_ids("  machine.cpus: [3]\n", NULL, "cpus=3");
}

static void test_labels(void **state)
{
	(void)state;
	assert_ids("  sysctl.vm.swappiness: [0]\n", NULL, "swappiness=0");
	assert_ids("  machine.swap.size: [2M]\n  machine.kernel: [a, 'b:6/1']\n", NULL,
		   "swap.size=2M,kernel=a swap.size=2M,kernel=b_6_1");
	assert_ids("  processes.hog.run.0: [malloc]\n", NULL, "stressor=malloc");
	assert_ids("  processes.hog.run.1: [malloc]\n", NULL, "run.1=malloc");
	assert_ids("  processes.hog.run.0: [malloc]\n  processes.dog.run.0: [calloc]\n", NULL,
		   "hog.stressor=malloc,dog.stressor=calloc");
	assert_ids("  cgroups.app.memory.max: [1M]\n", NULL, "memory.max=1M");
	assert_ids("  cgroups.app.memory.max: [1M]\n  cgroups.a.b.memory.max: [50%]\n", NULL,
		   "cgroups.app.memory.max=1M,cgroups.a.b.memory.max=50_");
	assert_ids("  processes.hog.oom_score_adj: [-5]\n  processes.hog.cgroup: [app]\n", NULL,
		   "oom_score_adj=-5,cgroup=app");
	assert_ids("  stop.timeout: [1s]\n", NULL, "stop.timeout=1s");
}

/* Values that are no single words, that look the same when made safe, and that are too long. */
static void test_ids(void **state)
{
	char text[1024], word[200];
	struct attempt a;
	const char *id, *p;
	size_t i;

	(void)state;
	assert_ids("  machine.cmdline: [a b, a/b, a b]\n", NULL, "cmdline=a_b cmdline=a_b-1 cmdline=a_b-2");
	assert_ids("  machine.swap: [null, {size: 1M, kind: zram}]\n", NULL,
		   "swap=null swap=_size__1M,_kind__zram_");
	memset(word, 'x', sizeof(word) - 1);
	word[sizeof(word) - 1] = 0;
	snprintf(text, sizeof(text), BASE "  machine.cmdline: ['%s', '%sy', '../..', \"\xc3\xa4\"]\n", word,
		 word);
	a = try_text(text, NULL);
	assert_string_equal(a.said, "");
	for (i = 0; i < 4; i++) {
		id = scenario_cell(a.s, i);
		assert_true(strlen(id) <= CELL_ID_MAX);
		assert_true(i == 0 || strcmp(id, scenario_cell(a.s, i - 1)) != 0);
		for (p = id; *p; p++)
			assert_true(isalnum((unsigned char)*p) || strchr("._=,-", *p));
	}
	/* What the id had to change stands whole among the axes. */
	assert_string_equal(json_text(json_object_get(scenario_spec(a.s, 2), "axes"), "cmdline", ""),
			    "../..");
	attempt_free(&a);
}

static void test_options(void **state)
{
	static const char *const matrices[] = { "machine.cpus=4,5", "machine.memory=32M" };
	static const char *const sets[] = { "machine.memory=128M" };
	static const char *const kernels[] = { "a", "b" };
	struct scenario_options o = { .matrices = matrices, .matrix_count = 2 };

	(void)state;
	assert_ids("  machine.cpus: [1, 2]\n  sysctl.vm.swappiness: [0]\n", &o,
		   "cpus=4,swappiness=0,memory=32M cpus=5,swappiness=0,memory=32M");
	o = (struct scenario_options){ .sets = sets, .set_count = 1, .kernels = kernels, .kernel_count = 2 };
	assert_ids("  machine.memory: [32M]\n  machine.cpus: [1, 2]\n", &o,
		   "cpus=1,kernel=a cpus=1,kernel=b cpus=2,kernel=a cpus=2,kernel=b");
	o = (struct scenario_options){ .kernels = kernels, .kernel_count = 1 };
	assert_ids("  machine.kernel: [c, d]\n", &o, "all");
}

/* A value laid over a mapping is gone in the next cell. */
static void test_independent(void **state)
{
	struct attempt a = try_text(BASE "  processes.dog: [{run: [malloc], cgroup: app}, {run: [calloc]}]\n"
					 "  processes.dog.run.0: [memset, malloc]\n",
				    NULL);
	const char *const want[] = {
		"{\"name\":\"dog\",\"run\":[\"memset\"],\"cgroup\":\"app\",\"oom_score_adj\":null}",
		"{\"name\":\"dog\",\"run\":[\"malloc\"],\"cgroup\":\"app\",\"oom_score_adj\":null}",
		"{\"name\":\"dog\",\"run\":[\"memset\"],\"cgroup\":\"\",\"oom_score_adj\":null}",
		"{\"name\":\"dog\",\"run\":[\"malloc\"],\"cgroup\":\"\",\"oom_score_adj\":null}",
	};
	size_t i;

	(void)state;
	assert_string_equal(a.said, "");
	for (i = 0; i < 4; i++) {
		const json_t *dog = json_array_get(json_object_get(scenario_spec(a.s, i), "processes"), 1);
		char *text = json_dumps(dog, JSON_COMPACT);

		assert_string_equal(text, want[i]);
		free(text);
	}
	attempt_free(&a);
}

static void test_many(void **state)
{
	char text[2048], ten[64] = "", eleven[80];
	struct attempt a;
	int i;

	(void)state;
	for (i = 1; i <= 10; i++)
		snprintf(ten + strlen(ten), sizeof(ten) - strlen(ten), "%s%d", i > 1 ? ", " : "", i);
	snprintf(eleven, sizeof(eleven), "%s, 11", ten);
	for (i = 0; i < 2; i++) {
		snprintf(text, sizeof(text),
			 BASE "  machine.cpus: [%s]\n  sysctl.a: [%s]\n  sysctl.b: [%s]\n  sysctl.c: [%s]\n",
			 ten, ten, ten, i ? eleven : ten);
		a = try_text(text, NULL);
		if (i) {
			assert_ptr_equal(
				strstr(a.said, "F:10:3: matrix: sysctl.c: makes more than 10000 cells"),
				a.said);
		} else {
			assert_int_equal(scenario_cells(a.s), 10000);
			assert_string_equal(scenario_cell(a.s, 9999), "cpus=10,a=10,b=10,c=10");
			assert_string_equal(scenario_cell(a.s, 1234), "cpus=2,a=3,b=4,c=5");
		}
		attempt_free(&a);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_order),       cmocka_unit_test(test_labels),
		cmocka_unit_test(test_ids),         cmocka_unit_test(test_options),
		cmocka_unit_test(test_independent), cmocka_unit_test(test_many),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
