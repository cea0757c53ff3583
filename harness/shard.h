/* SPDX-License-Identifier: MIT */
/* Which machine's share a cell is in: the same answer on all of them. */
#ifndef OOMLAB_HARNESS_SHARD_H
#define OOMLAB_HARNESS_SHARD_H

#include <stdbool.h>
#include <stddef.h>

#define SHARDS_MAX     10000
#define SHARD_ALLOWED  "I/N, e.g. 2/3: whole numbers, I from 1 to N, N up to 10000"
#define SHARD_TEXT_MAX 16

struct shard {
	unsigned int index; /* from 1 */
	unsigned int count; /* 0: no shares, everything is wanted */
};

/* "2/3" and nothing else; false: SHARD_ALLOWED says why. */
bool shard_parse(const char *text, struct shard *ret);

/* "2/3"; returns buf. */
const char *shard_format(char buf[SHARD_TEXT_MAX], struct shard s);

/*
 * Deals cells, "scenario/cell", out to count shards: ret[i], from 1, is that of
 * cells[i]. No share is more than one cell larger than another. The order of
 * the cells does not count, and one more cell moves few others.
 * 0 or -ENOMEM.
 */
int shard_deal(const char *const *cells, size_t n, unsigned int count, unsigned int *ret);

#endif
