// SPDX-License-Identifier: MIT
/* Single lines of a report that say who asked, what it is about, and whom the kernel chose. */
#include "harness/oracle/parts.h"

/* "... Not tainted 6.1.0-50-cloud-amd64 #1  Debian ...", "... ------------ 3.10.0-693.el7.x86_64 #1" */
static void note_release(char ret[OOM_RELEASE_MAX], struct span s)
{
	const char *end = s.at, *start;

	while ((end = span_find((struct span){ end, s.end }, " #"))) {
		if (end + 2 < s.end && span_is_digit(end[2]))
			break;
		end += 2;
	}
	if (!end)
		return;
	for (start = end; start > s.at && start[-1] != ' '; start--)
		;
	if (span_is_digit(*start))
		span_copy(ret, OOM_RELEASE_MAX, start, end);
}

/* "CPU: 0 PID: 79 Comm: hog Not tainted ...", "Pid: 79, comm: hog Not tainted ..." */
bool cpu_line(struct oom_report *r, struct span s)
{
	struct span t = s;
	int64_t pid;

	t.at = span_find(s, "PID: ") ?: span_find(s, "Pid: ");
	if (!t.at || (!span_find(s, " Comm: ") && !span_find(s, " comm: ")))
		return false;
	t.at += strlen("PID: ");
	if (r->invoked && r->invoker_pid < 0 && span_int(&t, &pid) && pid > 0)
		r->invoker_pid = pid;
	note_release(r->release, s);
	return true;
}

/* What is between key and next; without next the line is cut, and half a list is a wrong list. */
static void member(struct span s, const char *key, const char *next, char *to, size_t size)
{
	struct span t = s;

	t.at = span_find(s, key);
	if (!t.at)
		return;
	t.at += strlen(key);
	t.end = span_find(t, next);
	if (t.end)
		span_copy(to, size, t.at, t.end);
}

void invoked_line(struct oom_report *r, const struct oom_parser *p, struct span s)
{
	static const char adj[] = "oom_score_adj=", old_adj[] = "oom_adj=";
	struct span t = s;
	int64_t v;

	r->invoked = true;
	memcpy(r->invoker, p->pending.invoker, sizeof(r->invoker));
	memcpy(r->gfp, p->pending.gfp, sizeof(r->gfp));
	r->order = p->pending.order;
	member(s, ", nodemask=", ", ", r->nodemask, sizeof(r->nodemask)); /* 4.6 to 4.19 */
	r->sysrq = span_find(s, ", order=-1") != NULL;
	t.at = span_find(s, adj);
	if (t.at) {
		t.at += strlen(adj);
	} else {
		t.at = span_find(s, old_adj);
		t.at = t.at ? t.at + strlen(old_adj) : s.end;
	}
	r->invoker_adj_known = span_int(&t, &v);
	r->invoker_adj = r->invoker_adj_known ? v : 0;
}

/* "oom-kill:constraint=...,nodemask=(null),cpuset=/,mems_allowed=0,..." */
bool summary_line(struct oom_report *r, const struct oom_parser *p, struct span s)
{
	const char *end;

	if (!span_skip(&s, "oom-kill:constraint="))
		return false;
	r->constraint = p->pending.constraint;
	memcpy(r->oom_memcg, p->pending.oom_memcg, sizeof(r->oom_memcg));
	memcpy(r->task_memcg, p->pending.task_memcg, sizeof(r->task_memcg));
	r->chosen_pid = p->pending.pid;
	/* Lists have commas themselves: "0,2-3,global_oom". Without CONFIG_CPUSETS there is a nodemask alone. */
	end = r->constraint == OOM_CONSTRAINT_MEMCG ? ",oom_memcg=" : ",global_oom";
	member(s, ",nodemask=", span_find(s, ",cpuset=") ? ",cpuset=" : end, r->nodemask,
	       sizeof(r->nodemask));
	member(s, ",cpuset=", ",mems_allowed=", r->cpuset, sizeof(r->cpuset));
	member(s, ",mems_allowed=", end, r->mems_allowed, sizeof(r->mems_allowed));
	return true;
}

/* Up to 4.20: "Task in /a/b killed as a result of limit of /a" */
bool task_in_line(struct oom_report *r, const struct oom_parser *p, struct span s)
{
	if (!span_skip(&s, "Task in ") || !span_find(s, " killed as a result of limit of "))
		return false;
	r->constraint = p->pending.constraint;
	memcpy(r->oom_memcg, p->pending.oom_memcg, sizeof(r->oom_memcg));
	memcpy(r->task_memcg, p->pending.task_memcg, sizeof(r->task_memcg));
	return true;
}

/* Up to 5.1: "Out of memory: Kill process 79 (hog) score 905 or sacrifice child", 2.6: "kill process ... or a child" */
bool chosen_line(struct oom_report *r, struct span s)
{
	struct span t = s;
	const char *score;

	t.at = span_find(s, "Kill process ") ?: span_find(s, "kill process ");
	if (!t.at)
		return false;
	t.at += strlen("Kill process ");
	if (r->chosen_pid < 0 && !span_int(&t, &r->chosen_pid))
		r->chosen_pid = -1;
	if (span_find(s, "Memory cgroup out of memory") == s.at)
		r->constraint = OOM_CONSTRAINT_MEMCG;
	score = span_find_last(s, " score ");
	if (score) {
		t.at = score + strlen(" score ");
		if (!span_int(&t, &r->chosen_score))
			r->chosen_score = -1;
	}
	r->allocating_task = r->allocating_task || span_find(s, "(oom_kill_allocating_task)");
	return true;
}

/* "Linux version 6.1.0-50-cloud-amd64 (debian-kernel@...) ...", at boot */
void boot_line(char ret[OOM_RELEASE_MAX], struct span s)
{
	static const char word[] = "Linux version ";
	const char *end;

	s.at = span_find(s, word);
	if (!s.at)
		return;
	s.at += sizeof(word) - 1;
	end = memchr(s.at, ' ', span_len(s));
	span_copy(ret, OOM_RELEASE_MAX, s.at, end ? end : s.end);
}
