// SPDX-License-Identifier: MIT
/*
 * What "120%" is a part of: the memory limit of this process's cgroup, v1 or v2.
 *
 *     /proc/self/cgroup         5:memory:/a/b  or  0::/a/b
 *     /proc/self/mountinfo      31 23 0:27 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory
 */
#include "stressors/runtime.h"

#include "lib/files.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define TEXT_BYTES 32768
/* v1 has no word for "none": it reads as the largest multiple of a page. */
#define NO_LIMIT ((uint64_t)1 << 62)

struct hierarchy {
	bool v2;
	char path[PATH_LEN_MAX];  /* of the group, as /proc/self/cgroup names it */
	char root[PATH_LEN_MAX];  /* the group that is mounted */
	char mount[PATH_LEN_MAX]; /* where */
};

/* Not stdio, which allocates. */
static int text_of(const char *root, const char *file, char ret[TEXT_BYTES])
{
	char path[PATH_LEN_MAX];
	AUTO_CLOSE int fd = -1;
	size_t len = 0;
	ssize_t n;

	if (path_format(path, "%s/%s", root, file) < 0)
		return -ENAMETOOLONG;
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	while (len < TEXT_BYTES - 1 && (n = read(fd, ret + len, TEXT_BYTES - 1 - len)) > 0)
		len += (size_t)n;
	ret[len] = 0;
	return 0;
}

/* Is name one of a list with commas? */
static bool listed(const char *list, const char *name)
{
	size_t len = strlen(name);

	for (; list; list = strchr(list, ',') ? strchr(list, ',') + 1 : NULL)
		if (strncmp(list, name, len) == 0 && (list[len] == ',' || !list[len]))
			return true;
	return false;
}

/* v1's memory controller where there is one, else v2. */
static bool find_group(char *text, struct hierarchy *h)
{
	char *line, *rest = NULL;
	bool found = false;

	for (line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
		char *controllers = strchr(line, ':'), *path;

		path = controllers ? strchr(controllers + 1, ':') : NULL;
		if (!path)
			continue;
		*path++ = 0;
		if (controllers[1] ? !listed(controllers + 1, "memory") : found)
			continue;
		found = true;
		h->v2 = !controllers[1];
		snprintf(h->path, sizeof(h->path), "%s", path);
		if (!h->v2)
			break;
	}
	return found;
}

static bool find_mount(char *text, struct hierarchy *h)
{
	char *line, *rest = NULL;

	for (line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
		char *kind = strstr(line, " - "), *options, root[PATH_LEN_MAX], mount[PATH_LEN_MAX];

		if (!kind || strncmp(kind + 3, h->v2 ? "cgroup2 " : "cgroup ", h->v2 ? 8 : 7) != 0)
			continue;
		options = strrchr(kind, ' ') + 1;
		if (!h->v2 && !listed(options, "memory"))
			continue;
		if (sscanf(line, "%*s %*s %*s %4095s %4095s", root, mount) != 2)
			continue;
		snprintf(h->root, sizeof(h->root), "%s", root);
		snprintf(h->mount, sizeof(h->mount), "%s", mount);
		return true;
	}
	return false;
}

/* The group's path below the mount point. */
static const char *below_mount(const struct hierarchy *h)
{
	size_t len = strlen(h->root);

	if (strcmp(h->root, "/") == 0)
		return h->path;
	if (strncmp(h->path, h->root, len) == 0 && (h->path[len] == '/' || !h->path[len]))
		return h->path + len;
	return "";
}

static uint64_t limit_of(const char *root, const struct hierarchy *h, const char *path, size_t len)
{
	char file[PATH_LEN_MAX];
	uint64_t value;

	if (path_format(file, "%s%s%.*s/%s", root, h->mount, (int)len, path,
			h->v2 ? "memory.max" : "memory.limit_in_bytes") < 0)
		return NO_LIMIT;
	/* "max" is no number */
	return file_read_u64(file, &value) == 0 ? value : NO_LIMIT;
}

int limit_of_cgroup(const char *root, uint64_t *ret_bytes)
{
	static char text[TEXT_BYTES];
	static struct hierarchy h;
	uint64_t lowest = NO_LIMIT;
	const char *path;
	size_t len;
	int r;

	r = text_of(root, "proc/self/cgroup", text);
	if (r < 0 || !find_group(text, &h))
		return r < 0 ? r : -ENODATA;
	r = text_of(root, "proc/self/mountinfo", text);
	if (r < 0 || !find_mount(text, &h))
		return r < 0 ? r : -ENODATA;
	path = below_mount(&h);
	for (len = strlen(path);; len--) {
		if (len == 0 || path[len] == '/' || !path[len]) {
			uint64_t value = limit_of(root, &h, path, len);

			lowest = value < lowest ? value : lowest;
		}
		if (len == 0)
			break;
	}
	if (lowest >= NO_LIMIT)
		return -ENODATA;
	*ret_bytes = lowest;
	return 0;
}
