/* SPDX-License-Identifier: MIT */
/* One process of a scenario: started behind a gate, watched, ended, reaped. */
#ifndef OOMLAB_ENGINE_PROCESS_H
#define OOMLAB_ENGINE_PROCESS_H

#include "harness/engine/engine.h"
#include "harness/engine/recorder.h"
#include "harness/engine/sample.h"
#include "harness/engine/spec.h"
#include "lib/err.h"
#include "lib/sharedpage.h"

#include <stdbool.h>
#include <sys/types.h>

/* Who ended a process, as far as the engine had a hand in it. */
enum ended_by {
	ENDED_ITSELF,
	ENDED_TIMEOUT,
	ENDED_STOP,
};

#define SAID_MAX 256

struct process {
	const struct spec_process *spec;
	pid_t pid; /* 0: not started */
	bool running;
	bool released;   /* its gate is open */
	bool started;    /* exec has happened: from here on it is what it is called */
	bool oom_logged; /* the kernel log said that it was killed */
	bool sigkilled;  /* by someone else than the engine */
	enum ended_by ended_by;
	int signal; /* that it was sent as its scenario says; 0 */
	struct trigger_state start, stop;
	int gate;   /* our end; closed once it has been released */
	int bell;   /* our end; -1: a program, which has none */
	int output; /* read end of its standard output and error; -1: they are the caller's */
	int errors; /* of its standard error, where each is kept */
	size_t output_bytes, output_dropped;
	char said[SAID_MAX];            /* the end of its output, of one that has to say that it is ready */
	bool ready;                     /* it has said so */
	uint32_t phase;                 /* as last recorded */
	const struct shared_page *page; /* NULL: a program, which knows of none */
	struct process_sampler sampler;
};

/* Forks the process up to its gate: nothing of it runs yet, so it can be put into its cgroup. */
int process_fork(struct process *p, const struct spec_process *spec, const struct engine_setup *setup,
		 struct err *e);

/* Opens the gate. */
void process_release(struct process *p);

/* Waits until exec has happened; -errno when it failed. */
int process_started(struct process *p, const struct engine_setup *setup, struct err *e);

enum bell {
	BELL_PHASE, /* a phase was recorded, or nothing was there */
	BELL_LAST,  /* likewise, and the process waits for its last sample: then ack it */
	BELL_GONE,  /* nobody can ring it any more */
};

/* Answers the bell: records the phase. */
enum bell process_bell(struct process *p, struct recorder *rec);
void process_ack(struct process *p);

/* Records what it has mapped. */
void process_maps(const struct process *p, struct recorder *rec);

/* Reads from fd, output or errors, into the record, up to a bound (the rest is read and dropped); false at its end. */
bool process_output(struct process *p, int fd, struct recorder *rec);

/* The last lines, with | between, of what it said, if it has to say that it is ready; valid until the next call. */
const char *process_last_words(const struct process *p);

/* It has ended: what is left in the pipes. */
void process_drain(struct process *p, struct recorder *rec);

/* A signal of the scenario's, to its process group: what it dies of by that is the trial's doing. */
void process_signal(struct process *p, int signal);

/* A signal that somebody sent to oomlab, to the process itself: what it does about it is its own doing. */
void process_pass(struct process *p, int signal);

/* SIGKILL to its process group. */
void process_kill(struct process *p, enum ended_by why);

/* It was reaped with this status: records how it ended. */
void process_reaped(struct process *p, int status, long minor_faults, long major_faults,
		    struct recorder *rec);

void process_close(struct process *p);

#endif
