/* SPDX-License-Identifier: MIT */
/* A process of a scenario between fork and exec: it waits at its gate and becomes what the scenario says. */
#ifndef OOMLAB_ENGINE_CHILD_H
#define OOMLAB_ENGINE_CHILD_H

#include "harness/engine/engine.h"
#include "harness/engine/spec.h"

#include <sys/types.h>

/* What the child gets: its ends of everything; -1: it has none. */
struct child_ends {
	int page, bell; /* of a stressor */
	int input;      /* of a program with a text as its standard input */
	int gate;
	int output, errors; /* -1: the caller's; errors -1: as output */
};

/* Why the child could not become what it is to be: written to its gate. */
struct child_failure {
	int errnum;
	enum child_step { CHILD_SETTING, CHILD_ROOT, CHILD_STDIN, CHILD_EXEC } step;
	const char
		*setting; /* of settings_apply() or _become(): the child's memory is a copy of its parent's */
};

/* All that the child does; engine is its parent, without which it ends. */
void child_main(const struct spec_process *spec, const struct engine_setup *setup,
		const struct child_ends *child, pid_t engine) __attribute__((noreturn));

#endif
