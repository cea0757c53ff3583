/* SPDX-License-Identifier: MIT */
/* Where a trial runs. Adding a place is one struct place. */
#ifndef OOMLAB_PLACES_PLACE_H
#define OOMLAB_PLACES_PLACE_H

#include "harness/engine/engine.h"
#include "lib/err.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* What the command line says about places; the same for every trial of a run. */
struct place_options {
	const char *cgroup_parent; /* host: --cgroup-parent, NULL: the default */
	bool allow_host_changes;   /* host: sysctls and swap */
	const char *accel;         /* guest: auto, kvm, tcg */
	bool cold;                 /* guest: boots every one, neither uses nor makes snapshots */
	const struct engine_caller
		*caller; /* host: of the process that has the caller's streams; else NULL */
};

/* One trial as a place sees it. The runner owns the paths and the directory. */
struct trial {
	const json_t *spec;
	const struct place_options *options;
	char *dir;           /* absolute; exists, empty but for the box */
	char *box_path;      /* absolute; the black box, created with the spec in it */
	char *journal_path;  /* undo journal, absolute; not there yet */
	char group_name[64]; /* oomlab.<pid of the harness>.<number of the trial> */
	pid_t pid;           /* set by start(): a child of the caller, to be reaped by it */
};

struct place {
	const char *name;
	const char *about; /* one line */
	/*
	 * Can this machine run that spec here? 0, or -EOPNOTSUPP with the reason
	 * for a skip in why. Quick, changes nothing.
	 */
	int (*can)(const json_t *spec, const struct place_options *options, struct err *why);
	/*
	 * Slow work before the first trial of a spec (a kernel is fetched), with
	 * progress on standard error. -EOPNOTSUPP: a skip; else broken.
	 */
	int (*prepare)(const json_t *spec, const struct place_options *options, struct err *why);
	/* Starts the trial in a child process that dies with the caller. */
	int (*start)(struct trial *trial, struct err *e);
	/* How long the child may take in all, in nanoseconds. After that the runner kills it. */
	uint64_t (*deadline_ns)(const json_t *spec);
	/*
	 * After the child was reaped (status as from waitpid; timed_out: the runner
	 * killed it): takes away what it left. 0 when the box was sealed by a
	 * trial that took place, else why says what broke, with its last words.
	 */
	int (*finish)(struct trial *trial, int status, bool timed_out, struct err *why);
};

extern const struct place place_host;
extern const struct place place_guest;

/* All of them, NULL-terminated, and one by its name (NULL: there is none). */
extern const struct place *const places[];
const struct place *place_find(const char *name);

/*
 * What the engine's last word in the box says: 0 the trial took place,
 * -EOPNOTSUPP a skip, -EIO its setup failed (why has the reason), -EAGAIN there
 * is no last word: the place knows better what happened.
 */
int place_sealed(const char *box_path, struct err *why);

#endif
