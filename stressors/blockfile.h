/* SPDX-License-Identifier: MIT */
/*
 * A file without a name that is written and read block by block, for the
 * stressors whose memory is page cache. What a byte must be follows from its
 * place and from how often it has been written, so that a block which is stale,
 * or another's, is found.
 */
#ifndef OOMLAB_STRESSORS_BLOCKFILE_H
#define OOMLAB_STRESSORS_BLOCKFILE_H

#include "stressors/stressor.h"

/* The options that blockfile_open() asks for. */
#define BLOCKFILE_OPTIONS(size_)                                                                             \
	{ .name = "size",                                                                                    \
	  .kind = OPTION_SIZE,                                                                               \
	  .fallback = (size_),                                                                               \
	  .min = 4096,                                                                                       \
	  .total = true,                                                                                     \
	  .help = "size of the file" },                                                                      \
	{                                                                                                    \
		.name = "block", .kind = OPTION_SIZE, .fallback = "256K", .min = 8, .max = 64 << 20,         \
		.help = "written and read at once"                                                           \
	}

struct blockfile {
	int fd;
	uint64_t size;
	uint64_t written; /* bytes, every time counted: the file from start to end, again and again */
	size_t block;
	uint64_t *buffer;
};

/* A directory in RAM, tmpfs or ramfs? */
bool in_ram(int fd);

/* Takes the buffer and the sizes; the file is fd. PHASE_RUN, or how it ended. */
enum phase blockfile_open(struct stress *s, struct blockfile *f, int fd);

/* The same with a file in the working directory, which must be on a disk. */
enum phase blockfile_on_disk(struct stress *s, struct blockfile *f);

/* Writes the next block, from the end on again the first, and counts what is written for the first time. */
enum phase blockfile_write(struct stress *s, struct blockfile *f);

/* Writes all of it once. PHASE_DONE, or how it ended. */
enum phase blockfile_fill(struct stress *s, struct blockfile *f);

/* Reads all of it, waiting pause_ns after each block, and counts what is wrong. PHASE_DONE, or how it ended. */
enum phase blockfile_read(struct stress *s, const struct blockfile *f, uint64_t pause_ns);

/* Counts what is wrong with a block that somebody else has read. */
void blockfile_check(struct stress *s, const struct blockfile *f, const void *found, uint64_t at, size_t len);

/* The length of the block at that place. */
size_t blockfile_len(const struct blockfile *f, uint64_t at);

/* The amount is reached: --hold, and with --verify what is there is read afterwards. */
enum phase blockfile_hold(struct stress *s, const struct blockfile *f);

#endif
