/* SPDX-License-Identifier: MIT */
/*
 * Guests that have booted, kept as files in the cache: what the console had said
 * and QEMU's migration stream. A file appears whole or not at all; what it holds
 * is checked before it is used. Of no use to anyone but QEMU, so they are private
 * to the user and may be deleted at any time.
 */
#ifndef OOMLAB_PLACES_SNAPSHOT_H
#define OOMLAB_PLACES_SNAPSHOT_H

#include "lib/err.h"

#include <stddef.h>
#include <stdint.h>

/* What all of them may take together, in bytes; OOMLAB_SNAPSHOTS_MAX (a size) says otherwise, 0: none are kept. */
#define SNAPSHOTS_BYTES_MAX (2ULL << 30)

#define SNAPSHOT_KEY_BYTES 16

/* Everything that went into a boot, as a digest. */
struct snapshot_key {
	unsigned char digest[SNAPSHOT_KEY_BYTES];
};

/* A snapshot, or one that is being made. */
struct snapshot {
	int fd;        /* its offset is where QEMU's stream starts; -1: none */
	char *console; /* what the guest had said by then */
	size_t console_bytes;
	int dir_fd; /* locked while one is being made */
};

/* -ENOENT when there is none; a damaged one is deleted, and that is -ENOENT too. Marks it as used. */
int snapshot_open(const struct snapshot_key *key, struct snapshot *ret);

/* 0, or -ENOSPC with the reason: is there room for one of at most bytes_max, on the disk and within the limit? */
int snapshot_room(uint64_t bytes_max, struct err *why);

/*
 * Starts a new one; QEMU's stream, at most bytes_max, is to be written to ret->fd. -EBUSY while another process
 * makes one, -ENOSPC without room: a guest does as well without.
 */
int snapshot_begin(const char *console, size_t console_bytes, uint64_t bytes_max, struct snapshot *ret);

/* Puts a finished one in its place; the least recently used ones go until all fit the limit. */
int snapshot_commit(struct snapshot *s, const struct snapshot_key *key);

/* Takes one away that QEMU could not use. */
void snapshot_remove(const struct snapshot_key *key);

/* An unfinished one is gone with this. */
void snapshot_close(struct snapshot *s);

#endif
