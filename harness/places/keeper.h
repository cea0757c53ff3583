/* SPDX-License-Identifier: MIT */
/*
 * A guest's keeper: a process of ours between the harness and one QEMU. It has
 * the guest boot until its agent stops the machine, or wakes a snapshot of one
 * that did; then it puts the trial's spec into the black box and lets it go on.
 */
#ifndef OOMLAB_PLACES_KEEPER_H
#define OOMLAB_PLACES_KEEPER_H

#include "harness/places/qemu.h"
#include "lib/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct keeper {
	struct qemu_setup setup; /* but for qmp_fd and incoming, which are the keeper's */
	const char *spec;        /* JSON text */
	size_t spec_len;
	bool snapshots;              /* use them and make them */
	uint64_t snapshot_bytes_max; /* the guest's memory: no snapshot is larger by much */
};

/*
 * Starts one as a child that dies with the caller, and QEMU with it. It ends as
 * QEMU does: with its exit status or by the same signal. What goes wrong before
 * the guest goes on is written to setup.log_path, and it exits with 1.
 */
int keeper_start(const struct keeper *job, pid_t *ret_pid, struct err *e);

/* How the guests of this process and its children came up so far. */
struct keeper_counts {
	unsigned int booted;
	unsigned int woken; /* from a snapshot */
	unsigned int saved; /* snapshots made */
};

struct keeper_counts keeper_counts(void);

#endif
