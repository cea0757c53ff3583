/* SPDX-License-Identifier: MIT */
/* The trials of one run: which come when, how many at once, and what becomes of each. */
#ifndef OOMLAB_HARNESS_RUNNER_H
#define OOMLAB_HARNESS_RUNNER_H

#include "harness/places/place.h"
#include "harness/rundir.h"

#include <sys/signalfd.h>

enum job_state { JOB_WAITING, JOB_RUNNING, JOB_DONE };

/* One trial to run. */
struct job {
	json_t *spec;
	const struct place *place;
	int number;     /* of the trial within its cell, from 1 */
	char *relative; /* its directory within the run directory */
	/* from here on the runner's */
	enum job_state state;
	bool timed_out;
	uint64_t deadline_ns;
	struct trial trial;
	json_t *result; /* result.json once it is done */
};

struct runner {
	struct job *jobs;
	size_t count;
	unsigned int at_once; /* trials at a time */
	bool host_alone;      /* trials on the host would measure others: nothing runs beside one */
	bool keep_box;
	const struct place_options *options;
	const struct rundir *dir;
	/* Called about ten times a second and at each change; for the live line. May be NULL. */
	void (*progress)(void *arg, const struct runner *r);
	void *progress_arg;
	/*
	 * Called with progress_arg for each SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGUSR1 and SIGUSR2, which then do not
	 * end the run. NULL: the first three do.
	 */
	void (*signalled)(void *arg, struct runner *r, const struct signalfd_siginfo *info);
	bool interrupted; /* set when SIGINT or SIGTERM ended the run early */
	uint64_t started_ns;
};

/*
 * Runs all jobs. A trial that breaks does not end the run. Returns 0, or a
 * negative errno when nothing more can be done (the run directory is full).
 */
int runner_run(struct runner *r, struct err *e);

/* What a running job uses now, from its black box: bytes. Zero before its first sample. */
void runner_live(const struct job *job, uint64_t *ret_rss, uint64_t *ret_swap);

#endif
