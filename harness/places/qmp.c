// SPDX-License-Identifier: MIT
#include "harness/places/qmp.h"

#include "lib/clock.h"
#include "lib/json.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/*
 * {"timestamp": {...}, "event": "MIGRATION", "data": {"status": "completed"}}
 * {"return": {"status": "guest-panicked", "singlestep": false, "running": false}}
 */
static void note(struct qmp *q, const json_t *message)
{
	const char *event = json_text(message, "event", "");
	const json_t *running = json_object_get(json_object_get(message, "return"), "running");

	if (strcmp(event, "STOP") == 0 || json_is_false(running))
		q->stopped = true;
	else if (strcmp(event, "GUEST_PANICKED") == 0)
		q->panicked = true;
	else if (strcmp(event, "RESUME") == 0)
		q->stopped = q->panicked = false;
	else if (strcmp(event, "MIGRATION") == 0)
		snprintf(q->migration, sizeof(q->migration), "%s",
			 json_text(json_object_get(message, "data"), "status", ""));
}

/* Milliseconds for poll(2), rounded up; -1: for ever. */
static int time_left(uint64_t deadline_ns)
{
	uint64_t now = clock_ns();

	if (deadline_ns == QMP_NO_DEADLINE)
		return -1;
	return now >= deadline_ns ? 0 : (int)((deadline_ns - now + NS_PER_MS - 1) / NS_PER_MS);
}

/* More bytes into the buffer. */
static int receive(struct qmp *q, uint64_t deadline_ns, struct err *e)
{
	struct pollfd p = { q->fd, POLLIN, 0 };
	ssize_t n;

	if (q->len == sizeof(q->buf))
		return err_set(e, EPROTO, "QEMU: a QMP message of more than %zu bytes", sizeof(q->buf));
	do {
		n = poll(&p, 1, time_left(deadline_ns));
	} while (n < 0 && errno == EINTR);
	if (n == 0)
		return err_set(e, ETIMEDOUT, "QEMU: no answer in time");
	n = read(q->fd, q->buf + q->len, sizeof(q->buf) - q->len);
	if (n < 0 && (errno == EINTR || errno == EAGAIN))
		return 0;
	if (n <= 0)
		return err_set(e, EPIPE, "QEMU has ended");
	q->len += (size_t)n;
	return 0;
}

/* The next message, with what it tells noted; the caller's to free. */
static int next_message(struct qmp *q, uint64_t deadline_ns, json_t **ret, struct err *e)
{
	json_error_t where;
	char *end;
	size_t line;
	int r;

	while (!(end = memchr(q->buf, '\n', q->len))) {
		r = receive(q, deadline_ns, e);
		if (r < 0)
			return r;
	}
	line = (size_t)(end - q->buf) + 1;
	*ret = json_loadb(q->buf, line, 0, &where);
	memmove(q->buf, q->buf + line, q->len - line);
	q->len -= line;
	if (!*ret)
		return err_set(e, EPROTO, "QEMU: not a QMP message: %s", where.text);
	note(q, *ret);
	return 0;
}

static int send_line(struct qmp *q, const char *text, int fd, struct err *e)
{
	struct iovec iov = { (void *)text, strlen(text) };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
	union {
		struct cmsghdr head;
		char room[CMSG_SPACE(sizeof(int))];
	} control = { 0 };
	struct cmsghdr *head;
	ssize_t n;

	if (fd >= 0) {
		msg.msg_control = &control;
		msg.msg_controllen = sizeof(control.room);
		head = CMSG_FIRSTHDR(&msg);
		head->cmsg_level = SOL_SOCKET;
		head->cmsg_type = SCM_RIGHTS;
		head->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(head), &fd, sizeof(int));
	}
	do {
		n = sendmsg(q->fd, &msg, MSG_NOSIGNAL);
	} while (n < 0 && errno == EINTR);
	/* Our commands are far smaller than a socket's buffer, so they go in one piece. */
	return n == (ssize_t)iov.iov_len ? 0 : err_set(e, EPIPE, "QEMU has ended");
}

int qmp_command(struct qmp *q, const char *name, json_t *arguments, int fd, uint64_t deadline_ns,
		struct err *e)
{
	json_t *command = json_pack("{s:s, s:o*}", "execute", name, "arguments", arguments);
	char *text = command ? json_dumps(command, JSON_COMPACT) : NULL;
	int r = text ? send_line(q, text, fd, e) : err_set(e, ENOMEM, "out of memory");
	bool answered = false;

	free(text);
	json_decref(command);
	while (r == 0 && !answered) {
		json_t *message, *error;

		r = next_message(q, deadline_ns, &message, e);
		if (r < 0)
			break;
		error = json_object_get(message, "error");
		answered = error || json_object_get(message, "return");
		if (error)
			r = err_set(e, EPROTO, "QEMU: %s: %s", name, json_text(error, "desc", "an error"));
		json_decref(message);
	}
	return r;
}

int qmp_wait(struct qmp *q, bool (*is)(const struct qmp *q), uint64_t deadline_ns, struct err *e)
{
	json_t *message;
	int r;

	while (!is(q)) {
		r = next_message(q, deadline_ns, &message, e);
		if (r < 0)
			return r;
		json_decref(message);
	}
	return 0;
}

int qmp_begin(struct qmp *q, int fd, uint64_t deadline_ns, struct err *e)
{
	json_t *greeting;
	int r;

	memset(q, 0, sizeof(*q));
	q->fd = fd;
	r = next_message(q, deadline_ns, &greeting, e);
	if (r < 0)
		return r;
	json_decref(greeting);
	return qmp_command(q, "qmp_capabilities", NULL, -1, deadline_ns, e);
}
