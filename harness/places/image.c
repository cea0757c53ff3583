// SPDX-License-Identifier: MIT
#include "harness/places/image.h"

#include "guest/devices.h"
#include "lib/capture.h"
#include "lib/files.h"
#include "lib/paths.h"
#include "lib/units.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define MKE2FS_MS   (60 * 1000)
#define DATA_INODES 1024

static int make(const char *dir, const char *what, uint64_t bytes, bool take_space, struct err *e)
{
	char size[UNITS_TEXT_MAX];
	int fd = file_unnamed(dir);
	int code = 0;

	if (fd < 0)
		return err_errno(e, errno, "%s image in %s: create", what, dir);
	if (take_space && fallocate(fd, 0, 0, (off_t)bytes) < 0)
		code = errno;
	if (!take_space || code == EOPNOTSUPP)
		code = ftruncate(fd, (off_t)bytes) < 0 ? errno : 0;
	if (code) {
		close(fd);
		return err_errno(e, code, "%s image of %s in %s", what, size_format(size, bytes), dir);
	}
	return fd;
}

int image_blank(const char *dir, const char *what, uint64_t bytes, struct err *e)
{
	return make(dir, what, bytes, true, e);
}

/* What it died of is its last paragraph, after warnings; as one line. */
static const char *last_words(char *text)
{
	size_t len = strlen(text);
	char *start, *p;

	while (len && text[len - 1] == '\n')
		text[--len] = 0;
	for (start = text; (p = strstr(start, "\n\n"));)
		start = p + 2;
	for (p = start; *p; p++)
		if (*p == '\n' || *p == '\t')
			*p = ' ';
	return start;
}

struct filesystem {
	const char *what; /* for messages */
	const char *uuid;
	uint64_t offset, bytes; /* where in the file it is */
	uint64_t inodes;
};

/*
 * Everything that mke2fs would take from its configuration, the clock or chance
 * is said: times, UUID, seed of the directories' hashes, features, inodes. No
 * journal, whose thread and writes would be part of every trial; inode tables
 * are whole, so that no thread of the kernel's has to finish them.
 */
static int format(int fd, const struct filesystem *fs, struct err *e)
{
	char program[PATH_LEN_MAX], path[64], blocks[32], count[32], options[192], size[UNITS_TEXT_MAX];
	const char *const command[] = { "/usr/bin/env",
					"E2FSPROGS_FAKE_TIME=1767225600",
					"MKE2FS_CONFIG=/dev/null",
					program,
					"-q",
					"-F",
					"-t",
					"ext4",
					"-b",
					"4096",
					"-I",
					"256",
					"-N",
					count,
					"-m",
					"0",
					"-O",
					"none,extent,filetype,sparse_super,large_file",
					"-U",
					fs->uuid,
					"-E",
					options,
					path,
					blocks,
					NULL };
	AUTO_FREE char *text = NULL;
	int status, r;

	if (paths_program(IMAGE_PROGRAM, program) < 0)
		return err_set(e, ENOENT, IMAGE_PROGRAM " is not installed: apt-get install e2fsprogs");
	/* Ours, not its own: the descriptor is closed in it. */
	snprintf(path, sizeof(path), "/proc/%d/fd/%d", (int)getpid(), fd);
	snprintf(options, sizeof(options),
		 "hash_seed=%s,lazy_itable_init=0,nodiscard,root_owner=0:0,offset=%llu", fs->uuid,
		 (unsigned long long)fs->offset);
	snprintf(count, sizeof(count), "%llu", (unsigned long long)fs->inodes);
	snprintf(blocks, sizeof(blocks), "%llu", (unsigned long long)(fs->bytes / 4096));
	r = capture(command, MKE2FS_MS, &text, &status, e);
	if (r < 0)
		return err_prefix(e, "%s image: mke2fs", fs->what);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return 0;
	return err_set(e, EIO, "%s image of %s: mke2fs failed: %s", fs->what, size_format(size, fs->bytes),
		       last_words(text));
}

static int make_formatted(const char *dir, const struct filesystem *fs, bool take_space, struct err *e)
{
	int fd = make(dir, fs->what, fs->offset + fs->bytes, take_space, e);
	int r = fd < 0 ? fd : format(fd, fs, e);

	if (r < 0 && fd >= 0)
		close(fd);
	return r < 0 ? r : fd;
}

int image_data(const char *dir, uint64_t bytes, bool written, struct err *e)
{
	const struct filesystem fs = { "data", DEVICE_DATA_UUID, 0, bytes, DATA_INODES };

	return make_formatted(dir, &fs, written, e);
}

int image_filesystem(const char *dir, const char *uuid, uint64_t offset, uint64_t bytes, uint64_t inodes,
		     struct err *e)
{
	const struct filesystem fs = { "programs", uuid, offset, bytes, inodes };

	return make_formatted(dir, &fs, true, e);
}
