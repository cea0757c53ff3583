// SPDX-License-Identifier: MIT
/*
 * What a tick of the recorder costs, beside two others that look at the same
 * processes in the same rounds:
 *
 *   ours     trial_tick(): the engine's own, into a new black box each round
 *   preads   a pread(2) of status, stat, oom_score and the system's files; nothing parsed or kept
 *   least    psutil_loop.py, what psutil gives cheaply (fewer values than ours)
 *   same     psutil_loop.py, every value that ours records
 *
 * One line a measurement, tab-separated, for bench/run to make sense of:
 *
 *   idle     64 ours 100 15420000     kind, processes, who, ticks, CPU ns
 *
 *   idle     the processes sleep; ticks one behind the other
 *   running  each has run and faulted since the last tick, and sleeps again; its waking is not counted
 *   paced    as idle, one tick each 10 ms
 *   paced2   likewise, and two of the processes run and fault all the time
 *
 * Ticks one behind the other keep the caches warm and are what ratios are made
 * of; the share of a core comes from the paced ones, where each finds the
 * machine as it is.
 */
#include "harness/engine/trial.h"
#include "lib/files.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <unistd.h>

#define TICKS        100 /* a burst's; they fit into the box before its stride grows */
#define PSUTIL_TICKS 20
#define WARM_UP      3 /* rounds that are not printed */
#define BOX_BYTES    (4u << 20)
#define EVERY_NS     (10 * NS_PER_MS)
#define TOUCH_BYTES  (1u << 20)
#define RUN_ON       'r'

struct psutil {
	pid_t pid;
	FILE *to, *from;
};

static struct trial_run trial;
static const struct shared_page page;
static char box_path[PATH_LEN_MAX];
static int wake[SPEC_PROCESSES_MAX]; /* a byte: run once; RUN_ON: run for good */
static int ran[2];                   /* a byte back for each that ran once */

static void die(const char *what)
{
	fprintf(stderr, "bench/recorder: %s: %s\n", what, strerror(errno));
	exit(1);
}

static uint64_t cpu_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
	return (uint64_t)now.tv_sec * NS_PER_S + (uint64_t)now.tv_nsec;
}

static void print_cost(const char *kind, const char *who, unsigned int ticks, uint64_t ns)
{
	printf("%s\t%u\t%s\t%u\t%llu\n", kind, trial.process_count, who, ticks, (unsigned long long)ns);
}

static void fault(char *memory)
{
	madvise(memory, 4096, MADV_DONTNEED);
	*(volatile char *)memory = 1;
}

/* Some memory of each kind that status tells apart, and nothing to do until a byte comes. */
static void process_main(int orders)
{
	char *memory = mmap(NULL, TOUCH_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	char order;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (memory == MAP_FAILED)
		_exit(1);
	memset(memory, 1, TOUCH_BYTES);
	while (write(ran[1], "", 1) == 1 && read(orders, &order, 1) == 1)
		do
			fault(memory);
		while (order == RUN_ON);
	_exit(1);
}

static void until_ran(unsigned int count)
{
	char byte;

	while (count--)
		if (read(ran[0], &byte, 1) != 1)
			die("a process did not run");
}

static pid_t start_process(int *ret_wake)
{
	int orders[2];
	pid_t pid;

	pid = pipe2(orders, O_CLOEXEC) < 0 ? -1 : fork();
	if (pid < 0)
		die("starting a process");
	if (pid == 0) {
		close(orders[1]);
		process_main(orders[0]);
	}
	close(orders[0]);
	*ret_wake = orders[1];
	until_ran(1);
	return pid;
}

/* 91 (name) S ...: it answers shortly before it sleeps. */
static void until_asleep(int stat)
{
	char text[1024], *state;
	ssize_t n;

	do {
		n = pread(stat, text, sizeof(text), 0);
		state = n > 0 ? memrchr(text, ')', (size_t)n) : NULL;
		if (!state)
			die("the state of a process");
	} while (memcmp(state, ") S", 3) != 0 && sched_yield() == 0);
}

static void wake_all(void)
{
	unsigned int i;

	for (i = 0; i < trial.process_count; i++)
		if (write(wake[i], "", 1) != 1)
			die("waking a process");
	until_ran(trial.process_count);
	for (i = 0; i < trial.process_count; i++)
		until_asleep(trial.processes[i].sampler.stat);
}

static void start_processes(unsigned int count)
{
	unsigned int i;

	for (i = 0; i < count; i++) {
		struct process *p = &trial.processes[i];

		p->pid = start_process(&wake[i]);
		p->running = p->started = true;
		p->page = &page;
		if (process_sampler_open("", p->pid, &p->sampler) < 0)
			die("opening a process");
	}
	trial.process_count = count;
}

static void end_processes(void)
{
	unsigned int i;

	for (i = 0; i < trial.process_count; i++) {
		process_sampler_close(&trial.processes[i].sampler);
		kill(trial.processes[i].pid, SIGKILL);
		waitpid(trial.processes[i].pid, NULL, 0);
		close(wake[i]);
	}
	trial.process_count = 0;
}

/* No psutil there: the first answer is missing and bench/run says so. */
static struct psutil start_psutil(char **argv, unsigned int processes)
{
	struct psutil ps = { 0 };
	int to[2], from[2];
	unsigned int i;

	if (!argv[0])
		return ps;
	if (pipe(to) < 0 || pipe(from) < 0 || (ps.pid = fork()) < 0)
		die("starting the psutil loop");
	if (ps.pid == 0) {
		char *args[3 + SPEC_PROCESSES_MAX] = { argv[0], argv[1] };

		for (i = 0; i < processes; i++)
			if (asprintf(&args[2 + i], "%d", trial.processes[i].pid) < 0)
				_exit(127);
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		dup2(to[0], STDIN_FILENO);
		dup2(from[1], STDOUT_FILENO);
		close(to[1]);
		close(from[0]);
		execv(args[0], args);
		_exit(127);
	}
	close(to[0]);
	close(from[1]);
	ps.to = fdopen(to[1], "w");
	ps.from = fdopen(from[0], "r");
	return ps;
}

/* Asleep: all ticks in one go. Running: one by one, each after a waking. */
static void ask_psutil(struct psutil *ps, const char *kind, const char *who, bool running, bool print)
{
	int each = running ? 1 : PSUTIL_TICKS, ticks;
	unsigned long long cpu, wall, sum = 0;

	for (ticks = 0; ps->pid && ticks < PSUTIL_TICKS; ticks += each) {
		if (running)
			wake_all();
		fprintf(ps->to, "%s %d\n", who, each);
		fflush(ps->to);
		if (fscanf(ps->from, "%llu %llu", &cpu, &wall) != 2) {
			fprintf(stderr,
				"bench/recorder: the psutil loop gave no answer; going on without it\n");
			kill(ps->pid, SIGKILL);
			waitpid(ps->pid, NULL, 0);
			ps->pid = 0;
			return;
		}
		sum += cpu;
	}
	if (ps->pid && print)
		print_cost(kind, who, PSUTIL_TICKS, sum);
}

static void end_psutil(struct psutil *ps)
{
	if (ps->to)
		fclose(ps->to);
	if (ps->from)
		fclose(ps->from);
	if (ps->pid)
		waitpid(ps->pid, NULL, 0);
}

static void new_box(void)
{
	struct blackbox *box = trial.rec.box;
	struct err e = ERR_INIT;

	bb_close(box);
	unlink(box_path);
	if (bb_create(box_path, BOX_BYTES, "{}", 2, box, &e) < 0) {
		fprintf(stderr, "bench/recorder: %s\n", e.text);
		exit(1);
	}
	recorder_init(&trial.rec, box);
}

static void drain(int fd)
{
	static char text[16384];

	if (pread(fd, text, sizeof(text) - 1, 0) < 0 && errno != ESRCH)
		die("pread");
}

/* The files in the order in which trial_tick() reads them. */
static void bare_tick(void)
{
	size_t i;

	for (i = 0; i < trial.system.file_count; i++)
		drain(trial.system.files[i].fd);
	for (i = 0; i < trial.process_count; i++) {
		drain(trial.processes[i].sampler.status);
		drain(trial.processes[i].sampler.stat);
		drain(trial.processes[i].sampler.oom_score);
	}
}

static void tick(bool ours)
{
	if (ours)
		trial_tick(&trial, false);
	else
		bare_tick();
}

static void burst(const char *kind, bool ours, bool running, bool print)
{
	uint64_t from, sum = 0;
	int i;

	if (ours)
		new_box();
	for (i = 0; i < TICKS; i++) {
		if (running)
			wake_all();
		from = cpu_ns();
		tick(ours);
		sum += cpu_ns() - from;
	}
	if (print)
		print_cost(kind, ours ? "ours" : "preads", TICKS, sum);
}

static void bursts(const char *kind, struct psutil *ps, int rounds, bool running)
{
	int i;

	for (i = -WARM_UP; i < rounds; i++) {
		burst(kind, i & 1, running, i >= 0);
		burst(kind, !(i & 1), running, i >= 0);
		ask_psutil(ps, kind, i & 1 ? "least" : "same", running, i >= 0);
		ask_psutil(ps, kind, i & 1 ? "same" : "least", running, i >= 0);
	}
}

/* As the engine waits: the waiting is part of what a tick costs. */
static void paced(const char *kind, bool ours)
{
	struct itimerspec every = { .it_value.tv_nsec = EVERY_NS, .it_interval.tv_nsec = EVERY_NS };
	AUTO_CLOSE int timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);
	uint64_t expired, from;
	int i;

	if (ours)
		new_box();
	if (timerfd_settime(timer, 0, &every, NULL) < 0)
		die("timerfd");
	from = cpu_ns();
	for (i = 0; i < TICKS; i++) {
		if (read(timer, &expired, sizeof(expired)) < 0)
			die("timerfd");
		tick(ours);
	}
	print_cost(kind, ours ? "ours" : "preads", TICKS, cpu_ns() - from);
}

static void measure(unsigned int processes, int rounds, int paced_rounds, char **python)
{
	struct psutil ps;
	int i;

	start_processes(processes);
	ps = start_psutil(python, processes);
	bursts("idle", &ps, rounds, false);
	bursts("running", &ps, rounds, true);
	end_psutil(&ps);
	for (i = 0; i < 2 * paced_rounds; i++)
		paced("paced", i & 1);
	for (i = 0; i < 2 && paced_rounds; i++)
		if (write(wake[i], &(char){ RUN_ON }, 1) != 1)
			die("waking a process");
	for (i = 0; i < 2 * paced_rounds; i++)
		paced("paced2", i & 1);
	end_processes();
}

int main(int argc, char **argv)
{
	static const unsigned int counts[] = { 1, 8, SPEC_PROCESSES_MAX };
	struct blackbox box = { 0 };
	struct err e = ERR_INIT;
	size_t i;

	if (argc < 4) {
		fprintf(stderr, "usage: recorder DIRECTORY ROUNDS PACED_ROUNDS [PYTHON PSUTIL_LOOP]\n");
		return 2;
	}
	signal(SIGPIPE, SIG_IGN);
	setvbuf(stdout, NULL, _IOLBF, 0);
	if (path_format(box_path, "%s/recorder-%d.box", argv[1], (int)getpid()) < 0)
		return 2;
	if (system_sampler_open("", &trial.system, &e) < 0) {
		fprintf(stderr, "bench/recorder: %s\n", e.text);
		return 1;
	}
	if (pipe2(ran, O_CLOEXEC) < 0)
		die("pipe");
	mlockall(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT); /* as the engine does */
	trial.rec.box = &box;
	for (i = 0; i < sizeof(counts) / sizeof(counts[0]); i++)
		measure(counts[i], atoi(argv[2]), counts[i] == SPEC_PROCESSES_MAX ? atoi(argv[3]) : 0,
			argv + 4);
	unlink(box_path);
	return 0;
}
