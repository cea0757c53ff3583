// SPDX-License-Identifier: MIT
#include "harness/places/console.h"

#include "lib/files.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#define CONSOLE_BYTES_MAX (16u << 20)
#define PANIC             "Kernel panic - not syncing: "

/* What follows ESC: "[...letter", "]...BEL", "(B" or one letter. Returns its end. */
static const char *skip_escape(const char *p)
{
	if (*p == '[') {
		for (p++; *p && (*p < '@' || *p > '~') && *p != '\n'; p++)
			;
	} else if (*p == ']') {
		for (p++; *p && *p != '\a' && *p != '\n'; p++)
			;
	} else if (*p == '(' || *p == ')') {
		p++;
	}
	return *p && *p != '\n' ? p + 1 : p;
}

void console_clean(char *text)
{
	const char *from = text;
	char *to = text;

	while (*from) {
		unsigned char c = (unsigned char)*from++;

		if (c == 0x1b)
			from = skip_escape(from);
		else if (c == '\n' || c == '\t' || (c >= ' ' && c < 0x7f))
			*to++ = (char)c;
	}
	*to = 0;
}

/* The rest of a line after the first or last occurrence of word in text. */
static void rest_after(const char *text, const char *word, bool last, char *ret, size_t room)
{
	const char *p = text, *found = NULL;

	while ((last || !found) && (p = strstr(p, word))) {
		p += strlen(word);
		found = p;
	}
	ret[0] = 0;
	if (found)
		snprintf(ret, room, "%.*s", (int)strcspn(found, "\n"), found);
}

/* The last non-empty lines up to end, as many as fit. */
static void tail(const char *text, const char *end, char *ret, size_t room)
{
	const char *start[CONSOLE_TAIL] = { NULL };
	size_t seen = 0, len = 0, i;
	const char *p;

	for (p = text; p < end; p += strcspn(p, "\n"), p += *p == '\n')
		if (*p != '\n')
			start[seen++ % CONSOLE_TAIL] = p;
	ret[0] = 0;
	for (i = seen > CONSOLE_TAIL ? seen - CONSOLE_TAIL : 0; i < seen && len < room; i++) {
		p = start[i % CONSOLE_TAIL];
		len += (size_t)snprintf(ret + len, room - len, "\n  %.*s",
					(int)(strcspn(p, "\n") < 120 ? strcspn(p, "\n") : 120), p);
	}
}

void console_parse(char *text, struct console *ret)
{
	const char *panic;

	console_clean(text);
	/* After a panic come registers and a stack; what led to it stands before. */
	panic = strstr(text, PANIC);
	rest_after(text, PANIC, false, ret->panic, sizeof(ret->panic));
	rest_after(text, "oomlab-agent: ", true, ret->agent, sizeof(ret->agent));
	if (strncmp(ret->agent, "up after ", 9) == 0)
		ret->agent[0] = 0;
	tail(text, panic ? panic : text + strlen(text), ret->tail, sizeof(ret->tail));
}

void console_read(const char *path, struct console *ret)
{
	AUTO_FREE char *text = NULL;
	size_t len, i;

	memset(ret, 0, sizeof(*ret));
	if (file_read(path, CONSOLE_BYTES_MAX, &text, &len, NULL) < 0)
		return;
	for (i = 0; i < len; i++)
		if (!text[i])
			text[i] = ' ';
	console_parse(text, ret);
}
