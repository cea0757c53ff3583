// SPDX-License-Identifier: MIT
#include "lib/files.h"

#include "lib/units.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

void cleanup_close(const int *fd)
{
	if (*fd >= 0)
		close(*fd);
}

int file_unnamed(const char *dir)
{
	char path[PATH_LEN_MAX];
	int fd = open(dir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);

	/* Not every file system can. */
	if (fd >= 0 || path_format(path, "%s/oomlab.XXXXXX", dir) < 0)
		return fd;
	fd = mkostemp(path, O_CLOEXEC);
	if (fd >= 0)
		unlink(path);
	return fd;
}

int path_format(char ret_path[PATH_LEN_MAX], const char *fmt, ...)
{
	va_list ap;
	int len;

	va_start(ap, fmt);
	len = vsnprintf(ret_path, PATH_LEN_MAX, fmt, ap);
	va_end(ap);
	return len < 0 || len >= PATH_LEN_MAX ? -ENAMETOOLONG : 0;
}

/* Files in /proc say size 0, so the size is found by reading. */
static int read_growing(int fd, size_t bytes_max, char **ret_text, size_t *ret_len)
{
	size_t room = 4096, len = 0;
	char *text = malloc(room + 1);

	while (text) {
		ssize_t n = read(fd, text + len, room - len);
		char *more;

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			free(text);
			return -errno;
		}
		len += (size_t)n;
		if (n == 0 || len > bytes_max)
			break;
		if (len < room)
			continue;
		room *= 2;
		more = realloc(text, room + 1);
		if (!more)
			free(text);
		text = more;
	}
	if (!text)
		return -ENOMEM;
	text[len] = 0;
	*ret_text = text;
	*ret_len = len;
	return 0;
}

int file_read(const char *path, size_t bytes_max, char **ret_text, size_t *ret_len, struct err *e)
{
	AUTO_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC);
	char most[UNITS_TEXT_MAX];
	char *text = NULL;
	size_t len = 0;
	int r;

	if (fd < 0)
		return err_errno(e, errno, "%s: open", path);
	r = read_growing(fd, bytes_max, &text, &len);
	if (r < 0)
		return err_errno(e, -r, "%s: read", path);
	if (len > bytes_max) {
		free(text);
		return err_set(e, EFBIG, "%s: larger than %s", path, size_format(most, bytes_max));
	}
	*ret_text = text;
	if (ret_len)
		*ret_len = len;
	return 0;
}

int write_all(int fd, const void *data, size_t len)
{
	const char *p = data;

	while (len) {
		ssize_t n = write(fd, p, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		p += n;
		len -= (size_t)n;
	}
	return 0;
}

int file_write(const char *path, const void *data, size_t len, struct err *e)
{
	char part[PATH_LEN_MAX];
	int fd, r;

	r = path_format(part, "%s.part", path);
	if (r < 0)
		return err_errno(e, -r, "%s", path);
	fd = open(part, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	if (fd < 0)
		return err_errno(e, errno, "%s: open", part);
	r = write_all(fd, data, len);
	if (close(fd) < 0 && r == 0)
		r = -errno;
	if (r == 0 && rename(part, path) < 0)
		r = -errno;
	if (r < 0) {
		unlink(part);
		return err_errno(e, -r, "%s: write", path);
	}
	return 0;
}

int file_put(const char *path, const char *text, struct err *e)
{
	AUTO_CLOSE int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd < 0)
		return err_errno(e, errno, "%s: open", path);
	if (write(fd, text, strlen(text)) < 0)
		return err_errno(e, errno, "%s: write \"%s\"", path, text);
	return 0;
}

int file_read_u64(const char *path, uint64_t *ret_value)
{
	AUTO_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC);
	char text[64], *end;
	uint64_t value;
	ssize_t n;

	if (fd < 0)
		return -errno;
	n = read(fd, text, sizeof(text) - 1);
	if (n < 0)
		return -errno;
	text[n] = 0;
	value = strtoull(text, &end, 10);
	if (end == text)
		return -ENODATA;
	*ret_value = value;
	return 0;
}

int dir_make(const char *path, struct err *e)
{
	char step[PATH_LEN_MAX];
	struct stat st;
	char *p;
	int r;

	r = path_format(step, "%s", path);
	if (r < 0)
		return err_errno(e, -r, "%s", path);
	for (p = step + 1;; p++) {
		char c = *p;

		if (c != '/' && c != 0)
			continue;
		*p = 0;
		if (mkdir(step, 0755) < 0 && errno != EEXIST)
			return err_errno(e, errno, "%s: mkdir", step);
		*p = c;
		if (!c)
			break;
	}
	if (stat(path, &st) == 0 && !S_ISDIR(st.st_mode))
		return err_errno(e, ENOTDIR, "%s: mkdir", path);
	return 0;
}

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *where)
{
	(void)st;
	(void)kind;
	(void)where;
	return remove(path) < 0 && errno != ENOENT ? -errno : 0;
}

int tree_remove(const char *path, struct err *e)
{
	int r = nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS | FTW_MOUNT);

	if (r == -1 && errno != ENOENT)
		r = -errno;
	else if (r == -1)
		r = 0;
	return r < 0 ? err_errno(e, -r, "%s: remove", path) : 0;
}

int dir_is_empty(const char *path)
{
	DIR *dir = opendir(path);
	struct dirent *d;
	int empty = 1;

	if (!dir)
		return -errno;
	while ((d = readdir(dir)))
		if (strcmp(d->d_name, ".") != 0 && strcmp(d->d_name, "..") != 0)
			empty = 0;
	closedir(dir);
	return empty;
}

static int copy_all(int from, int to)
{
	char block[1 << 16];
	ssize_t n;
	int r = 0;

	while (r == 0 && (n = read(from, block, sizeof(block))) != 0) {
		if (n > 0)
			r = write_all(to, block, (size_t)n);
		else if (errno != EINTR)
			r = -errno;
	}
	return r;
}

static int file_copy(const char *from, const char *to, struct err *e)
{
	AUTO_CLOSE int in = open(from, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	int out, r;

	if (in < 0)
		return err_errno(e, errno, "%s: open", from);
	out = open(to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	if (out < 0)
		return err_errno(e, errno, "%s: open", to);
	r = copy_all(in, out);
	if (close(out) < 0 && r == 0)
		r = -errno;
	return r < 0 ? err_errno(e, -r, "%s: copy to %s", from, to) : 0;
}

/* Why a link is refused (another file system, another owner, none there) is no matter: a copy is as good. */
static int link_one(const char *from, const char *to, const char *name, struct err *e)
{
	char source[PATH_LEN_MAX], target[PATH_LEN_MAX];
	struct stat st;

	if (path_format(source, "%s/%s", from, name) < 0 || path_format(target, "%s/%s", to, name) < 0)
		return err_errno(e, ENAMETOOLONG, "%s/%s", from, name);
	if (lstat(source, &st) < 0)
		return err_errno(e, errno, "%s: stat", source);
	if (!S_ISREG(st.st_mode))
		return err_set(e, EINVAL, "%s: is no file; allowed here: files alone", source);
	return link(source, target) == 0 ? 0 : file_copy(source, target, e);
}

int dir_link(const char *from, const char *to, struct err *e)
{
	DIR *dir = opendir(from);
	struct dirent *d;
	int r = 0;

	if (!dir)
		return err_errno(e, errno, "%s", from);
	while (r == 0 && (d = readdir(dir)))
		if (strcmp(d->d_name, ".") != 0 && strcmp(d->d_name, "..") != 0)
			r = link_one(from, to, d->d_name, e);
	closedir(dir);
	return r;
}
