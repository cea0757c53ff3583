// SPDX-License-Identifier: MIT
/* Which processes are read whole, and which keep the values they had: fixture trees, and real ones. */
#include "harness/engine/sample.h"
#include "lib/files.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <cmocka.h>

#define MISSING     BB_MISSING
#define SCHEDSTAT   "4011305 86713 19\n"
#define STATM       "25 3 2 1 0 9 0\n"
#define TOUCH_BYTES (1u << 20)

/* Process 7 in a tree of its own. */
struct still {
	char root[64];
	bool swapped; /* else it has nothing in swap */
	struct process_sampler s;
	struct err e;
};

/* Writes in place: a sampler keeps the file open. */
static void put(struct still *t, const char *name, const char *text)
{
	char path[PATH_LEN_MAX];
	FILE *f;

	path_format(path, "%s/proc/7/%s", t->root, name);
	f = fopen(path, "w");
	assert_non_null(f);
	fputs(text, f);
	fclose(f);
}

/* Every value is another multiple of n, and so are the faults; oom_score is n. */
static void put_memory(struct still *t, int n, int threads)
{
	char text[512];

	snprintf(text, sizeof(text),
		 "Name:\tx\nVmPeak:\t%d kB\nVmSize:\t%d kB\nVmLck:\t%d kB\nVmHWM:\t%d kB\nVmRSS:\t%d kB\n"
		 "RssAnon:\t%d kB\nRssFile:\t%d kB\nRssShmem:\t%d kB\nVmPTE:\t%d kB\nVmSwap:\t%d kB\n"
		 "Threads:\t%d\nvoluntary_ctxt_switches:\t19\n",
		 n, 2 * n, 3 * n, 4 * n, 5 * n, 6 * n, 7 * n, 8 * n, 9 * n, t->swapped ? 10 * n : 0, threads);
	put(t, "status", text);
	snprintf(text, sizeof(text), "7 (x) S 1 2 3 4 5 6 %d 8 %d 0 0 9 0\n", 11 * n, 12 * n);
	put(t, "stat", text);
	snprintf(text, sizeof(text), "%d\n", n);
	put(t, "oom_score", text);
}

static void expect(const struct still *t, int n, int score)
{
	int i;

	for (i = 0; i < PROCESS_FIELDS; i++)
		assert_int_equal(t->s.values[i], i == P_SWAP && !t->swapped ? 0 : 1024 * (i + 1) * n);
	assert_int_equal(t->s.values[P_MINOR_FAULTS], 11 * n);
	assert_int_equal(t->s.values[P_MAJOR_FAULTS], 12 * n);
	assert_int_equal(t->s.values[P_OOM_SCORE], score);
}

/* Memory and oom_score say 10, and have been read: once more than it takes to see that it sleeps. */
static void begin(struct still *t, int threads, const char *schedstat, const char *statm)
{
	put_memory(t, 10, threads);
	if (schedstat)
		put(t, "schedstat", schedstat);
	if (statm)
		put(t, "statm", statm);
	assert_int_equal(process_sampler_open(t->root, 7, &t->s), 0);
	process_sampler_read(&t->s, false);
	process_sampler_read(&t->s, false);
	expect(t, 10, 10);
}

/* From here on memory and oom_score say 20. */
static void expect_next(struct still *t, bool whole_wanted)
{
	put_memory(t, 20, 1);
	process_sampler_read(&t->s, false);
	expect(t, whole_wanted ? 20 : 10, 20);
}

static int make_tree(void **state)
{
	struct still *t = calloc(1, sizeof(*t));
	char path[PATH_LEN_MAX];

	*state = t;
	t->s.status = -1;
	strcpy(t->root, "/tmp/oomlab-still.XXXXXX");
	if (!mkdtemp(t->root))
		return -1;
	path_format(path, "%s/proc/7", t->root);
	return dir_make(path, &t->e);
}

static int drop_tree(void **state)
{
	struct still *t = *state;
	int r;

	process_sampler_close(&t->s);
	r = tree_remove(t->root, NULL);
	free(t);
	return r;
}

static void still_keeps_its_values(void **state)
{
	struct still *t = *state;

	begin(t, 1, SCHEDSTAT, STATM);
	expect_next(t, false);
	put(t, "oom_score", "21\n");
	process_sampler_read(&t->s, false);
	expect(t, 10, 21);
	process_sampler_read(&t->s, true);
	expect(t, 20, 21);
	put_memory(t, 30, 1);
	process_sampler_read(&t->s, false); /* the whole reading is one to compare with */
	expect(t, 20, 30);
}

/* What statm says does not tell of swap. */
static void in_swap_is_read_anew(void **state)
{
	struct still *t = *state;

	t->swapped = true;
	begin(t, 1, SCHEDSTAT, STATM);
	expect_next(t, true);
}

/* Reclaimed while it slept. */
static void pages_changed(void **state)
{
	struct still *t = *state;

	begin(t, 1, SCHEDSTAT, STATM);
	put(t, "statm", "25 2 2 1 0 9 0\n");
	expect_next(t, true);
	put_memory(t, 30, 1);
	process_sampler_read(&t->s, false);
	expect(t, 20, 30);
}

/* Switched in since, and no clock tick yet. */
static void switches_changed(void **state)
{
	struct still *t = *state;

	begin(t, 1, SCHEDSTAT, STATM);
	put(t, "schedstat", "4011305 86713 20\n");
	expect_next(t, true);
}

/* The reading after a run is whole once more: the clock tick that was missed is in it. */
static void ran_and_sleeps(void **state)
{
	struct still *t = *state;

	begin(t, 1, SCHEDSTAT, STATM);
	put(t, "schedstat", "4011305 86713 20\n");
	expect_next(t, true);
	put_memory(t, 30, 1);
	process_sampler_read(&t->s, false);
	expect(t, 30, 30);
	put_memory(t, 40, 1);
	process_sampler_read(&t->s, false);
	expect(t, 30, 40);
}

/* Never switched out. */
static void time_run_changed(void **state)
{
	struct still *t = *state;

	begin(t, 1, SCHEDSTAT, STATM);
	put(t, "schedstat", "4011306 86713 19\n");
	expect_next(t, true);
}

/* schedstat is the first thread's alone. */
static void two_threads(void **state)
{
	struct still *t = *state;

	begin(t, 2, SCHEDSTAT, STATM);
	expect_next(t, true); /* and here one of them has ended: the next reading starts to compare */
	put_memory(t, 30, 1);
	process_sampler_read(&t->s, false);
	expect(t, 30, 30);
	put_memory(t, 40, 1);
	process_sampler_read(&t->s, false);
	expect(t, 40, 40);
	put_memory(t, 50, 1);
	process_sampler_read(&t->s, false);
	expect(t, 40, 50);
}

/* CONFIG_SCHED_INFO is not set. */
static void no_schedstat(void **state)
{
	struct still *t = *state;

	begin(t, 1, NULL, STATM);
	expect_next(t, true);
}

/* CONFIG_SCHED_INFO is set, and what fills it is off (delayacct, since 5.14). */
static void empty_schedstat(void **state)
{
	struct still *t = *state;

	begin(t, 1, "0 0 0\n", STATM);
	expect_next(t, true);
}

static void no_statm(void **state)
{
	struct still *t = *state;

	begin(t, 1, SCHEDSTAT, NULL);
	expect_next(t, true);
}

/* What was missing is not kept, least of all with an oom_score. */
static void zombie(void **state)
{
	struct still *t = *state;
	int i, round;

	begin(t, 1, SCHEDSTAT, STATM);
	put(t, "status", "Name:\tx\nState:\tZ (zombie)\nThreads:\t1\n");
	put(t, "statm", "0 0 0 0 0 0 0\n");
	put(t, "oom_score", "0\n");
	for (round = 0; round < 3; round++) {
		process_sampler_read(&t->s, false);
		for (i = 0; i < P_ALLOCATED; i++)
			assert_int_equal(t->s.values[i], MISSING);
	}
}

/* Its files are open still and give nothing. */
static void gone(void **state)
{
	struct still *t = *state;
	int i;

	begin(t, 1, SCHEDSTAT, STATM);
	put(t, "schedstat", "");
	put(t, "statm", "");
	put(t, "status", "");
	process_sampler_read(&t->s, false);
	for (i = 0; i < P_ALLOCATED; i++)
		assert_int_equal(t->s.values[i], MISSING);
}

/* A child that touches a piece of its memory for each byte it is sent, answers and waits for the next. */
struct toucher {
	pid_t pid;
	int go, done;
};

static void toucher_main(int go, int done)
{
	char *memory =
		mmap(NULL, 2 * TOUCH_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	char byte;
	int i;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (memory == MAP_FAILED)
		_exit(1);
	madvise(memory, 2 * TOUCH_BYTES, MADV_NOHUGEPAGE);
	for (i = 0; i < 2 && read(go, &byte, 1) == 1; i++) {
		memset(memory + (size_t)i * TOUCH_BYTES, 1, TOUCH_BYTES);
		__asm__ volatile("" ::"r"(memory) : "memory");
		if (write(done, "", 1) != 1)
			_exit(1);
	}
	pause();
	_exit(0);
}

/* Its answer may come before it sleeps; a process that runs is the one whose numbers may lag. */
static void until_asleep(pid_t pid)
{
	const struct timespec pause_ns = { 0, 100000 };
	char path[PATH_LEN_MAX], text[512], *state = NULL;
	int tries;

	path_format(path, "/proc/%d/stat", (int)pid);
	for (tries = 0; tries < 50000; tries++) {
		FILE *f = fopen(path, "r");

		assert_non_null(f);
		state = fgets(text, sizeof(text), f) ? strrchr(text, ')') : NULL;
		fclose(f);
		if (state && state[1] == ' ' && state[2] == 'S')
			return;
		nanosleep(&pause_ns, NULL);
	}
	fail_msg("process %d did not fall asleep", (int)pid);
}

static void touch(const struct toucher *c)
{
	char byte;

	assert_int_equal(write(c->go, "", 1), 1);
	assert_int_equal(read(c->done, &byte, 1), 1);
	until_asleep(c->pid);
}

static struct toucher start_toucher(void)
{
	struct toucher c;
	int go[2], done[2];

	assert_int_equal(pipe(go), 0);
	assert_int_equal(pipe(done), 0);
	c.pid = fork();
	assert_true(c.pid >= 0);
	if (c.pid == 0) {
		close(go[1]);
		toucher_main(go[0], done[1]);
	}
	close(go[0]);
	close(done[1]);
	c.go = go[1];
	c.done = done[0];
	until_asleep(c.pid);
	return c;
}

static void end_toucher(const struct toucher *c)
{
	kill(c->pid, SIGKILL);
	waitpid(c->pid, NULL, 0);
	close(c->go);
	close(c->done);
}

static void expect_touched(const struct process_sampler *s, const int64_t *before)
{
	const int64_t pages = TOUCH_BYTES / sysconf(_SC_PAGESIZE);

	/* a few pages of slack: kernels 6.2 to 6.16 show counters that lag by a batch for each CPU */
	assert_true(s->values[P_RSS] - before[P_RSS] >= TOUCH_BYTES * 3 / 4);
	assert_true(s->values[P_RSS_ANON] - before[P_RSS_ANON] >= TOUCH_BYTES * 3 / 4);
	assert_true(s->values[P_MINOR_FAULTS] - before[P_MINOR_FAULTS] >= pages);
}

/* Wakes, touches, sleeps, all of it between two readings and most often within one clock tick. */
static void woke_between_readings(void **state)
{
	struct toucher c = start_toucher();
	struct process_sampler s;
	int64_t before[P_COLUMNS];
	int i;

	(void)state;
	assert_int_equal(process_sampler_open("", c.pid, &s), 0);
	process_sampler_read(&s, false);
	for (i = 0; i < 2; i++) {
		memcpy(before, s.values, sizeof(before));
		process_sampler_read(&s, false);
		assert_memory_equal(before, s.values, P_OOM_SCORE * sizeof(before[0]));
		touch(&c);
		process_sampler_read(&s, false);
		expect_touched(&s, before);
	}
	process_sampler_close(&s);
	end_toucher(&c);
}

/* The point of it all: status and stat of a sleeper are not read. Marks in its values stay. */
static void sleeper_is_left_alone(void **state)
{
	struct toucher c = start_toucher();
	struct process_sampler s;
	int i;

	(void)state;
	assert_int_equal(process_sampler_open("", c.pid, &s), 0);
	process_sampler_read(&s, false);
	if (s.signs_len == 0) {
		process_sampler_close(&s);
		end_toucher(&c);
		skip(); /* this kernel does not count switches */
	}
	process_sampler_read(&s, false);
	for (i = 0; i < P_OOM_SCORE; i++)
		s.values[i] = -i;
	s.values[P_OOM_SCORE] = -1;
	process_sampler_read(&s, false);
	for (i = 0; i < P_OOM_SCORE; i++)
		assert_int_equal(s.values[i], -i);
	assert_true(s.values[P_OOM_SCORE] >= 0);
	touch(&c);
	process_sampler_read(&s, false);
	for (i = 0; i < P_ALLOCATED; i++)
		assert_true(s.values[i] >= 0);
	process_sampler_close(&s);
	end_toucher(&c);
}

#define IN_TREE(test) cmocka_unit_test_setup_teardown(test, make_tree, drop_tree)

int main(void)
{
	const struct CMUnitTest tests[] = {
		IN_TREE(still_keeps_its_values),
		IN_TREE(in_swap_is_read_anew),
		IN_TREE(pages_changed),
		IN_TREE(ran_and_sleeps),
		IN_TREE(switches_changed),
		IN_TREE(time_run_changed),
		IN_TREE(two_threads),
		IN_TREE(no_schedstat),
		IN_TREE(empty_schedstat),
		IN_TREE(no_statm),
		IN_TREE(zombie),
		IN_TREE(gone),
		cmocka_unit_test(woke_between_readings),
		cmocka_unit_test(sleeper_is_left_alone),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("sample_still", tests, NULL, NULL);
}
