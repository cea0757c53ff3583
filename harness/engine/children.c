// SPDX-License-Identifier: MIT
#include "harness/engine/children.h"

#include "lib/files.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* What forks without end is not followed without end. */
#define EVENTS_MAX 1000
#define LIST_BYTES 4096

static bool is_there(const struct trial_run *t, pid_t pid)
{
	unsigned int i;

	for (i = 0; i < SPEC_CHILDREN_MAX; i++)
		if (t->children[i].there && t->children[i].pid == pid)
			return true;
	return false;
}

/* Who is gone is remembered as long as there are others: the log may not have been read yet that says why. */
static struct child *free_place(struct trial_run *t)
{
	struct child *gone = NULL;
	unsigned int i;

	for (i = 0; i < SPEC_CHILDREN_MAX; i++) {
		if (!t->children[i].pid)
			return &t->children[i];
		if (!t->children[i].there && !gone)
			gone = &t->children[i];
	}
	return gone;
}

static void leave(struct child *c)
{
	process_sampler_close(&c->sampler);
	c->there = false;
}

static int score_adj(pid_t pid)
{
	char path[PATH_LEN_MAX];
	AUTO_FREE char *text = NULL;

	path_format(path, "/proc/%d/oom_score_adj", (int)pid);
	return file_read(path, 32, &text, NULL, NULL) == 0 ? atoi(text) : 0;
}

static void add(struct trial_run *t, pid_t pid, unsigned int process)
{
	struct child *c = free_place(t);
	struct jsonw *w;

	if (!c || t->child_events == EVENTS_MAX || process_sampler_open("", pid, &c->sampler) < 0)
		return;
	process_sampler_read(&c->sampler, true);
	if (c->sampler.values[P_RSS] == BB_MISSING) { /* a zombie: its parent still has it */
		leave(c);
		return;
	}
	c->pid = pid;
	c->there = true;
	c->process = process;
	t->child_events++;
	w = event_begin(&t->rec, "child");
	jsonw_str(w, "process", t->processes[process].spec->name);
	jsonw_int(w, "pid", pid);
	jsonw_int(w, "oom_score_adj", score_adj(pid));
	jsonw_int(w, "row", SPEC_PROCESSES_MAX + (c - t->children));
	event_end(&t->rec);
}

void children_look(struct trial_run *t, const struct process_sampler *parent, unsigned int process)
{
	char text[LIST_BYTES], *rest = text, *end;
	ssize_t n = parent->children < 0 ? 0 : pread(parent->children, text, sizeof(text) - 1, 0);
	long pid;

	for (text[n > 0 ? n : 0] = 0; (pid = strtol(rest, &end, 10)) > 0 && end > rest; rest = end)
		/* A number that the end of what was read has cut is another's, or nobody's. */
		if (*end && !is_there(t, (pid_t)pid))
			add(t, (pid_t)pid, process);
}

void children_sample(struct trial_run *t, bool record, bool whole)
{
	unsigned int i;

	for (i = 0; i < SPEC_CHILDREN_MAX; i++) {
		struct child *c = &t->children[i];

		if (!c->there)
			continue;
		if (process_sampler_read(&c->sampler, whole))
			children_look(t, &c->sampler, c->process);
		if (c->sampler.values[P_RSS] == BB_MISSING)
			leave(c);
		else if (record)
			bb_append_sample(t->rec.box, BB_PROCESS, recorder_now(&t->rec),
					 SPEC_PROCESSES_MAX + i, c->sampler.values, P_COLUMNS);
	}
}

int children_parent(const struct trial_run *t, int64_t pid)
{
	unsigned int i;

	for (i = 0; i < SPEC_CHILDREN_MAX; i++)
		if (t->children[i].pid == pid)
			return (int)t->children[i].process;
	return -1;
}

void children_close(struct trial_run *t)
{
	unsigned int i;

	for (i = 0; i < SPEC_CHILDREN_MAX; i++)
		if (t->children[i].there)
			leave(&t->children[i]);
}
