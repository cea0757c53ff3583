/* SPDX-License-Identifier: MIT */
/* What main.c does around a stressor's run(). */
#ifndef OOMLAB_STRESSORS_RUNTIME_H
#define OOMLAB_STRESSORS_RUNTIME_H

#include "stressors/stressor.h"

/* Fills s->values with defaults and then from args, which name every option as in --name. */
int options_parse(struct stress *s, char **args, struct err *e);

/* Lists: names and lines for people, and all of the descriptors as JSON; 0 or -EMSGSIZE. */
void options_help(const struct stressor *self);
int list_json(const struct stressor *const *all);

/* Finds the shared page (SHARED_ENV) or goes without, and blocks the signals that end a stressor. */
int stress_open(struct stress *s, struct err *e);

/* Tells the engine or the terminal how it ended; returns the exit status, or dies by the signal that came. */
int stress_close(struct stress *s, enum phase end);

#endif
