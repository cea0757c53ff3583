// SPDX-License-Identifier: MIT
#include "lib/jsonw.h"

#include <stdio.h>
#include <string.h>

/* Room that must stay free to close everything that is open, and for the NUL. */
static size_t reserve(const struct jsonw *w)
{
	return w->depth + 2;
}

static bool put(struct jsonw *w, const char *text, size_t len)
{
	if (w->len + len + reserve(w) > w->room) {
		w->cut = true;
		return false;
	}
	memcpy(w->buf + w->len, text, len);
	w->len += len;
	return true;
}

/* Length of the valid UTF-8 sequence at s, 0 if there is none. */
static size_t utf8_len(const unsigned char *s)
{
	size_t n = 0;
	size_t i;

	if (s[0] < 0x80)
		n = 1;
	else if (s[0] >= 0xc2 && s[0] < 0xe0)
		n = 2;
	else if ((s[0] & 0xf0) == 0xe0)
		n = 3;
	else if (s[0] >= 0xf0 && s[0] < 0xf5)
		n = 4;
	for (i = 1; i < n; i++)
		if ((s[i] & 0xc0) != 0x80)
			return 0;
	if ((s[0] == 0xe0 && s[1] < 0xa0) || (s[0] == 0xed && s[1] > 0x9f) || (s[0] == 0xf0 && s[1] < 0x90) ||
	    (s[0] == 0xf4 && s[1] > 0x8f))
		return 0;
	return n;
}

/* One character of a string, escaped; bytes that are not UTF-8 become U+FFFD. Returns bytes taken. */
static size_t escape(const char *s, char out[8], size_t *ret_len)
{
	unsigned char c = (unsigned char)*s;
	size_t n = utf8_len((const unsigned char *)s);

	if (n == 0) {
		memcpy(out, "\xef\xbf\xbd", 3);
		*ret_len = 3;
		return 1;
	}
	if (c == '"' || c == '\\') {
		out[0] = '\\';
		out[1] = (char)c;
		*ret_len = 2;
	} else if (c < 0x20 || c == 0x7f) {
		*ret_len = (size_t)snprintf(out, 8, "\\u%04x", c);
	} else {
		memcpy(out, s, n);
		*ret_len = n;
	}
	return n;
}

static bool quoted(struct jsonw *w, const char *value)
{
	char one[8];
	size_t len;

	if (!put(w, "\"\"", 2))
		return false;
	w->len--;
	while (*value) {
		value += escape(value, one, &len);
		if (w->len + len + 1 + reserve(w) > w->room) {
			w->cut = true;
			break;
		}
		memcpy(w->buf + w->len, one, len);
		w->len += len;
	}
	w->buf[w->len++] = '"';
	return true;
}

/* Writes comma, key and colon; on failure nothing of them stays. */
static bool name(struct jsonw *w, const char *key)
{
	size_t start = w->len;

	if (w->cut || (w->comma && !put(w, ",", 1)))
		return false;
	if (key && (!quoted(w, key) || w->cut || !put(w, ":", 1))) {
		w->len = start;
		return false;
	}
	return true;
}

static void raw(struct jsonw *w, const char *key, const char *text, size_t len)
{
	size_t start = w->len;

	if (!name(w, key))
		return;
	if (put(w, text, len))
		w->comma = true;
	else
		w->len = start;
}

void jsonw_begin(struct jsonw *w, char *buf, size_t room)
{
	memset(w, 0, sizeof(*w));
	w->buf = buf;
	w->room = room;
	w->buf[w->len++] = '{';
	w->close[w->depth++] = '}';
}

void jsonw_str(struct jsonw *w, const char *key, const char *value)
{
	size_t start = w->len;

	if (!value) {
		jsonw_null(w, key);
		return;
	}
	if (!name(w, key))
		return;
	if (quoted(w, value))
		w->comma = true;
	else
		w->len = start;
}

void jsonw_int(struct jsonw *w, const char *key, int64_t value)
{
	char text[24];

	raw(w, key, text, (size_t)snprintf(text, sizeof(text), "%lld", (long long)value));
}

void jsonw_uint(struct jsonw *w, const char *key, uint64_t value)
{
	char text[24];

	raw(w, key, text, (size_t)snprintf(text, sizeof(text), "%llu", (unsigned long long)value));
}

void jsonw_bool(struct jsonw *w, const char *key, bool value)
{
	raw(w, key, value ? "true" : "false", value ? 4 : 5);
}

void jsonw_null(struct jsonw *w, const char *key)
{
	raw(w, key, "null", 4);
}

static void open_with(struct jsonw *w, const char *key, char first, char last)
{
	size_t start = w->len;

	/* Beyond the depth kept, or out of room: the depth still counts, so that closes pair up. */
	if (w->depth >= sizeof(w->close))
		w->cut = true;
	if (!name(w, key) || !put(w, &first, 1)) {
		w->cut = true;
		w->len = start;
		last = 0;
	}
	if (w->depth < sizeof(w->close))
		w->close[w->depth] = last;
	w->depth++;
	w->comma = false;
}

void jsonw_object(struct jsonw *w, const char *key)
{
	open_with(w, key, '{', '}');
}

void jsonw_array(struct jsonw *w, const char *key)
{
	open_with(w, key, '[', ']');
}

void jsonw_close(struct jsonw *w)
{
	if (w->depth == 0)
		return;
	w->depth--;
	if (w->depth < sizeof(w->close) && w->close[w->depth])
		w->buf[w->len++] = w->close[w->depth];
	w->comma = true;
}

size_t jsonw_end(struct jsonw *w)
{
	while (w->depth)
		jsonw_close(w);
	w->buf[w->len] = 0;
	return w->len;
}
