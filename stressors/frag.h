/* SPDX-License-Identifier: MIT */
/* What frag-order, frag-lifo and frag-sizes share: blocks that are freed in two ways. */
#ifndef OOMLAB_STRESSORS_FRAG_H
#define OOMLAB_STRESSORS_FRAG_H

#include "stressors/pool.h"

extern const struct option_info frag_options[];
extern const struct value_info frag_values[];

/* --keep of the blocks at most, at least one of them. */
int frag_check(const struct stress *s, struct err *e);

/* frag_run() with the pool's blocks, one of keep of which stays. */
enum phase frag_pool(struct pool *p, size_t keep, bool scattered);

/*
 * Fills --size with blocks of --block, frees all but one of --keep of them, and says what
 * is wasted then. scattered: those that stay lie evenly between the freed ones; else
 * they are the first ones, and the others are freed from the last on.
 */
enum phase frag_run(struct stress *s, bool scattered);

#endif
