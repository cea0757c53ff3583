// SPDX-License-Identifier: MIT
#include "harness/recording_stdin.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define PIECE 65536

/* Terminals, /dev/null, /dev/zero: nothing, or never an end. */
static bool is_read(int fd)
{
	struct stat st;

	return fstat(fd, &st) == 0 && !S_ISCHR(st.st_mode) && !S_ISDIR(st.st_mode);
}

static int copy(int from, int to, uint64_t *ret_bytes, struct err *e)
{
	AUTO_FREE char *bytes = malloc(PIECE);
	struct pollfd wait = { from, POLLIN, 0 };
	ssize_t n = 1;
	int r;

	if (!bytes)
		return err_errno(e, ENOMEM, "standard input");
	for (*ret_bytes = 0; n > 0; *ret_bytes += (uint64_t)n) {
		if (poll(&wait, 1, RECORDING_STDIN_MS) == 0)
			return err_set(
				e, EOPNOTSUPP,
				"standard input: no byte and no end for %d s, and a guest gets it beforehand; "
				"give it </dev/null",
				RECORDING_STDIN_MS / 1000);
		n = read(from, bytes, PIECE);
		if (n < 0)
			return err_errno(e, errno, "standard input: read");
		if (*ret_bytes + (uint64_t)n > RECORDING_STDIN_MAX)
			return err_set(e, EOPNOTSUPP,
				       "standard input: is larger than the %u MiB that a guest can be given",
				       RECORDING_STDIN_MAX >> 20);
		r = write_all(to, bytes, (size_t)n);
		if (r < 0)
			return err_errno(e, -r, "standard input: keep it for the guest");
	}
	return 0;
}

int recording_stdin(int fd, const char *dir, char ret_path[PATH_LEN_MAX], struct err *e)
{
	AUTO_CLOSE int to = -1;
	uint64_t bytes = 0;
	int r;

	ret_path[0] = 0;
	if (!is_read(fd))
		return 0;
	r = path_format(ret_path, "%s/stdin", dir);
	if (r < 0)
		return err_errno(e, -r, "%s/stdin", dir);
	to = open(ret_path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (to < 0)
		return err_errno(e, errno, "%s", ret_path);
	r = copy(fd, to, &bytes, e);
	if (r < 0 || bytes == 0) {
		unlink(ret_path);
		ret_path[0] = 0;
	}
	return r;
}
