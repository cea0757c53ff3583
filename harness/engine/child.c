// SPDX-License-Identifier: MIT
#include "harness/engine/child.h"

#include "lib/sharedpage.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <unistd.h>

/* An ordinary process again, which dies with the engine. */
static void become_ordinary(pid_t engine)
{
	sigset_t none;
	int sig;

	setpgid(0, 0);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != engine)
		_exit(127);
	for (sig = 1; sig < 32; sig++)
		signal(sig, SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

/* The working directory keeps its path: what is mounted there is seen below the new root as well. */
static int change_root(const char *root)
{
	char here[PATH_MAX];

	if (!root)
		return 0;
	return !getcwd(here, sizeof(here)) || chroot(root) < 0 || chdir(here) < 0 ? -1 : 0;
}

static enum child_step become_stressor(const struct spec_process *spec, const char *stress_path,
				       const struct child_ends *child)
{
	char shared[sizeof(SHARED_ENV) + 32];
	char *argv[256] = { (char *)"oomlab-stress" };
	char *envp[] = { shared, (char *)"PATH=/usr/sbin:/usr/bin:/sbin:/bin", NULL };
	int i;

	for (i = 0; spec->argv[i] && i < 254; i++)
		argv[i + 1] = spec->argv[i];
	snprintf(shared, sizeof(shared), SHARED_ENV "=%d,%d", child->page, child->bell);
	fcntl(child->page, F_SETFD, 0);
	fcntl(child->bell, F_SETFD, 0);
	dup2(open("/dev/null", O_RDONLY), 0);
	execve(stress_path, argv, envp);
	return CHILD_EXEC;
}

static enum child_step become_program(const struct spec_process *spec, const char *root,
				      const struct child_ends *child)
{
	int input = child->input;

	if (change_root(root) < 0)
		return CHILD_ROOT;
	if (input < 0)
		input = open(spec->stdin_file ? spec->stdin_file : "/dev/null", O_RDONLY | O_CLOEXEC);
	if (input < 0 || dup2(input, 0) < 0)
		return CHILD_STDIN;
	execve(spec->program, spec->argv, spec->env);
	return CHILD_EXEC;
}

void child_main(const struct spec_process *spec, const struct engine_setup *setup,
		const struct child_ends *child, pid_t engine)
{
	struct child_failure failure;
	char go;

	become_ordinary(engine);
	if (read(child->gate, &go, 1) != 1)
		_exit(127);
	dup2(child->output, 1);
	dup2(child->output, 2);
	failure.step = spec->program ? become_program(spec, setup->root, child)
				     : become_stressor(spec, setup->stress_path, child);
	failure.errnum = errno;
	if (write(child->gate, &failure, sizeof(failure)) < 0)
		_exit(126);
	_exit(127);
}
