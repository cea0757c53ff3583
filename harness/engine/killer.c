// SPDX-License-Identifier: MIT
#include "harness/engine/killer.h"

#include "harness/engine/children.h"
#include "harness/engine/signals.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#define TRACE_BYTES 65536

struct process *killer_of(struct trial_run *t)
{
	unsigned int i;

	for (i = 0; i < t->process_count; i++)
		if (t->processes[i].spec->killer)
			return &t->processes[i];
	return NULL;
}

int killer_setup(struct trial_run *t, struct err *e)
{
	struct err why = ERR_INIT;
	struct jsonw *w;
	unsigned int i;

	for (i = 0; i < t->spec.process_count && !t->spec.processes[i].killer; i++)
		;
	if (i == t->spec.process_count)
		return 0;
	t->signals = signals_open(&why);
	if (t->signals < 0) {
		w = event_begin(&t->rec, "no-signal-trace");
		jsonw_str(w, "reason", why.text);
		event_end(&t->rec);
	}
	return trial_own_group(t, BB_KILLER_GROUP, t->killer_group, sizeof(t->killer_group), e);
}

bool killer_awaited(struct trial_run *t)
{
	const struct process *p = killer_of(t);

	if (!t->awaits_killer || !p)
		return false;
	if (p->ready)
		return false;
	if (!p->running)
		err_set(&t->failure, EIO, "killer %s ended before it was ready%s%s", p->spec->killer,
			p->said[0] ? "; its last words: " : "", process_last_words(p));
	else if (recorder_now(&t->rec) >= killer_deadline(t))
		err_set(&t->failure, ETIMEDOUT,
			"killer %s was not ready within 60s: it did not say \"%s\"%s%s", p->spec->killer,
			p->spec->ready, p->said[0] ? "; its last words: " : "", process_last_words(p));
	return true;
}

uint64_t killer_deadline(const struct trial_run *t)
{
	return t->awaits_since_ns + SPEC_READY_NS;
}

/* A process group each has its own: what the killer started belongs to it. */
static bool by_killer(const struct process *killer, const struct signal_sent *s)
{
	return s->sender == killer->pid || getpgid(s->sender) == killer->pid;
}

static void record(struct trial_run *t, const struct process *killer, const struct signal_sent *s)
{
	int i = trial_index_of(t, s->pid), parent = children_parent(t, s->pid);
	struct jsonw *w;

	/* What it does to its own children is no kill. */
	if (s->code > 0 || s->t_ns < t->rec.start_ns || !by_killer(killer, s) || s->pid == killer->pid ||
	    getpgid(s->pid) == killer->pid)
		return;
	w = event_begin(&t->rec, "signal");
	jsonw_str(w, "process", i < 0 ? NULL : t->processes[i].spec->name);
	if (parent >= 0)
		jsonw_str(w, "child_of", t->processes[parent].spec->name);
	jsonw_int(w, "pid", s->pid);
	jsonw_str(w, "comm", s->comm);
	jsonw_int(w, "signal", s->signal);
	jsonw_str(w, "sender", killer->spec->name);
	jsonw_int(w, "sender_pid", s->sender);
	jsonw_str(w, "sender_comm", s->sender_comm);
	jsonw_uint(w, "sent_ns", s->t_ns - t->rec.start_ns);
	event_end(&t->rec);
}

void killer_look(struct trial_run *t)
{
	const struct process *killer = killer_of(t);
	static char text[TRACE_BYTES + 1];
	struct signal_sent sent;
	char *rest, *line;
	ssize_t n;

	/* trace_pipe gives whole lines. */
	while (killer && t->signals >= 0 && (n = read(t->signals, text, TRACE_BYTES)) > 0) {
		text[n] = 0;
		for (rest = text; (line = strsep(&rest, "\n"));)
			if (signals_parse(line, &sent))
				record(t, killer, &sent);
	}
}
