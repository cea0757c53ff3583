// SPDX-License-Identifier: MIT
/* Readers of /proc, /sys and cgroupfs on what real kernels showed (tests/fixtures/proc,
 * tests/fixtures/cgroup). */
#include "cgroups/sample.h"
#include "harness/engine/sample.h"
#include "lib/files.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#define FIXTURES "tests/fixtures/"
#define MISSING  BB_MISSING

struct tree {
	char root[64];
	struct system_sampler s;
	struct err e;
};

static int make_tree(void **state)
{
	struct tree *t = calloc(1, sizeof(*t));

	*state = t;
	strcpy(t->root, "/tmp/oomlab-sample.XXXXXX");
	return mkdtemp(t->root) ? 0 : -1;
}

static int drop_tree(void **state)
{
	struct tree *t = *state;
	int r;

	system_sampler_close(&t->s);
	r = tree_remove(t->root, NULL);
	free(t);
	return r;
}

/* Writes in place: a sampler keeps the file open. */
static void put(struct tree *t, const char *path, const char *text)
{
	char full[PATH_LEN_MAX], *slash;
	FILE *f;

	path_format(full, "%s%s", t->root, path);
	slash = strrchr(full, '/');
	*slash = 0;
	assert_int_equal(dir_make(full, &t->e), 0);
	*slash = '/';
	f = fopen(full, "w");
	assert_non_null(f);
	fputs(text, f);
	fclose(f);
}

static int column(const struct system_sampler *s, const char *name)
{
	size_t i;

	for (i = 0; i < s->columns; i++)
		if (!strcmp(s->names[i], name))
			return (int)i;
	return -1;
}

static int64_t value(const struct system_sampler *s, const char *name)
{
	int i = column(s, name);

	if (i < 0)
		fail_msg("no column %s", name);
	return s->values[i];
}

/* Every column once, each with a value. */
static void whole(const struct system_sampler *s)
{
	size_t i, j;

	for (i = 0; i < s->columns; i++) {
		if (s->values[i] == MISSING)
			fail_msg("%s has no value", s->names[i]);
		for (j = 0; j < i; j++)
			assert_string_not_equal(s->names[i], s->names[j]);
	}
}

static void system_of_6_1(void **state)
{
	struct system_sampler *s = &((struct tree *)*state)->s;

	assert_int_equal(system_sampler_open(FIXTURES "proc/6.1", s, NULL), 0);
	system_sampler_read(s);
	whole(s);
	assert_int_equal(s->columns, 51 + 171 + 6 + 36);
	assert_int_equal(value(s, "meminfo.MemTotal"), 124316 * 1024);
	assert_int_equal(value(s, "meminfo.Active(anon)"), 200 * 1024);
	assert_int_equal(value(s, "meminfo.HugePages_Total"), 0);
	assert_int_equal(value(s, "meminfo.VmallocTotal"), 13743895347199 * 1024);
	assert_int_equal(value(s, "vmstat.nr_free_pages"), 22726);
	assert_int_equal(value(s, "node0.MemTotal"), 124316 * 1024);
	assert_int_equal(value(s, "node0.HugePages_Surp"), 0);
	assert_true(column(s, "psi.cpu.full") >= 0);
	assert_int_equal(column(s, "node1.MemTotal"), -1);
}

/* Fewer lines, no full line of cpu pressure; total is in microseconds. */
static void system_of_5_10(void **state)
{
	struct system_sampler *s = &((struct tree *)*state)->s;

	assert_int_equal(system_sampler_open(FIXTURES "proc/5.10", s, NULL), 0);
	system_sampler_read(s);
	whole(s);
	assert_int_equal(value(s, "psi.cpu.some"), 633852000);
	assert_int_equal(column(s, "psi.cpu.full"), -1);
	assert_int_equal(value(s, "psi.memory.full"), 0);
	assert_int_equal(column(s, "meminfo.SecPageTables"), -1);
}

static void nothing_there(void **state)
{
	struct tree *t = *state;

	assert_int_equal(system_sampler_open(t->root, &t->s, &t->e), 0);
	assert_int_equal(t->s.columns, 0);
	system_sampler_read(&t->s);
}

/* Pressure compiled in but off reads as an error or as nothing; the second of three nodes is offline. */
static void some_files_absent(void **state)
{
	struct tree *t = *state;
	struct system_sampler *s = &t->s;

	put(t, "/proc/meminfo", "MemTotal:  100 kB\nMemFree:  40 kB\n");
	put(t, "/proc/pressure/memory", "");
	put(t, "/proc/pressure/io",
	    "some avg10=0.00 avg60=9.00 avg300=0.00 total=7\n"
	    "full avg10=0.00 avg60=0.00 avg300=0.00 total=5\n");
	put(t, "/sys/devices/system/node/node0/meminfo",
	    "Node 0 MemTotal: 50 kB\nNode 0 HugePages_Free: 3\n");
	put(t, "/sys/devices/system/node/node2/meminfo", "Node 2 MemTotal: 51 kB\n");
	assert_int_equal(system_sampler_open(t->root, s, &t->e), 0);
	system_sampler_read(s);
	whole(s);
	assert_int_equal(s->columns, 7);
	assert_int_equal(value(s, "meminfo.MemFree"), 40 * 1024);
	assert_int_equal(value(s, "psi.io.some"), 7000);
	assert_int_equal(value(s, "psi.io.full"), 5000);
	assert_int_equal(value(s, "node0.HugePages_Free"), 3); /* a count, not kB */
	assert_int_equal(value(s, "node2.MemTotal"), 51 * 1024);
}

static void system_is_read_again(void **state)
{
	struct tree *t = *state;
	struct system_sampler *s = &t->s;

	put(t, "/proc/meminfo", "MemTotal:  100 kB\nMemFree:  40 kB\n");
	put(t, "/proc/vmstat", "nr_free_pages 1\noom_kill 0\n");
	assert_int_equal(system_sampler_open(t->root, s, &t->e), 0);
	put(t, "/proc/meminfo", "MemTotal:       100 kB\nMemFree:       123456 kB\n");
	put(t, "/proc/vmstat", "nr_free_pages 18446744073709551615\noom_kill 12");
	system_sampler_read(s);
	assert_int_equal(value(s, "meminfo.MemFree"), 123456 * 1024);
	assert_int_equal(value(s, "vmstat.nr_free_pages"), INT64_MAX);
	assert_int_equal(value(s, "vmstat.oom_kill"), 12);
	put(t, "/proc/meminfo", "MemTotal:       100 kB\n");
	put(t, "/proc/vmstat", "");
	system_sampler_read(s);
	assert_int_equal(value(s, "meminfo.MemTotal"), 100 * 1024);
	assert_int_equal(value(s, "meminfo.MemFree"), MISSING);
	assert_int_equal(value(s, "vmstat.oom_kill"), MISSING);
}

static void too_many_counters(void **state)
{
	struct tree *t = *state;
	static char text[SYSTEM_COLUMNS_MAX * 16];
	size_t i, len = 0;

	for (i = 0; i < SYSTEM_COLUMNS_MAX; i++)
		len += (size_t)sprintf(text + len, "a%zu 1\n", i);
	put(t, "/proc/vmstat", text);
	assert_int_equal(system_sampler_open(t->root, &t->s, &t->e), 0);
	assert_int_equal(t->s.columns, SYSTEM_COLUMNS_MAX);
	system_sampler_close(&t->s);
	sprintf(text + len, "b 1\n");
	put(t, "/proc/vmstat", text);
	assert_int_equal(system_sampler_open(t->root, &t->s, &t->e), -E2BIG);
	assert_non_null(strstr(t->e.text, "too many counters"));
}

static void one_process(const char *root, const int64_t *wanted)
{
	struct process_sampler s;
	int i;

	assert_int_equal(process_sampler_open(root, 91, &s), 0);
	s.values[P_TOUCHED] = 5; /* the engine's own */
	process_sampler_read(&s, false);
	process_sampler_read(&s, false);
	for (i = 0; i < P_ALLOCATED; i++)
		if (s.values[i] != wanted[i])
			fail_msg("%s: %s: %lld, not %lld", root, process_columns[i], (long long)s.values[i],
				 (long long)wanted[i]);
	assert_int_equal(s.values[P_TOUCHED], 5);
	process_sampler_close(&s);
	process_sampler_close(&s);
}

/* Its name is "we) (ird na": fields are counted from the last parenthesis. */
static void process_by_kernel(void **state)
{
	enum { K = 1024, PAGE = 4096 };
	static const int64_t v6_1[] = { 9188 * K, 9188 * K, 0, 8400 * K,    8400 * K, 8200 * K, 0,
					200 * K,  56 * K,   0, 2100 * PAGE, 2056,     0,        712 };
	static const int64_t v5_10[] = { 9188 * K, 9188 * K, 0, 8400 * K,    8400 * K, 8200 * K, 0,
					 200 * K,  52 * K,   0, 2100 * PAGE, 2056,     0,        709 };

	(void)state;
	one_process(FIXTURES "proc/6.1", v6_1);
	one_process(FIXTURES "proc/5.10", v5_10);
}

/* No Vm lines: nothing is known, and nothing is 0. */
static void zombie(void **state)
{
	struct process_sampler s;
	int i;

	(void)state;
	assert_int_equal(process_sampler_open(FIXTURES "proc/6.1", 92, &s), 0);
	process_sampler_read(&s, false);
	for (i = 0; i < P_ALLOCATED; i++)
		assert_int_equal(s.values[i], MISSING);
	process_sampler_close(&s);
}

static void process_with_fewer_lines(void **state)
{
	struct tree *t = *state;
	struct process_sampler s;

	put(t, "/proc/5/status", "Name:\tVmRSS: 1 kB\nVmSize:\t     100 kB\nVmRSS:\t      12 kB\n");
	put(t, "/proc/5/stat", "5 (x) S 1 2 3 4 5 6 4294967295 8 17 0 0 9 0");
	assert_int_equal(process_sampler_open(t->root, 5, &s), 0);
	process_sampler_read(&s, false);
	assert_int_equal(s.values[P_RSS], 12 * 1024);
	assert_int_equal(s.values[P_SWAP], MISSING);
	assert_int_equal(s.values[P_MINOR_FAULTS], 4294967295);
	assert_int_equal(s.values[P_MAJOR_FAULTS], 17);
	assert_int_equal(s.values[P_OOM_SCORE], MISSING); /* no such file */
	put(t, "/proc/5/status", "Name:\tx\nState:\tZ\n");
	process_sampler_read(&s, false);
	assert_int_equal(s.values[P_RSS], MISSING);
	assert_int_equal(s.values[P_MAJOR_FAULTS], MISSING);
	process_sampler_close(&s);
	assert_int_equal(process_sampler_open(t->root, 6, &s), -ENOENT);
	process_sampler_close(&s);
}

/* The machine itself: a child that lives, is a zombie, and is gone. */
static void real_process(void **state)
{
	struct process_sampler s;
	pid_t pid = fork();
	siginfo_t info;

	(void)state;
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL); /* not left behind when an assertion fails */
		pause();
		_exit(0);
	}
	assert_int_equal(process_sampler_open("", pid, &s), 0);
	process_sampler_read(&s, false);
	assert_true(s.values[P_RSS] > 100000 && s.values[P_VSIZE] >= s.values[P_RSS]);
	assert_true(s.values[P_MINOR_FAULTS] >= 0 && s.values[P_OOM_SCORE] >= 0);
	kill(pid, SIGKILL);
	waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT);
	process_sampler_read(&s, false);
	assert_int_equal(s.values[P_RSS], MISSING);
	assert_int_equal(s.values[P_OOM_SCORE], MISSING);
	waitpid(pid, NULL, 0);
	process_sampler_read(&s, false);
	assert_int_equal(s.values[P_RSS], MISSING);
	process_sampler_close(&s);
	assert_int_equal(process_sampler_open("", pid, &s), -ENOENT);
	process_sampler_close(&s);
}

static int64_t of_group(const int64_t *values, const char *name)
{
	size_t i;

	for (i = 0; cg_column(i); i++)
		if (!strcmp(cg_column(i), name))
			return values[i];
	fail_msg("no column %s", name);
	return 0;
}

static void read_group(const char *mount, int version, int64_t values[CG_COLUMNS_MAX])
{
	struct cg_system sys = { .version = version };
	struct cg_sampler s;

	snprintf(sys.memory, sizeof(sys.memory), "%s", mount);
	assert_int_equal(cg_sampler_open(&sys, "app/x", &s, NULL), 0);
	cg_sampler_read(&s, MISSING, values);
	cg_sampler_close(&s);
	cg_sampler_close(&s);
}

static void cgroup_v2(void **state)
{
	int64_t values[CG_COLUMNS_MAX];
	size_t i;

	(void)state;
	read_group(FIXTURES "cgroup/6.1", 2, values);
	for (i = 0; cg_column(i); i++)
		if (values[i] == MISSING)
			fail_msg("%s has no value", cg_column(i));
	assert_int_equal(of_group(values, "current"), 8650752);
	assert_int_equal(of_group(values, "anon"), 8388608);
	assert_int_equal(of_group(values, "pagetables"), 24576);
	assert_int_equal(of_group(values, "pgfault"), 2049);
	read_group(FIXTURES "cgroup/5.10", 2, values);
	assert_int_equal(of_group(values, "peak"), MISSING);
	assert_int_equal(of_group(values, "oom_group_kills"), MISSING);
	assert_int_equal(of_group(values, "oom_kills"), 0);
}

static void cgroup_v1(void **state)
{
	int64_t values[CG_COLUMNS_MAX];

	(void)state;
	read_group(FIXTURES "cgroup/v1", 1, values);
	assert_int_equal(of_group(values, "current"), 3596288);
	assert_int_equal(of_group(values, "peak"), 8699904);
	assert_int_equal(of_group(values, "file"), 3006464);
	assert_int_equal(of_group(values, "pgfault"), 2269);
	assert_int_equal(of_group(values, "swap"), 0);
	assert_int_equal(of_group(values, "oom_kills"), 0);
	assert_int_equal(of_group(values, "max_events"), 0);
	assert_int_equal(of_group(values, "oom_events"), MISSING);
	assert_int_equal(of_group(values, "psi_some"), MISSING);
}

/* All keys of one file have numbers of their own: none is taken from a neighbour's line. */
static void cgroup_keys(void **state)
{
	struct tree *t = *state;
	int64_t values[CG_COLUMNS_MAX];

	put(t, "/app/x/memory.current", "1\n");
	put(t, "/app/x/memory.events",
	    "low 1\nhigh 2\nmax 3\noom 4\noom_kill 5\noom_group_kill 6\nsock_throttled 7\n");
	put(t, "/app/x/memory.stat",
	    "anon_thp 9\nanon 1\nfile_mapped 9\nfile 2\nslab_reclaimable 3\nslab 9\n"
	    "pgscan_kswapd 9\npgscan 4\npgsteal_direct 9\npgsteal 5\n");
	put(t, "/app/x/memory.pressure",
	    "some avg10=0.00 avg60=0.00 avg300=0.00 total=3\n"
	    "full avg10=0.00 avg60=0.00 avg300=0.00 total=2\n");
	read_group(t->root, 2, values);
	assert_int_equal(of_group(values, "low_events"), 1);
	assert_int_equal(of_group(values, "max_events"), 3);
	assert_int_equal(of_group(values, "oom_events"), 4);
	assert_int_equal(of_group(values, "oom_kills"), 5);
	assert_int_equal(of_group(values, "oom_group_kills"), 6);
	assert_int_equal(of_group(values, "anon"), 1);
	assert_int_equal(of_group(values, "file"), 2);
	assert_int_equal(of_group(values, "pgscan"), 4);
	assert_int_equal(of_group(values, "pgsteal"), 5);
	assert_int_equal(of_group(values, "slab_unreclaimable"), MISSING);
	assert_int_equal(of_group(values, "psi_some"), 3000);
	assert_int_equal(of_group(values, "psi_full"), 2000);
}

static void cgroup_that_is_not_there(void **state)
{
	struct tree *t = *state;
	struct cg_system sys = { .version = 2 };
	struct cg_sampler s;

	snprintf(sys.memory, sizeof(sys.memory), "%s", t->root);
	assert_int_equal(cg_sampler_open(&sys, "none", &s, &t->e), -ENOENT);
	assert_non_null(strstr(t->e.text, "cgroup none"));
	assert_non_null(strstr(t->e.text, "memory.current"));
	cg_sampler_close(&s);
}

#define IN_TREE(test) cmocka_unit_test_setup_teardown(test, make_tree, drop_tree)

int main(void)
{
	const struct CMUnitTest tests[] = {
		IN_TREE(system_of_6_1),
		IN_TREE(system_of_5_10),
		IN_TREE(nothing_there),
		IN_TREE(some_files_absent),
		IN_TREE(system_is_read_again),
		IN_TREE(too_many_counters),
		cmocka_unit_test(process_by_kernel),
		cmocka_unit_test(zombie),
		IN_TREE(process_with_fewer_lines),
		cmocka_unit_test(real_process),
		cmocka_unit_test(cgroup_v2),
		cmocka_unit_test(cgroup_v1),
		IN_TREE(cgroup_keys),
		IN_TREE(cgroup_that_is_not_there),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("sample", tests, NULL, NULL);
}
