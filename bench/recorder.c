// SPDX-License-Identifier: MIT
/*
 * What a tick of the recorder costs, beside two others that look at the same
 * processes in the same rounds:
 *
 *   ours     trial_tick(): the engine's own, into a new black box each round
 *   preads   a pread(2) of each file that ours reads; nothing parsed or kept
 *   least    psutil_loop.py, what psutil gives cheaply (fewer values than ours)
 *   same     psutil_loop.py, every value that ours records
 *
 * One line a measurement, tab-separated, for bench/run to make sense of:
 *
 *   burst  64 ours 100 15420000 15800000     kind, processes, who, ticks, CPU ns, wall ns
 *   paced  64 ours 100 18200000 1000020000   the same, one tick each 10 ms
 *
 * Bursts keep the caches warm and are what ratios are made of; the share of a
 * core comes from the paced ticks, where each one finds the machine as it is.
 */
#include "harness/engine/trial.h"
#include "lib/files.h"

#include <errno.h>
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

struct cost {
	uint64_t cpu_ns, wall_ns;
};

struct psutil {
	pid_t pid;
	FILE *to, *from;
};

static struct trial_run trial;
static const struct shared_page page;
static char box_path[PATH_LEN_MAX];

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

static struct cost cost_now(void)
{
	return (struct cost){ cpu_ns(), clock_ns() };
}

static void print_cost(const char *kind, const char *who, unsigned int ticks, const struct cost *from)
{
	struct cost to = cost_now();

	printf("%s\t%u\t%s\t%u\t%llu\t%llu\n", kind, trial.process_count, who, ticks,
	       (unsigned long long)(to.cpu_ns - from->cpu_ns),
	       (unsigned long long)(to.wall_ns - from->wall_ns));
}

/* A process with some memory of each kind that status tells apart, which then does nothing. */
static pid_t start_idle(void)
{
	int ready[2];
	char *memory;
	pid_t pid;
	char byte;

	pid = pipe(ready) < 0 ? -1 : fork();
	if (pid < 0)
		die("starting an idle process");
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		memory = mmap(NULL, TOUCH_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		if (memory == MAP_FAILED)
			_exit(1);
		memset(memory, 1, TOUCH_BYTES);
		if (write(ready[1], "", 1) != 1)
			_exit(1);
		for (;;)
			pause();
	}
	close(ready[1]);
	if (read(ready[0], &byte, 1) != 1)
		die("an idle process did not start");
	close(ready[0]);
	return pid;
}

static void start_processes(unsigned int count)
{
	unsigned int i;

	for (i = 0; i < count; i++) {
		struct process *p = &trial.processes[i];

		p->pid = start_idle();
		p->running = p->started = true;
		p->page = &page;
		if (process_sampler_open("", p->pid, &p->sampler) < 0)
			die("opening an idle process");
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

static void ask_psutil(struct psutil *ps, const char *who, bool print)
{
	unsigned long long cpu, wall;

	if (!ps->pid)
		return;
	fprintf(ps->to, "%s %d\n", who, PSUTIL_TICKS);
	fflush(ps->to);
	if (fscanf(ps->from, "%llu %llu", &cpu, &wall) != 2) {
		fprintf(stderr, "bench/recorder: the psutil loop gave no answer; going on without it\n");
		kill(ps->pid, SIGKILL);
		waitpid(ps->pid, NULL, 0);
		ps->pid = 0;
	} else if (print) {
		printf("burst\t%u\t%s\t%d\t%llu\t%llu\n", trial.process_count, who, PSUTIL_TICKS, cpu, wall);
	}
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

static void burst(bool ours, bool print)
{
	struct cost from;
	int i;

	if (ours)
		new_box();
	from = cost_now();
	for (i = 0; i < TICKS; i++)
		tick(ours);
	if (print)
		print_cost("burst", ours ? "ours" : "preads", TICKS, &from);
}

/* As the engine waits: the waiting is part of what a tick costs. */
static void paced(bool ours)
{
	struct itimerspec every = { .it_value.tv_nsec = EVERY_NS, .it_interval.tv_nsec = EVERY_NS };
	AUTO_CLOSE int timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);
	struct cost from;
	uint64_t expired, i;

	if (ours)
		new_box();
	if (timerfd_settime(timer, 0, &every, NULL) < 0)
		die("timerfd");
	from = cost_now();
	for (i = 0; i < TICKS; i++) {
		if (read(timer, &expired, sizeof(expired)) < 0)
			die("timerfd");
		tick(ours);
	}
	print_cost("paced", ours ? "ours" : "preads", TICKS, &from);
}

static void measure(unsigned int processes, int rounds, int paced_rounds, char **python)
{
	struct psutil ps;
	int i;

	start_processes(processes);
	ps = start_psutil(python, processes);
	for (i = -WARM_UP; i < rounds; i++) {
		burst(i & 1, i >= 0);
		burst(!(i & 1), i >= 0);
		ask_psutil(&ps, i & 1 ? "least" : "same", i >= 0);
		ask_psutil(&ps, i & 1 ? "same" : "least", i >= 0);
	}
	for (i = 0; i < 2 * paced_rounds; i++)
		paced(i & 1);
	end_psutil(&ps);
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
	mlockall(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT); /* as the engine does */
	trial.rec.box = &box;
	for (i = 0; i < sizeof(counts) / sizeof(counts[0]); i++)
		measure(counts[i], atoi(argv[2]), counts[i] == SPEC_PROCESSES_MAX ? atoi(argv[3]) : 0,
			argv + 4);
	unlink(box_path);
	return 0;
}
