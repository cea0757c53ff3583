// SPDX-License-Identifier: MIT
#include "guest/kernel_cache.h"

#include "lib/paths.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

int kernel_cache_dir(const char *cache, const char *name, char ret[PATH_LEN_MAX], struct err *e)
{
	int r = path_format(ret, "%s/%s", cache, name);
	char *p;

	if (r < 0)
		return err_errno(e, -r, "%s/%s", cache, name);
	for (p = strrchr(ret, '/'); *p; p++)
		if (*p == ':')
			*p = '-';
	return 0;
}

int kernel_cache_path(char ret[PATH_LEN_MAX], struct err *e)
{
	int r = paths_cache("kernels", ret);

	return r < 0 ? err_errno(e, -r,
				 "the kernel cache: neither XDG_CACHE_HOME nor HOME is an absolute path")
		     : 0;
}

/* A file "DIR/version" of one line. */
static int read_version(const char *dir, char ret[KERNEL_TEXT_MAX], struct err *e)
{
	AUTO_FREE char *text = NULL;
	char path[PATH_LEN_MAX];
	int r;

	r = path_format(path, "%s/version", dir);
	if (r < 0)
		return err_errno(e, -r, "%s", dir);
	r = file_read(path, KERNEL_TEXT_MAX, &text, NULL, e);
	if (r < 0)
		return r;
	text[strcspn(text, "\n")] = 0;
	if (text[0] == 0 || strlen(text) >= KERNEL_TEXT_MAX || strchr(text, '/'))
		return err_set(e, EBADMSG, "%s: holds no kernel version", path);
	strcpy(ret, text);
	return 0;
}

/* The directory appears whole or not at all. */
int kernel_cache_look(struct kernel *k, struct err *e)
{
	int r;

	k->cached = access(k->dir, F_OK) == 0;
	if (!k->cached)
		return 0;
	r = read_version(k->dir, k->version, e);
	if (r < 0)
		return r;
	if (path_format(k->vmlinuz, "%s/vmlinuz", k->dir) < 0 ||
	    path_format(k->modules_dir, "%s/modules/lib/modules/%s", k->dir, k->version) < 0)
		return err_errno(e, ENAMETOOLONG, "%s", k->dir);
	/* One that was built has none. */
	if (k->built)
		k->modules_dir[0] = 0;
	return kernels_check_image(k->vmlinuz, (char[KERNEL_TEXT_MAX]){ 0 }, (char[KERNEL_TEXT_MAX]){ 0 }, e);
}

/* -1 in *ret_fd when nobody ever took it. */
static int take_lock(const char *name, const char *path, const char *holder, int *ret_fd, struct err *e)
{
	int fd = open(path, O_RDWR | O_CLOEXEC);

	if (fd < 0 && errno != ENOENT)
		return err_errno(e, errno, "%s: open", path);
	if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) < 0) {
		int code = errno;

		close(fd);
		return code == EWOULDBLOCK
			       ? err_set(e, EBUSY, "kernel %s is not removed: %s is running", name, holder)
			       : err_errno(e, code, "%s: flock", path);
	}
	*ret_fd = fd;
	return 0;
}

/* Gone in one step; a name that the next fetch clears away if we are killed. */
static int remove_dir(const char *dir, struct err *e)
{
	char part[PATH_LEN_MAX];
	int r;

	r = path_format(part, "%s.part.%d", dir, (int)getpid());
	if (r < 0)
		return err_errno(e, -r, "%s", dir);
	if (rename(dir, part) < 0)
		return errno == ENOENT ? 0 : err_errno(e, errno, "%s: rename", dir);
	r = tree_remove(part, e);
	return r < 0 ? r : 1;
}

int kernel_cache_remove(const char *name, const char *dir, const char *work, const char *lock,
			const char *holder, struct err *e)
{
	AUTO_CLOSE int fd = -1;
	bool worked;
	int r;

	r = take_lock(name, lock, holder, &fd, e);
	if (r == 0)
		r = remove_dir(dir, e);
	if (r < 0 || !work)
		return r;
	worked = access(work, F_OK) == 0;
	return tree_remove(work, e) < 0 ? -EIO : r > 0 || worked;
}
