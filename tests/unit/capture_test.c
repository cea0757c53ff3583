// SPDX-License-Identifier: MIT
#include "lib/capture.h"

#include "lib/clock.h"
#include "lib/files.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#define LONG_MS 20000

static int run(const char *script, int timeout_ms, char **ret_text, int *ret_status, struct err *e)
{
	const char *const argv[] = { "sh", "-c", script, NULL };

	return capture(argv, timeout_ms, ret_text, ret_status, e);
}

static void prints(const char *script, const char *text, int exit_code)
{
	AUTO_FREE char *got = NULL;
	struct err e = ERR_INIT;
	int status = -1;

	if (run(script, LONG_MS, &got, &status, &e) < 0)
		fail_msg("%s: %s", script, e.text);
	assert_string_equal(got, text);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), exit_code);
}

static void output_and_status(void **state)
{
	(void)state;
	prints("echo a; echo b >&2; exit 3", "a\nb\n", 3);
	prints(":", "", 0);
	prints("cat", "", 0); /* standard input is empty */
	prints("exit 126", "", 126);
	prints("printf 'x\\0y'", "x", 0);
}

static void a_word_is_no_script(void **state)
{
	const char *const argv[] = { "printf", "%s|%s", "$HOME; `id`", "*", NULL };
	AUTO_FREE char *text = NULL;
	int status;

	(void)state;
	assert_int_equal(capture(argv, LONG_MS, &text, &status, NULL), 0);
	assert_string_equal(text, "$HOME; `id`|*");
}

static void ended_by_a_signal(void **state)
{
	AUTO_FREE char *text = NULL;
	int status;

	(void)state;
	assert_int_equal(run("echo x; kill -USR1 $$", LONG_MS, &text, &status, NULL), 0);
	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGUSR1);
	assert_string_equal(text, "x\n");
}

static void cannot_be_started(void **state)
{
	static const struct {
		const char *program;
		int code;
	} bad[] = { { "oomlab-no-such-program", ENOENT },
		    { "/nonexistent/x", ENOENT },
		    { "/etc/passwd", EACCES },
		    { "/", EACCES },
		    { "", ENOENT } };
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		const char *const argv[] = { bad[i].program, NULL };
		struct err e = ERR_INIT;
		char *text = NULL;
		int status;

		assert_int_equal(capture(argv, LONG_MS, &text, &status, &e), -bad[i].code);
		assert_non_null(strstr(e.text, bad[i].program));
		assert_non_null(strstr(e.text, strerror(bad[i].code)));
		assert_null(text);
	}
}

/* The first CAPTURE_BYTES_MAX bytes; the program can write the rest, so that it ends as it would. */
static void more_than_fits(void **state)
{
	AUTO_FREE char *text = NULL;
	int status;

	(void)state;
	assert_int_equal(run("head -c 3000000 /dev/zero | tr '\\0' x; exit 5", LONG_MS, &text, &status, NULL),
			 0);
	assert_int_equal(strlen(text), CAPTURE_BYTES_MAX);
	assert_int_equal(WEXITSTATUS(status), 5);
}

/* Killed and reaped when its time is over, however it spends it. */
static void timeout_kills(void **state)
{
	static const char *const scripts[] = {
		"echo $$; exec sleep 60",          "echo $$; trap '' TERM INT HUP; exec sleep 60",
		"echo $$; while :; do :; done",    "echo $$; exec yes",
		"echo $$; exec sleep 60 >&- 2>&-", /* its output is closed, it is not over */
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(scripts) / sizeof(scripts[0]); i++) {
		uint64_t start = clock_ns();
		struct err e = ERR_INIT;
		char *text = NULL;
		int status;

		assert_int_equal(run(scripts[i], 300, &text, &status, &e), -ETIMEDOUT);
		assert_null(text);
		assert_non_null(strstr(e.text, "sh: "));
		if (clock_ns() - start > 15 * NS_PER_S)
			fail_msg("%s: %llu ms", scripts[i],
				 (unsigned long long)(clock_ns() - start) / NS_PER_MS);
		assert_true(clock_ns() - start >= 300 * NS_PER_MS);
		assert_int_equal(waitpid(-1, &status, WNOHANG), -1); /* no child is left */
		assert_int_equal(errno, ECHILD);
	}
}

/* What it started goes with it. */
static void timeout_kills_children(void **state)
{
	char path[] = "/tmp/oomlab-capture.XXXXXX";
	int fd = mkstemp(path), status, i;
	AUTO_FREE char *script = NULL;
	AUTO_FREE char *pid = NULL;
	char *text;

	(void)state;
	assert_true(fd >= 0);
	assert_true(asprintf(&script, "sleep 60 & echo $! >%s; wait", path) > 0);
	assert_int_equal(run(script, 500, &text, &status, NULL), -ETIMEDOUT);
	assert_int_equal(file_read(path, 100, &pid, NULL, NULL), 0);
	assert_true(atoi(pid) > 1);
	for (i = 0; i < 500 && kill(atoi(pid), 0) == 0; i++)
		usleep(10000); /* init has to reap it */
	assert_int_equal(kill(atoi(pid), 0), -1);
	close(fd);
	unlink(path);
}

static void on_alarm(int sig)
{
	(void)sig;
}

/* A signal in between neither ends the wait nor makes it endless. */
static void signals_in_between(void **state)
{
	struct itimerval every = { { 0, 20000 }, { 0, 20000 } }, off = { { 0, 0 }, { 0, 0 } };
	struct sigaction act = { .sa_handler = on_alarm, .sa_flags = SA_RESTART }, old;
	char *text = NULL;
	int status, r;

	(void)state;
	sigaction(SIGALRM, &act, &old);
	setitimer(ITIMER_REAL, &every, NULL);
	prints("sleep 0.3; echo x; sleep 0.3; echo y", "x\ny\n", 0);
	r = run("sleep 60", 300, &text, &status, NULL);
	setitimer(ITIMER_REAL, &off, NULL);
	sigaction(SIGALRM, &old, NULL);
	assert_int_equal(r, -ETIMEDOUT);
}

static int open_files(void)
{
	DIR *dir = opendir("/proc/self/fd");
	int count = 0;

	while (readdir(dir))
		count++;
	closedir(dir);
	return count;
}

static void nothing_stays_open(void **state)
{
	const char *const none[] = { "oomlab-no-such-program", NULL };
	int before = open_files(), status, i;
	char *text;

	(void)state;
	for (i = 0; i < 3; i++) {
		prints("echo x", "x\n", 0);
		assert_int_equal(capture(none, LONG_MS, &text, &status, NULL), -ENOENT);
		assert_int_equal(run("sleep 60", 10, &text, &status, NULL), -ETIMEDOUT);
	}
	assert_int_equal(open_files(), before);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(output_and_status),      cmocka_unit_test(a_word_is_no_script),
		cmocka_unit_test(ended_by_a_signal),      cmocka_unit_test(cannot_be_started),
		cmocka_unit_test(more_than_fits),         cmocka_unit_test(timeout_kills),
		cmocka_unit_test(timeout_kills_children), cmocka_unit_test(signals_in_between),
		cmocka_unit_test(nothing_stays_open),
	};

	setenv("PATH", "/usr/bin:/bin", 1); /* a folder in it that cannot be read makes ENOENT EACCES */
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("capture", tests, NULL, NULL);
}
