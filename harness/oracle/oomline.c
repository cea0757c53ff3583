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
 */
#include "harness/oracle/oomreport.h"

#include "harness/oracle/span.h"

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

/* "   12.345678", "  +0.000012", "Sat Nov 22 07:44:01 2025" or "Nov22 07:44"; not "  1234" of a task table */
static bool is_time(struct span t)
{
	span_skip_spaces(&t);
	if (month_or_day(&t)) {
		while (span_skip_one(&t, " :+-") || span_skip_digits(&t) || month_or_day(&t))
			;
		return t.at == t.end;
	}
	span_skip(&t, "+");
	return span_skip_digits(&t) && span_skip(&t, ".") && span_skip_digits(&t) && t.at == t.end;
}

/* "[   12.345678] " or "[   12.345678][  T123] " */
static bool skip_stamp(struct span *s)
{
	struct span t = *s, inside, caller;

	if (!span_skip(&t, "["))
		return false;
	inside = t;
	inside.end = span_find(t, "]");
	if (!inside.end || !is_time(inside))
		return false;
	t.at = inside.end + 1;

	caller = t;
	span_skip(&caller, " ");
	if (span_skip(&caller, "[")) {
		span_skip_spaces(&caller);
		if (span_skip_one(&caller, "TC") && span_skip_digits(&caller) && span_skip(&caller, "]"))
			t = caller;
	}
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

/* "host kernel: " */
static bool skip_host_and_kernel(struct span *s)
{
	struct span t = *s;

	while (t.at < t.end && *t.at != ' ')
		t.at++;
	if (t.at == s->at || !span_skip(&t, " kernel: "))
		return false;
	*s = t;
	return true;
}

const char *oom_line_message(const char *line, size_t len, size_t *ret_len)
{
	struct span s = { line, line + len };
	bool stamped;

	while (s.at < s.end && (s.end[-1] == '\r' || s.end[-1] == '\n'))
		s.end--;
	if (is_property(s)) {
		s.at = s.end;
	} else if (!skip_record(&s)) {
		skip_level(&s);
		skip_facility(&s);
		if (skip_syslog_date(&s)) {
			if (skip_host_and_kernel(&s))
				skip_stamp(&s);
			else
				s.at = s.end; /* another program's */
		} else if (skip_iso_date(&s)) {
			if (skip_host_and_kernel(&s))
				skip_stamp(&s);
		} else {
			stamped = skip_stamp(&s);
			if (stamped)
				skip_host_and_kernel(&s);
		}
	}
	*ret_len = span_len(s);
	return s.at;
}
