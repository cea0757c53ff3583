/* SPDX-License-Identifier: MIT */
/*
 * Every change to the machine outside a cgroup goes through here, with what it
 * was before written to a journal first. Undo runs in reverse: by the engine
 * when the trial ends, by the harness when the engine died, by the janitor when
 * the harness died, by `oomlab doctor --repair` after anything else.
 *
 * The journal is a file of JSON lines: {"harness": PID, "started": TICKS}, then
 * {"undo": "sysctl", "path": ..., "value": ...}, {"undo": "swap", "path": ...,
 * "remove": true}, {"undo": "directory", "path": ...} or {"undo": "cgroup",
 * "path": ...}. It is gone once all is undone.
 */
#ifndef OOMLAB_ENGINE_UNDO_H
#define OOMLAB_ENGINE_UNDO_H

#include "lib/err.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct undo {
	const char *journal; /* NULL: nothing is noted (the machine is thrown away) */
};

/* Makes the journal, which names the calling harness as its owner. */
int undo_create(const char *journal, pid_t harness, struct err *e);

/*
 * Writes a sysctl ("vm.overcommit_memory") and reads it back into ret_got; was:
 * what it held. -EOPNOTSUPP: this kernel does not have it.
 */
int undo_sysctl(struct undo *u, const char *name, const char *value, char ret_was[128], char ret_got[128],
		struct err *e);

/*
 * Swaps on path with a fresh signature. bytes > 0: path is a file to make, of
 * that size, removed again by undo; 0: a block device as it is.
 */
int undo_swap_on(struct undo *u, const char *path, uint64_t bytes, struct err *e);

/* Makes a directory, which undo removes if it is empty. */
int undo_make_directory(struct undo *u, const char *path, struct err *e);

/* Notes a group that is about to be made, so that undo removes it with all that runs in it. */
int undo_note_cgroup(struct undo *u, const char *path, struct err *e);

/*
 * Undoes what the journal says, newest first, and removes it. Goes on after an
 * error, and a line that makes no sense is one (-EINVAL); the first one is returned
 * and the journal is kept then. No journal: 0.
 */
int undo_replay(const char *journal, struct err *e);

/* Is the harness that owns the journal still the same running process? */
bool undo_owner_alive(const char *journal);

#endif
