// SPDX-License-Identifier: MIT
/* The dresses that a line of the kernel log comes in:
 *
 *   6,1234,5678901,-;text                        /dev/kmsg, also "...,-,caller=T12;text"
 *   [   12.345678] text                          dmesg, serial console
 *   [   12.345678][  T123] text                  with CONFIG_PRINTK_CALLER
 *   <6>[   12.345678] text                       dmesg -r
 *   kern  :warn  : [   12.345678] text           dmesg -x
 *   [Sat Nov 22 07:44:01 2025] text              dmesg -T
 *   [Nov22 07:44] text, [  +0.000012] text       dmesg -e
 *   2025-11-22T07:44:01,123456+00:00 text        dmesg --time-format iso
 *   Nov 22 07:44:01 host kernel: text            journalctl -k, syslog, also with "[   12.345678] "
 *   2025-11-22T07:44:01+0000 host kernel: text   journalctl -o short-iso
 *   Sat 2025-11-22 07:44:01 UTC host kernel: text   journalctl -o short-full
 *   [   12.345678] host kernel: text             journalctl -o short-monotonic
 *   {..., "MESSAGE":"text", ...}                 journalctl -o json, and what keeps containers' output: "log", "message"
 *   "MESSAGE" : "text",                          journalctl -o json-pretty, dmesg --json
 *   MESSAGE=text                                 journalctl -o verbose, -o export
 *   > [   12.345678] text                        quoted in a mail
 *   [2025-11-22 07:44:01] [   12.345678] text    a console that somebody stamped; likewise "[...]: text"
 *   11-22 07:44:01.123     0     0 W         : text   logcat -b kernel
 *   2025-11-22,host,kernel,"text"                columns of an export
 *   kern.log:12:Nov 22 07:44:01 host kernel: text   what grep or another collector has put in front, up to the
 *                                                kernel's stamp or name
 */
#include "harness/oracle/oomreport.h"

#include "harness/oracle/span.h"

#include <string.h>

#define LAYERS_MAX  3
#define FOREIGN_MAX 200 /* bytes that somebody else may have put in front */

static bool month_or_day(struct span *s)
{
	static const char *const names[] = { "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul",
					     "Aug", "Sep", "Oct", "Nov", "Dec", "Mon", "Tue",
					     "Wed", "Thu", "Fri", "Sat", "Sun" };

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (span_skip(s, names[i]))
			return true;
	}
	return false;
}

/* "6,1234,5678901,-;" */
static bool skip_record(struct span *s)
{
	struct span t = *s;

	for (int i = 0; i < 3; i++) {
		if (!span_skip_digits(&t) || !span_skip(&t, ","))
			return false;
	}
	t.at = span_find(t, ";");
	if (!t.at)
		return false;
	s->at = t.at + 1;
	return true;
}

/* " SUBSYSTEM=pci", the lines after a record */
static bool is_property(struct span s)
{
	const char *start;

	if (!span_skip(&s, " "))
		return false;
	start = s.at;
	while (s.at < s.end && ((*s.at >= 'A' && *s.at <= 'Z') || *s.at == '_'))
		s.at++;
	return s.at > start && span_skip(&s, "=");
}

/* "<6>" */
static void skip_level(struct span *s)
{
	struct span t = *s;

	if (span_skip(&t, "<") && span_skip_digits(&t) && span_skip(&t, ">"))
		*s = t;
}

/* "kern  :warn  : " */
static void skip_facility(struct span *s)
{
	struct span t = *s;

	if (!span_skip(&t, "kern"))
		return;
	span_skip_spaces(&t);
	if (!span_skip(&t, ":"))
		return;
	t.at = span_find(t, ":");
	if (!t.at || t.at - s->at > 16)
		return;
	t.at++;
	span_skip(&t, " ");
	*s = t;
}

/* "2025-11-22 07:44:01.123+01:00", "07:44:01" */
static bool is_clock(struct span t)
{
	bool clock = false;
	size_t digits;

	while (t.at < t.end) {
		digits = span_skip_digits(&t);
		clock = clock || (digits == 2 && span_len(t) >= 3 && t.at[0] == ':' &&
				  span_is_digit(t.at[1]) && span_is_digit(t.at[2]));
		if (t.at < t.end && !span_skip_one(&t, "-:.,+TZ "))
			return false;
	}
	return clock;
}

/* "   12.345678", also "12.345678s" and "0-12.3456" of vendors' kernels, "   12.345678 <    0.000012>" of dmesg -d, "  +0.000012", "Sat Nov 22 07:44:01 2025" or "Nov22 07:44"; not "  1234" of a task table */
static bool is_time(struct span t)
{
	span_skip_spaces(&t);
	if (month_or_day(&t)) {
		while (span_skip_one(&t, " :+-") || span_skip_digits(&t) || month_or_day(&t))
			;
		return t.at == t.end;
	}
	if (is_clock(t))
		return true;
	span_skip(&t, "+");
	if (!span_skip_digits(&t) || (span_skip(&t, "-") && !span_skip_digits(&t)))
		return false;
	return span_skip(&t, ".") && span_skip_digits(&t) && (span_skip(&t, "s"), t.at == t.end);
}

/* "[  T123]", also with a blank before; vendors' "(1)[56:kswapd0]", "[3:  kswapd0:   56]", "[pid:56,cpu3,kswapd0]". A row of the table has "[   56]". */
static void skip_caller(struct span *s)
{
	struct span t = *s;

	span_skip_spaces(&t);
	if (span_skip(&t, "(") && (!span_skip_digits(&t) || !span_skip(&t, ")")))
		return;
	if (!span_skip(&t, "["))
		return;
	span_skip_spaces(&t);
	if (span_skip_one(&t, "TC")
		    ? !span_skip_digits(&t) || t.at == t.end || *t.at != ']'
		    : !span_skip(&t, "pid:") && (!span_skip_digits(&t) || !span_skip(&t, ":")))
		return;
	t.at = span_find(t, "]");
	if (t.at)
		s->at = t.at + 1;
}

/* "[   12.345678] " or "[   12.345678][  T123] " */
static bool skip_stamp(struct span *s)
{
	struct span t = *s, inside;

	if (!span_skip(&t, "["))
		return false;
	inside = t;
	inside.end = span_find(t, "]");
	if (!inside.end)
		return false;
	t.at = inside.end + 1;
	inside.end = span_find(inside, " <") ?: span_find(inside, " / ") ?: inside.end;
	if (!is_time(inside))
		return false;
	skip_caller(&t);
	span_skip(&t, ":");
	span_skip(&t, " ");
	*s = t;
	return true;
}

/* Digits, separators and a zone as in "2025-11-22T07:44:01,123456+00:00 "; it must hold a date and a time. */
static bool skip_iso_date(struct span *s)
{
	struct span t = *s;

	if (span_skip_digits(&t) != 4 || !span_skip(&t, "-") || span_skip_digits(&t) != 2 ||
	    !span_skip(&t, "-") || span_skip_digits(&t) != 2 || !span_skip_one(&t, "T ") ||
	    span_skip_digits(&t) != 2 || !span_skip(&t, ":"))
		return false;
	while (span_skip_digits(&t) || span_skip_one(&t, ":.,+-Z"))
		;
	if (!span_skip(&t, " "))
		return false;
	*s = t;
	return true;
}

/* "Nov 22 07:44:01[.123456] " */
static bool skip_syslog_date(struct span *s)
{
	struct span t = *s;

	if (!month_or_day(&t) || !span_skip(&t, " "))
		return false;
	if (skip_iso_date(&t)) { /* "Sat 2025-11-22 07:44:01 UTC " */
		while (t.at < t.end && *t.at >= 'A' && *t.at <= 'Z')
			t.at++;
		span_skip(&t, " ");
		*s = t;
		return true;
	}
	span_skip_spaces(&t);
	if (!span_skip_digits(&t) || !span_skip(&t, " ") || span_skip_digits(&t) != 2 || !span_skip(&t, ":"))
		return false;
	while (span_skip_digits(&t) || span_skip_one(&t, ":."))
		;
	if (!span_skip(&t, " "))
		return false;
	*s = t;
	return true;
}

/* "kernel: ", "kernel[0]: ", "kernel - - - " of RFC 5424, a column of its own before one in quotes */
static bool skip_kernel(struct span *s)
{
	struct span t = *s;

	if (!span_skip(&t, "kernel"))
		return false;
	if (span_skip(&t, "[") && !(span_skip_digits(&t) && span_skip(&t, "]")))
		return false;
	if (!span_skip(&t, ": ") && !span_skip(&t, " - - - ") && !span_skip(&t, "\",\"") &&
	    !span_skip(&t, ",\"") && !span_skip(&t, "\t"))
		return false;
	*s = t;
	return true;
}

/* "host kernel: ", "host user.warn kernel: " of a BusyBox; a word with a colon is another program's name */
static bool skip_host_and_kernel(struct span *s)
{
	struct span t = *s;
	int words;

	for (words = 0; words < 2; words++) {
		const char *start = t.at;

		while (t.at < t.end && *t.at != ' ')
			t.at++;
		if (t.at == start || t.at[-1] == ':' || !span_skip(&t, " "))
			return false;
		if (skip_kernel(&t)) {
			*s = t;
			return true;
		}
	}
	return false;
}

/* Up to the kernel's own stamp or name, whatever stands before it; a name in parentheses is some process's. */
static void skip_foreign(struct span *s)
{
	struct span t = *s;
	bool named = true;

	for (; t.at < t.end && t.at - s->at < FOREIGN_MAX; t.at++) {
		named = named && *t.at != '(';
		if (skip_stamp(&t) ||
		    (named && (t.at == s->at || span_is_one(t.at[-1], " \t:|,\"")) && skip_kernel(&t))) {
			if (t.at < t.end && t.at[-1] == '"' && t.end[-1] == '"')
				t.end--;
			skip_stamp(&t);
			*s = t;
			return;
		}
	}
}

/* Behind "MESSAGE" : " */
static bool skip_member(struct span *s, const char *key)
{
	struct span t = *s;

	if (!span_skip(&t, key))
		return false;
	span_skip_spaces(&t);
	if (!span_skip(&t, ":"))
		return false;
	span_skip_spaces(&t);
	if (!span_skip(&t, "\""))
		return false;
	*s = t;
	return true;
}

/* Where the text of the message begins: in an object, or on a line of its own. */
static bool find_member(struct span *s)
{
	static const char *const keys[] = { "\"MESSAGE\"", "\"message\"", "\"log\"", "\"msg\"",
					    "\"textPayload\"" };
	bool object = s->at < s->end && *s->at == '{';
	struct span t;
	size_t i;

	for (i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		t = *s;
		while ((t.at = object ? span_find(t, keys[i]) : t.at)) {
			if (skip_member(&t, keys[i])) {
				s->at = t.at;
				return true;
			}
			if (!object)
				break;
			t.at++;
		}
	}
	return false;
}

/* The text of a member, up to the quotes that end it; escapes in it stay as they are. Another program's: empty. */
static bool json_message(struct span *s)
{
	struct span t = *s;
	bool others;

	span_skip(&t, "\x1e");   /* RFC 7464, journalctl -o json-seq */
	span_skip(&t, "data: "); /* journalctl -o json-sse */
	while (span_skip_one(&t, " \t"))
		;
	others = span_find(t, "\"_TRANSPORT\":") && !span_find(t, "\"kernel\"");
	if (!find_member(&t))
		return false;
	if (others)
		t.end = t.at;
	for (s->at = t.at; t.at < t.end && *t.at != '"'; t.at++)
		t.at += *t.at == '\\' && t.end - t.at > 1;
	s->end = t.at;
	if (span_len(*s) >= 2 && memcmp(s->end - 2, "\\n", 2) == 0)
		s->end -= 2;
	return true;
}

/* "    MESSAGE=text" of journalctl -o verbose and -o export */
static bool skip_field(struct span *s)
{
	struct span t = *s;

	span_skip_spaces(&t);
	if (!span_skip(&t, "MESSAGE="))
		return false;
	*s = t;
	return true;
}

/* "11-22 07:44:01.123     0     0 W         : ", without a tag: what has one says whose it is. */
static bool skip_logcat(struct span *s)
{
	struct span t = *s;
	int i;

	if (span_skip_digits(&t) != 2 || !span_skip(&t, "-") || span_skip_digits(&t) != 2 ||
	    !span_skip(&t, " ") || span_skip_digits(&t) != 2 || !span_skip(&t, ":"))
		return false;
	while (span_skip_digits(&t) || span_skip_one(&t, ":."))
		;
	for (i = 0; i < 2; i++) {
		span_skip_spaces(&t);
		if (!span_skip_digits(&t))
			return false;
	}
	if (!span_skip(&t, " ") || !span_skip_one(&t, "VDIWEF"))
		return false;
	span_skip_spaces(&t);
	if (!span_skip(&t, ": "))
		return false;
	*s = t;
	return true;
}

enum layer {
	NAKED,
	LAYER,
	OPEN_LAYER, /* what is left may begin with anything */
};

/* Takes off one layer. */
static enum layer undress(struct span *s)
{
	const char *start = s->at;
	bool open = false;

	skip_level(s);
	skip_facility(s);
	if (skip_syslog_date(s)) {
		if (skip_host_and_kernel(s))
			skip_stamp(s);
		else if (!skip_stamp(s))
			s->at = s->end; /* another program's */
	} else if (skip_iso_date(s)) {
		if (skip_host_and_kernel(s))
			skip_stamp(s);
		else
			open = true;
	} else if (skip_stamp(s)) {
		skip_host_and_kernel(s);
	} else {
		open = !skip_logcat(s);
	}
	return s->at == start ? NAKED : open ? OPEN_LAYER : LAYER;
}

const char *oom_line_message(const char *line, size_t len, size_t *ret_len)
{
	struct span s = { line, line + len };
	enum layer layer, outer = NAKED;
	int layers = 0;

	while (s.at < s.end && (s.end[-1] == '\r' || s.end[-1] == '\n'))
		s.end--;
	while (span_skip(&s, "> "))
		;
	if (skip_field(&s)) {
		skip_stamp(&s);
	} else if (is_property(s)) {
		s.at = s.end;
	} else if (!skip_record(&s)) {
		json_message(&s);
		while (layers++ < LAYERS_MAX && (layer = undress(&s)) != NAKED)
			outer = layer;
		if (outer != LAYER)
			skip_foreign(&s);
		if (s.at < s.end && *s.at == '{' && json_message(&s)) /* fluentd's */
			skip_stamp(&s);
	}
	*ret_len = span_len(s);
	return s.at;
}

size_t oom_line_plain(const char *line, size_t len, char *ret)
{
	size_t from = 0, to = 0;

	while (from < len) {
		if (line[from] == '\033' && from + 1 < len && line[from + 1] == '[') {
			for (from += 2; from < len && (span_is_digit(line[from]) || line[from] == ';');
			     from++)
				;
			from += from < len;
			continue;
		}
		ret[to++] = line[from++];
	}
	return to;
}
