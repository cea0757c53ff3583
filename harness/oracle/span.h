/* SPDX-License-Identifier: MIT */
/* A piece of a line that is read from its front. Nothing is NUL-terminated, nothing is allocated. */
#ifndef OOMLAB_ORACLE_SPAN_H
#define OOMLAB_ORACLE_SPAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct span {
	const char *at;
	const char *end;
};

static inline size_t span_len(struct span s)
{
	return (size_t)(s.end - s.at);
}

static inline bool span_is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* Moves over word if s starts with it. */
static inline bool span_skip(struct span *s, const char *word)
{
	size_t n = strlen(word);

	if (span_len(*s) < n || memcmp(s->at, word, n) != 0)
		return false;
	s->at += n;
	return true;
}

/* Is it one of set? NUL never is, although strchr() finds it in each. */
static inline bool span_is_one(char c, const char *set)
{
	return c != '\0' && strchr(set, c);
}

/* Moves over one character of set; true if it did. */
static inline bool span_skip_one(struct span *s, const char *set)
{
	if (s->at == s->end || !span_is_one(*s->at, set))
		return false;
	s->at++;
	return true;
}

/* Moves over digits; how many. */
static inline size_t span_skip_digits(struct span *s)
{
	const char *start = s->at;

	while (s->at < s->end && span_is_digit(*s->at))
		s->at++;
	return (size_t)(s->at - start);
}

static inline void span_skip_spaces(struct span *s)
{
	while (s->at < s->end && *s->at == ' ')
		s->at++;
}

/* What is between, as a string. Half a name is a wrong name: what does not fit becomes "". */
static inline void span_copy(char *to, size_t size, const char *from, const char *end)
{
	size_t len = (size_t)(end - from);

	if (len >= size || memchr(from, '\0', len))
		len = 0;
	memcpy(to, from, len);
	to[len] = '\0';
}

/* Where word first stands in s, or NULL. */
static inline const char *span_find(struct span s, const char *word)
{
	return s.at == s.end ? NULL : memmem(s.at, span_len(s), word, strlen(word));
}

/* Where word last stands in s, or NULL. */
static inline const char *span_find_last(struct span s, const char *word)
{
	size_t n = strlen(word);

	for (size_t left = span_len(s); left >= n; left--) {
		const char *at = s.at + left - n;

		if (memcmp(at, word, n) == 0)
			return at;
	}
	return NULL;
}

/* Moves over a decimal number with an optional minus; false, and nothing moved, if there is none or it is too
 * big. */
static inline bool span_int(struct span *s, int64_t *ret)
{
	struct span t = *s;
	bool minus = span_skip(&t, "-");
	int64_t v = 0;

	if (t.at == t.end || !span_is_digit(*t.at))
		return false;
	for (; t.at < t.end && span_is_digit(*t.at); t.at++) {
		if (__builtin_mul_overflow(v, 10, &v) || __builtin_add_overflow(v, *t.at - '0', &v))
			return false;
	}
	*ret = minus ? -v : v;
	*s = t;
	return true;
}

#endif
