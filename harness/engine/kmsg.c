// SPDX-License-Identifier: MIT
#include "harness/engine/kmsg.h"

#include "lib/files.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* A record is at most LOG_LINE_MAX + PREFIX_MAX of kernel/printk; 8 KiB is its documented bound. */
#define RECORD_BYTES_MAX 8192
/* Records read in one go, so that a flood does not keep the engine from its clock. */
#define RECORDS_MAX 512
/* Of level debug, which no console shows. */
#define MARK "oomlab: the trial begins"

/* Of a record "6,1234,5678,-;text": the third number is of microseconds. */
static int64_t stamp_ns(const char *record)
{
	const char *comma = strchr(record, ',');

	comma = comma ? strchr(comma + 1, ',') : NULL;
	return comma ? (int64_t)strtoull(comma + 1, NULL, 10) * 1000 : 0;
}

int kmsg_open(struct kmsg *k)
{
	memset(k, 0, sizeof(*k));
	oom_parser_init(&k->parser);
	k->fd = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	if (k->fd < 0)
		return -errno;
	lseek(k->fd, 0, SEEK_END);
	return 0;
}

void kmsg_mark(struct kmsg *k, const struct recorder *rec)
{
	static const char line[] = "<7>" MARK "\n";
	AUTO_CLOSE int fd = open("/dev/kmsg", O_WRONLY | O_CLOEXEC);
	char text[RECORD_BYTES_MAX + 1];
	int64_t now = (int64_t)recorder_now(rec);
	ssize_t n;

	if (fd < 0 || write(fd, line, sizeof(line) - 1) < 0)
		return;
	while (!k->timed && ((n = read(k->fd, text, RECORD_BYTES_MAX)) > 0 || (n < 0 && errno == EPIPE))) {
		text[n > 0 ? n : 0] = 0;
		k->timed = strstr(text, ";" MARK) != NULL;
		k->skew_ns = now - stamp_ns(text);
	}
}

void kmsg_read(struct kmsg *k, struct recorder *rec, kmsg_seen seen, void *arg)
{
	char text[RECORD_BYTES_MAX + 1];
	int i;

	for (i = 0; i < RECORDS_MAX; i++) {
		ssize_t n = read(k->fd, text, RECORD_BYTES_MAX);
		const char *message;
		enum oom_event event;
		size_t len;

		if (n < 0 &&
		    errno == EPIPE) { /* overwritten: the next read goes on with the oldest there is */
			k->lost++;
			continue;
		}
		if (n <= 0)
			return;
		bb_append(rec->box, BB_KMSG, recorder_now(rec), text, (size_t)n);
		text[n] = 0;
		message = oom_line_message(text, strcspn(text, "\n"), &len);
		event = oom_parser_feed(&k->parser, message, len);
		k->event_ns = k->timed ? stamp_ns(text) + k->skew_ns : -1;
		if (event != OOM_NOTHING)
			seen(arg, event, &k->parser);
	}
}

void kmsg_close(struct kmsg *k)
{
	if (k->fd >= 0)
		close(k->fd);
	k->fd = -1;
}
