// SPDX-License-Identifier: MIT
#include "harness/runner.h"

#include "harness/janitor.h"
#include "harness/output/output.h"
#include "harness/places/guest_machine.h"
#include "harness/verdict.h"
#include "lib/clock.h"
#include "lib/json.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define PROGRESS_MS 100
/* After SIGTERM a trial gets this long to end by itself, then it is killed. */
#define INTERRUPT_NS (10 * NS_PER_S)
/* Guests at a time: together at most this share of the memory that is available. */
#define MEMORY_SHARE_PERCENT 80

/* A box that holds every tick of a trial that runs to its timeout, within bounds; it thins out beyond. */
static size_t box_bytes(const json_t *spec)
{
	uint64_t every = (uint64_t)json_number(json_object_get(spec, "record"), "every", 10000000);
	uint64_t ticks =
		(uint64_t)json_number(json_object_get(spec, "stop"), "timeout", 0) / (every ? every : 1);
	uint64_t tick = 4096 + 160 * json_array_size(json_object_get(spec, "processes")) +
			260 * (1 + json_array_size(json_object_get(spec, "cgroups")));
	size_t bytes = 4 * BB_BYTES_MIN;

	while (bytes < ticks * tick * 8 / 7 && bytes < BB_BYTES_MAX / 4)
		bytes *= 2;
	return bytes;
}

static int make_box(struct job *job, struct err *e)
{
	AUTO_FREE char *text = json_dumps(job->spec, JSON_COMPACT);
	struct blackbox box;
	int r;

	if (!text)
		return err_set(e, ENOMEM, "out of memory");
	r = bb_create(job->trial.box_path, box_bytes(job->spec), text, strlen(text), &box, e);
	if (r == 0)
		bb_close(&box);
	return r;
}

static int prepare_files(const struct runner *r, struct job *job, struct err *e)
{
	char path[PATH_LEN_MAX], journal[PATH_LEN_MAX];
	unsigned int n = (unsigned int)(job - r->jobs) + 1;
	struct trial *t = &job->trial;
	int ret;

	t->spec = job->spec;
	t->options = r->options;
	snprintf(t->group_name, sizeof(t->group_name), "oomlab.%d.%u", (int)getpid(), n);
	ret = path_format(path, "%s/%s", r->dir->path, job->relative);
	if (ret < 0)
		return err_errno(e, -ret, "%s/%s", r->dir->path, job->relative);
	ret = dir_make(path, e);
	if (ret == 0)
		ret = janitor_journal(n, journal, e);
	if (ret < 0)
		return ret;
	t->dir = strdup(path);
	t->journal_path = strdup(journal);
	if (asprintf(&t->box_path, "%s/blackbox", path) < 0 || !t->dir || !t->journal_path)
		return err_set(e, ENOMEM, "out of memory");
	if (path_format(path, "%s/spec.json", t->dir) == 0)
		ret = json_write(path, job->spec, e);
	return ret == 0 ? make_box(job, e) : ret;
}

/* What is left of a trial: result.json and the tables, from the black box. */
static int write_results(const struct runner *r, struct job *job, struct err *e)
{
	char path[PATH_LEN_MAX];
	struct blackbox box;
	int ret;

	ret = path_format(path, "%s/result.json", job->trial.dir);
	if (ret == 0)
		ret = json_write(path, job->result, e);
	if (ret == 0 && bb_open(job->trial.box_path, false, &box, NULL) == 0) {
		ret = output_csv(&box, job->spec, job->trial.dir, e);
		bb_close(&box);
	}
	/* Where the disk is full, the box is the only whole record that there is. */
	if (ret == 0 && !r->keep_box)
		unlink(job->trial.box_path);
	return ret;
}

static int done(struct runner *r, struct job *job, const char *verdict, const char *reason, struct err *e)
{
	int ret = 0;

	if (!job->result)
		job->result =
			verdict_without_trial(job->spec, job->place->name, job->number, verdict, reason);
	job->state = JOB_DONE;
	if (job->trial.dir)
		ret = write_results(r, job, e);
	if (r->progress)
		r->progress(r->progress_arg, r);
	return ret;
}

/*
 * Starts a job, or ends it at once where its place cannot do it. Skipped and
 * broken trials have their directory too. Errors are of the run directory.
 */
static int start(struct runner *r, struct job *job, struct err *e)
{
	struct err why = ERR_INIT;
	int ret;

	ret = prepare_files(r, job, e);
	if (ret < 0)
		return ret;
	ret = job->place->can(job->spec, r->options, &why);
	if (ret == 0)
		ret = job->place->prepare(job->spec, r->options, &why);
	if (ret == 0)
		ret = job->place->start(&job->trial, &why);
	if (ret < 0)
		return done(r, job, ret == -EOPNOTSUPP ? "skip" : "broken", why.text, e);
	job->state = JOB_RUNNING;
	job->deadline_ns = clock_ns() + job->place->deadline_ns(job->spec);
	return 0;
}

static int finish(struct runner *r, struct job *job, int status, struct err *e)
{
	struct err why = ERR_INIT;
	int ret;

	ret = job->place->finish(&job->trial, status, job->timed_out, &why);
	if (r->interrupted)
		ret = err_set(&why, EINTR, "interrupted");
	if (ret == -EOPNOTSUPP)
		return done(r, job, "skip", why.text, e);
	/* A broken trial keeps its record: what was seen until then is what its author needs. */
	verdict_result(job->spec, job->trial.box_path, job->place->name, job->number,
		       ret < 0 ? why.text : NULL, &job->result, &why);
	return done(r, job, "broken", why.text, e);
}

static uint64_t memory_of(const struct job *job)
{
	if (job->place != &place_guest)
		return 0;
	/* QEMU itself took 93 MB (RssAnon less the guest's RAM) beside a full 256 MB guest under TCG. */
	return guest_host_memory(job->spec) + (128ULL << 20);
}

static uint64_t memory_available(void)
{
	AUTO_FREE char *text = NULL;
	const char *line;

	if (file_read("/proc/meminfo", 1 << 16, &text, NULL, NULL) < 0 ||
	    !(line = strstr(text, "MemAvailable:")))
		return UINT64_MAX;
	return strtoull(line + strlen("MemAvailable:"), NULL, 10) * 1024;
}

/* One trial may always run; another one beside it only if both fit. */
static bool fits(const struct runner *r, const struct job *next)
{
	bool alone = next->place == &place_host;
	uint64_t wanted = memory_of(next);
	size_t i, running = 0;

	for (i = 0; i < r->count; i++) {
		if (r->jobs[i].state != JOB_RUNNING)
			continue;
		running++;
		alone = alone || r->jobs[i].place == &place_host;
	}
	return running == 0 || (running < r->at_once && !(alone && r->host_alone) &&
				wanted <= memory_available() / 100 * MEMORY_SHARE_PERCENT);
}

static int start_more(struct runner *r, struct err *e)
{
	size_t i;

	for (i = 0; i < r->count && !r->interrupted; i++) {
		int ret;

		if (r->jobs[i].state != JOB_WAITING)
			continue;
		if (!fits(r, &r->jobs[i]))
			return 0;
		ret = start(r, &r->jobs[i], e);
		if (ret < 0)
			return ret;
	}
	return 0;
}

static int reap(struct runner *r, struct err *e)
{
	size_t i;

	for (i = 0; i < r->count; i++) {
		struct job *job = &r->jobs[i];
		int status, ret;

		if (job->state != JOB_RUNNING || waitpid(job->trial.pid, &status, WNOHANG) != job->trial.pid)
			continue;
		ret = finish(r, job, status, e);
		if (ret < 0)
			return ret;
	}
	return 0;
}

static void enforce_deadlines(struct runner *r)
{
	size_t i;

	for (i = 0; i < r->count; i++) {
		struct job *job = &r->jobs[i];

		if (job->state != JOB_RUNNING || clock_ns() < job->deadline_ns)
			continue;
		job->timed_out = !r->interrupted;
		kill(job->trial.pid, SIGKILL);
		job->deadline_ns = UINT64_MAX;
	}
}

static void interrupt(struct runner *r)
{
	size_t i;

	r->interrupted = true;
	for (i = 0; i < r->count; i++)
		if (r->jobs[i].state == JOB_RUNNING) {
			kill(r->jobs[i].trial.pid, SIGTERM);
			r->jobs[i].deadline_ns = clock_ns() + INTERRUPT_NS;
		}
}

static void take_signal(struct runner *r, const struct signalfd_siginfo *info)
{
	if (info->ssi_signo == SIGCHLD)
		return;
	if (r->signalled)
		r->signalled(r->progress_arg, r, info);
	else
		interrupt(r);
}

static bool any(const struct runner *r, enum job_state state)
{
	size_t i;

	for (i = 0; i < r->count; i++)
		if (r->jobs[i].state == state)
			return true;
	return false;
}

static int loop(struct runner *r, int signals, struct err *e)
{
	struct signalfd_siginfo info;
	int ret = 0;

	while (ret == 0 && (any(r, JOB_RUNNING) || (any(r, JOB_WAITING) && !r->interrupted))) {
		struct pollfd wait = { signals, POLLIN, 0 };

		ret = start_more(r, e);
		if (ret < 0 || !any(r, JOB_RUNNING))
			continue;
		poll(&wait, 1, PROGRESS_MS);
		while (read(signals, &info, sizeof(info)) > 0)
			take_signal(r, &info);
		enforce_deadlines(r);
		ret = reap(r, e);
		if (ret == 0 && r->progress)
			r->progress(r->progress_arg, r);
	}
	return ret;
}

/* After an error of the run directory: nothing may go on or be left behind. */
static void abandon(struct runner *r)
{
	struct err ignored = ERR_INIT;
	size_t i;

	for (i = 0; i < r->count; i++) {
		struct job *job = &r->jobs[i];
		int status = 0;

		if (job->state != JOB_RUNNING)
			continue;
		kill(job->trial.pid, SIGKILL);
		waitpid(job->trial.pid, &status, 0);
		job->place->finish(&job->trial, status, false, &ignored);
		unlink(job->trial.box_path);
	}
}

static void free_trials(struct runner *r)
{
	size_t i;

	for (i = 0; i < r->count; i++) {
		free(r->jobs[i].trial.dir);
		free(r->jobs[i].trial.box_path);
		free(r->jobs[i].trial.journal_path);
	}
}

int runner_run(struct runner *r, struct err *e)
{
	sigset_t set, old;
	int signals, ret;

	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGHUP);
	if (r->signalled) {
		sigaddset(&set, SIGQUIT);
		sigaddset(&set, SIGUSR1);
		sigaddset(&set, SIGUSR2);
	}
	sigprocmask(SIG_BLOCK, &set, &old);
	signals = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
	if (signals < 0)
		return err_errno(e, errno, "signalfd");
	r->started_ns = clock_ns();
	ret = loop(r, signals, e);
	if (ret < 0)
		abandon(r);
	close(signals);
	sigprocmask(SIG_SETMASK, &old, NULL);
	free_trials(r);
	return ret;
}

void runner_live(const struct job *job, uint64_t *ret_rss, uint64_t *ret_swap)
{
	struct blackbox box;

	*ret_rss = *ret_swap = 0;
	if (job->state != JOB_RUNNING || bb_open(job->trial.box_path, false, &box, NULL) < 0)
		return;
	*ret_rss = box.header->live.rss_bytes;
	*ret_swap = box.header->live.swap_bytes;
	bb_close(&box);
}
