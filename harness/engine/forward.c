// SPDX-License-Identifier: MIT
/*
 * Signals that were sent to oomlab and are for the program. The harness asks for them by a word in the black box, which
 * reaches a guest as well. On the host the program is in oomlab's process group, and so is the engine: what is sent to
 * the whole group (`kill -TERM -PGID`) the program has had already, and the engine knows, for it has had it too.
 */
#include "harness/engine/trial.h"

#define SAME_NS NS_PER_S /* what the harness asks for that soon after is the same signal */

void trial_forward_set(sigset_t *set)
{
	static const int numbers[] = { SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2 };
	size_t i;

	for (i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
		sigaddset(set, numbers[i]);
}

bool trial_forwards(const struct trial_run *t)
{
	unsigned int i;

	for (i = 0; i < t->spec.process_count; i++)
		if (t->spec.processes[i].streams != STREAMS_EVENTS)
			return true;
	return false;
}

void trial_forward_seen(struct trial_run *t, int signal)
{
	if (signal > 0 && signal < 32)
		t->direct_ns[signal] = clock_ns();
}

static void pass(struct trial_run *t, int signal)
{
	bool had = t->direct_ns[signal] && clock_ns() - t->direct_ns[signal] < SAME_NS;
	unsigned int i;

	t->direct_ns[signal] = 0;
	for (i = 0; i < t->process_count; i++) {
		struct process *p = &t->processes[i];

		if (signal == SIGKILL)
			process_kill(p, ENDED_STOP);
		else if (p->spec->streams != STREAMS_EVENTS && !had)
			process_pass(p, signal);
	}
}

void trial_forward(struct trial_run *t)
{
	uint32_t asked = trial_forwards(t) ? bb_take_signals(t->rec.box) : 0;
	int signal;

	for (signal = 1; asked && signal < 32; signal++)
		if (asked & 1u << signal)
			pass(t, signal);
}
