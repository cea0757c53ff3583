// SPDX-License-Identifier: MIT
/*
 * The kernel log while a trial runs, and when to listen closely.
 *
 * The kernel wakes the log's readers at the next tick of its own clock (a lazy
 * irq_work in kernel/printk): 1 to 10 ms after the line. So when a group rings
 * that it is out of memory, the log is read from a timer for a while.
 */
#include "harness/engine/children.h"
#include "harness/engine/trial.h"

#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <unistd.h>

#define CLOSE_EVERY_NS (NS_PER_MS / 2)
#define CLOSE_FOR_NS   (50 * NS_PER_MS)
/* Reports without a kill that become events; the log has them all. */
#define REPORTS_MAX 1000

static void number(struct jsonw *w, const char *key, int64_t value)
{
	if (value >= 0)
		jsonw_int(w, key, value);
}

static void seen_in_log(void *arg, enum oom_event event, const struct oom_parser *parser)
{
	static const char *const names[] = { [OOM_INVOKED] = "oom-invoked",
					     [OOM_KILLED] = "oom-kill",
					     [OOM_NO_VICTIM] = "oom-no-victim",
					     [OOM_PANIC] = "panic" };
	const struct oom_kill *k = event == OOM_KILLED ? &parser->kill : &parser->pending;
	struct trial_run *t = arg;
	struct jsonw *w;
	int i = event == OOM_KILLED ? trial_index_of(t, k->pid) : -1;
	int parent = event == OOM_KILLED && i < 0 ? children_parent(t, k->pid) : -1;

	/* A group of unkillable processes makes the kernel report without end. */
	if (event != OOM_KILLED && ++t->reports > REPORTS_MAX)
		return;
	w = event_begin(&t->rec, names[event]);

	if (event == OOM_KILLED) {
		jsonw_str(w, "process", i < 0 ? NULL : t->processes[i].spec->name);
		if (parent >= 0)
			jsonw_str(w, "child_of", t->processes[parent].spec->name);
		number(w, "pid", k->pid);
		jsonw_str(w, "comm", k->comm);
		number(w, "uid", k->uid);
		jsonw_str(w, "constraint", oom_constraint_name(k->constraint));
		jsonw_str(w, "oom_memcg", k->oom_memcg);
		jsonw_str(w, "task_memcg", k->task_memcg);
		number(w, "total_vm", k->total_vm_bytes);
		number(w, "anon_rss", k->anon_rss_bytes);
		number(w, "file_rss", k->file_rss_bytes);
		number(w, "shmem_rss", k->shmem_rss_bytes);
		number(w, "pgtables", k->pgtables_bytes);
		if (k->adj_known)
			jsonw_int(w, "oom_score_adj", k->oom_score_adj);
		jsonw_bool(w, "group_kill", k->group_kill);
	}
	number(w, "log_ns", t->kmsg.event_ns);
	jsonw_str(w, "invoker", k->invoker);
	jsonw_str(w, "gfp", k->gfp);
	number(w, "order", k->order);
	event_end(&t->rec);
	if (i >= 0)
		t->processes[i].oom_logged = true;
}

void trial_log_read(struct trial_run *t)
{
	if (t->kmsg.fd >= 0)
		kmsg_read(&t->kmsg, &t->rec, seen_in_log, t);
}

static void set_timer(struct trial_run *t, uint64_t every_ns)
{
	const struct timespec every = { 0, (long)every_ns };
	const struct itimerspec when = { every, every };

	timerfd_settime(t->log_fd, 0, &when, NULL);
}

/* A group that cannot ring, on a kernel without such bells, is heard when the log wakes us. */
static int watch_bells(struct trial_run *t)
{
	unsigned int i;
	uint32_t events;
	int r = 0;

	for (i = 0; r == 0 && i < t->group_count; i++) {
		t->groups[i].bell = cg_bell_open(&t->cgroups, t->groups[i].path, &events);
		if (t->groups[i].bell >= 0)
			r = trial_watch(t, t->groups[i].bell, events, GROUP_BELL, i);
	}
	return r;
}

int trial_log_watch(struct trial_run *t)
{
	int r;

	if (t->kmsg.fd < 0)
		return 0;
	t->log_fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
	if (t->log_fd < 0)
		return -errno;
	r = trial_watch(t, t->kmsg.fd, EPOLLIN, KERNEL_LOG, 0);
	if (r == 0)
		r = trial_watch(t, t->log_fd, EPOLLIN, LOG_TIMER, 0);
	return r == 0 ? watch_bells(t) : r;
}

void trial_log_event(struct trial_run *t, enum trial_source source, unsigned int index)
{
	uint64_t expired;

	if (source == GROUP_BELL) {
		cg_bell_answer(t->groups[index].bell);
		if (!t->log_until_ns)
			set_timer(t, CLOSE_EVERY_NS);
		t->log_until_ns = clock_ns() + CLOSE_FOR_NS;
	} else if (source == LOG_TIMER && read(t->log_fd, &expired, sizeof(expired)) > 0 &&
		   clock_ns() >= t->log_until_ns) {
		set_timer(t, 0);
		t->log_until_ns = 0;
	}
	trial_log_read(t);
}
