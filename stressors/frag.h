/* SPDX-License-Identifier: MIT */
/* What frag-order and frag-lifo share: the same blocks, freed in two ways. */
#ifndef OOMLAB_STRESSORS_FRAG_H
#define OOMLAB_STRESSORS_FRAG_H

#include "stressors/pool.h"

extern const struct option_info frag_options[];
extern const struct value_info frag_values[];

/* --keep of the blocks at most, at least one of them. */
int frag_check(const struct stress *s, struct err *e);

/*
 * Fills --size with blocks of --block, frees all but one of --keep of them, and says what
 * is wasted then. scattered: those that stay lie evenly between the freed ones; else
 * they are the first ones, and the others are freed from the last on.
 */
enum phase frag_run(struct stress *s, bool scattered);

#endif
