// SPDX-License-Identifier: MIT
#include "lib/capture.h"

#include "lib/clock.h"
#include "lib/files.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static void child_main(const char *const argv[], int out, int failed)
{
	int null = open("/dev/null", O_RDONLY);
	int errnum;

	setpgid(0, 0);
	dup2(null, 0);
	dup2(out, 1);
	dup2(out, 2);
	execvp(argv[0], (char *const *)argv);
	errnum = errno;
	if (write(failed, &errnum, sizeof(errnum)) < 0)
		_exit(126);
	_exit(127);
}

/* Waits until there is something to read, or -ETIMEDOUT. */
static int wait_for(int fd, uint64_t deadline_ns)
{
	for (;;) {
		struct pollfd p = { fd, POLLIN, 0 };
		uint64_t now = clock_ns();
		int n;

		if (now >= deadline_ns)
			return -ETIMEDOUT;
		n = poll(&p, 1, (int)((deadline_ns - now) / NS_PER_MS) + 1);
		if (n > 0)
			return 0;
		if (n < 0 && errno != EINTR)
			return -errno;
	}
}

/* Waits until the process has ended: it may close its output long before. Before 5.3 nothing tells. */
static int wait_end(pid_t pid, uint64_t deadline_ns)
{
	AUTO_CLOSE int fd = (int)syscall(SYS_pidfd_open, pid, 0);

	return fd < 0 ? 0 : wait_for(fd, deadline_ns);
}

/* Reads until end-of-file or the deadline; what does not fit is read and dropped. */
static int read_all(int fd, uint64_t deadline_ns, char *text, size_t *ret_len)
{
	char drop[4096];

	*ret_len = 0;
	for (;;) {
		size_t room = CAPTURE_BYTES_MAX - *ret_len;
		int r = wait_for(fd, deadline_ns);
		ssize_t n;

		if (r < 0)
			return r;
		n = read(fd, room ? text + *ret_len : drop, room ? room : sizeof(drop));
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : 0;
		*ret_len += room ? (size_t)n : 0;
	}
}

int capture(const char *const argv[], int timeout_ms, char **ret_text, int *ret_status, struct err *e)
{
	AUTO_FREE char *text = malloc(CAPTURE_BYTES_MAX + 1);
	uint64_t deadline_ns = clock_ns() + (uint64_t)timeout_ms * NS_PER_MS;
	int out[2] = { -1, -1 }, failed[2] = { -1, -1 };
	int errnum = 0, r = 0;
	size_t len = 0;
	pid_t pid;

	if (!text || pipe2(out, O_CLOEXEC) < 0 || pipe2(failed, O_CLOEXEC) < 0) {
		cleanup_close(&out[0]);
		cleanup_close(&out[1]);
		return err_errno(e, text ? errno : ENOMEM, "%s", argv[0]);
	}
	pid = fork();
	if (pid == 0)
		child_main(argv, out[1], failed[1]);
	close(out[1]);
	close(failed[1]);
	if (pid < 0)
		r = -errno;
	else
		r = read_all(out[0], deadline_ns, text, &len);
	if (r == 0)
		r = wait_end(pid, deadline_ns);
	if (pid > 0 && r < 0) { /* the group: what it started goes with it */
		kill(-pid, SIGKILL);
		kill(pid, SIGKILL);
	}
	while (pid > 0 && waitpid(pid, ret_status, 0) < 0 && errno == EINTR)
		;
	if (r == 0 && read(failed[0], &errnum, sizeof(errnum)) == sizeof(errnum))
		r = -errnum;
	close(out[0]);
	close(failed[0]);
	if (r < 0)
		return err_errno(e, -r, "%s", argv[0]);
	text[len] = 0;
	*ret_text = text;
	text = NULL;
	return 0;
}
