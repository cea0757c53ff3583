// SPDX-License-Identifier: MIT
/*
 * The trial itself: one epoll loop over the sampling tick, the processes' bells
 * and output, the kernel log, the fault time line and the deadline.
 *
 * Children are reaped on SIGCHLD through a signalfd: it works on every kernel,
 * and a pid cannot be used again before its parent has reaped it.
 */
#include "harness/engine/children.h"
#include "harness/engine/killer.h"
#include "harness/engine/trial.h"

#include "lib/files.h"
#include "lib/units.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <unistd.h>

/* How long a process may take to die of SIGKILL before the trial is given up. */
#define KILL_TIMEOUT_NS (10 * NS_PER_S)
int trial_watch(struct trial_run *t, int fd, uint32_t events, enum trial_source source, unsigned int index)
{
	struct epoll_event ev = { .events = events, .data.u64 = (uint64_t)source << 32 | index };

	return epoll_ctl(t->epoll, EPOLL_CTL_ADD, fd, &ev) < 0 ? -errno : 0;
}

static int watch(struct trial_run *t, int fd, enum trial_source source, unsigned int index)
{
	return trial_watch(t, fd, EPOLLIN, source, index);
}

static void unwatch(const struct trial_run *t, int *fd)
{
	epoll_ctl(t->epoll, EPOLL_CTL_DEL, *fd, NULL);
	close(*fd);
	*fd = -1;
}

static int open_loop(struct trial_run *t, struct err *e)
{
	sigset_t set;
	int r = 0;

	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
	if (trial_forwards(t))
		trial_forward_set(&set);
	sigprocmask(SIG_BLOCK, &set, NULL);
	t->signal_fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
	t->tick_fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
	t->alarm_fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
	t->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (t->signal_fd < 0 || t->tick_fd < 0 || t->alarm_fd < 0 || t->epoll < 0)
		return err_errno(e, errno, "the engine's timers");
	r = watch(t, t->signal_fd, SIGNALS, 0);
	if (r == 0)
		r = watch(t, t->tick_fd, TICK, 0);
	if (r == 0)
		r = watch(t, t->alarm_fd, ALARM, 0);
	return r < 0 ? err_errno(e, -r, "the engine's epoll") : 0;
}

static struct timespec timespec_of(uint64_t ns)
{
	return (struct timespec){ (time_t)(ns / NS_PER_S), (long)(ns % NS_PER_S) };
}

/* At work: beyond its gate, and no killer, which nobody waits for. */
static bool any_running(const struct trial_run *t, bool at_work)
{
	unsigned int i;

	for (i = 0; i < t->process_count; i++) {
		const struct process *p = &t->processes[i];

		if (p->running && (!at_work || (p->released && !p->spec->killer)))
			return true;
	}
	return false;
}

/* Arms the alarm for whatever comes next: a fault, a start or stop, the deadline or the end of settling. */
static void arm_alarm(const struct trial_run *t)
{
	uint64_t next =
		t->last_end_ns ? t->last_end_ns + t->spec.settle_ns : t->release_ns + t->spec.timeout_ns;
	struct itimerspec when = { 0 };

	if (t->awaits_killer) {
		when.it_value = timespec_of(t->rec.start_ns + killer_deadline(t));
		timerfd_settime(t->alarm_fd, TFD_TIMER_ABSTIME, &when, NULL);
		return;
	}
	if (!t->last_end_ns && triggers_next(t) < next)
		next = triggers_next(t);
	if (!t->last_end_ns && t->next_fault < t->spec.fault_count &&
	    t->release_ns + t->spec.faults[t->next_fault].at_ns < next)
		next = t->release_ns + t->spec.faults[t->next_fault].at_ns;
	when.it_value = timespec_of(t->rec.start_ns + next);
	timerfd_settime(t->alarm_fd, TFD_TIMER_ABSTIME, &when, NULL);
}

int trial_index_of(const struct trial_run *t, int64_t pid)
{
	unsigned int i;

	for (i = 0; i < t->process_count; i++)
		if (t->processes[i].pid == pid)
			return (int)i;
	return -1;
}

/* It says by its gate whether it could become what it is to be. */
static void see_started(struct trial_run *t, struct process *p)
{
	epoll_ctl(t->epoll, EPOLL_CTL_DEL, p->gate, NULL);
	process_started(p, t->setup, &t->failure);
}

static void reap(struct trial_run *t)
{
	struct rusage used;
	int status;
	pid_t pid;

	while ((pid = wait4(-1, &status, WNOHANG, &used)) > 0) {
		int i = trial_index_of(t, pid);

		if (i < 0)
			continue;
		if (t->processes[i].released && t->processes[i].gate >= 0)
			see_started(t, &t->processes[i]);
		if (t->processes[i].bell >= 0)
			process_bell(&t->processes[i], &t->rec);
		process_drain(&t->processes[i], &t->rec);
		killer_look(t);
		process_reaped(&t->processes[i], status, used.ru_minflt, used.ru_majflt, &t->rec);
	}
	if (t->awaits_killer)
		return;
	if (!t->last_end_ns)
		triggers_look(t);
	if (!t->last_end_ns && !any_running(t, true) && !triggers_open(t)) {
		t->last_end_ns = recorder_now(&t->rec);
		arm_alarm(t);
	}
}

/* Every process that somebody killed has been seen in the log: nothing is left to wait for. */
static bool settled(const struct trial_run *t)
{
	unsigned int i;

	if (!t->last_end_ns)
		return false;
	if (t->kmsg.fd < 0 || recorder_now(&t->rec) >= t->last_end_ns + t->spec.settle_ns)
		return true;
	for (i = 0; i < t->process_count; i++)
		if (t->processes[i].sigkilled && !t->processes[i].oom_logged)
			return false;
	return true;
}

static void kill_all(struct trial_run *t, enum ended_by why)
{
	unsigned int i;

	for (i = 0; i < t->process_count; i++)
		process_kill(&t->processes[i], why);
}

static void apply_fault(struct trial_run *t, const struct spec_change *fault)
{
	char at[UNITS_TEXT_MAX];
	struct err e = ERR_INIT;
	struct jsonw *w;

	if (trial_change(t, fault, "fault", &e) == 0) {
		if (fault->group < 0)
			trial_note_settings(t);
		return;
	}
	err_prefix(&e, "fault at %s", duration_format(at, fault->at_ns));
	w = event_begin(&t->rec, "fault-failed");
	jsonw_str(w, "reason", e.text);
	event_end(&t->rec);
}

static void apply_faults(struct trial_run *t)
{
	while (t->next_fault < t->spec.fault_count &&
	       t->release_ns + t->spec.faults[t->next_fault].at_ns <= recorder_now(&t->rec))
		apply_fault(t, &t->spec.faults[t->next_fault++]);
}

/* The last sample of a process that is about to end, taken while its memory is there. */
static void ring(struct trial_run *t, unsigned int index)
{
	struct process *p = &t->processes[index];

	switch (process_bell(p, &t->rec)) {
	case BELL_PHASE:
		break;
	case BELL_LAST:
		trial_tick(t, true);
		process_maps(p, &t->rec);
		process_ack(p);
		break;
	case BELL_GONE:
		unwatch(t, &p->bell);
		break;
	}
}

static void start_timer(int fd, uint64_t every_ns)
{
	const struct itimerspec when = { timespec_of(every_ns), timespec_of(every_ns) };

	timerfd_settime(fd, 0, &when, NULL);
}

/* The trial begins: all who do not come later are let go. */
static int release_all(struct trial_run *t, struct err *e)
{
	unsigned int i;
	int r = 0;

	t->awaits_killer = false;
	trial_tick(t, true);
	start_timer(t->tick_fd, t->spec.every_ns);
	event_begin(&t->rec, "release");
	event_end(&t->rec);
	t->release_ns = recorder_now(&t->rec);
	for (i = 0; i < t->process_count; i++)
		if (t->processes[i].spec->start.kind == TRIGGER_NONE && !t->processes[i].spec->killer)
			process_release(&t->processes[i]);
	for (i = 0; r == 0 && i < t->process_count; i++)
		if (t->processes[i].released && !t->processes[i].started)
			r = process_started(&t->processes[i], t->setup, e);
	triggers_look(t);
	arm_alarm(t);
	return r;
}

/* Why the trial is over, or NULL while it goes on. */
static const char *dispatch(struct trial_run *t, uint64_t data)
{
	enum trial_source source = (enum trial_source)(data >> 32);
	unsigned int index = (unsigned int)data;
	struct signalfd_siginfo info;
	uint64_t expired;

	switch (source) {
	case TICK:
		if (read(t->tick_fd, &expired, sizeof(expired)) > 0)
			trial_tick(t, false);
		killer_look(t);
		break;
	case ALARM:
		if (read(t->alarm_fd, &expired, sizeof(expired)) < 0 || t->awaits_killer)
			break;
		if (!t->last_end_ns && recorder_now(&t->rec) >= t->release_ns + t->spec.timeout_ns)
			return "timeout";
		if (!t->last_end_ns)
			apply_faults(t);
		arm_alarm(t);
		break;
	case SIGNALS:
		while (read(t->signal_fd, &info, sizeof(info)) > 0) {
			if (info.ssi_signo != SIGCHLD && !trial_forwards(t))
				return "interrupted";
			trial_forward_seen(t, (int)info.ssi_signo);
		}
		reap(t);
		break;
	case KERNEL_LOG:
	case LOG_TIMER:
	case GROUP_BELL:
		trial_log_event(t, source, index);
		break;
	case BELL:
		ring(t, index);
		break;
	case OUTPUT:
		if (!process_output(&t->processes[index], t->processes[index].output, &t->rec))
			unwatch(t, &t->processes[index].output);
		break;
	case ERRORS:
		if (!process_output(&t->processes[index], t->processes[index].errors, &t->rec))
			unwatch(t, &t->processes[index].errors);
		break;
	case GATE:
		see_started(t, &t->processes[index]);
		break;
	}
	if (t->awaits_killer && !killer_awaited(t) && release_all(t, &t->failure) < 0)
		return t->failure.text;
	if (!t->awaits_killer && !t->last_end_ns && triggers_look(t))
		arm_alarm(t);
	return t->failure.code ? t->failure.text : NULL;
}

static const char *run_loop(struct trial_run *t)
{
	struct epoll_event events[32];
	const char *why = NULL;
	int i, n;

	while (!why) {
		if (settled(t))
			return "all processes ended";
		n = epoll_wait(t->epoll, events, 32, 1000);
		if (n < 0 && errno != EINTR)
			return "setup failed: epoll_wait";
		for (i = 0; i < n && !why; i++)
			why = dispatch(t, events[i].data.u64);
		trial_forward(t);
	}
	return why;
}

/* Ends what still runs and reaps it, within a bound. */
static void end_all(struct trial_run *t, enum ended_by why)
{
	uint64_t deadline = clock_ns() + KILL_TIMEOUT_NS;
	struct signalfd_siginfo info;

	while (any_running(t, false) && clock_ns() < deadline) {
		struct epoll_event ev;

		kill_all(t, why);
		epoll_wait(t->epoll, &ev, 1, 20);
		while (read(t->signal_fd, &info, sizeof(info)) > 0)
			;
		reap(t);
	}
}

/* Opens the ears for everybody, and the gates for all but who comes later; where there is a killer, its own first. */
static int open_gates(struct trial_run *t, struct err *e)
{
	struct process *killer = killer_of(t);
	unsigned int i;
	int r = 0;

	for (i = 0; r == 0 && i < t->process_count; i++) {
		if (t->processes[i].bell >= 0)
			r = watch(t, t->processes[i].bell, BELL, i);
		if (r == 0 && t->processes[i].output >= 0)
			r = watch(t, t->processes[i].output, OUTPUT, i);
		if (r == 0 && t->processes[i].errors >= 0)
			r = watch(t, t->processes[i].errors, ERRORS, i);
	}
	if (r == 0)
		r = trial_log_watch(t);
	if (r < 0)
		return err_errno(e, -r, "the engine's epoll");
	if (!killer)
		return release_all(t, e);
	t->awaits_killer = true;
	t->awaits_since_ns = recorder_now(&t->rec);
	process_release(killer);
	r = process_started(killer, t->setup, e);
	arm_alarm(t);
	return r;
}

static void record_end(struct trial_run *t, const char *why)
{
	struct jsonw *w;

	trial_log_read(t);
	killer_look(t);
	trial_tick(t, true);
	w = event_begin(&t->rec, "end");
	jsonw_str(w, "reason", why);
	jsonw_uint(w, "kernel_log_lost", t->kmsg.lost);
	jsonw_uint(w, "samples_dropped", t->rec.box->header->samples_dropped);
	event_end(&t->rec);
}

static void close_all(struct trial_run *t)
{
	unsigned int i;

	for (i = 0; i < t->process_count; i++)
		process_close(&t->processes[i]);
	children_close(t);
	for (i = 0; i < t->group_count; i++) {
		cg_sampler_close(&t->groups[i].sampler);
		cleanup_close(&t->groups[i].bell);
	}
	kmsg_close(&t->kmsg);
	system_sampler_close(&t->system);
	cleanup_close(&t->epoll);
	cleanup_close(&t->tick_fd);
	cleanup_close(&t->alarm_fd);
	cleanup_close(&t->signal_fd);
	cleanup_close(&t->log_fd);
	cleanup_close(&t->signals);
	spec_free(&t->spec);
}

static int run(struct trial_run *t, struct err *e)
{
	const char *why;
	int r;

	r = open_loop(t, e);
	if (r == 0)
		r = trial_setup(t, e);
	if (r == 0)
		r = open_gates(t, e);
	why = r == 0 ? run_loop(t) : "setup failed";
	if (t->failure.code) {
		*e = t->failure;
		r = -e->code;
	}
	end_all(t, !strcmp(why, "timeout") ? ENDED_TIMEOUT : ENDED_STOP);
	record_end(t, r == 0 ? why : e->text);
	if (r == 0)
		bb_seal(t->rec.box, why);
	return r;
}

int engine_run(const struct engine_setup *setup, struct err *e)
{
	struct trial_run *t = calloc(1, sizeof(*t));
	struct blackbox box = setup->box;
	char reason[ERR_TEXT_MAX + 32];
	const char *text;
	size_t len;
	int r;

	if (!t)
		return err_set(e, ENOMEM, "engine: out of memory");
	t->setup = setup;
	t->undo.journal = setup->journal_path;
	t->epoll = t->tick_fd = t->alarm_fd = t->signal_fd = t->log_fd = t->kmsg.fd = t->signals = -1;
	recorder_init(&t->rec, &box);
	text = bb_spec(&box, &len);
	r = spec_parse(text, len, &t->spec, e);
	if (r == 0)
		r = run(t, e);
	if (r < 0) {
		snprintf(reason, sizeof(reason), "%s%s", r == -EOPNOTSUPP ? SEAL_SKIP : SEAL_FAILED, e->text);
		bb_seal(&box, reason);
	}
	close_all(t);
	free(t);
	return r;
}
