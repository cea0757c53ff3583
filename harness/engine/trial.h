/* SPDX-License-Identifier: MIT */
/* The engine's own state during one trial; nothing outside harness/engine/ but bench/ includes this. */
#ifndef OOMLAB_ENGINE_TRIAL_H
#define OOMLAB_ENGINE_TRIAL_H

#include "cgroups/sample.h"
#include "harness/engine/engine.h"
#include "harness/engine/kmsg.h"
#include "harness/engine/process.h"
#include "harness/engine/recorder.h"
#include "harness/engine/sample.h"
#include "harness/engine/spec.h"
#include "harness/engine/undo.h"

/* The scenario's groups, and one more without limits for processes that name none. */
#define TRIAL_GROUPS_MAX (SPEC_CGROUPS_MAX + 1)

struct trial_group {
	char path[512]; /* from the root of the hierarchy */
	struct cg_sampler sampler;
	int bell; /* cg_bell_open() */
};

/* A child of a process, or of one; children.c. */
struct child {
	pid_t pid;            /* 0: the place was never taken */
	bool there;           /* else it is gone, and the place may be taken */
	unsigned int process; /* whose */
	struct process_sampler sampler;
};

/* What wakes the engine's loop; each comes with an index where there are several. */
enum trial_source {
	TICK,
	ALARM,
	SIGNALS,
	KERNEL_LOG,
	LOG_TIMER,
	GROUP_BELL,
	BELL,
	OUTPUT,
	ERRORS,
	GATE, /* of a process that starts later than the others */
};

struct trial_run {
	const struct engine_setup *setup;
	struct spec spec;
	struct recorder rec;
	struct undo undo;
	struct cg_system cgroups;
	struct trial_group groups[TRIAL_GROUPS_MAX];
	unsigned int group_count; /* the last one is the one without limits */
	struct process processes[SPEC_PROCESSES_MAX];
	unsigned int process_count; /* forked so far */
	struct child children[SPEC_CHILDREN_MAX];
	unsigned int child_events;
	struct system_sampler system;
	struct kmsg kmsg;
	int signals;            /* killer.c: the trace of signals; -1: there is none */
	char killer_group[512]; /* the killer's own, from the root of the hierarchy */
	bool awaits_killer;     /* nobody else has been released */
	uint64_t awaits_since_ns;
	uint64_t ticks;
	unsigned int reports;   /* of the kernel log, without a kill */
	uint64_t log_until_ns;  /* the kernel log is read on the timer until then; 0: not now */
	uint64_t release_ns;    /* when the gates opened, on the trial's clock */
	uint64_t last_end_ns;   /* when the last process ended; 0 while one runs or may still start */
	uint64_t direct_ns[32]; /* when the engine was sent that signal itself; 0: not */
	struct err failure;     /* a process that could not be started later */
	unsigned int next_fault;
	int epoll, tick_fd, alarm_fd, signal_fd, log_fd; /* log_fd: log.c's timer */
};

/* setup.c: all that comes before the gates open. Errors as engine_run(). */
int trial_setup(struct trial_run *t, struct err *e);

/* Sets one limit or sysctl of the spec, and records what the kernel made of it. */
int trial_change(struct trial_run *t, const struct spec_change *c, const char *event, struct err *e);

/* Records the settings that the commit limit follows from; a change of one of them may change another. */
void trial_note_settings(struct trial_run *t);

/* Makes a group of the trial's that is none of the scenario's; its path from the root of the hierarchy. */
int trial_own_group(struct trial_run *t, const char *name, char *ret_path, size_t room, struct err *e);

/* loop.c: adds fd to the loop; 0 or -errno. */
int trial_watch(struct trial_run *t, int fd, uint32_t events, enum trial_source source, unsigned int index);

/* log.c: the kernel log and the bells of the groups that tell when to listen; 0 or -errno. */
int trial_log_watch(struct trial_run *t);
void trial_log_event(struct trial_run *t, enum trial_source source, unsigned int index);
void trial_log_read(struct trial_run *t);
/* Index of the process with that pid, -1: none. */
int trial_index_of(const struct trial_run *t, int64_t pid);

/*
 * forward.c: signals of the harness's, for processes that are the caller's or whose streams are kept. All that end a
 * program by default and that people send are in the set.
 */
void trial_forward_set(sigset_t *set);
bool trial_forwards(const struct trial_run *t);
/* The engine was sent that signal: so was everybody of its process group, the caller's process included. */
void trial_forward_seen(struct trial_run *t, int signal);
/* Passes on what the harness has asked for meanwhile. */
void trial_forward(struct trial_run *t);

/*
 * tick.c: column names, once; then the samples of everything, now. A forced tick
 * is recorded whatever the box's stride, and nothing of it is older than now.
 */
void trial_announce(struct trial_run *t);
void trial_tick(struct trial_run *t, bool forced);

#endif
