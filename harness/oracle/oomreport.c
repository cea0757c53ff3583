// SPDX-License-Identifier: MIT
/*
 * A report of 6.1, the lines that matter (more of them in tests/fixtures/oom/):
 *
 *   hog invoked oom-killer: gfp_mask=0xcc0(GFP_KERNEL), order=0, oom_score_adj=0
 *   oom-kill:constraint=CONSTRAINT_MEMCG,nodemask=(null),cpuset=/,mems_allowed=0,
 *     oom_memcg=/a,task_memcg=/a/b,task=hog,pid=79,uid=1000           (one line)
 *   Memory cgroup out of memory: Killed process 79 (hog) total-vm:29672kB, anon-rss:26468kB,
 *     file-rss:0kB, shmem-rss:2452kB, UID:1000 pgtables:96kB oom_score_adj:0   (one line)
 *
 * The kernel writes reports one after another under oom_lock, but a log may lose lines, and merged
 * logs may mix reports. The pid alone ties the last two lines together, so only the pid does here.
 */
#include "harness/oracle/oomreport.h"

#include "harness/oracle/span.h"

#include <string.h>

enum words {
	WORDS_NONE, /* up to 5.0 the killed line says nothing about the kind */
	WORDS_GLOBAL,
	WORDS_MEMCG,
};

static const struct {
	const char *name;   /* ours */
	const char *kernel; /* oom_constraint_text[] of mm/oom_kill.c */
} constraints[] = {
	[OOM_CONSTRAINT_UNKNOWN] = { "unknown", NULL },
	[OOM_CONSTRAINT_NONE] = { "none", "CONSTRAINT_NONE," },
	[OOM_CONSTRAINT_CPUSET] = { "cpuset", "CONSTRAINT_CPUSET," },
	[OOM_CONSTRAINT_MEMPOLICY] = { "mempolicy", "CONSTRAINT_MEMORY_POLICY," },
	[OOM_CONSTRAINT_MEMCG] = { "memcg", "CONSTRAINT_MEMCG," },
};

#define CONSTRAINTS (sizeof(constraints) / sizeof(constraints[0]))

const char *oom_constraint_name(enum oom_constraint c)
{
	return (size_t)c < CONSTRAINTS ? constraints[c].name : constraints[OOM_CONSTRAINT_UNKNOWN].name;
}

static void kill_clear(struct oom_kill *k)
{
	memset(k, 0, sizeof(*k));
	k->order = -1;
	k->pid = -1;
	k->uid = -1;
	k->total_vm_bytes = -1;
	k->anon_rss_bytes = -1;
	k->file_rss_bytes = -1;
	k->shmem_rss_bytes = -1;
	k->pgtables_bytes = -1;
	k->oom_score_adj = -1;
}

static void pending_clear(struct oom_parser *p)
{
	kill_clear(&p->pending);
	p->invoker_doubtful = false;
}

void oom_parser_init(struct oom_parser *p)
{
	memset(p, 0, sizeof(*p));
	kill_clear(&p->kill);
	pending_clear(p);
	p->killed_pid = -1;
}

/* "total-vm:29672kB" -> bytes; -1 when it is not there or cut. */
static int64_t bytes_after(struct span s, const char *key)
{
	int64_t kb, bytes;

	s.at = span_find(s, key);
	if (!s.at)
		return -1;
	s.at += strlen(key);
	if (!span_int(&s, &kb) || kb < 0 || !span_skip(&s, "kB") || __builtin_mul_overflow(kb, 1024, &bytes))
		return -1;
	return bytes;
}

/* A number after key that is not the end of the line, where it may be cut. */
static int64_t number_after(struct span s, const char *key)
{
	int64_t v;

	s.at = span_find(s, key);
	if (!s.at)
		return -1;
	s.at += strlen(key);
	return span_int(&s, &v) && s.at < s.end ? v : -1;
}

/* "hog invoked oom-killer: gfp_mask=0xcc0(GFP_KERNEL), [nodemask=(null), ]order=0, oom_score_adj=0" */
static bool feed_invoked(struct oom_parser *p, struct span s)
{
	static const char word[] = " invoked oom-killer:";
	const char *at = span_find(s, word), *comma;
	struct oom_kill *k = &p->pending;
	bool doubtful;
	int64_t order;

	if (!at)
		return false;
	doubtful = (k->invoker[0] || k->gfp[0]) && k->pid < 0;
	pending_clear(p);
	p->in_group = false;
	p->invoker_doubtful = doubtful;
	span_copy(k->invoker, sizeof(k->invoker), s.at, at);

	s.at = at + sizeof(word) - 1;
	span_skip_spaces(&s);
	if (span_skip(&s, "gfp_mask=")) {
		comma = span_find(s, ",");
		if (comma)
			span_copy(k->gfp, sizeof(k->gfp), s.at, comma);
	}
	/* order=-1 is SysRq's, and also what number_after() has for none. */
	order = number_after(s, ", order=");
	if (order >= 0 && order <= INT32_MAX)
		k->order = (int32_t)order;
	return true;
}

/* The names in the middle of an oom-kill: line may hold commas; they are found between fixed neighbours. */
static void summary_groups(struct oom_kill *k, struct span s)
{
	static const char oom[] = ",oom_memcg=", task[] = ",task_memcg=";
	const char *at = span_find_last(s, task);

	if (at) {
		span_copy(k->task_memcg, sizeof(k->task_memcg), at + sizeof(task) - 1, s.end);
		s.end = at;
	}
	at = k->constraint == OOM_CONSTRAINT_MEMCG ? span_find(s, oom) : NULL;
	if (at)
		span_copy(k->oom_memcg, sizeof(k->oom_memcg), at + sizeof(oom) - 1, s.end);
}

/* "oom-kill:constraint=CONSTRAINT_NONE,nodemask=(null),cpuset=/,mems_allowed=0,global_oom,task_memcg=/x,task=hog,pid=80,uid=0"
 */
static bool feed_summary(struct oom_parser *p, struct span s)
{
	struct oom_kill *k = &p->pending;
	struct span tail = s;
	const char *pid_at, *task_at;

	if (!span_skip(&s, "oom-kill:constraint="))
		return false;
	p->in_group = false;
	/* Who it was or by which limit is said already: by another report, and its killed line is lost or to come. */
	if (k->pid >= 0 || k->constraint != OOM_CONSTRAINT_UNKNOWN || p->invoker_doubtful)
		pending_clear(p);

	for (size_t i = 0; i < CONSTRAINTS; i++) {
		if (constraints[i].kernel && span_skip(&s, constraints[i].kernel))
			k->constraint = (enum oom_constraint)i;
	}
	pid_at = span_find_last(s, ",pid=");
	if (!pid_at)
		return true;
	tail.at = pid_at + strlen(",pid=");
	if (!span_int(&tail, &k->pid) || !span_skip(&tail, ",uid=")) {
		k->pid = -1;
		return true;
	}
	if (!span_int(&tail, &k->uid))
		k->uid = -1;
	s.end = pid_at;
	task_at = span_find_last(s, ",task=");
	if (!task_at)
		return true;
	span_copy(k->comm, sizeof(k->comm), task_at + strlen(",task="), pid_at);
	s.end = task_at;
	summary_groups(k, s);
	return true;
}

/* Up to 4.20: "Task in /a/b killed as a result of limit of /a" */
static bool feed_task_in(struct oom_parser *p, struct span s)
{
	static const char word[] = " killed as a result of limit of ";
	struct oom_kill *k = &p->pending;
	const char *at;

	if (!span_skip(&s, "Task in "))
		return false;
	at = span_find(s, word);
	if (!at)
		return false;
	p->in_group = false;
	if (k->pid >= 0 || p->invoker_doubtful)
		pending_clear(p);
	k->constraint = OOM_CONSTRAINT_MEMCG;
	span_copy(k->task_memcg, sizeof(k->task_memcg), s.at, at);
	span_copy(k->oom_memcg, sizeof(k->oom_memcg), at + sizeof(word) - 1, s.end);
	return true;
}

static bool pending_suits(const struct oom_kill *pending, enum words words)
{
	bool memcg = pending->constraint == OOM_CONSTRAINT_MEMCG;

	if (pending->constraint == OOM_CONSTRAINT_UNKNOWN || words == WORDS_NONE)
		return true;
	return memcg == (words == WORDS_MEMCG);
}

/* " (hog": the blank gets lost where text of a web page is copied. */
static bool name_follows(struct span *s)
{
	span_skip_spaces(s);
	return span_skip(s, "(");
}

/* Up to 5.1: "Out of memory: Kill process 79 (hog) score 905 or sacrifice child"; s starts at the pid. */
static void feed_chosen(struct oom_parser *p, struct span s, enum words words)
{
	int64_t pid;

	if (!span_int(&s, &pid) || !name_follows(&s) || pid <= 0)
		return;
	if (p->pending.pid >= 0)
		return; /* the oom-kill: line has said so already, or it is of another report */
	if (!pending_suits(&p->pending, words) || p->invoker_doubtful)
		pending_clear(p);
	p->pending.pid = pid;
	if (words == WORDS_MEMCG)
		p->pending.constraint = OOM_CONSTRAINT_MEMCG;
}

/* The comm may hold ')' itself, so it ends before the last of what can follow it; no end, no name. */
static bool killed_comm(struct oom_kill *k, struct span *s)
{
	static const char *const after[] = { ") total-vm:", "), UID ", ") vsz:" };
	const char *end = NULL;

	for (size_t i = 0; i < sizeof(after) / sizeof(after[0]) && !end; i++)
		end = span_find_last(*s, after[i]);
	/* 2.6.18: "Out of memory: Killed process 79 (hog)." */
	if (!end && span_len(*s) >= 2 && memcmp(s->end - 2, ").", 2) == 0)
		end = s->end - 2;
	if (!end)
		return false;
	span_copy(k->comm, sizeof(k->comm), s->at, end);
	s->at = end + 1;
	return true;
}

static void killed_numbers(struct oom_kill *k, struct span s)
{
	static const char adj[] = " oom_score_adj:";

	k->total_vm_bytes = bytes_after(s, " total-vm:");
	if (k->total_vm_bytes < 0)
		k->total_vm_bytes = bytes_after(s, " vsz:");
	k->anon_rss_bytes = bytes_after(s, " anon-rss:");
	k->file_rss_bytes = bytes_after(s, " file-rss:");
	k->shmem_rss_bytes = bytes_after(s, " shmem-rss:");
	k->pgtables_bytes = bytes_after(s, " pgtables:");
	if (k->uid < 0)
		k->uid = number_after(s, ", UID:");
	if (k->uid < 0)
		k->uid = number_after(s, ", UID ");

	s.at = span_find(s, adj);
	if (!s.at)
		return;
	s.at += sizeof(adj) - 1;
	k->adj_known = span_int(&s, &k->oom_score_adj);
}

/* What the report said before, if this is the process that it was about. */
static void take_pending(struct oom_parser *p, enum words words)
{
	const struct oom_kill *q = &p->pending;
	struct oom_kill *k = &p->kill;

	if (q->pid == k->pid && pending_suits(q, words)) {
		k->constraint = q->constraint;
		memcpy(k->oom_memcg, q->oom_memcg, sizeof(k->oom_memcg));
		memcpy(k->task_memcg, q->task_memcg, sizeof(k->task_memcg));
		memcpy(k->invoker, q->invoker, sizeof(k->invoker));
		memcpy(k->gfp, q->gfp, sizeof(k->gfp));
		k->order = q->order;
		if (!k->comm[0])
			memcpy(k->comm, q->comm, sizeof(k->comm));
		if (k->uid < 0)
			k->uid = q->uid;
		pending_clear(p);
	} else {
		p->in_group = p->in_group && words == WORDS_MEMCG;
		k->group_kill = p->in_group;
		/* A pending report with a pid still waits for its own line; one without has lost it. */
		if (q->pid < 0)
			pending_clear(p);
	}
	if (words == WORDS_MEMCG)
		k->constraint = OOM_CONSTRAINT_MEMCG;
}

/* s starts at the pid: "79 (hog) total-vm:..." or, RHEL 6, "79, UID 99, (hog) total-vm:..." */
static enum oom_event feed_killed(struct oom_parser *p, struct span s, enum words words)
{
	struct oom_kill *k = &p->kill;

	kill_clear(k);
	if (!span_int(&s, &k->pid) || k->pid <= 0)
		return OOM_NOTHING;
	if (span_skip(&s, ", UID ") && (!span_int(&s, &k->uid) || !span_skip(&s, ",")))
		return OOM_NOTHING;
	if (!name_follows(&s))
		return OOM_NOTHING;
	if (p->in_group && words == WORDS_MEMCG && k->pid == p->killed_pid)
		return OOM_NOTHING;
	if (killed_comm(k, &s))
		killed_numbers(k, s);
	take_pending(p, words);
	if (!k->group_kill)
		p->killed_pid = k->pid;
	return OOM_KILLED;
}

/* The lines that start with, or in old kernels lack, "Out of memory" in one of its forms. */
static enum oom_event feed_verdict(struct oom_parser *p, struct span s)
{
	enum words words = WORDS_NONE;

	if (span_skip(&s, "Memory cgroup out of memory"))
		words = WORDS_MEMCG;
	else if (span_skip(&s, "Out of memory") || span_skip(&s, "Out of Memory"))
		words = WORDS_GLOBAL;

	if (words != WORDS_NONE) {
		if (span_skip(&s, " and no killable processes") || span_skip(&s, ": no killable processes")) {
			pending_clear(p);
			p->in_group = false;
			return OOM_NO_VICTIM;
		}
		span_skip(&s, " (oom_kill_allocating_task)");
		if (!span_skip(&s, ": "))
			return OOM_NOTHING;
	}
	if (span_skip(&s, "Killed process "))
		return feed_killed(p, s, words);
	if (span_skip(&s, "Kill process "))
		feed_chosen(p, s, words);
	return OOM_NOTHING;
}

/* "Tasks in /a/b are going to be killed due to memory.oom.group set" */
static bool feed_group(struct oom_parser *p, struct span s)
{
	if (!span_skip(&s, "Tasks in ") ||
	    !span_find(s, " are going to be killed due to memory.oom.group set"))
		return false;
	p->in_group = true;
	return true;
}

/* "** 12 printk messages dropped **": an oom-kill: line after it may be of another report than the invoked
 * line before it. */
static bool feed_dropped(struct oom_parser *p, struct span s)
{
	if (!span_skip(&s, "** ") || !span_find(s, " printk messages dropped"))
		return false;
	p->in_group = false;
	if (p->pending.pid < 0)
		pending_clear(p);
	return true;
}

const char *oom_panic_name(const char *cause)
{
	/* The first is vm.panic_on_oom's and, before 4.20, that of nobody to kill; then came the second. */
	static const char *const causes[] = { "Out of memory", "System is deadlocked on memory" };
	size_t i;

	for (i = 0; i < sizeof(causes) / sizeof(causes[0]); i++)
		if (!strncmp(cause, causes[i], strlen(causes[i])))
			return "oom";
	return "other";
}

enum oom_event oom_parser_feed(struct oom_parser *p, const char *line, size_t len)
{
	struct span s = { line, line + len };

	if (!len)
		return OOM_NOTHING;
	while (s.at < s.end && (s.end[-1] == '\r' || s.end[-1] == '\n'))
		s.end--;
	if (span_skip(&s, "Kernel panic - not syncing")) {
		pending_clear(p);
		return OOM_PANIC;
	}
	if (feed_summary(p, s) || feed_task_in(p, s) || feed_group(p, s) || feed_dropped(p, s))
		return OOM_NOTHING;
	if (feed_invoked(p, s))
		return OOM_INVOKED;
	return feed_verdict(p, s);
}
