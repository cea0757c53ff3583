// SPDX-License-Identifier: MIT
#include "harness/shard.h"

#include "lib/files.h"
#include "lib/hash.h"
#include "lib/units.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool shard_parse(const char *text, struct shard *ret)
{
	const char *slash = strchr(text, '/');
	char first[SHARD_TEXT_MAX];
	int64_t index, count;

	if (!slash || slash - text >= SHARD_TEXT_MAX)
		return false;
	snprintf(first, sizeof(first), "%.*s", (int)(slash - text), text);
	if (int_parse(first, &index) < 0 || int_parse(slash + 1, &count) < 0 || index < 1 || index > count ||
	    count > SHARDS_MAX)
		return false;
	*ret = (struct shard){ (unsigned int)index, (unsigned int)count };
	return true;
}

const char *shard_format(char buf[SHARD_TEXT_MAX], struct shard s)
{
	snprintf(buf, SHARD_TEXT_MAX, "%u/%u", s.index, s.count);
	return buf;
}

struct cell {
	const char *name;
	uint64_t hash;
	size_t index;
};

/* By what the cell is called, so that no order of the command line counts. */
static int by_hash(const void *a, const void *b)
{
	const struct cell *one = a, *other = b;

	if (one->hash != other->hash)
		return one->hash < other->hash ? -1 : 1;
	return strcmp(one->name, other->name);
}

struct seats {
	unsigned int count;
	size_t least;  /* in every shard */
	size_t extra;  /* shards that have one more, not taken yet */
	size_t *taken; /* by shard, from 0 */
};

/* Each shard bids for the cell; the highest bid of a shard that has room gets it. */
static unsigned int highest_bid(const struct seats *s, uint64_t hash)
{
	uint64_t highest = 0;
	unsigned int best = s->count, i;

	for (i = 0; i < s->count; i++) {
		uint64_t bid = hash_mix(hash + (i + 1) * 0x9e3779b97f4a7c15);

		if (s->taken[i] >= s->least + (s->extra > 0) || (best < s->count && bid <= highest))
			continue;
		highest = bid;
		best = i;
	}
	return best;
}

int shard_deal(const char *const *cells, size_t n, unsigned int count, unsigned int *ret)
{
	AUTO_FREE struct cell *order = calloc(n + 1, sizeof(*order));
	AUTO_FREE size_t *taken = calloc(count, sizeof(*taken));
	struct seats s = { count, n / count, n % count, taken };
	size_t i;

	if (!order || !taken)
		return -ENOMEM;
	for (i = 0; i < n; i++)
		order[i] = (struct cell){ cells[i], hash_mix(hash_text(cells[i])), i };
	qsort(order, n, sizeof(*order), by_hash);
	for (i = 0; i < n; i++) {
		unsigned int best = highest_bid(&s, order[i].hash);

		s.extra -= taken[best] == s.least;
		taken[best]++;
		ret[order[i].index] = best + 1;
	}
	return 0;
}
