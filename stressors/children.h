/* SPDX-License-Identifier: MIT */
/* Child processes of a stressor: each does its part and keeps what it has until its parent ends. */
#ifndef OOMLAB_STRESSORS_CHILDREN_H
#define OOMLAB_STRESSORS_CHILDREN_H

#include "stressors/stressor.h"

/* Of the whole tree. */
#define CHILDREN_MAX 4096

/*
 * Forks count children, the index-th of which does work(part, index, user) and returns PHASE_RUN, or how
 * that ended. PHASE_RUN when all of them have; else what the first one returned that could not,
 * PHASE_SIGNAL, PHASE_ENOMEM when one cannot be forked, or PHASE_ERROR when one was killed.
 */
enum phase children_run(struct stress *s, size_t count,
			enum phase (*work)(struct stress *part, size_t index, void *user), void *user);

/* As stress_hold(), and PHASE_ERROR when one of them was killed meanwhile. */
enum phase children_hold(struct stress *s);

#endif
