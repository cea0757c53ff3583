// SPDX-License-Identifier: MIT
#include "stressors/blockfile.h"

#include "lib/files.h"

#include <errno.h>
#include <linux/magic.h>
#include <stdlib.h>
#include <sys/vfs.h>
#include <unistd.h>

bool in_ram(int fd)
{
	struct statfs fs;

	return fstatfs(fd, &fs) == 0 &&
	       ((uint32_t)fs.f_type == TMPFS_MAGIC || (uint32_t)fs.f_type == RAMFS_MAGIC);
}

enum phase blockfile_open(struct stress *s, struct blockfile *f, int fd)
{
	f->fd = fd;
	f->size = option(s, "size");
	f->block = (size_t)option(s, "block");
	f->written = 0;
	f->buffer = malloc(f->block + 8);
	return f->buffer ? PHASE_RUN : stress_refused(s, "malloc", f->block);
}

/* It is gone with the process, however that ends. */
enum phase blockfile_on_disk(struct stress *s, struct blockfile *f)
{
	int fd = file_unnamed(".");

	if (fd < 0)
		return stress_refused(s, "a file in the working directory", 0);
	if (in_ram(fd))
		return stress_unmet(s, "the working directory is in RAM, and so are its files (a guest's "
				       "machine.data is not)");
	return blockfile_open(s, f, fd);
}

size_t blockfile_len(const struct blockfile *f, uint64_t at)
{
	return (size_t)(f->size - at < f->block ? f->size - at : f->block);
}

/* How often the byte at that place has been written. */
static uint64_t times(const struct blockfile *f, uint64_t at)
{
	return f->written > at ? (f->written - at - 1) / f->size + 1 : 0;
}

static uint64_t word_at(uint64_t at, uint64_t time)
{
	return (at + 1) * 0x9e3779b97f4a7c15 + time * 0xd1342543de82ef95;
}

static void compose(const struct blockfile *f, uint64_t at, size_t len)
{
	uint64_t time = times(f, at) + 1;
	size_t i;

	for (i = 0; i < (len + 7) / 8; i++)
		f->buffer[i] = word_at(at + 8 * i, time);
}

void blockfile_check(struct stress *s, const struct blockfile *f, const void *found, uint64_t at, size_t len)
{
	const uint64_t *words = found;
	uint64_t time = times(f, at);
	size_t i;

	for (i = 0; i < len; i += 8) {
		uint64_t expected = word_at(at + i, time);

		if (words[i / 8] != expected)
			stress_compare(s, at + i, &expected, &words[i / 8], len - i < 8 ? len - i : 8);
	}
}

enum phase blockfile_write(struct stress *s, struct blockfile *f)
{
	bool first = f->written < f->size;
	uint64_t at = f->written % f->size;
	size_t len = blockfile_len(f, at), done = 0;

	compose(f, at, len);
	/* A short one is no error: the next one says what is. */
	while (done < len) {
		ssize_t n = pwrite(f->fd, (char *)f->buffer + done, len - done, (off_t)(at + done));

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return stress_refused(s, "pwrite", len - done);
		done += (size_t)n;
		if (first) {
			stress_allocated(s, (uint64_t)n);
			stress_touched(s, (uint64_t)n);
		}
	}
	f->written += len;
	return stress_going(s) ? PHASE_DONE : PHASE_SIGNAL;
}

enum phase blockfile_fill(struct stress *s, struct blockfile *f)
{
	enum phase end = PHASE_DONE;

	while (end == PHASE_DONE && f->written < f->size)
		end = blockfile_write(s, f);
	return end;
}

static ssize_t read_block(const struct blockfile *f, uint64_t at, size_t len)
{
	ssize_t n;

	do
		n = pread(f->fd, f->buffer, len, (off_t)at);
	while (n < 0 && errno == EINTR);
	return n;
}

enum phase blockfile_read(struct stress *s, const struct blockfile *f, uint64_t pause_ns)
{
	uint64_t at;

	for (at = 0; at < f->size; at += blockfile_len(f, at)) {
		size_t len = blockfile_len(f, at);
		ssize_t n = read_block(f, at, len);

		if (n < 0 && errno == ENOMEM)
			return stress_refused(s, "pread", len);
		if (n < 0 || (size_t)n < len)
			return stress_error(s, n < 0 ? errno : EIO, "pread of %zu bytes at %llu", len,
					    (unsigned long long)at);
		blockfile_check(s, f, f->buffer, at, len);
		stress_read(s, len);
		if (!stress_wait(s, pause_ns))
			return PHASE_SIGNAL;
	}
	return PHASE_DONE;
}

enum phase blockfile_hold(struct stress *s, const struct blockfile *f)
{
	enum phase end = stress_hold(s);

	return end == PHASE_DONE && s->verify ? blockfile_read(s, f, 0) : end;
}
