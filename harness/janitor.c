// SPDX-License-Identifier: MIT
#include "harness/janitor.h"

#include "harness/engine/undo.h"
#include "lib/paths.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static int lifeline = -1; /* write end; the janitor reads end-of-file when the last holder is gone */
static pid_t janitor;

static int journal_dir(char ret_path[PATH_LEN_MAX])
{
	if (paths_state("undo", ret_path) == 0)
		return 0;
	return path_format(ret_path, "/tmp/oomlab-%u/undo", (unsigned int)geteuid());
}

/* What is undone is what a journal says: nobody else may be able to write one, least of all in /tmp. */
static int check_ours(const char *dir, struct err *e)
{
	struct stat st;

	if (lstat(dir, &st) < 0)
		return err_errno(e, errno, "%s", dir);
	if (!S_ISDIR(st.st_mode) || st.st_uid != geteuid() || (st.st_mode & 022))
		return err_set(e, EPERM, "%s: not a directory that uid %u alone can write to; remove it", dir,
			       (unsigned int)geteuid());
	return 0;
}

int janitor_journal(unsigned int n, char ret_path[PATH_LEN_MAX], struct err *e)
{
	char dir[PATH_LEN_MAX];
	int r;

	r = journal_dir(dir);
	if (r == 0)
		r = dir_make(dir, e);
	if (r == 0)
		r = check_ours(dir, e);
	if (r < 0)
		return r;
	r = path_format(ret_path, "%s/%d.%u.jsonl", dir, (int)getpid(), n);
	return r < 0 ? err_errno(e, -r, "%s", dir) : 0;
}

/* "12.3.jsonl" -> 12; 0 when it is no journal's name. */
static pid_t owner_of(const char *name)
{
	char *end;
	long pid = strtol(name, &end, 10);
	size_t len = strlen(name);

	return *end == '.' && len > 6 && !strcmp(name + len - 6, ".jsonl") ? (pid_t)pid : 0;
}

int janitor_repair(pid_t owner, bool really, struct err *e)
{
	char dir[PATH_LEN_MAX], path[PATH_LEN_MAX];
	int count = 0, failed = 0;
	struct dirent *d;
	DIR *list;

	if (journal_dir(dir) < 0 || access(dir, F_OK) < 0)
		return 0;
	if (check_ours(dir, e) < 0)
		return -EPERM;
	list = opendir(dir);
	if (!list)
		return err_errno(e, errno, "%s", dir);
	while ((d = readdir(list))) {
		pid_t pid = owner_of(d->d_name);
		int r = 0;

		if (!pid || (owner && pid != owner) || path_format(path, "%s/%s", dir, d->d_name) < 0)
			continue;
		/* Its own janitor knows that it died; until its parent has reaped it, /proc says otherwise. */
		if (!owner && undo_owner_alive(path))
			continue;
		count++;
		if (really)
			r = undo_replay(path, failed ? NULL : e);
		failed = failed ? failed : r;
	}
	closedir(list);
	return failed ? failed : count;
}

static void janitor_main(int pipe_read, pid_t harness)
{
	char byte;
	int sig;

	setsid();
	for (sig = 1; sig < 32; sig++)
		signal(sig, SIG_IGN);
	signal(SIGCHLD, SIG_DFL);
	while (read(pipe_read, &byte, 1) < 0 && errno == EINTR)
		;
	_exit(janitor_repair(harness, true, NULL) < 0);
}

int janitor_start(struct err *e)
{
	pid_t harness = getpid();
	int ends[2];

	if (pipe2(ends, O_CLOEXEC) < 0)
		return err_errno(e, errno, "pipe");
	janitor = fork();
	if (janitor < 0)
		return err_errno(e, errno, "fork");
	if (janitor == 0) {
		close(ends[1]);
		/* Nobody who reads the harness's output waits for the janitor. */
		if (!freopen("/dev/null", "r+", stdin) || !freopen("/dev/null", "w", stdout) ||
		    !freopen("/dev/null", "w", stderr))
			_exit(1);
		janitor_main(ends[0], harness);
	}
	close(ends[0]);
	lifeline = ends[1];
	return 0;
}

void janitor_stop(void)
{
	cleanup_close(&lifeline);
	lifeline = -1;
	while (janitor > 0 && waitpid(janitor, NULL, 0) < 0 && errno == EINTR)
		;
	janitor = 0;
}
