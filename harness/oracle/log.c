// SPDX-License-Identifier: MIT
/*
 * Puts the lines of a log together to reports. The kernel writes one report after the other, but a log of several machines
 * or one that lost lines need not be so: a report that has not come to its end waits while others begin, and a kill
 * belongs to the one whose table has that pid.
 */
#include "harness/oracle/parts.h"
#include "harness/oracle/report.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define OPEN_MAX 4 /* reports that wait for their end */
/* So many lines that are not its own and it has had its end, or will have none; of one that has, the reaper comes last. */
#define STRANGERS_MAX 4096
#define AFTERMATH_MAX 256
#define PLAIN_MAX     4096 /* of a line with colours; a longer one is none of the kernel's */

enum block { BLOCK_NONE, BLOCK_TASKS, BLOCK_STATS, BLOCK_SLABS };

struct open_report {
	struct oom_report r;
	struct oom_columns columns;
	enum block block;
	size_t task_room;
	size_t strangers;
	bool ended;
};

struct oom_log {
	oom_report_fn fn;
	void *user;
	size_t line;
	struct oom_parser parser;
	struct wrapped held;
	char release[OOM_RELEASE_MAX];
	struct open_report *open[OPEN_MAX]; /* the last one is where lines belong */
	size_t open_count;
};

struct oom_log *oom_log_new(oom_report_fn fn, void *user)
{
	struct oom_log *log = calloc(1, sizeof(*log));

	if (!log)
		return NULL;
	log->fn = fn;
	log->user = user;
	oom_parser_init(&log->parser);
	return log;
}

static void drop(struct open_report *o)
{
	if (o)
		free(o->r.tasks);
	free(o);
}

static void close_first(struct oom_log *log)
{
	struct open_report *o = log->open[0];

	memory_complete(&o->r);
	constraint_of_nodes(&o->r);
	log->fn(log->user, &o->r);
	drop(o);
	memmove(log->open, log->open + 1, --log->open_count * sizeof(log->open[0]));
}

static void close_all(struct oom_log *log)
{
	while (log->open_count)
		close_first(log);
}

void oom_log_free(struct oom_log *log)
{
	if (!log)
		return;
	while (log->open_count)
		drop(log->open[--log->open_count]);
	free(log);
}

static void unknown_usage(struct oom_usage *u)
{
	*u = (struct oom_usage){ -1, -1, -1 };
}

/* What stands before the message: "Nov 22 07:44:01 host kernel:", "[   12.345678]"; not what is for programs. */
static void note_when(struct oom_report *r, const char *line, const char *message)
{
	size_t len = (size_t)(message - line);

	if (len && (message[-1] == '"' || message[-1] == '='))
		len = 0;
	while (len && (line[len - 1] == ' ' || line[len - 1] == ';'))
		len--;
	if (len >= sizeof(r->when))
		len = sizeof(r->when) - 1;
	memcpy(r->when, line, len);
	r->when[len] = 0;
}

static struct open_report *begin(struct oom_log *log, const char *line, const char *message)
{
	struct open_report *o = calloc(1, sizeof(*o));
	struct oom_report *r;
	size_t i;

	if (!o)
		return NULL;
	r = &o->r;
	r->line = log->line;
	note_when(r, line, message);
	memcpy(r->release, log->release, sizeof(r->release));
	r->order = r->invoker_pid = r->chosen_pid = r->chosen_score = r->reaped_pid = r->reaped_left_bytes =
		-1;
	r->swap_free_bytes = r->swap_total_bytes = r->ram_pages = r->reserved_pages = -1;
	r->page_bytes = 4096;
	for (i = 0; i < OOM_AMOUNTS; i++)
		r->amounts[i] = -1;
	unknown_usage(&r->memory);
	unknown_usage(&r->memsw);
	unknown_usage(&r->swap);
	unknown_usage(&r->kmem);
	/* Those that have ended go, and of those that wait the oldest when there is no room. */
	while (log->open_count && (log->open[0]->ended || log->open_count == OPEN_MAX))
		close_first(log);
	log->open[log->open_count++] = o;
	return o;
}

static struct open_report *last(const struct oom_log *log)
{
	return log->open_count ? log->open[log->open_count - 1] : NULL;
}

const struct oom_task *oom_task_find(const struct oom_report *r, int64_t pid)
{
	size_t i;

	for (i = 0; i < r->task_count; i++)
		if (r->tasks[i].pid == pid)
			return &r->tasks[i];
	return NULL;
}

/* The report that a pid belongs to: the last one, unless another that waits knows the pid and that one does not. */
static struct open_report *report_with(struct oom_log *log, int64_t pid)
{
	struct open_report *o = last(log);
	size_t i;

	if (o && (o->r.chosen_pid == pid || oom_task_find(&o->r, pid)))
		return o;
	for (i = log->open_count; i-- > 0;) {
		struct open_report *other = log->open[i];

		if (!other->ended && (other->r.chosen_pid == pid || oom_task_find(&other->r, pid)))
			return other;
	}
	return o;
}

/* "oom_reaper: reaped process 73 (hog), now anon-rss:0kB, file-rss:0kB, shmem-rss:3072kB" */
static bool reaped(struct oom_log *log, struct span s)
{
	int64_t pid, kb[3] = { 0, 0, 0 };
	static const char *const keys[] = { "anon-rss:", "file-rss:", "shmem-rss:" };
	size_t i, k;

	if (!span_skip(&s, "oom_reaper: reaped process ") || !span_int(&s, &pid))
		return false;
	for (k = 0; k < 3; k++) {
		struct span t = s;

		t.at = span_find(s, keys[k]);
		if (!t.at)
			continue;
		t.at += strlen(keys[k]);
		if (!span_int(&t, &kb[k]) || kb[k] < 0 || kb[k] > INT64_MAX >> 20)
			kb[k] = 0;
	}
	for (i = log->open_count; i-- > 0;) {
		struct oom_report *r = &log->open[i]->r;

		if (!r->killed_count || r->killed[0].pid != pid)
			continue;
		r->reaped_pid = pid;
		r->reaped_left_bytes = (kb[0] + kb[1] + kb[2]) * 1024;
		return true;
	}
	return true;
}

static int add_task(struct open_report *o, const struct oom_task *t)
{
	struct oom_report *r = &o->r;
	struct oom_task *more;

	if (r->task_count == OOM_TASKS_MAX) {
		r->tasks_lost++;
		return 0;
	}
	if (r->task_count == o->task_room) {
		size_t room = o->task_room ? o->task_room * 2 : 64;

		more = reallocarray(r->tasks, room, sizeof(*more));
		if (!more)
			return -ENOMEM;
		r->tasks = more;
		o->task_room = room;
	}
	r->tasks[r->task_count++] = *t;
	return 0;
}

/* Up to 4.20 a report says nothing of its kind but by this. */
static void kill_kind(struct oom_report *r, const struct oom_kill *k)
{
	if (r->constraint == OOM_CONSTRAINT_UNKNOWN)
		r->constraint = k->constraint;
	if (!r->oom_memcg[0])
		memcpy(r->oom_memcg, k->oom_memcg, sizeof(r->oom_memcg));
	if (!r->task_memcg[0])
		memcpy(r->task_memcg, k->task_memcg, sizeof(r->task_memcg));
}

static int killed(struct oom_log *log, const char *line, const char *message, struct span s)
{
	const struct oom_kill *k = &log->parser.kill;
	struct open_report *o = report_with(log, k->pid);
	struct oom_report *r;
	size_t i;

	/* One that has had its kill gets others only by its group. */
	if (!o || (o->ended && !k->group_kill)) {
		for (i = 0; o && i < o->r.killed_count; i++)
			if (o->r.killed[i].pid == k->pid)
				return 0;
		o = begin(log, line, message);
		if (!o)
			return -ENOMEM;
	}
	r = &o->r;
	o->ended = true;
	o->strangers = STRANGERS_MAX;
	r->allocating_task = r->allocating_task || span_find(s, "(oom_kill_allocating_task)");
	r->group_kill = r->group_kill || k->group_kill;
	if (r->killed_count < OOM_KILLED_MAX)
		r->killed[r->killed_count++] = *k;
	kill_kind(r, k);
	return 0;
}

/* Up to 4.19 the panic itself says that there was nobody, since then a line before it. */
static int no_victim(struct oom_log *log, const char *line, const char *message, struct span s, bool panic)
{
	bool nobody = !panic || span_find(s, "no killable processes");
	struct open_report *o = last(log);

	if (panic && (!o || (o->ended && !o->r.no_victim)))
		return 0; /* of whatever cause */
	if (!o || o->ended) {
		if (panic) {
			o->r.panic = true;
			return 0;
		}
		o = begin(log, line, message);
		if (!o)
			return -ENOMEM;
	}
	o->ended = true;
	o->strangers = STRANGERS_MAX;
	o->r.no_victim = nobody || o->r.no_victim;
	o->r.panic = panic;
	return 0;
}

/* Lines that only make sense behind their heading. True: it was one. */
static bool in_block(struct open_report *o, struct span s, int *r)
{
	struct oom_task task;

	switch (o->block) {
	case BLOCK_TASKS:
		if (!table_row(s, &o->columns, &task)) {
			if (s.at < s.end && *s.at == '[')
				o->r.tasks_lost++;
			return s.at < s.end && *s.at == '[';
		}
		*r = add_task(o, &task);
		return true;
	case BLOCK_STATS:
		return memory_stat(&o->r, s);
	case BLOCK_SLABS:
		return memory_slab(&o->r, s);
	default:
		return false;
	}
}

static bool heading(struct open_report *o, struct span s)
{
	if (table_header(s, &o->columns)) {
		o->r.table = true;
		o->block = BLOCK_TASKS;
		return true;
	}
	if (span_find(s, "Memory cgroup stats for ") == s.at && s.end[-1] == ':') {
		o->block = BLOCK_STATS;
		return true;
	}
	if (span_skip(&s, "Unreclaimable slab info:")) {
		o->block = BLOCK_SLABS;
		return true;
	}
	return span_skip(&s, "Tasks state (memory values in pages):") || span_skip(&s, "Mem-Info:");
}

static int body(struct oom_log *log, struct open_report *o, struct span s)
{
	struct oom_report *r = &o->r;
	int error = 0;

	if (heading(o, s) || in_block(o, s, &error))
		return error;
	if (span_find(s, "oom-kill:constraint=") == s.at && log->parser.pending.pid > 0)
		r = &report_with(log, log->parser.pending.pid)->r;
	if (summary_line(r, &log->parser, s) || task_in_line(r, &log->parser, s) || chosen_line(r, s) ||
	    cpu_line(r, s) || cpuset_line(r, s) || memory_line(r, s))
		return 0;
	if (span_skip(&s, "** ") && span_find(s, " messages dropped")) {
		r->dropped = true;
		return 0;
	}
	o->strangers++;
	if (o->strangers > STRANGERS_MAX)
		o->ended = true;
	return 0;
}

/* Most lines of a log are nobody's: none of these letters, none of these reports. */
static bool of_interest(const struct oom_log *log, struct span s)
{
	return log->open_count || span_find(s, "oom") || span_find(s, "ut of ") || span_find(s, "Kill") ||
	       span_find(s, "f limit of ") || span_find(s, ", failcnt ");
}

/* A line that is in no other report but one of the OOM killer's, whose beginning is lost. */
static bool begins_late(const struct open_report *o, struct span s)
{
	struct oom_columns columns;

	if (o && !o->ended)
		return o->r.table && table_header(s, &columns);
	return table_header(s, &columns) || span_find(s, "oom-kill:constraint=") == s.at ||
	       span_find(s, " killed as a result of limit of ") ||
	       span_find(s, "ut of memory: Kill process ") || span_find(s, "ut of memory: kill process ") ||
	       (span_find(s, "memory: usage ") == s.at && span_find(s, ", failcnt "));
}

/* One line of the message that begins at message; of several lines in one record each comes by itself. */
static int take_line(struct oom_log *log, const char *line, const char *message, struct span s)
{
	enum oom_event event;
	struct open_report *o;

	if (s.at == s.end || reaped(log, s))
		return 0;
	event = oom_parser_feed(&log->parser, s.at, span_len(s));
	switch (event) {
	case OOM_INVOKED:
		o = begin(log, line, message);
		if (!o)
			return -ENOMEM;
		invoked_line(&o->r, &log->parser, s);
		return 0;
	case OOM_KILLED:
		return killed(log, line, message, s);
	case OOM_NO_VICTIM:
	case OOM_PANIC:
		return no_victim(log, line, message, s, event == OOM_PANIC);
	default:
		break;
	}
	o = last(log);
	if (begins_late(o, s)) {
		o = begin(log, line, message);
		if (!o)
			return -ENOMEM;
	}
	if (o && !o->ended)
		return body(log, o, s);
	if (o && ++o->strangers > STRANGERS_MAX + AFTERMATH_MAX)
		close_all(log);
	return 0;
}

/* Where a line feed within a record is: /dev/kmsg writes it as "\x0a", rsyslog as "#012". */
static const char *inner_end(struct span s)
{
	const char *kmsg = span_find(s, "\\x0a"), *syslog = span_find(s, "#012");

	return !kmsg || (syslog && syslog < kmsg) ? syslog : kmsg;
}

/* A record of the kernel's, which may be of several lines. */
static int take_record(struct oom_log *log, const char *line, struct span message)
{
	struct span s, rest = message;
	const char *end;
	int r = 0;

	while (r == 0 && rest.at < rest.end) {
		end = inner_end(rest);
		s = (struct span){ rest.at, end ? end : rest.end };
		r = take_line(log, line, message.at, s);
		rest.at = end ? end + 4 : rest.end;
	}
	return r;
}

static struct span message_of(struct span line)
{
	size_t len;
	const char *at = oom_line_message(line.at, span_len(line), &len);

	return (struct span){ at, at + len };
}

/* What was held is as whole as it gets. */
static int release_held(struct oom_log *log)
{
	struct span line = { log->held.text, log->held.text + log->held.len };
	size_t number = log->line;
	int r;

	if (!log->held.len)
		return 0;
	log->line = log->held.number;
	r = take_record(log, line.at, message_of(line));
	log->line = number;
	log->held.len = 0;
	return r;
}

/* Is there nothing in front of it, but for signs of quoting? */
static bool is_bare(const char *line, const char *message)
{
	while (line < message && span_is_one(*line, "> \t"))
		line++;
	return line == message;
}

static int take_wrapped(struct oom_log *log, struct span line)
{
	struct span message = message_of(line);
	bool bare = is_bare(line.at, message.at);
	const struct open_report *o;
	int r;

	if (log->held.len && bare && wrapped_add(&log->held, message))
		return 0;
	r = release_held(log);
	o = last(log);
	if (r == 0 && !bare &&
	    wrapped_is_cut(line, message, o && !o->ended && o->block == BLOCK_TASKS ? &o->columns : NULL))
		wrapped_hold(&log->held, line, log->line);
	return r < 0 || log->held.len ? r : take_record(log, line.at, message);
}

int oom_log_line(struct oom_log *log, const char *line, size_t len)
{
	char plain[PLAIN_MAX];

	log->line++;
	if (!log->open_count && !log->held.len && !of_interest(log, (struct span){ line, line + len })) {
		boot_line(log->release, (struct span){ line, line + len });
		return 0;
	}
	if (len <= sizeof(plain) && memchr(line, '\033', len)) {
		len = oom_line_plain(line, len, plain);
		line = plain;
	}
	return take_wrapped(log, (struct span){ line, line + len });
}

void oom_log_end(struct oom_log *log)
{
	release_held(log);
	close_all(log);
}
