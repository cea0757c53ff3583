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

#define ENV_MAX 80 /* of a stressor: 64 that its scenario gives, and ours */

/*
 * An ordinary process again, which dies with the engine. One that is the caller's keeps its process group, so that it is
 * in the terminal's foreground if oomlab is, and the signals that were ignored or blocked before oomlab.
 */
static void become_ordinary(const struct engine_caller *caller, pid_t engine)
{
	sigset_t none;
	int sig;

	if (!caller)
		setpgid(0, 0);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != engine)
		_exit(127);
	for (sig = 1; !caller && sig < 32; sig++)
		signal(sig, SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, caller ? &caller->mask : &none, NULL);
}

/* The working directory keeps its path: what is mounted there is seen below the new root as well. */
static int change_root(const char *root)
{
	char here[PATH_MAX];

	if (!root)
		return 0;
	return !getcwd(here, sizeof(here)) || chroot(root) < 0 || chdir(here) < 0 ? -1 : 0;
}

/* Whose it is comes last, since others may not do the rest. The kernel forgets PR_SET_PDEATHSIG over it. */
static const char *become_user(const struct settings *settings, pid_t engine)
{
	const char *refused = settings_become(settings);

	if (refused)
		return refused;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != engine)
		_exit(127);
	return NULL;
}

/* program: the engine's stressors, opened; -1: the process has a program of its own. */
static void become_stressor(const struct spec_process *spec, int program, const struct child_ends *child)
{
	char shared[sizeof(SHARED_ENV) + 32];
	char *argv[256] = { (char *)"oomlab-stress" };
	char *envp[ENV_MAX] = { shared, (char *)"PATH=/usr/sbin:/usr/bin:/sbin:/bin" };
	int i;

	for (i = 0; spec->argv[i] && i < 254; i++)
		argv[i + 1] = spec->argv[i];
	for (i = 0; program < 0 && spec->env[i] && i < ENV_MAX - 2; i++)
		envp[i + 1] = spec->env[i];
	snprintf(shared, sizeof(shared), SHARED_ENV "=%d,%d", child->page, child->bell);
	fcntl(child->page, F_SETFD, 0);
	fcntl(child->bell, F_SETFD, 0);
	if (program < 0)
		execve(spec->program, argv, envp);
	else
		execveat(program, "", argv, envp, AT_EMPTY_PATH);
}

static int open_stdin(const struct spec_process *spec, int input)
{
	if (input < 0)
		input = open(spec->stdin_file ? spec->stdin_file : "/dev/null", O_RDONLY | O_CLOEXEC);
	return input < 0 ? -1 : dup2(input, 0);
}

static const struct engine_caller *caller_of(const struct spec_process *spec,
					     const struct engine_setup *setup)
{
	return spec->streams == STREAMS_CALLER ? setup->caller : NULL;
}

static void become_program(const struct spec_process *spec, const struct engine_caller *caller)
{
	if (caller) /* a script without #! is the shell's, as with any who starts programs */
		execvpe(spec->program, caller->argv, caller->env);
	else
		execve(spec->program, spec->argv, spec->env);
}

/* Fails with the step and, for a setting, its name. Stressors lie where their user may not look: opened before. */
static struct child_failure become(const struct spec_process *spec, const struct engine_setup *setup,
				   const struct child_ends *child, pid_t engine)
{
	struct child_failure f = { .step = CHILD_SETTING };
	int stressor = -1;

	f.setting = settings_apply(&spec->settings);
	if (f.setting)
		return f;
	f.step = CHILD_ROOT;
	if (spec->program && change_root(setup->root) < 0)
		return f;
	f.step = CHILD_STDIN;
	if (!caller_of(spec, setup) && open_stdin(spec, child->input) < 0)
		return f;
	f.step = CHILD_EXEC;
	if (!spec->program)
		stressor = open(setup->stress_path, O_PATH | O_CLOEXEC);
	if (!spec->program && stressor < 0)
		return f;
	f.setting = become_user(&spec->settings, engine);
	if (f.setting)
		f.step = CHILD_SETTING;
	else if (spec->stressor)
		become_stressor(spec, stressor, child);
	else
		become_program(spec, caller_of(spec, setup));
	return f;
}

void child_main(const struct spec_process *spec, const struct engine_setup *setup,
		const struct child_ends *child, pid_t engine)
{
	struct child_failure failure;
	char go;

	become_ordinary(caller_of(spec, setup), engine);
	if (read(child->gate, &go, 1) != 1)
		_exit(127);
	if (child->output >= 0) {
		dup2(child->output, 1);
		dup2(child->errors >= 0 ? child->errors : child->output, 2);
	}
	failure = become(spec, setup, child, engine);
	failure.errnum = errno;
	if (write(child->gate, &failure, sizeof(failure)) < 0)
		_exit(126);
	_exit(127);
}
