// SPDX-License-Identifier: MIT
#include "harness/engine/triggers.h"

#include "harness/engine/trial.h"
#include "lib/json.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>

/* In the order of lookup; TRIGGER_TIME is what is left when none of them is there. */
static const struct {
	const char *key;
	enum trigger_kind kind;
} amounts[] = {
	{ "allocated", TRIGGER_ALLOCATED },
	{ "touched", TRIGGER_TOUCHED },
	{ "rss", TRIGGER_RSS },
};

static const struct {
	const char *name;
	int number;
} signals[] = {
	{ "TERM", SIGTERM }, { "INT", SIGINT },   { "HUP", SIGHUP },   { "KILL", SIGKILL },
	{ "STOP", SIGSTOP }, { "CONT", SIGCONT }, { "USR1", SIGUSR1 }, { "USR2", SIGUSR2 },
};

static int bad(struct err *e, const char *key, const char *what)
{
	return err_set(e, EINVAL, "trial spec: %s of a process: %s", key, what);
}

static int parse_condition(const json_t *trigger, const char *key, struct trigger *ret, struct err *e)
{
	const char *phase = json_text(trigger, "phase", NULL);
	size_t i;

	if (phase) {
		ret->kind = !strcmp(phase, "ended") ? TRIGGER_ENDED : TRIGGER_PHASE;
		ret->amount = !strcmp(phase, "hold") ? PHASE_HOLD : PHASE_RUN;
		return 0;
	}
	for (i = 0; i < sizeof(amounts) / sizeof(amounts[0]); i++) {
		int64_t bytes = json_number(trigger, amounts[i].key, -1);

		if (bytes < 0)
			continue;
		ret->kind = amounts[i].kind;
		ret->amount = (uint64_t)bytes;
		return 0;
	}
	return bad(e, key, "after a process, but not after what");
}

int trigger_parse(const json_t *processes, size_t index, const char *key, struct trigger *ret, struct err *e)
{
	const json_t *trigger = json_object_get(json_array_get(processes, index), key);
	const char *after = json_text(trigger, "after", NULL), *signal = json_text(trigger, "signal", "TERM");
	int64_t at = json_number(trigger, "at", 0);
	const json_t *one;
	size_t i;

	memset(ret, 0, sizeof(*ret));
	if (!trigger || json_is_null(trigger))
		return 0;
	if (at < 0)
		return bad(e, key, "a negative time");
	ret->at_ns = (uint64_t)at;
	for (i = 0; i < sizeof(signals) / sizeof(signals[0]); i++)
		if (!strcmp(signals[i].name, signal))
			ret->signal = signals[i].number;
	if (!ret->signal)
		return bad(e, key, "an unknown signal");
	ret->kind = TRIGGER_TIME;
	if (!after)
		return 0;
	json_array_foreach ((json_t *)processes, i, one) {
		if (strcmp(json_text(one, "name", ""), after) != 0)
			continue;
		ret->after = (unsigned int)i;
		return parse_condition(trigger, key, ret, e);
	}
	return bad(e, key, "after an unknown process");
}

static bool sampled(int64_t value, uint64_t amount)
{
	return value >= 0 && (uint64_t)value >= amount;
}

static bool reached(const struct trial_run *t, const struct trigger *g)
{
	const struct process *p = &t->processes[g->after];

	switch (g->kind) {
	case TRIGGER_NONE:
		return false;
	case TRIGGER_TIME:
		return true;
	case TRIGGER_PHASE:
		return p->phase >= g->amount && p->phase <= PHASE_DONE;
	case TRIGGER_ENDED:
		return p->started && !p->running;
	case TRIGGER_ALLOCATED:
		return p->page && p->page->allocated_bytes >= g->amount;
	case TRIGGER_TOUCHED:
		return p->page && p->page->touched_bytes >= g->amount;
	case TRIGGER_RSS:
		return p->started && sampled(p->sampler.values[P_RSS], g->amount);
	}
	return false;
}

static void note(struct trial_run *t, const struct process *p, const char *what, int signal)
{
	struct jsonw *w = event_begin(&t->rec, "trigger");

	jsonw_str(w, "process", p->spec->name);
	jsonw_str(w, "action", what);
	if (signal)
		jsonw_int(w, "signal", signal);
	event_end(&t->rec);
}

static void start(struct trial_run *t, unsigned int index)
{
	struct process *p = &t->processes[index];

	note(t, p, "start", 0);
	/* Whether it could be is told by its gate. */
	if (trial_watch(t, p->gate, EPOLLIN, GATE, index) == 0)
		process_release(p);
}

static void stop(struct trial_run *t, unsigned int index)
{
	struct process *p = &t->processes[index];

	note(t, p, "stop", p->spec->stop.signal);
	process_signal(p, p->spec->stop.signal);
}

/* Has it come, and is it due? *ret_news: since now it is known when it will be. */
static bool due(const struct trial_run *t, const struct trigger *g, struct trigger_state *s, bool *ret_news)
{
	uint64_t now = recorder_now(&t->rec);

	if (!s->met && reached(t, g)) {
		s->met = true;
		s->due_ns = (g->kind == TRIGGER_TIME ? t->release_ns : now) + g->at_ns;
		*ret_news = true;
	}
	if (!s->met || s->fired || s->due_ns > now)
		return false;
	s->fired = true;
	return true;
}

bool triggers_look(struct trial_run *t)
{
	bool news = false;
	unsigned int i;

	for (i = 0; i < t->process_count; i++) {
		struct process *p = &t->processes[i];

		if (p->running && !p->released && due(t, &p->spec->start, &p->start, &news))
			start(t, i);
		if (p->running && p->started && due(t, &p->spec->stop, &p->stop, &news))
			stop(t, i);
	}
	return news;
}

static uint64_t earlier(uint64_t next, const struct trigger_state *s)
{
	return s->met && !s->fired && s->due_ns < next ? s->due_ns : next;
}

uint64_t triggers_next(const struct trial_run *t)
{
	uint64_t next = UINT64_MAX;
	unsigned int i;

	for (i = 0; i < t->process_count; i++) {
		const struct process *p = &t->processes[i];

		if (p->running && !p->released)
			next = earlier(next, &p->start);
		if (p->running && p->started)
			next = earlier(next, &p->stop);
	}
	return next;
}

/* Starts may hang on each other; what waits for itself has been refused with the spec. */
static bool may_start(const struct trial_run *t, unsigned int index)
{
	unsigned int links;

	for (links = 0; links <= t->process_count; links++) {
		const struct process *p = &t->processes[index];

		if (!p->running)
			return false;
		if (p->released || p->start.met)
			return true;
		index = p->spec->start.after;
	}
	return false;
}

bool triggers_open(const struct trial_run *t)
{
	unsigned int i;

	for (i = 0; i < t->process_count; i++)
		if (t->processes[i].running && !t->processes[i].released && may_start(t, i))
			return true;
	return false;
}
