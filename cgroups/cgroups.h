/* SPDX-License-Identifier: MIT */
/*
 * Confinement: cgroups v1 and v2 behind one set of verbs, on libcgroup. Paths
 * are relative to the root of the memory hierarchy ("oomlab.12.1/app"), limits
 * carry their v2 names (cgroups/names.def). Nothing else touches cgroupfs.
 */
#ifndef OOMLAB_CGROUPS_CGROUPS_H
#define OOMLAB_CGROUPS_CGROUPS_H

#include "lib/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define CG_MOUNT_MAX 256

struct cg_system {
	int version;               /* of the hierarchy that has the memory controller: 1 or 2 */
	char memory[CG_MOUNT_MAX]; /* where it is mounted */
	char pids[CG_MOUNT_MAX];   /* the same for pids, "" when there is none */
};

/* Finds the hierarchies. -EOPNOTSUPP: no memory controller is mounted. */
int cg_init(struct cg_system *ret, struct err *e);

/*
 * The group below which to make ours: the root ("") for root, else the
 * caller's own group if it was delegated to him. -EOPNOTSUPP says why not.
 */
int cg_default_parent(const struct cg_system *sys, char ret_path[], size_t room, struct err *e);

/* 0 when groups can be made below parent, else -EOPNOTSUPP with the reason. */
int cg_may_make(const struct cg_system *sys, const char *parent, struct err *e);

/* Makes one group; its parent must exist. */
int cg_make(const struct cg_system *sys, const char *path, struct err *e);

/*
 * Has v2's group at path have that controller, as it has memory and pids anyway: enables it in each group above
 * that does not hand it down yet. -EOPNOTSUPP: this kernel has it not, or it may not be enabled there.
 */
int cg_hand_down(const struct cg_system *sys, const char *path, const char *controller, struct err *e);

int cg_attach(const struct cg_system *sys, const char *path, pid_t pid, struct err *e);

/*
 * Ends every process in path and below and removes the groups, children
 * first, within a bounded time. A group that is not there is no error.
 */
int cg_remove(const struct cg_system *sys, const char *path, struct err *e);

/* Is name a limit this program knows, in either version? */
bool cg_key_known(const char *name);

/* How the value of a limit is written. */
enum cg_value {
	CG_BYTES,  /* decimal bytes or "max" */
	CG_COUNT,  /* a whole number or "max" */
	CG_NUMBER, /* a whole number */
	CG_TEXT,   /* as the kernel's file takes it */
};

/* The i-th known name, NULL past the end; ret_value may be NULL. */
const char *cg_key_name(size_t i, enum cg_value *ret_value);

/* 0, or -EOPNOTSUPP: "memory.high has no twin in cgroup v1". */
int cg_key_here(int version, const char *name, struct err *e);

/* 0 when the group has that limit here; -EOPNOTSUPP: neither version has it, or this kernel is older than it. */
int cg_key_there(const struct cg_system *sys, const char *path, const char *name, struct err *e);

/*
 * Sets a limit: value is decimal bytes or a count, or "max". Reads it back
 * into ret_got (the kernel rounds to pages; no limit is "max" in v1 too; "less"
 * when memory.reclaim found less than it was asked for). -EIO when what it reads is not what was asked for within a page. -EOPNOTSUPP when
 * this machine cannot do it; v1 cannot limit swap before memory.max is set.
 */
int cg_set(const struct cg_system *sys, const char *path, const char *name, const char *value,
	   char ret_got[32], struct err *e);

/*
 * Opens a descriptor to poll for *ret_events: it rings when the group runs out
 * of memory, at the latest when a process is about to be killed (v2: at every
 * event of memory.events). -errno: this kernel has no such thing.
 */
int cg_bell_open(const struct cg_system *sys, const char *path, uint32_t *ret_events);

/* Makes it quiet until it rings again. */
void cg_bell_answer(int bell);

/* Opens a file of the group read-only, for sampling; -errno. */
int cg_open(const struct cg_system *sys, const char *path, const char *file);

#endif
