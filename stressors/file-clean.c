// SPDX-License-Identifier: MIT
/*
 * Rows C1, C3: page cache that is the same on disk. The kernel takes such pages back without writing anything, so
 * they are what it can have most cheaply; whoever reads them again waits for the disk.
 */
#include "stressors/stressor.h"

#include "lib/files.h"
#include "lib/units.h"

#include <errno.h>
#include <linux/magic.h>
#include <stdlib.h>
#include <sys/vfs.h>
#include <unistd.h>

static const struct option_info options[] = {
	{ .name = "size",
	  .kind = OPTION_SIZE,
	  .fallback = "64M",
	  .min = 4096,
	  .total = true,
	  .help = "size of the file" },
	{ .name = "block",
	  .kind = OPTION_SIZE,
	  .fallback = "256K",
	  .min = 8,
	  .max = 64 << 20,
	  .help = "written and read at once" },
	{ .name = "passes",
	  .kind = OPTION_COUNT,
	  .fallback = "1",
	  .help = "how often it is read from start to end; 0: never" },
	{ .name = "pause", .kind = OPTION_DURATION, .fallback = "0", .help = "wait after each block read" },
	{ .name = NULL },
};

/* What the file holds at byte at: other blocks and pages are other bytes. */
static uint64_t word_at(uint64_t at)
{
	return (at + 1) * 0x9e3779b97f4a7c15;
}

static void compose(uint64_t *words, uint64_t at, size_t len)
{
	size_t i;

	for (i = 0; i < (len + 7) / 8; i++)
		words[i] = word_at(at + 8 * i);
}

static void check(struct stress *s, const uint64_t *words, uint64_t at, size_t len)
{
	size_t i;

	for (i = 0; i < len; i += 8) {
		uint64_t expected = word_at(at + i);

		if (words[i / 8] != expected)
			stress_compare(s, at + i, &expected, &words[i / 8], len - i < 8 ? len - i : 8);
	}
}

/* A file without a name: it is gone with the process, however that ends. */
static enum phase create(struct stress *s, int *ret_fd)
{
	struct statfs fs;
	int fd = file_unnamed(".");

	if (fd < 0)
		return stress_error(s, errno, "a file in the working directory: create");
	*ret_fd = fd;
	if (fstatfs(fd, &fs) == 0 &&
	    ((uint32_t)fs.f_type == TMPFS_MAGIC || (uint32_t)fs.f_type == RAMFS_MAGIC))
		return stress_unmet(
			s, "the working directory is in RAM, so its files are never clean (a guest's "
			   "machine.data is not)");
	return PHASE_RUN;
}

/* The length of the block at that place. */
static size_t block_at(const struct stress *s, uint64_t at)
{
	uint64_t left = option(s, "size") - at, block = option(s, "block");

	return (size_t)(left < block ? left : block);
}

static enum phase fill(struct stress *s, int fd, uint64_t *buffer)
{
	uint64_t size = option(s, "size"), at;

	for (at = 0; at < size; at += block_at(s, at)) {
		size_t len = block_at(s, at), done;
		ssize_t n;

		compose(buffer, at, len);
		/* A short one is no error: the next one says what is. */
		for (done = 0; done < len; done += (size_t)n) {
			n = pwrite(fd, (char *)buffer + done, len - done, (off_t)(at + done));
			if (n < 0)
				return stress_refused(s, "pwrite", len - done);
			stress_allocated(s, (uint64_t)n);
			stress_touched(s, (uint64_t)n);
		}
		if (!stress_going(s))
			return PHASE_SIGNAL;
	}
	if (fsync(fd) < 0)
		return stress_error(s, errno, "fsync");
	return PHASE_DONE;
}

static enum phase read_once(struct stress *s, int fd, uint64_t *buffer)
{
	uint64_t size = option(s, "size"), pause = option(s, "pause"), at;

	for (at = 0; at < size; at += block_at(s, at)) {
		size_t len = block_at(s, at);
		ssize_t n = pread(fd, buffer, len, (off_t)at);

		if (n < 0 || (size_t)n < len)
			return stress_error(s, n < 0 ? errno : EIO, "pread of %zu bytes at %llu", len,
					    (unsigned long long)at);
		check(s, buffer, at, len);
		stress_read(s, len);
		if (!stress_wait(s, pause))
			return PHASE_SIGNAL;
	}
	return PHASE_DONE;
}

static enum phase run(struct stress *s)
{
	uint64_t *buffer = malloc((size_t)option(s, "block") + 8);
	uint64_t passes = option(s, "passes"), i;
	enum phase end;
	int fd = -1;

	if (!buffer)
		return stress_refused(s, "malloc", option(s, "block"));
	end = create(s, &fd);
	if (end != PHASE_RUN)
		return end;
	stress_phase(s, PHASE_RUN);
	end = fill(s, fd, buffer);
	for (i = 0; end == PHASE_DONE && i < passes; i++)
		end = read_once(s, fd, buffer);
	return end == PHASE_DONE ? stress_hold(s) : end;
}

static const char *const needs[] = { "a working directory on disk", NULL };

const struct stressor stressor_file_clean = {
	.name = "file-clean",
	.about =
		"writes a file in the working directory, syncs it and reads it, so that it is in the page cache",
	.needs = needs,
	.options = options,
	.run = run,
};
