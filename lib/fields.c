// SPDX-License-Identifier: MIT
#include "lib/fields.h"

#include <string.h>

int64_t digits(const char *p, const char *end, const char **ret_end)
{
	const char *start = p;
	int64_t value = 0;

	while (p < end && (*p == ' ' || *p == '\t'))
		p++;
	if (p == end || *p < '0' || *p > '9') {
		*ret_end = start;
		return -1;
	}
	for (; p < end && *p >= '0' && *p <= '9'; p++)
		if (__builtin_mul_overflow(value, 10, &value) ||
		    __builtin_add_overflow(value, *p - '0', &value))
			value = INT64_MAX; /* and so at every further digit */
	*ret_end = p;
	return value;
}

static int here(const char *text, size_t len, const struct field *f, size_t at)
{
	const char *p = text + at;

	if (at + f->key_len >= len || (at > 0 && p[-1] != '\n'))
		return 0;
	return memcmp(p, f->key, f->key_len) == 0 && (p[f->key_len] == ' ' || p[f->key_len] == '\t');
}

/* The line that begins with f's key, from `from` on and round again; len when there is none. */
static size_t search(const char *text, size_t len, const struct field *f, size_t from)
{
	size_t at = from;
	int wrapped = 0;

	for (;;) {
		const char *nl;

		if (at >= len) {
			if (wrapped || from == 0)
				return len;
			wrapped = 1;
			at = 0;
		}
		if (wrapped && at >= from)
			return len;
		if (here(text, len, f, at))
			return at;
		nl = memchr(text + at, '\n', len - at);
		at = nl ? (size_t)(nl - text) + 1 : len;
	}
}

void fields_read(const char *text, size_t len, struct field *fields, size_t count, int64_t missing,
		 int64_t *values)
{
	size_t line = 0, i;

	for (i = 0; i < count; i++) {
		struct field *f = &fields[i];
		const char *end;
		int64_t value;

		values[i] = missing;
		if (!f->key_len)
			f->key_len = strlen(f->key);
		if (!here(text, len, f, f->at)) {
			f->at = search(text, len, f, line);
			if (f->at == len) {
				f->at = 0;
				continue;
			}
		}
		line = f->at;
		value = digits(text + f->at + f->key_len, text + len, &end);
		if (value >= 0)
			values[i] = scaled(value, f->scale ? f->scale : 1);
	}
}
