// SPDX-License-Identifier: MIT
/*
 * Row B1: the article's two programs hold the same amount at the end; what they
 * have from the system for it differs by two orders of magnitude, since a heap
 * can only shrink at its top.
 *
 * Blocks of up to 1032 bytes (64 bits) glibc keeps by sevens when they are freed (tcache):
 * the last seven of them then pin the top in either order.
 */
#include "stressors/frag.h"

#include "lib/units.h"

#include <errno.h>

const struct option_info frag_options[] = {
	{ .name = "size",
	  .kind = OPTION_SIZE,
	  .fallback = "64M",
	  .min = 64 << 10,
	  .total = true,
	  .help = "allocated and written before any is freed" },
	{ .name = "block",
	  .kind = OPTION_SIZE,
	  .fallback = "2K",
	  .min = 16,
	  .max = 127 << 10,
	  .help = "size of each block; larger ones would be mappings of their own" },
	{ .name = "keep",
	  .kind = OPTION_COUNT,
	  .fallback = "256",
	  .min = 1,
	  .max = 1 << 20,
	  .help = "one of so many blocks is kept" },
	{ .name = NULL },
};

const struct value_info frag_values[] = {
	{ "live", "bytes", "in use at the end" },
	{ "obtained", "bytes", "what malloc has from the system then" },
	{ "wasted", "bytes", "obtained and not in use" },
	{ "obtained_full", "bytes", "what malloc had with all blocks in use" },
	{ NULL, NULL, NULL },
};

int frag_check(const struct stress *s, struct err *e)
{
	uint64_t block = option(s, "block"), size = option(s, "size"), keep = option(s, "keep");
	char text[UNITS_TEXT_MAX];

	if (size / block < 2)
		return err_set(e, EINVAL, "--block: two must fit into --size; allowed: 16B to %s",
			       size_format(text, size / 2));
	if (size / block >= keep)
		return 0;
	return err_set(e, EINVAL, "--keep: more than there are blocks; allowed: 1 to %llu",
		       (unsigned long long)(size / block));
}

/* With live blocks of one kind at both ends of the choice: the last of each --keep, or the first ones of all. */
static bool stays(const struct pool *p, size_t i, size_t keep, bool scattered)
{
	return scattered ? i % keep == keep - 1 : i < p->count / keep;
}

static enum phase fill_all(struct pool *p)
{
	enum phase end = PHASE_RUN;
	size_t i;

	for (i = 0; end == PHASE_RUN && i < p->count; i++) {
		end = pool_fill(p, i);
		if (i % 4096 == 0)
			pool_report(p);
	}
	pool_report(p);
	return end;
}

static bool free_most(struct pool *p, size_t keep, bool scattered)
{
	size_t i;

	for (i = p->count; i-- > 0;) {
		if (stays(p, i, keep, scattered))
			continue;
		if (!pool_free(p, i))
			return false;
		if (i % 4096 == 0)
			pool_report(p);
	}
	pool_report(p);
	return true;
}

enum phase frag_pool(struct pool *p, size_t keep, bool scattered)
{
	struct stress *s = p->s;
	uint64_t obtained;
	enum phase end;

	stress_phase(s, PHASE_RUN);
	end = fill_all(p);
	if (end != PHASE_RUN)
		return end;
	stress_value(s, "obtained_full", (int64_t)pool_obtained(s));
	if (!free_most(p, keep, scattered))
		return PHASE_SIGNAL;
	obtained = pool_obtained(s);
	stress_value(s, "live", (int64_t)p->live_bytes);
	stress_value(s, "obtained", (int64_t)obtained);
	stress_value(s, "wasted", (int64_t)(obtained > p->live_bytes ? obtained - p->live_bytes : 0));
	end = stress_hold(s);
	return pool_check(p) || !stress_ended(s) ? end : PHASE_SIGNAL;
}

enum phase frag_run(struct stress *s, bool scattered)
{
	size_t block = (size_t)option(s, "block");
	struct pool p;
	enum phase end = pool_open(&p, s, (size_t)(option(s, "size") / block), block);

	return end == PHASE_RUN ? frag_pool(&p, (size_t)option(s, "keep"), scattered) : end;
}
