// SPDX-License-Identifier: MIT
#include "stressors/proc.h"

#include "lib/fields.h"
#include "lib/files.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#define TEXT_BYTES 16384

ssize_t proc_text(const char *path, char *ret_text, size_t room)
{
	AUTO_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC);
	size_t len = 0;
	ssize_t n = 1;

	if (fd < 0)
		return -errno;
	while (len < room - 1 && n != 0) {
		n = read(fd, ret_text + len, room - 1 - len);
		if (n < 0 && errno != EINTR)
			return -errno;
		len += n > 0 ? (size_t)n : 0;
	}
	ret_text[len] = 0;
	return (ssize_t)len;
}

static int64_t number_of(const char *p, const char *end)
{
	int64_t value = digits(p, end, &p);

	return value < 0 ? -ENODATA : scaled(value, strncmp(p, " kB", 3) == 0 ? 1024 : 1);
}

/*
 *     HugePages_Total:       0        (meminfo)
 *     AnonHugePages:      2048 kB     (meminfo, smaps_rollup)
 */
int64_t proc_line(const char *path, const char *key)
{
	char text[TEXT_BYTES];
	ssize_t len = proc_text(path, text, sizeof(text));
	size_t key_len = strlen(key);
	const char *line;

	if (len < 0)
		return len;
	for (line = text; *line; line = *line ? line + 1 : line) {
		if (strncmp(line, key, key_len) == 0 && line[key_len] == ':')
			return number_of(line + key_len + 1, text + len);
		line += strcspn(line, "\n");
	}
	return -ENODATA;
}

int64_t proc_number(const char *path)
{
	char text[64];
	ssize_t len = proc_text(path, text, sizeof(text));

	return len < 0 ? len : number_of(text, text + len);
}

int64_t proc_own(const char *key)
{
	return proc_line("/proc/self/smaps_rollup", key);
}

enum phase proc_unmet(struct stress *s, int64_t found, const char *words)
{
	if (found != -ENOMEM)
		return stress_unmet(s, "%s", words);
	errno = ENOMEM;
	return stress_refused(s, "reading what the kernel has", 0);
}
