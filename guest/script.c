// SPDX-License-Identifier: MIT
#include "guest/script.h"

#include "lib/files.h"
#include "lib/paths.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define REASON_FD 3 /* the script writes to it why it failed */

/* In the child: the script dies with us, hears our signals and writes to standard error alone. */
static void exec_script(const struct script *s, const char *program, int reason_fd, pid_t parent)
{
	const char *argv[SCRIPT_ARGUMENTS_MAX + 2] = { program };
	sigset_t none;

	memcpy(argv + 1, s->arguments, sizeof(s->arguments));
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	if (getppid() != parent)
		_exit(1);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	signal(SIGPIPE, SIG_DFL);
	dup2(STDERR_FILENO, STDOUT_FILENO);
	if (s->stdin_fd >= 0)
		dup2(s->stdin_fd, STDIN_FILENO);
	if (s->table)
		setenv("OOMLAB_KERNELS_TABLE", s->table, 1);
	/* dup2() to itself would leave it close-on-exec */
	if (reason_fd == REASON_FD ? fcntl(REASON_FD, F_SETFD, 0) == 0
				   : reason_fd >= 0 && dup2(reason_fd, REASON_FD) >= 0)
		setenv("OOMLAB_REASON_FD", "3", 1);
	else
		unsetenv("OOMLAB_REASON_FD");
	execv(program, (char *const *)argv);
	dprintf(STDERR_FILENO, "%s: exec: %s\n", program, strerror(errno));
	_exit(127);
}

/* The script's status and its own words as an error. */
static int failed(const struct script *s, int reason_fd, int status, struct err *e)
{
	char reason[1024] = "";

	if (WIFSIGNALED(status))
		return err_set(e, EINTR, "%s %s: %s was ended by signal %d", s->what, s->of, s->name,
			       WTERMSIG(status));
	if (reason_fd >= 0 && pread(reason_fd, reason, sizeof(reason) - 1, 0) > 0)
		reason[strcspn(reason, "\n")] = 0;
	return reason[0] ? err_set(e, EIO, "%s %s could not be %s: %s", s->what, s->of, s->does, reason)
			 : err_set(e, EIO, "%s %s could not be %s (exit %d of %s)", s->what, s->of, s->does,
				   WEXITSTATUS(status), s->name);
}

int script_run(const struct script *s, struct err *e)
{
	AUTO_CLOSE int reason_fd = memfd_create("reason", MFD_CLOEXEC);
	pid_t parent = getpid(), pid;
	char program[PATH_LEN_MAX];
	int status, r;

	r = paths_helper(s->name, program);
	if (r < 0)
		return err_errno(e, -r, "%s, which fetches and builds", s->name);
	pid = fork();
	if (pid < 0)
		return err_errno(e, errno, "fork");
	if (pid == 0)
		exec_script(s, program, reason_fd, parent);
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return err_errno(e, errno, "waitpid");
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return 0;
	return failed(s, reason_fd, status, e);
}
