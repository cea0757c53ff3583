// SPDX-License-Identifier: MIT
#include "harness/places/snapshot.h"

#include "lib/files.h"
#include "lib/paths.h"
#include "lib/units.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>
#include <xxhash.h>

#define MAGIC        "OOMLABSN"
#define VERSION      1
#define HEADER_BYTES 4096
#define SUFFIX       ".snapshot"
#define NAME_BYTES   (2 * SNAPSHOT_KEY_BYTES + sizeof(SUFFIX))
#define CONSOLE_MAX  (4u << 20)
#define FREE_LEFT    (256ULL << 20) /* of the disk, for others */
#define ENTRIES_MAX  4096

/* header | console | QEMU's stream */
struct header {
	char magic[8];
	uint32_t version;
	uint32_t console_bytes;
	uint64_t file_bytes;
	uint64_t hash; /* XXH3 of all that follows the header, seeded with where the console ends */
};

static uint64_t hash_of(const char *map, const struct header *h)
{
	return XXH3_64bits_withSeed(map + HEADER_BYTES, h->file_bytes - HEADER_BYTES, h->console_bytes);
}

static uint64_t limit_bytes(void)
{
	const char *text = getenv("OOMLAB_SNAPSHOTS_MAX");
	uint64_t bytes;

	return text && size_parse(text, &bytes) == 0 ? bytes : SNAPSHOTS_BYTES_MAX;
}

static void name_of(const struct snapshot_key *key, char ret[NAME_BYTES])
{
	size_t i;

	for (i = 0; i < SNAPSHOT_KEY_BYTES; i++)
		snprintf(ret + 2 * i, 3, "%02x", key->digest[i]);
	strcpy(ret + 2 * SNAPSHOT_KEY_BYTES, SUFFIX);
}

static int open_dir(bool make)
{
	char path[PATH_LEN_MAX];

	if (paths_cache("snapshots", path) < 0 || (make && dir_make(path, NULL) < 0))
		return -1;
	return open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

/* Is it whole? Then its header and console are in *ret. */
static bool check(int fd, struct header *h, char **ret_console)
{
	struct stat st;
	char *map;
	bool good;

	*ret_console = NULL;
	if (fstat(fd, &st) < 0 || pread(fd, h, sizeof(*h), 0) != sizeof(*h) ||
	    memcmp(h->magic, MAGIC, sizeof(h->magic)) != 0 || h->version != VERSION ||
	    h->file_bytes != (uint64_t)st.st_size || st.st_size <= HEADER_BYTES ||
	    h->console_bytes > h->file_bytes - HEADER_BYTES)
		return false;
	map = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE | MAP_POPULATE, fd, 0);
	if (map == MAP_FAILED)
		return false;
	good = hash_of(map, h) == h->hash;
	if (good)
		*ret_console = malloc(h->console_bytes + 1);
	if (*ret_console)
		memcpy(*ret_console, map + HEADER_BYTES, h->console_bytes);
	munmap(map, (size_t)st.st_size);
	return *ret_console;
}

int snapshot_open(const struct snapshot_key *key, struct snapshot *ret)
{
	AUTO_CLOSE int dir = open_dir(false);
	char name[NAME_BYTES], *console;
	struct header h;
	int fd;

	name_of(key, name);
	fd = dir < 0 ? -1 : openat(dir, name, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -ENOENT;
	if (!check(fd, &h, &console)) {
		unlinkat(dir, name, 0);
		close(fd);
		return -ENOENT;
	}
	/* The time of last use is what eviction goes by. */
	futimens(fd, NULL);
	lseek(fd, HEADER_BYTES + (off_t)h.console_bytes, SEEK_SET);
	*ret = (struct snapshot){ fd, console, h.console_bytes, -1 };
	return 0;
}

/* A snapshot that is not being used any more. */
struct entry {
	char name[NAME_BYTES];
	uint64_t bytes;
	struct timespec used;
};

static int by_use(const void *a, const void *b)
{
	const struct timespec *x = &((const struct entry *)a)->used, *y = &((const struct entry *)b)->used;

	if (x->tv_sec != y->tv_sec)
		return x->tv_sec < y->tv_sec ? -1 : 1;
	return (x->tv_nsec > y->tv_nsec) - (x->tv_nsec < y->tv_nsec);
}

/* All of them in the order of their last use, and what they take. */
static size_t list(int dir, struct entry *entries, uint64_t *ret_bytes)
{
	int fd = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *one;
	struct stat st;
	size_t n = 0;

	*ret_bytes = 0;
	while (d && n < ENTRIES_MAX && (one = readdir(d))) {
		if (strlen(one->d_name) + 1 != NAME_BYTES || !strstr(one->d_name, SUFFIX) ||
		    fstatat(dir, one->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0)
			continue;
		strcpy(entries[n].name, one->d_name);
		entries[n].bytes = (uint64_t)st.st_blocks * 512;
		entries[n].used = st.st_mtim;
		*ret_bytes += entries[n++].bytes;
	}
	if (d)
		closedir(d);
	qsort(entries, n, sizeof(*entries), by_use);
	return n;
}

/* Until what is left takes at most that much. */
static void evict(int dir, uint64_t bytes_left)
{
	struct entry *entries = calloc(ENTRIES_MAX, sizeof(*entries));
	uint64_t bytes;
	size_t n, i;

	if (!entries)
		return;
	n = list(dir, entries, &bytes);
	for (i = 0; i < n && bytes > bytes_left; i++) {
		unlinkat(dir, entries[i].name, 0);
		bytes -= entries[i].bytes;
	}
	free(entries);
}

int snapshot_room(uint64_t bytes_max, struct err *why)
{
	char path[PATH_LEN_MAX], need[UNITS_TEXT_MAX], have[UNITS_TEXT_MAX];
	uint64_t free_bytes;
	struct statvfs fs;
	int r = paths_cache("snapshots", path);

	if (r < 0)
		return err_errno(why, -r, "snapshots");
	r = dir_make(path, why);
	if (r < 0)
		return r;
	if (statvfs(path, &fs) < 0)
		return err_errno(why, errno, "%s: statvfs", path);
	free_bytes = (uint64_t)fs.f_bavail * fs.f_frsize;
	if (free_bytes < bytes_max + FREE_LEFT)
		return err_set(why, ENOSPC, "%s: a snapshot may need %s, %s are free", path,
			       size_format(need, bytes_max + FREE_LEFT), size_format(have, free_bytes));
	return 0;
}

int snapshot_begin(const char *console, size_t console_bytes, uint64_t bytes_max, struct snapshot *ret)
{
	struct snapshot s = { .fd = -1, .dir_fd = open_dir(true) };
	int r;

	if (s.dir_fd < 0)
		return -EACCES;
	r = flock(s.dir_fd, LOCK_EX | LOCK_NB) < 0 ? -EBUSY : snapshot_room(bytes_max, NULL);
	/* Without a name: nothing is left of it if this process is killed. */
	if (r == 0 && console_bytes <= CONSOLE_MAX)
		s.fd = openat(s.dir_fd, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	if (s.fd < 0 || lseek(s.fd, HEADER_BYTES, SEEK_SET) < 0 ||
	    write_all(s.fd, console, console_bytes) < 0) {
		snapshot_close(&s);
		return r < 0 ? r : -EIO;
	}
	s.console_bytes = console_bytes;
	*ret = s;
	return 0;
}

static int finish_header(const struct snapshot *s, uint64_t *ret_bytes)
{
	struct header h = { .version = VERSION, .console_bytes = (uint32_t)s->console_bytes };
	struct stat st;
	char *map;

	if (fstat(s->fd, &st) < 0 || st.st_size <= HEADER_BYTES)
		return -EIO;
	map = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_SHARED, s->fd, 0);
	if (map == MAP_FAILED)
		return -errno;
	memcpy(h.magic, MAGIC, sizeof(h.magic));
	h.file_bytes = (uint64_t)st.st_size;
	h.hash = hash_of(map, &h);
	munmap(map, (size_t)st.st_size);
	*ret_bytes = (uint64_t)st.st_blocks * 512;
	return pwrite(s->fd, &h, sizeof(h), 0) == sizeof(h) ? 0 : -EIO;
}

int snapshot_commit(struct snapshot *s, const struct snapshot_key *key)
{
	char name[NAME_BYTES], self[64];
	uint64_t bytes = 0;
	int r;

	r = finish_header(s, &bytes);
	if (r < 0)
		return r;
	if (bytes > limit_bytes())
		return -ENOSPC;
	evict(s->dir_fd, limit_bytes() - bytes);
	name_of(key, name);
	snprintf(self, sizeof(self), "/proc/self/fd/%d", s->fd);
	unlinkat(s->dir_fd, name, 0);
	return linkat(AT_FDCWD, self, s->dir_fd, name, AT_SYMLINK_FOLLOW) < 0 ? -errno : 0;
}

void snapshot_remove(const struct snapshot_key *key)
{
	AUTO_CLOSE int dir = open_dir(false);
	char name[NAME_BYTES];

	name_of(key, name);
	if (dir >= 0)
		unlinkat(dir, name, 0);
}

void snapshot_close(struct snapshot *s)
{
	if (s->fd >= 0)
		close(s->fd);
	if (s->dir_fd >= 0)
		close(s->dir_fd); /* and with it goes the lock */
	free(s->console);
	*s = (struct snapshot){ .fd = -1, .dir_fd = -1 };
}
