/* SPDX-License-Identifier: MIT */
/* Expectations: what they are about, and the cells they hold in. */
#ifndef OOMLAB_SCENARIO_EXPECT_H
#define OOMLAB_SCENARIO_EXPECT_H

#include "harness/scenario/bind.h"

/* Notes in b->where_seen what the tree answers to every `where`; bind_cell() does it too. */
void expect_note_where(struct binder *b);

/* Complains about each `where` that no cell so far has answered: a path or a value that is nowhere. */
void expect_check_where(struct binder *b);

#endif
