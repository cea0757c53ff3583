/* SPDX-License-Identifier: MIT */
/*
 * What a scenario's machine asks of a running kernel: huge pages, THP, MGLRU, KSM,
 * zswap, and that the NUMA nodes are those QEMU was told of. A setting counts
 * when it reads back as it was wanted.
 */
#ifndef OOMLAB_GUEST_TUNE_H
#define OOMLAB_GUEST_TUNE_H

#include "lib/blackbox.h"
#include "lib/err.h"

#include <jansson.h>

/*
 * Sets all of it in the tree below root ("" is the machine; a fixture tree in
 * tests) and appends an event "machine" for each key: what was wanted, what was,
 * what is. -EOPNOTSUPP with the reason when this kernel cannot, -ENOMEM when
 * there is too little memory for the huge pages.
 */
int tune_machine(const char *root, const json_t *machine, struct blackbox *bb, struct err *e);

/* Is that machine so already? Writes nothing; -EOPNOTSUPP with the first thing that is otherwise. */
int tune_met(const char *root, const json_t *machine, struct err *why);

#endif
