// SPDX-License-Identifier: MIT
/* oomlab record -- CMD: a program of the user's under limits, as if oomlab were not there, and its record. */
#include "harness/verbs.h"

#include "harness/janitor.h"
#include "harness/outflow.h"
#include "harness/plan.h"
#include "harness/record.h"
#include "harness/recording.h"
#include "harness/recording_end.h"
#include "harness/recording_options.h"
#include "harness/recording_stdin.h"
#include "harness/report.h"
#include "lib/clock.h"
#include "lib/json.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Keys are pressed twice in a session, too: only two of them this close mean that it is to end. */
#define TWICE_NS (2 * NS_PER_S)
/* After SIGKILL the trial gets this long to end by itself. */
#define HARD_NS (10 * NS_PER_S)

struct recorded {
	struct recording wish;
	struct recording_options options;
	struct engine_caller caller;
	char cpu_list[256];
	char **env; /* of the host: from env_ours on it is ours to free */
	size_t env_ours;
	struct rundir dir;
	struct plan plan;
	char box_path[PATH_LEN_MAX];
	struct outflow outflow; /* of a guest */
	uint32_t asked;         /* signals that are to be passed on */
	uint64_t interrupted_ns;
	bool ended_hard;
};

/* The environment as it is, with what --env says in place of what was there; that is ours and comes last. */
static char **caller_env(const json_t *more, size_t *ret_ours)
{
	size_t count = 0, n = 0, i;
	const char *name;
	json_t *value;
	char **list;

	while (environ[count])
		count++;
	list = calloc(count + json_object_size(more) + 1, sizeof(*list));
	for (i = 0; list && i < count; i++) {
		AUTO_FREE char *key = strndup(environ[i], strcspn(environ[i], "="));

		if (!json_object_get(more, key ? key : ""))
			list[n++] = environ[i];
	}
	*ret_ours = n;
	json_object_foreach ((json_t *)more, name, value)
		if (list && asprintf(&list[n], "%s=%s", name, json_string_value(value)) >= 0)
			n++;
	return list;
}

static int own_adj(void)
{
	AUTO_FREE char *text = NULL;

	return file_read("/proc/self/oom_score_adj", 32, &text, NULL, NULL) == 0 ? atoi(text) : 0;
}

/* What the host hands on, and what a guest can be given. */
static int prepare(struct recorded *r)
{
	struct err e = ERR_INIT;
	size_t i;

	if (recording_find(&r->wish, &e) < 0)
		return complain_and(EXIT_USAGE, "record", "%s", e.text);
	for (i = 0; r->wish.guest && r->wish.argv[i]; i++) {
		json_t *text = json_string(r->wish.argv[i]);

		json_decref(text);
		if (!text)
			return complain_and(EXIT_SKIP, "record",
					    "word %zu of the command is no UTF-8, which a guest needs",
					    i + 1);
	}
	if (r->wish.guest)
		return EXIT_PASS;
	if (r->wish.cpus && recording_cpus(r->wish.cpus, r->cpu_list, &e) < 0)
		return complain_and(EXIT_SKIP, "record", "%s", e.text);
	r->wish.cpu_list = r->wish.cpus ? r->cpu_list : NULL;
	r->wish.oom_score_adj = own_adj();
	r->caller.argv = r->wish.argv;
	r->env = caller_env(r->wish.env, &r->env_ours);
	r->caller.env = r->env;
	r->options.place.caller = &r->caller;
	return r->env ? EXIT_PASS : complain_and(EXIT_BROKEN, "record", "out of memory");
}

/* Hands over what is to be passed on, as soon as there is somebody to take it. */
static void deliver(struct recorded *r, const struct runner *runner)
{
	const struct job *job = &runner->jobs[0];
	struct blackbox box;
	int number;

	if (!r->asked || job->state != JOB_RUNNING || bb_open(r->box_path, true, &box, NULL) < 0)
		return;
	if (bb_next(&box, NULL)) {
		for (number = 1; number < 32; number++)
			if (r->asked & 1u << number)
				bb_ask_signal(&box, number);
		r->asked = 0;
		/* It looks whenever it is woken; a guest looks once a second at the least. */
		if (!r->wish.guest)
			kill(job->trial.pid, SIGCHLD);
	} else if (r->ended_hard) {
		kill(job->trial.pid, SIGKILL);
	}
	bb_close(&box);
}

static void signalled(void *arg, struct runner *runner, const struct signalfd_siginfo *info)
{
	bool by_key = info->ssi_code == SI_KERNEL;
	struct recorded *r = arg;
	uint64_t now = clock_ns();

	if (info->ssi_signo == SIGINT) {
		if (r->interrupted_ns && (!by_key || now - r->interrupted_ns < TWICE_NS)) {
			r->ended_hard = true;
			r->asked |= 1u << SIGKILL;
			runner->jobs[0].deadline_ns = now + HARD_NS;
		}
		r->interrupted_ns = now;
	}
	/* A key's signal is for all of the terminal's foreground, so the program has it. */
	if (!by_key || r->wish.guest)
		r->asked |= 1u << info->ssi_signo;
	deliver(r, runner);
}

static void progress(void *arg, const struct runner *runner)
{
	struct recorded *r = arg;

	if (r->wish.guest && outflow_run(&r->outflow, r->box_path) &&
	    (r->outflow.error[0] == EPIPE || r->outflow.error[1] == EPIPE)) {
		/* As it would have had itself: once. */
		r->asked |= 1u << SIGPIPE;
		r->outflow.error[0] = r->outflow.error[1] = EIO;
	}
	deliver(r, runner);
}

static int say(const struct recorded *r, json_t *all, enum exit_status worst)
{
	json_t *result = json_array_get(json_object_get(all, "results"), 0);
	struct recording_end end = { .spec = r->plan.jobs[0].spec,
				     .result = result,
				     .ended_hard = r->ended_hard,
				     .quiet = r->options.quiet,
				     .dir = r->dir.shown };
	struct record record = { 0 };
	struct blackbox box;
	int status = result ? recording_status(result) : (int)worst;

	if (bb_open(r->box_path, false, &box, NULL) == 0) {
		record_read(&box, &record, NULL);
		bb_close(&box);
	}
	end.events = record.events;
	recording_say(stderr, &end);
	record_free(&record);
	if (!r->options.keep_box)
		unlink(r->box_path);
	json_object_set_new(json_object_get(all, "run"), "exit", json_integer(status));
	return status;
}

static int finish(struct recorded *r, int argc, char **argv, const struct runner *runner)
{
	enum exit_status worst;
	struct err e = ERR_INIT;
	json_t *all = report_run(&r->dir, argc, argv, &r->plan, (struct shard){ 0 }, runner, &worst);
	int status = say(r, all, worst);

	if (rundir_finish(&r->dir, json_object_get(all, "run"), &e) < 0)
		status = complain_and(EXIT_BROKEN, "record", "%s", e.text);
	json_decref(all);
	return status;
}

static int execute(struct recorded *r, int argc, char **argv)
{
	struct runner runner = { .jobs = r->plan.jobs,
				 .count = r->plan.count,
				 .at_once = 1,
				 .keep_box = true,
				 .options = &r->options.place,
				 .dir = &r->dir,
				 .progress = progress,
				 .progress_arg = r,
				 .signalled = signalled };
	struct err e = ERR_INIT;
	int ret = path_format(r->box_path, "%s/%s/blackbox", r->dir.path, r->plan.jobs[0].relative);

	if (ret < 0)
		err_errno(&e, -ret, "%s", r->dir.path);
	if (r->wish.guest)
		signal(SIGPIPE, SIG_IGN);
	if (ret == 0)
		ret = janitor_start(&e);
	if (ret == 0)
		ret = runner_run(&runner, &e);
	janitor_stop();
	/* Whoever read standard error may be gone, like the program. */
	signal(SIGPIPE, SIG_IGN);
	if (r->wish.guest)
		outflow_run(&r->outflow, r->box_path);
	outflow_close(&r->outflow);
	if (ret < 0) {
		rundir_discard(&r->dir);
		return complain_and(report_error(ret), "record", "%s", e.text);
	}
	return finish(r, argc, argv, &runner);
}

static int run(struct recorded *r, int argc, char **argv)
{
	struct err e = ERR_INIT;
	char input[PATH_LEN_MAX] = "";
	json_t *spec = recording_spec(&r->wish);
	int status, ret;

	ret = spec ? rundir_make(r->options.out, json_text(spec, "scenario", ""), &r->dir, &e) : -ENOMEM;
	json_decref(spec);
	if (ret < 0)
		return complain_and(EXIT_USAGE, "record", "%s", spec ? e.text : "out of memory");
	if (r->wish.guest)
		ret = recording_stdin(STDIN_FILENO, r->dir.path, input, &e);
	if (ret < 0) {
		rundir_discard(&r->dir);
		return complain_and(ret == -EOPNOTSUPP ? EXIT_SKIP : (int)report_error(ret), "record", "%s",
				    e.text);
	}
	r->wish.stdin_path = input[0] ? input : NULL;
	/* A guest that has been given an input serves no other run, so it is not worth keeping. */
	r->options.place.cold = input[0];
	spec = recording_spec(&r->wish);
	if (!spec || plan_one(spec, &r->plan) < 0)
		status = complain_and(EXIT_BROKEN, "record", "out of memory");
	else
		status = execute(r, argc, argv);
	if (input[0])
		unlink(input);
	plan_free(&r->plan);
	json_decref(spec);
	return status;
}

/* A stream that the caller has closed stays closed for the program, and no file of ours takes its number. */
static void hold_closed_streams(void)
{
	int fd;

	for (fd = 0; fd <= 2; fd++)
		if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", O_RDWR | O_CLOEXEC) < 0)
			return;
}

static void release(struct recorded *r)
{
	size_t i;

	for (i = r->env_ours; r->env && r->env[i]; i++)
		free(r->env[i]);
	free(r->env);
	json_decref(r->wish.limits);
	json_decref(r->wish.env);
	json_decref(r->wish.files);
	free(r);
}

int verb_record(int argc, char **argv)
{
	struct recorded *r = calloc(1, sizeof(*r));
	int status;

	if (!r)
		return complain_and(EXIT_BROKEN, "record", "out of memory");
	hold_closed_streams();
	sigprocmask(SIG_BLOCK, NULL, &r->caller.mask);
	signal(SIGCHLD, SIG_DFL); /* ignored, no child could be waited for */
	r->options.place.accel = "auto";
	r->outflow.fds[0] = STDOUT_FILENO;
	r->outflow.fds[1] = STDERR_FILENO;
	if (recording_parse(&r->wish, &r->options, argc, argv, &status) == 0) {
		status = prepare(r);
		if (status == EXIT_PASS)
			status = run(r, argc, argv);
	}
	release(r);
	return status;
}
