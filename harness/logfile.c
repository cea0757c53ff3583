// SPDX-License-Identifier: MIT
#include "harness/logfile.h"

#include "lib/files.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define BLOCK_BYTES  (1u << 20)
#define RECORD_BYTES 8192

enum encoding { ENCODING_UNKNOWN, ENCODING_BYTES, ENCODING_UTF16_LE, ENCODING_UTF16_BE };

struct splitter {
	logfile_fn fn;
	void *user;
	enum encoding encoding;
	uint32_t high; /* a first half of a character outside the BMP */
	int odd;       /* a byte of UTF-16 that waits for its second; -1 */
	size_t len;
	bool full;
	char line[LOGFILE_LINE_MAX]; /* one that has begun */
};

static int end_line(struct splitter *s)
{
	int r = s->fn(s->user, s->line, s->len);

	s->len = 0;
	s->full = false;
	return r;
}

static void keep(struct splitter *s, const char *bytes, size_t len)
{
	size_t room = sizeof(s->line) - s->len;

	/* What is over is dropped, and the last word that would be cut with it is not whole anyhow. */
	if (len > room) {
		len = room;
		s->full = true;
	}
	memcpy(s->line + s->len, bytes, len);
	s->len += len;
}

/* Where the next line end is; end: none. */
static const char *line_end(const char *at, const char *end)
{
	const char *lf = memchr(at, '\n', (size_t)(end - at));
	const char *cr = memchr(at, '\r', (size_t)((lf ? lf : end) - at));

	return cr ? cr : lf ? lf : end;
}

static int take_bytes(struct splitter *s, const char *at, size_t len)
{
	const char *end = at + len;
	int r = 0;

	while (at < end && r >= 0) {
		const char *stop = line_end(at, end);

		if (stop < end && !s->len) {
			/* Whole within the block: nothing is copied. */
			size_t whole = (size_t)(stop - at);

			r = s->fn(s->user, at, whole < LOGFILE_LINE_MAX ? whole : LOGFILE_LINE_MAX);
		} else {
			keep(s, at, (size_t)(stop - at));
			if (stop < end)
				r = end_line(s);
		}
		at = stop + (stop < end);
	}
	return r;
}

static size_t utf8(uint32_t c, char ret[4])
{
	if (c < 0x80) {
		ret[0] = (char)c;
		return 1;
	}
	if (c < 0x800) {
		ret[0] = (char)(0xc0 | c >> 6);
		ret[1] = (char)(0x80 | (c & 0x3f));
		return 2;
	}
	if (c < 0x10000) {
		ret[0] = (char)(0xe0 | c >> 12);
		ret[1] = (char)(0x80 | (c >> 6 & 0x3f));
		ret[2] = (char)(0x80 | (c & 0x3f));
		return 3;
	}
	ret[0] = (char)(0xf0 | c >> 18);
	ret[1] = (char)(0x80 | (c >> 12 & 0x3f));
	ret[2] = (char)(0x80 | (c >> 6 & 0x3f));
	ret[3] = (char)(0x80 | (c & 0x3f));
	return 4;
}

static int take_unit(struct splitter *s, uint32_t unit)
{
	char bytes[4];

	if (unit >= 0xd800 && unit < 0xdc00) {
		s->high = unit;
		return 0;
	}
	if (unit >= 0xdc00 && unit < 0xe000)
		unit = s->high ? 0x10000 + ((s->high - 0xd800) << 10) + (unit - 0xdc00) : 0xfffd;
	s->high = 0;
	if (unit == '\n' || unit == '\r')
		return s->len ? end_line(s) : 0;
	keep(s, bytes, utf8(unit, bytes));
	return 0;
}

static int take_utf16(struct splitter *s, const unsigned char *at, size_t len)
{
	int r = 0;
	size_t i;

	for (i = 0; i < len && r >= 0; i++) {
		if (s->odd < 0) {
			s->odd = at[i];
			continue;
		}
		r = take_unit(s, s->encoding == ENCODING_UTF16_LE ? (uint32_t)s->odd | (uint32_t)at[i] << 8
								  : (uint32_t)s->odd << 8 | at[i]);
		s->odd = -1;
	}
	return r;
}

/* By its mark, or by every other byte of ASCII text being 0. */
static enum encoding encoding_of(const unsigned char *at, size_t len)
{
	size_t even = 0, odd = 0, i;

	if (len >= 2 && at[0] == 0xff && at[1] == 0xfe)
		return ENCODING_UTF16_LE;
	if (len >= 2 && at[0] == 0xfe && at[1] == 0xff)
		return ENCODING_UTF16_BE;
	len = len < 512 ? len : 512;
	for (i = 0; i + 1 < len; i += 2) {
		even += !at[i] && at[i + 1];
		odd += at[i] && !at[i + 1];
	}
	if (len >= 8 && odd > len / 2 * 9 / 10)
		return ENCODING_UTF16_LE;
	return len >= 8 && even > len / 2 * 9 / 10 ? ENCODING_UTF16_BE : ENCODING_BYTES;
}

static int take(struct splitter *s, const void *block, size_t len)
{
	const unsigned char *at = block;

	if (s->encoding == ENCODING_UNKNOWN && len) {
		s->encoding = encoding_of(at, len);
		if (s->encoding != ENCODING_BYTES && (at[0] == 0xff || at[0] == 0xfe)) {
			at += 2;
			len -= 2;
		}
	}
	return s->encoding == ENCODING_BYTES ? take_bytes(s, (const char *)at, len) : take_utf16(s, at, len);
}

static int archive_says(struct archive *a, const char *path, struct err *e)
{
	int code = archive_errno(a) > 0 ? archive_errno(a) : EIO;

	return err_set(e, code, "%s: %s", path, archive_error_string(a) ?: strerror(code));
}

static int read_blocks(struct archive *a, const char *path, struct splitter *s, struct err *e)
{
	struct archive_entry *entry;
	const void *block;
	size_t len;
	int64_t offset;
	int r = 0, got;

	got = archive_read_next_header(a, &entry);
	if (got == ARCHIVE_EOF)
		return 0;
	if (got != ARCHIVE_OK)
		return archive_says(a, path, e);
	while (r >= 0 && (got = archive_read_data_block(a, &block, &len, &offset)) == ARCHIVE_OK)
		r = take(s, block, len);
	if (r >= 0 && got != ARCHIVE_EOF)
		return archive_says(a, path, e);
	return r;
}

static struct splitter *splitter_new(logfile_fn fn, void *user)
{
	struct splitter *s = malloc(sizeof(*s));

	if (!s)
		return NULL;
	s->fn = fn;
	s->user = user;
	s->encoding = ENCODING_UNKNOWN;
	s->high = 0;
	s->odd = -1;
	s->len = 0;
	s->full = false;
	return s;
}

int logfile_read(const char *path, logfile_fn fn, void *user, struct err *e)
{
	AUTO_FREE struct splitter *s = splitter_new(fn, user);
	struct archive *a = archive_read_new();
	AUTO_CLOSE int fd = strcmp(path, "-") == 0 ? dup(STDIN_FILENO) : open(path, O_RDONLY | O_CLOEXEC);
	struct stat st;
	int r;

	if (fd < 0) {
		archive_read_free(a);
		return err_errno(e, errno, "%s", path);
	}
	if (!s || !a) {
		archive_read_free(a);
		return err_errno(e, ENOMEM, "%s", path);
	}
	if (fstat(fd, &st) == 0 && S_ISDIR(st.st_mode)) {
		archive_read_free(a);
		return err_set(e, EISDIR, "%s: is a folder; allowed: a file, - for standard input", path);
	}
	archive_read_support_filter_all(a);
	archive_read_support_format_raw(a);
	archive_read_support_format_empty(a);
	if (archive_read_open_fd(a, fd, BLOCK_BYTES) != ARCHIVE_OK)
		r = archive_says(a, path, e);
	else
		r = read_blocks(a, path, s, e);
	if (r >= 0 && s->len)
		r = end_line(s);
	archive_read_free(a);
	return r;
}

int logfile_kernel(logfile_fn fn, void *user, struct err *e)
{
	AUTO_CLOSE int fd = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	char record[RECORD_BYTES];
	ssize_t n;
	int r = 0;

	if (fd < 0)
		return err_errno(e, errno, "/dev/kmsg");
	while (r >= 0) {
		n = read(fd, record, sizeof(record));
		if (n < 0 && (errno == EPIPE || errno == EINTR))
			continue; /* overwritten while it was read: go on with the oldest that is there */
		if (n <= 0)
			return n < 0 && errno != EAGAIN ? err_errno(e, errno, "/dev/kmsg: read") : 0;
		r = fn(user, record, strcspn(record, "\n") < (size_t)n ? strcspn(record, "\n") : (size_t)n);
	}
	return r;
}
