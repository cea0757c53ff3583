/* SPDX-License-Identifier: MIT */
/* Blocks of malloc's and a table of them that malloc knows nothing of, so that the heap holds what is measured alone. */
#ifndef OOMLAB_STRESSORS_POOL_H
#define OOMLAB_STRESSORS_POOL_H

#include "stressors/stressor.h"

struct pool {
	struct stress *s;
	void **blocks; /* in a mapping of its own; NULL: free */
	size_t count;
	size_t block_bytes; /* of each; 0: sizes has them */
	uint32_t *sizes;    /* behind the blocks in their mapping */
	uint64_t live_bytes;
};

/* A table for count blocks of block_bytes each, 0: of the sizes that are put there; PHASE_RUN, or how it ended. */
enum phase pool_open(struct pool *p, struct stress *s, size_t count, size_t block_bytes);

/* Bytes of the i-th block. */
size_t pool_bytes(const struct pool *p, size_t i);

/* Allocates and writes the i-th block; PHASE_RUN, or how it ended. */
enum phase pool_fill(struct pool *p, size_t i);

/* Reads it back with --verify, and frees it; false: end as a signal. */
bool pool_free(struct pool *p, size_t i);

/* Reads back all that is live once more, with --verify, as it is when run() has returned; else as stress_going(). */
bool pool_check(const struct pool *p);

/*
 * What malloc has from the system: glibc's in its heaps and in mappings (mallinfo(3)); of another one what is there of
 * it, in RAM and in swap, since it alone has allocated since the start.
 */
uint64_t pool_obtained(const struct stress *s);

/* Says so on the shared page: what is live, and what is obtained for it. */
void pool_report(const struct pool *p);

#endif
