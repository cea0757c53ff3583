// SPDX-License-Identifier: MIT
#include "lib/idlist.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WORD_BITS (8 * sizeof(unsigned long))

bool idlist_has(const struct idlist *list, unsigned int id)
{
	return id < IDLIST_MAX && list->words[id / WORD_BITS] >> id % WORD_BITS & 1;
}

void idlist_add(struct idlist *list, unsigned int id)
{
	list->words[id / WORD_BITS] |= 1UL << id % WORD_BITS;
}

static int number(const char **at, unsigned int *ret)
{
	char *end;
	unsigned long value;

	if (!isdigit((unsigned char)**at))
		return -EINVAL;
	errno = 0;
	value = strtoul(*at, &end, 10);
	if (errno || value >= IDLIST_MAX)
		return -ERANGE;
	*ret = (unsigned int)value;
	*at = end;
	return 0;
}

int idlist_parse(const char *text, struct idlist *ret)
{
	unsigned int first, last;
	int r;

	memset(ret, 0, sizeof(*ret));
	for (;; text++) {
		r = number(&text, &first);
		last = first;
		if (r == 0 && *text == '-') {
			text++;
			r = number(&text, &last);
		}
		if (r < 0)
			return r;
		if (last < first || (*text && *text != ','))
			return -EINVAL;
		for (; first <= last; first++)
			idlist_add(ret, first);
		if (!*text)
			return 0;
	}
}

int idlist_last(const struct idlist *list)
{
	int id = IDLIST_MAX - 1;

	while (id >= 0 && !idlist_has(list, (unsigned int)id))
		id--;
	return id;
}

const char *idlist_format(const struct idlist *list, char *buf, size_t room)
{
	unsigned int id, end;
	size_t len = 0;

	buf[0] = 0;
	for (id = 0; id < IDLIST_MAX && len < room; id = end) {
		end = id + 1;
		if (!idlist_has(list, id))
			continue;
		while (idlist_has(list, end))
			end++;
		len += (size_t)snprintf(buf + len, room - len, len ? ",%u" : "%u", id);
		if (end > id + 1 && len < room)
			len += (size_t)snprintf(buf + len, room - len, "-%u", end - 1);
	}
	return buf;
}
