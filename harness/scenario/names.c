// SPDX-License-Identifier: MIT
#include "harness/scenario/names.h"

#include <stdio.h>
#include <string.h>

#define NAME_MAX_COMPARED 48

/* The i-th name of a list whose rows begin with a pointer to their name. */
static const char *nth(const void *names, size_t stride, size_t i)
{
	return names ? *(const char *const *)((const char *)names + i * stride) : NULL;
}

const void *name_find(const char *name, const void *names, size_t stride)
{
	size_t i;

	for (i = 0; nth(names, stride, i); i++)
		if (!strcmp(name, nth(names, stride, i)))
			return (const char *)names + i * stride;
	return NULL;
}

static size_t least(size_t a, size_t b, size_t c)
{
	size_t ab = a < b ? a : b;

	return ab < c ? ab : c;
}

/* Insertions, deletions, replacements; an exchange of two neighbours counts as one as well. */
static size_t distance(const char *a, const char *b)
{
	size_t rows[3][NAME_MAX_COMPARED + 1];
	size_t la = strlen(a), lb = strlen(b), i, j;

	if (la > NAME_MAX_COMPARED || lb > NAME_MAX_COMPARED)
		return NAME_MAX_COMPARED;
	for (j = 0; j <= lb; j++)
		rows[0][j] = j;
	for (i = 1; i <= la; i++) {
		size_t *now = rows[i % 3], *up = rows[(i + 2) % 3], *up2 = rows[(i + 1) % 3];

		now[0] = i;
		for (j = 1; j <= lb; j++) {
			now[j] = least(now[j - 1] + 1, up[j] + 1, up[j - 1] + (a[i - 1] != b[j - 1]));
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] &&
			    up2[j - 2] + 1 < now[j])
				now[j] = up2[j - 2] + 1;
		}
	}
	return rows[la % 3][lb];
}

const char *name_nearest(const char *wrong, const void *names, size_t stride)
{
	/* A third of it mistyped is a slip, more is another word. */
	size_t best = strlen(wrong) < 6 ? 2 : strlen(wrong) / 3 + 1, i;
	const char *found = NULL;

	for (i = 0; nth(names, stride, i); i++) {
		size_t d = distance(wrong, nth(names, stride, i));

		if (d < best && d < strlen(wrong)) {
			best = d;
			found = nth(names, stride, i);
		}
	}
	return found;
}

const char *name_hint(char buf[96], const char *wrong, const void *names, size_t stride)
{
	const char *near = name_nearest(wrong, names, stride);

	buf[0] = 0;
	if (near)
		snprintf(buf, 96, "; did you mean %s", near);
	return buf;
}

const char *name_list(char *buf, size_t room, const void *names, size_t stride)
{
	size_t len = 0, i;

	buf[0] = 0;
	for (i = 0; nth(names, stride, i); i++) {
		const char *name = nth(names, stride, i);

		if (len + strlen(name) + 8 > room) {
			snprintf(buf + len, room - len, ", ...");
			break;
		}
		len += (size_t)snprintf(buf + len, room - len, "%s%s", len ? ", " : "", name);
	}
	return buf;
}
