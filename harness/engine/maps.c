// SPDX-License-Identifier: MIT
/*
 * /proc/PID/maps, see proc_pid_maps(5):
 *
 *     08048000-08049000 r--p 00000000 00:02 5035       /oomlab-stress
 *     094b3000-094d5000 rw-p 00000000 00:00 0          [heap]
 *     b7f4b000-b7f4c000 rw-p 00000000 00:00 0
 */
#include "harness/engine/maps.h"

#include "lib/files.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* A name has at most PATH_MAX characters, of which the kernel may write each as four. */
#define LINES_BYTES_MAX (32u << 10)
/* Twice what 65530 mappings take. */
#define READ_BYTES_MAX (16u << 20)

static void add(struct maps *m, char *line)
{
	struct mapping *one = &m->listed[m->count];
	uint64_t end;

	if (m->count++ >= MAPS_LISTED_MAX)
		return;
	memset(one, 0, sizeof(*one));
	if (sscanf(line, "%" SCNx64 "-%" SCNx64 " %4s %*s %*s %*s %47[^\n]", &one->start, &end, one->perms,
		   one->name) >= 3)
		one->bytes = end - one->start;
}

/* Counts the whole lines of text; returns how much of it they are. */
static size_t add_lines(struct maps *m, char *text, size_t len)
{
	size_t used = 0;
	char *end;

	while ((end = memchr(text + used, '\n', len - used))) {
		*end = 0;
		add(m, text + used);
		used = (size_t)(end - text) + 1;
	}
	return used;
}

int maps_read(const char *root, pid_t pid, struct maps *ret)
{
	static char text[LINES_BYTES_MAX];
	char path[PATH_LEN_MAX];
	AUTO_CLOSE int fd = -1;
	size_t kept = 0, total = 0, used;
	ssize_t n = 1;

	if (path_format(path, "%s/proc/%d/maps", root, (int)pid) < 0)
		return -ENAMETOOLONG;
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	ret->count = 0;
	while (kept < sizeof(text) && total < READ_BYTES_MAX) {
		n = read(fd, text + kept, sizeof(text) - kept);
		if (n <= 0)
			break;
		total += (size_t)n;
		kept += (size_t)n;
		used = add_lines(ret, text, kept);
		kept -= used;
		memmove(text, text + used, kept);
	}
	if (n < 0)
		return -errno;
	ret->whole = n == 0;
	return 0;
}
