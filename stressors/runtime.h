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

/* The i-th option of a stressor, its own and then the common ones; NULL past the last. */
const struct option_info *option_at(const struct stressor *self, size_t i);

/*
 * Bytes that the memory of this process is limited to: the lowest limit of its
 * cgroup and those above it. -ENODATA: none has one; else -errno of what could
 * not be read. root is "", or a fixture tree that stands for /proc and /sys.
 */
int limit_of_cgroup(const char *root, uint64_t *ret_bytes);

/* verify.c: makes s->verify; reads back all that stress_fill() wrote, unless a signal comes. */
int verify_open(struct stress *s, struct err *e);
void verify_all(struct stress *s);

/* foreign.c: finds out whose malloc it is; -ENOENT when it is not that of SHARED_MALLOC_ENV. */
int foreign_open(struct stress *s, struct err *e);

/* Finds the shared page (SHARED_ENV) or goes without, and blocks the signals that end a stressor. */
int stress_open(struct stress *s, struct err *e);

/* In a trial: puts what is wrong with the arguments where the engine sees it. */
void stress_misused(struct stress *s, const char *text);

/* Calls the stressor's run(), and reads back what it wrote where --verify is given. */
enum phase stress_run(struct stress *s);

/* Tells the engine or the terminal how it ended; returns the exit status, or dies by the signal that came. */
int stress_close(struct stress *s, enum phase end);

#endif
