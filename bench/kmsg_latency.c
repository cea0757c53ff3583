// SPDX-License-Identifier: MIT
/*
 * From a line in the kernel log to its record in the black box. A child writes
 * markers to /dev/kmsg and now and then has the kernel kill a process in a
 * group of 16 MB; the parent is an engine in small: the engine's own log.c and
 * tick.c in one epoll loop, a tick each 10 ms. A marker is read when the kernel
 * wakes the log's readers, at the next tick of the CPU's clock (a lazy irq_work
 * in kernel/printk); around a kill the engine listens closely (log.c).
 *
 * One line a record, tab-separated, for bench/run to make sense of:
 *
 *   marker  812345678901  812345699901  812345.690   written and recorded (CLOCK_MONOTONIC ns), the log's stamp (us)
 *   kill    0             812399999901  812399.123   the line that says who was killed: the log's stamp is all there is
 *
 *   cpu     812345678901  8123456 1234           the reader's wall and CPU ns from start to end, its wake-ups
 *
 * The log's clock is not CLOCK_MONOTONIC; what lies between them shows in the markers.
 * Exit status 77: cannot be measured here, the reason is on standard error.
 */
#include "harness/engine/trial.h"
#include "lib/files.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <unistd.h>

#define SKIP           77
#define MARKER         "oomlab-bench: "
#define VICTIM         "oomlab-bench"
#define BOX_BYTES      (16u << 20)
#define GROUP_LIMIT    "16777216"
#define VICTIM_BYTES   (64u << 20)
#define TICK_EVERY_NS  (10 * NS_PER_MS)
#define WRITE_EVERY_NS 7130000ULL /* in step with no timer of the reader's */

static struct trial_run trial;
static const struct shared_page page;
static char *const group = trial.groups[0].path;

static void die(const char *what)
{
	fprintf(stderr, "bench/kmsg_latency: %s: %s\n", what, strerror(errno));
	exit(1);
}

static int every(uint64_t ns)
{
	struct itimerspec when = { .it_value.tv_nsec = (long)ns, .it_interval.tv_nsec = (long)ns };
	int fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);

	if (fd < 0 || timerfd_settime(fd, 0, &when, NULL) < 0)
		die("timerfd");
	return fd;
}

static void wait_timer(int fd)
{
	uint64_t expired;

	if (read(fd, &expired, sizeof(expired)) < 0)
		die("timerfd");
}

/*
 * Opened anew for each line: the kernel limits the rate of writes per open file.
 * A line without its newline may go on and is shown to nobody before the next one.
 */
static void write_marker(void)
{
	AUTO_CLOSE int fd = open("/dev/kmsg", O_WRONLY | O_CLOEXEC);
	char text[64];
	int len = snprintf(text, sizeof(text), "<7>" MARKER "%llu\n", (unsigned long long)clock_ns());

	if (fd < 0 || write(fd, text, (size_t)len) != len)
		die("/dev/kmsg");
}

/* Ends as the group's limit wants it; with much swap it may end unharmed. */
static void run_victim(void)
{
	pid_t pid = fork();

	if (pid == 0) {
		struct err e = ERR_INIT;
		char *memory =
			mmap(NULL, VICTIM_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

		prctl(PR_SET_PDEATHSIG, SIGKILL);
		prctl(PR_SET_NAME, VICTIM);
		if (memory == MAP_FAILED || cg_attach(&trial.cgroups, group, getpid(), &e) < 0)
			_exit(1);
		explicit_bzero(memory, VICTIM_BYTES);
		_exit(0);
	}
	while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
}

static void write_log(int markers, int kills)
{
	int timer = every(WRITE_EVERY_NS), i;

	for (i = 0; i < markers; i++) {
		wait_timer(timer);
		write_marker();
		if (kills && i % (markers / kills) == 0) {
			wait_timer(timer);
			run_victim();
		}
	}
	wait_timer(timer); /* the last line is to be recorded before our end is */
}

static pid_t start_writer(int markers, int kills, int *ret_end)
{
	int end[2];
	pid_t pid;

	pid = pipe2(end, O_CLOEXEC) < 0 ? -1 : fork();
	if (pid < 0)
		die("starting the writer");
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		write_log(markers, kills);
		_exit(0);
	}
	close(end[1]);
	*ret_end = end[0];
	return pid;
}

static uint64_t cpu_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
	return (uint64_t)now.tv_sec * NS_PER_S + (uint64_t)now.tv_nsec;
}

/* Until the writer's end of the pipe closes (it stands for the signals of an engine). */
static void record(int end)
{
	uint64_t wall = clock_ns(), cpu = cpu_ns(), wakes = 0;
	struct epoll_event events[32];
	bool on = true;
	int i, n;

	trial.epoll = epoll_create1(EPOLL_CLOEXEC);
	trial.tick_fd = every(TICK_EVERY_NS);
	if (trial_watch(&trial, trial.tick_fd, EPOLLIN, TICK, 0) < 0 ||
	    trial_watch(&trial, end, EPOLLIN, SIGNALS, 0) < 0 || trial_log_watch(&trial) < 0)
		die("epoll");
	while (on) {
		n = epoll_wait(trial.epoll, events, 32, 10000);
		if (n == 0 || (n < 0 && errno != EINTR))
			die("nothing happens any more");
		wakes++;
		for (i = 0; i < n; i++) {
			enum trial_source source = (enum trial_source)(events[i].data.u64 >> 32);

			if (source == TICK) {
				wait_timer(trial.tick_fd);
				trial_tick(&trial, false);
			} else if (source == SIGNALS) {
				on = false;
			} else {
				trial_log_event(&trial, source, (unsigned int)events[i].data.u64);
			}
		}
	}
	printf("cpu\t%llu\t%llu\t%llu\n", (unsigned long long)(clock_ns() - wall),
	       (unsigned long long)(cpu_ns() - cpu), (unsigned long long)wakes);
}

/* "6,1234,5678901,-;text": the third number is the log's stamp in microseconds. */
static void print_record(struct oom_parser *parser, const struct bb_record *rec)
{
	unsigned long long recorded = trial.rec.start_ns + rec->t_ns, stamp, us;
	char text[1024];
	const char *message;
	size_t len = rec->len < sizeof(text) ? rec->len : sizeof(text) - 1;

	memcpy(text, rec->payload, len);
	text[len] = 0;
	if (sscanf(text, "%*u,%*u,%llu", &us) != 1)
		return;
	message = oom_line_message(text, strcspn(text, "\n"), &len);
	if (sscanf(message, MARKER "%llu", &stamp) == 1 && stamp >= trial.rec.start_ns)
		printf("marker\t%llu\t%llu\t%llu\n", stamp, recorded, us);
	else if (oom_parser_feed(parser, message, len) == OOM_KILLED &&
		 strcmp(parser->kill.comm, VICTIM) == 0)
		printf("kill\t0\t%llu\t%llu\n", recorded, us);
}

static void print_records(void)
{
	const struct bb_record *rec = NULL;
	struct oom_parser parser;

	oom_parser_init(&parser);
	while ((rec = bb_next(trial.rec.box, rec)))
		if (rec->type == BB_KMSG)
			print_record(&parser, rec);
}

static int make_group(struct err *e)
{
	char parent[256], got[32];
	int r;

	r = cg_init(&trial.cgroups, e);
	if (r == 0)
		r = cg_default_parent(&trial.cgroups, parent, sizeof(parent), e);
	if (r < 0)
		return r;
	snprintf(group, sizeof(trial.groups[0].path), "%s%soomlab-bench.%d", parent, parent[0] ? "/" : "",
		 (int)getpid());
	r = cg_make(&trial.cgroups, group, e);
	if (r == 0)
		r = cg_set(&trial.cgroups, group, "memory.max", GROUP_LIMIT, got, e);
	if (r == 0)
		r = cg_sampler_open(&trial.cgroups, group, &trial.groups[0].sampler, e);
	trial.group_count = r == 0;
	return r;
}

static void open_all(const char *path, struct blackbox *box, struct err *e)
{
	struct process *self = &trial.processes[0];

	if (access("/dev/kmsg", W_OK) < 0 || kmsg_open(&trial.kmsg) < 0) {
		fprintf(stderr, "/dev/kmsg cannot be read and written here: %s\n", strerror(errno));
		exit(SKIP);
	}
	if (bb_create(path, BOX_BYTES, "{}", 2, box, e) < 0 ||
	    system_sampler_open("", &trial.system, e) < 0) {
		fprintf(stderr, "bench/kmsg_latency: %s\n", e->text);
		exit(1);
	}
	unlink(path);
	recorder_init(&trial.rec, box);
	self->pid = getpid();
	self->running = self->started = true;
	self->page = &page;
	process_sampler_open("", self->pid, &self->sampler);
	trial.process_count = 1;
}

int main(int argc, char **argv)
{
	int markers = argc > 2 ? atoi(argv[2]) : 0, kills = argc > 3 ? atoi(argv[3]) : 0, end;
	struct blackbox box = { 0 };
	struct err e = ERR_INIT;
	char path[PATH_LEN_MAX];
	pid_t writer;

	if (markers <= 0 || kills < 0 || kills > markers ||
	    path_format(path, "%s/kmsg-%d.box", argv[1], (int)getpid()) < 0) {
		fprintf(stderr, "usage: kmsg_latency DIRECTORY MARKERS KILLS\n");
		return 2;
	}
	open_all(path, &box, &e);
	if (kills && make_group(&e) < 0) {
		fprintf(stderr, "no kills: %s\n", e.text);
		kills = 0;
	}
	mlockall(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT); /* as the engine does */
	writer = start_writer(markers, kills, &end);
	record(end);
	waitpid(writer, NULL, 0);
	if (group[0] && cg_remove(&trial.cgroups, group, &e) < 0)
		fprintf(stderr, "bench/kmsg_latency: %s\n", e.text);
	print_records();
	return 0;
}
