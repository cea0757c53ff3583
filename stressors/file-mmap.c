// SPDX-License-Identifier: MIT
/*
 * Row C3: page cache that is mapped. What is written through a MAP_SHARED mapping becomes dirty without any call, and
 * pages in page tables must be unmapped before they are reclaimed; what is only read is clean.
 */
#include "stressors/blockfile.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

enum access { READ, WRITE };

static const char *const accesses[] = { "read", "write", NULL };

static const struct option_info options[] = {
	{ .name = "size", .kind = OPTION_SIZE, .fallback = "64M", .min = 4096, .help = "size of the file" },
	{ .name = "block",
	  .kind = OPTION_SIZE,
	  .fallback = "256K",
	  .min = 4096,
	  .max = 64 << 20,
	  .help = "read at once" },
	{ .name = "access",
	  .kind = OPTION_CHOICE,
	  .choices = accesses,
	  .fallback = "write",
	  .help = "through the mapping: read a file that is on disk, or write one" },
	{ .name = "passes",
	  .kind = OPTION_COUNT,
	  .fallback = "1",
	  .min = 1,
	  .help = "how often, from start to end" },
	{ .name = "pause", .kind = OPTION_DURATION, .fallback = "0", .help = "wait after each pass" },
	{ .name = NULL },
};

static int check(const struct stress *s, struct err *e)
{
	if (option(s, "block") % 4096)
		return err_set(e, EINVAL, "--block: not whole pages; allowed: multiples of 4K");
	return 0;
}

/* Blocks now: a page that finds no room on the disk when it is written back would be a SIGBUS. */
static enum phase reserve(struct stress *s, const struct blockfile *f)
{
	int r;

	do
		r = posix_fallocate(f->fd, 0, (off_t)f->size);
	while (r == EINTR);
	errno = r;
	return r ? stress_refused(s, "posix_fallocate", f->size) : PHASE_DONE;
}

static enum phase on_disk(struct stress *s, struct blockfile *f)
{
	enum phase end = blockfile_fill(s, f);

	if (end == PHASE_DONE && fsync(f->fd) < 0)
		return stress_error(s, errno, "fsync");
	/* So that it is the mapping that reads it. */
	if (end == PHASE_DONE)
		(void)posix_fadvise(f->fd, 0, 0, POSIX_FADV_DONTNEED);
	return end;
}

static enum phase read_pass(struct stress *s, const struct blockfile *f, const char *map)
{
	uint64_t at;

	for (at = 0; at < f->size; at += blockfile_len(f, at)) {
		blockfile_check(s, f, map + at, at, blockfile_len(f, at));
		stress_read(s, blockfile_len(f, at));
		if (!stress_going(s))
			return PHASE_SIGNAL;
	}
	return PHASE_DONE;
}

/* Each page gets a byte that it has already, and is dirty again. */
static enum phase write_pass(struct stress *s, const struct blockfile *f, volatile char *map)
{
	uint64_t at;

	for (at = 0; at < f->size; at += 4096) {
		map[at] |= 0;
		if (!stress_going(s))
			return PHASE_SIGNAL;
	}
	return PHASE_DONE;
}

static enum phase passes(struct stress *s, const struct blockfile *f, char *map)
{
	bool write = option(s, "access") == WRITE;
	uint64_t count = option(s, "passes"), i;
	enum phase end = PHASE_DONE;

	if (write) {
		stress_allocated(s, f->size);
		if (!stress_fill(s, map, (size_t)f->size))
			return PHASE_SIGNAL;
	}
	for (i = write ? 1 : 0; end == PHASE_DONE && i < count; i++) {
		end = write ? write_pass(s, f, map) : read_pass(s, f, map);
		if (end == PHASE_DONE && !stress_wait(s, option(s, "pause")))
			end = PHASE_SIGNAL;
	}
	return end;
}

static enum phase run(struct stress *s)
{
	bool write = option(s, "access") == WRITE;
	struct blockfile f;
	enum phase end = blockfile_on_disk(s, &f);
	void *map;

	if (end != PHASE_RUN)
		return end;
	stress_phase(s, PHASE_RUN);
	end = write ? reserve(s, &f) : on_disk(s, &f);
	if (end != PHASE_DONE)
		return end;
	map = mmap(NULL, (size_t)f.size, write ? PROT_READ | PROT_WRITE : PROT_READ, MAP_SHARED, f.fd, 0);
	if (map == MAP_FAILED)
		return stress_refused(s, "mmap", f.size);
	end = passes(s, &f, map);
	if (end == PHASE_DONE)
		end = stress_hold(s);
	return end == PHASE_DONE && !write && s->verify ? read_pass(s, &f, map) : end;
}

static const char *const needs[] = { "a working directory on disk", NULL };

const struct stressor stressor_file_mmap = {
	.name = "file-mmap",
	.about = "maps a file of the working directory shared, and reads or writes it through the mapping",
	.needs = needs,
	.options = options,
	.check = check,
	.run = run,
};
