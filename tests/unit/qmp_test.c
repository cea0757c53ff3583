// SPDX-License-Identifier: MIT
/* QMP against a peer whose lines were written beforehand, as QEMU 7.2 writes them. */
#include "harness/places/qmp.h"

#include "lib/clock.h"
#include "lib/files.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <cmocka.h>

#define GREETING          "{\"QMP\": {\"version\": {\"qemu\": {\"micro\": 15}}, \"capabilities\": [\"oob\"]}}\r\n"
#define DONE              "{\"return\": {}}\r\n"
#define EVENT(name, data) "{\"timestamp\": {\"seconds\": 1}, \"event\": \"" name "\"" data "}\r\n"

static int peer = -1;
static struct qmp q;

static uint64_t soon(void)
{
	return clock_ns() + 5 * NS_PER_S;
}

static void say(const char *text)
{
	assert_int_equal(write(peer, text, strlen(text)), (ssize_t)strlen(text));
}

static int begin(const char *lines)
{
	struct err e = ERR_INIT;
	int ends[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
	peer = ends[1];
	say(lines);
	return qmp_begin(&q, ends[0], soon(), &e);
}

static int finish(void **state)
{
	(void)state;
	close(q.fd);
	if (peer >= 0)
		close(peer);
	peer = -1;
	return 0;
}

/* What was sent since the last time. */
static const char *heard(void)
{
	static char text[1024];
	ssize_t n = recv(peer, text, sizeof(text) - 1, MSG_DONTWAIT);

	text[n < 0 ? 0 : n] = 0;
	return text;
}

static bool has_stopped(const struct qmp *it)
{
	return it->stopped;
}

static void test_hello(void **state)
{
	(void)state;
	assert_int_equal(begin(GREETING DONE), 0);
	assert_string_equal(heard(), "{\"execute\":\"qmp_capabilities\"}");
}

static void test_events_before_the_answer_count(void **state)
{
	struct err e = ERR_INIT;

	(void)state;
	assert_int_equal(begin(GREETING DONE), 0);
	say(EVENT("GUEST_PANICKED", ", \"data\": {\"action\": \"pause\"}") EVENT("STOP", "") DONE);
	assert_int_equal(qmp_command(&q, "query-status", NULL, -1, soon(), &e), 0);
	assert_true(q.stopped && q.panicked);
	assert_int_equal(qmp_wait(&q, has_stopped, soon(), &e), 0);
	say(EVENT("RESUME", "") DONE EVENT("MIGRATION", ", \"data\": {\"status\": \"completed\"}")
		    EVENT("STOP", ""));
	assert_int_equal(qmp_command(&q, "cont", NULL, -1, soon(), &e), 0);
	assert_false(q.stopped || q.panicked);
	assert_int_equal(qmp_wait(&q, has_stopped, soon(), &e), 0);
	assert_string_equal(q.migration, "completed");
}

/* A machine that had stopped before the greeting: no event will tell. */
static void test_status_counts_as_an_event(void **state)
{
	struct err e = ERR_INIT;

	(void)state;
	assert_int_equal(begin(GREETING DONE), 0);
	say("{\"return\": {\"status\": \"running\", \"singlestep\": false, \"running\": true}}\r\n");
	assert_int_equal(qmp_command(&q, "query-status", NULL, -1, soon(), &e), 0);
	assert_false(q.stopped);
	say("{\"return\": {\"status\": \"guest-panicked\", \"singlestep\": false, \"running\": false}}\r\n");
	assert_int_equal(qmp_command(&q, "query-status", NULL, -1, soon(), &e), 0);
	assert_int_equal(qmp_wait(&q, has_stopped, soon(), &e), 0);
	say(EVENT("RESUME", "") DONE);
	assert_int_equal(qmp_command(&q, "cont", NULL, -1, soon(), &e), 0);
	assert_false(q.stopped);
}

static void test_lines_in_pieces(void **state)
{
	struct err e = ERR_INIT;
	pid_t pid;

	(void)state;
	assert_int_equal(begin(GREETING DONE), 0);
	say("{\"ret");
	pid = fork();
	if (pid == 0) {
		usleep(20000);
		_exit(write(peer, "urn\": {}}\r\n", 11) != 11);
	}
	assert_int_equal(qmp_command(&q, "stop", json_pack("{s:i}", "n", 1), -1, soon(), &e), 0);
	assert_non_null(strstr(heard(), "{\"execute\":\"stop\",\"arguments\":{\"n\":1}}"));
}

static void test_a_refusal_is_an_error_with_its_words(void **state)
{
	struct err e = ERR_INIT;

	(void)state;
	assert_int_equal(begin(GREETING DONE), 0);
	say("{\"error\": {\"class\": \"GenericError\", \"desc\": \"no such fd\"}}\r\n");
	assert_int_equal(qmp_command(&q, "migrate", NULL, -1, soon(), &e), -EPROTO);
	assert_string_equal(e.text, "QEMU: migrate: no such fd");
}

static void test_end_and_silence(void **state)
{
	struct err e = ERR_INIT;

	(void)state;
	assert_int_equal(begin(GREETING DONE), 0);
	assert_int_equal(qmp_wait(&q, has_stopped, clock_ns() + NS_PER_MS, &e), -ETIMEDOUT);
	say(EVENT("STOP", ""));
	close(peer);
	peer = -1;
	assert_int_equal(qmp_wait(&q, has_stopped, soon(), &e), 0); /* what was said before the end counts */
	q.stopped = false;
	assert_int_equal(qmp_wait(&q, has_stopped, soon(), &e), -EPIPE);
	assert_int_equal(qmp_command(&q, "cont", NULL, -1, soon(), &e), -EPIPE);
}

static void test_what_is_no_qmp(void **state)
{
	struct err e = ERR_INIT;
	char junk[1024];
	int i;

	(void)state;
	assert_int_equal(begin("qemu: hello\n"), -EPROTO);
	finish(NULL);
	assert_int_equal(begin(GREETING DONE), 0);
	memset(junk, 'x', sizeof(junk));
	for (i = 0; i < 17; i++) /* a line longer than the buffer */
		assert_int_equal(write_all(peer, junk, sizeof(junk)), 0);
	assert_int_equal(qmp_wait(&q, has_stopped, soon(), &e), -EPROTO);
}

static void test_a_descriptor_goes_with_the_command(void **state)
{
	union {
		struct cmsghdr head;
		char room[CMSG_SPACE(sizeof(int))];
	} control;
	char text[256], byte = 0;
	struct iovec iov = { text, sizeof(text) };
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control)
	};
	struct err e = ERR_INIT;
	int ends[2], got;

	(void)state;
	assert_int_equal(begin(GREETING DONE), 0);
	heard();
	assert_int_equal(pipe(ends), 0);
	say(DONE);
	assert_int_equal(qmp_command(&q, "getfd", NULL, ends[1], soon(), &e), 0);
	assert_true(recvmsg(peer, &msg, 0) > 0);
	memcpy(&got, CMSG_DATA(CMSG_FIRSTHDR(&msg)), sizeof(got));
	assert_int_equal(write(got, "!", 1), 1);
	assert_int_equal(read(ends[0], &byte, 1), 1);
	assert_int_equal(byte, '!');
	close(got);
	close(ends[0]);
	close(ends[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(test_hello, finish),
		cmocka_unit_test_teardown(test_events_before_the_answer_count, finish),
		cmocka_unit_test_teardown(test_status_counts_as_an_event, finish),
		cmocka_unit_test_teardown(test_lines_in_pieces, finish),
		cmocka_unit_test_teardown(test_a_refusal_is_an_error_with_its_words, finish),
		cmocka_unit_test_teardown(test_end_and_silence, finish),
		cmocka_unit_test_teardown(test_what_is_no_qmp, finish),
		cmocka_unit_test_teardown(test_a_descriptor_goes_with_the_command, finish),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
