/* SPDX-License-Identifier: MIT */
/* One trial, from its spec to a sealed black box. The same code on the host and in a guest. */
#ifndef OOMLAB_ENGINE_ENGINE_H
#define OOMLAB_ENGINE_ENGINE_H

#include "lib/blackbox.h"
#include "lib/err.h"

#include <signal.h>
#include <stdbool.h>

/* Who called oomlab, for a process that is to have all of it from there, as exec(2) would hand it on. */
struct engine_caller {
	char *const *argv; /* the process's own words */
	char *const *env;
	sigset_t mask; /* signals blocked at the start */
};

struct engine_setup {
	struct blackbox box;       /* holds the spec; the record goes there */
	const char *stress_path;   /* oomlab-stress */
	const char *cgroup_parent; /* group below which the trial's own group is made; "" is the root */
	const char *group_name;    /* name of that group; must not exist yet */
	const char *journal_path;  /* undo journal; NULL where the machine is thrown away */
	const struct engine_caller *caller; /* NULL: there is no such process */
	const char *root;        /* what programs of exec have as their root; NULL: the machine's own */
	const char *swap_path;   /* block device or new file to swap on; NULL when the spec wants none */
	bool may_change_machine; /* sysctls and swap are allowed */
};

/*
 * Runs the trial in this process and seals the box: with why the trial ended,
 * or with SEAL_SKIP or SEAL_FAILED before the reason when it did not take place.
 * Every process of the trial has ended by then; its group and the journal are
 * left for the place to undo. Returns 0, or -EOPNOTSUPP (skip) or another
 * negative errno with the same reason in e.
 */
#define SEAL_SKIP   "skip: "
#define SEAL_FAILED "setup failed: "
int engine_run(const struct engine_setup *setup, struct err *e);

#endif
