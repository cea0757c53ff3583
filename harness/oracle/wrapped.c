// SPDX-License-Identifier: MIT
/*
 * Lines that a mailer has wrapped, as reports in mails and bug trackers often are:
 *
 *   [  365.081] [ 3147]    81  3147     1118      625       5       4        0
 *         -900 dbus-daemon
 *   [  739.739] Killed process 2726 (gnome-power-man) vsz:319232kB, anon-
 *   rss:8156kB, file-rss:2764kB
 *
 * Only a line that has the kernel's stamp or name in front and lacks its end is waited with, and only what has nothing in
 * front is taken for its rest: a line that was cut is followed by one with a stamp.
 */
#include "harness/oracle/parts.h"

/* Some members of a line, from its beginning to its end: with the first and without any of the last it is cut. */
static bool lacks(struct span s, const char *first, const char *const last[])
{
	if (!span_find(s, first))
		return false;
	for (; *last; last++)
		if (span_find(s, *last))
			return false;
	return true;
}

static bool ends_with(struct span s, const char *word)
{
	size_t len = strlen(word);

	return span_len(s) >= len && memcmp(s.end - len, word, len) == 0;
}

/* The members of a killed line came and went; a line of 2.6.18 is "Killed process 79 (hog)." */
static bool killed_is_cut(struct span s)
{
	static const char *const before_5_3[] = { " file-rss:", ").", NULL };
	static const char *const last[] = { " oom_score_adj:", NULL };

	return lacks(s, "Killed process ", before_5_3) ||
	       (span_find(s, " UID:") && lacks(s, "Killed process ", last));
}

bool wrapped_is_cut(struct span line, struct span s, const struct oom_columns *table)
{
	static const struct {
		const char *first, *last[3];
	} lines[] = {
		{ " invoked oom-killer:", { "adj=" } },
		{ "PID: ", { " #" } },
		{ "Pid: ", { " #" } },
		{ "Task in ", { " limit of " } },
		{ "Tasks in ", { " memory.oom.group set" } },
		{ ": usage ", { "failcnt " } },
		{ "oom-kill:constraint=", { ",uid=" } },
		{ "ut of memory: Kill", { ")" } },
		{ "ut of memory: Kill process ", { " score " } },
		{ "ut of memory: kill process ", { " score " } },
		{ "oom_reaper: reaped process ", { "rss:" } },
		{ "*4kB ", { " = " } },
		{ " cache:", { " unevictable:" } },
		{ " free:", { "all_unreclaimable? ", " free_cma:" } },
	};
	struct oom_columns columns;
	struct oom_task task;
	size_t i;

	if (s.at == s.end)
		return ends_with(line, " kernel:") || ends_with(line, "]");
	if (span_is_one(s.end[-1], ",-") || killed_is_cut(s))
		return true;
	for (i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
		if (lacks(s, lines[i].first, lines[i].last))
			return true;
	if (*s.at != '[')
		return false;
	return table ? !table_row(s, table, &task) : (span_find(s, "pid ") && !table_header(s, &columns));
}

void wrapped_hold(struct wrapped *w, struct span line, size_t number)
{
	if (span_len(line) >= sizeof(w->text))
		return;
	memcpy(w->text, line.at, span_len(line));
	w->len = span_len(line);
	w->number = number;
}

bool wrapped_add(struct wrapped *w, struct span rest)
{
	struct span held = { w->text, w->text + w->len };
	/* The line "oom-kill:" has blanks in names alone. */
	bool apart = held.end[-1] != '-' && !(held.end[-1] == ',' && span_find(held, "oom-kill:"));

	while (rest.at < rest.end && span_is_one(*rest.at, " \t"))
		rest.at++;
	if (rest.at == rest.end || w->len + 1 + span_len(rest) >= sizeof(w->text))
		return false;
	if (apart)
		w->text[w->len++] = ' ';
	memcpy(w->text + w->len, rest.at, span_len(rest));
	w->len += span_len(rest);
	return true;
}
