/* SPDX-License-Identifier: MIT */
/* A process of its own that undoes what the harness did, should the harness be killed. */
#ifndef OOMLAB_HARNESS_JANITOR_H
#define OOMLAB_HARNESS_JANITOR_H

#include "lib/files.h"

/* Path of the undo journal of this harness's n-th trial; makes its directory. */
int janitor_journal(unsigned int n, char ret_path[PATH_LEN_MAX], struct err *e);

/*
 * Starts the janitor. It waits until this process is gone, then replays the
 * journals that it left. Children of the harness keep it waiting as long as they
 * live, which is no longer than the harness: they die with it.
 */
int janitor_start(struct err *e);

/* Tells it that there is nothing to do, and reaps it. */
void janitor_stop(void);

/*
 * Replays every journal whose harness is gone (`oomlab doctor --repair`), or
 * with owner != 0 every journal of that harness. Returns how many there were,
 * or a negative errno of the first that could not be undone.
 */
int janitor_repair(pid_t owner, bool really, struct err *e);

#endif
