// SPDX-License-Identifier: MIT
/*
 * A long-running program: the amount in use stays, what is in use changes. Blocks of random sizes
 * live for random times, so that holes of every size lie between others; what the allocator has from the
 * system for each byte in use, over time, is what fragmentation costs.
 */
#include "stressors/pool.h"

#include "lib/units.h"

#include <errno.h>

static const struct option_info options[] = {
	{ .name = "size",
	  .kind = OPTION_SIZE,
	  .fallback = "32M",
	  .min = 64 << 10,
	  .max = (uint64_t)1 << 40,
	  .total = true,
	  .help = "in use once it is reached, less at most one block" },
	{ .name = "min",
	  .kind = OPTION_SIZE,
	  .fallback = "16B",
	  .min = 1,
	  .max = 127 << 10,
	  .help = "smallest block" },
	{ .name = "max",
	  .kind = OPTION_SIZE,
	  .fallback = "8K",
	  .min = 1,
	  .max = 127 << 10,
	  .help = "largest block" },
	{ .name = "rounds",
	  .kind = OPTION_COUNT,
	  .fallback = "8",
	  .min = 1,
	  .max = 1 << 30,
	  .help = "how often --size is allocated anew" },
	{ .name = "seed", .kind = OPTION_COUNT, .fallback = "1", .help = "other sizes and times" },
	{ .name = NULL },
};

static const struct value_info values[] = {
	{ "live", "bytes", "in use at the end" },
	{ "obtained", "bytes", "what malloc has from the system then" },
	{ "obtained_full", "bytes", "what it had when --size was first in use" },
	{ "wasted", "bytes", "obtained and not in use at the end" },
	{ "replaced", "count", "blocks that were freed for others" },
	{ "bloat", "count", "obtained over live at the end, in percent" },
	{ NULL, NULL, NULL },
};

static int check(const struct stress *s, struct err *e)
{
	uint64_t min = option(s, "min"), max = option(s, "max"), size = option(s, "size");
	char low[UNITS_TEXT_MAX], high[UNITS_TEXT_MAX];

	if (min > max)
		return err_set(e, EINVAL, "--min: more than --max; allowed: 1B to %s", size_format(low, max));
	if (max > size / 2)
		return err_set(e, EINVAL, "--max: two must fit into --size; allowed: %s to %s",
			       size_format(low, min), size_format(high, size / 2));
	return 0;
}

struct churn {
	struct pool p; /* the first used of its blocks live */
	size_t used;
	uint64_t random, size, low, span;
	int64_t replaced;
};

static uint32_t draw(struct churn *c)
{
	return (uint32_t)(c->low + stress_random(&c->random) % c->span);
}

static enum phase add(struct churn *c, uint32_t bytes)
{
	c->p.sizes[c->used] = bytes;
	return pool_fill(&c->p, c->used++);
}

/* Somebody's time has come; the last one takes its place in the table, not in memory. */
static bool drop(struct churn *c)
{
	size_t i = (size_t)(stress_random(&c->random) % c->used);
	bool going = pool_free(&c->p, i);

	c->used--;
	c->p.blocks[i] = c->p.blocks[c->used];
	c->p.sizes[i] = c->p.sizes[c->used];
	c->p.blocks[c->used] = NULL;
	c->replaced++;
	return going;
}

/* So many bytes anew, never more than --size of them at a time. */
static enum phase renew(struct churn *c, uint64_t bytes)
{
	enum phase end = PHASE_RUN;
	uint64_t done = 0, calls = 0;

	while (end == PHASE_RUN && done < bytes) {
		uint32_t next = draw(c);

		while (c->p.live_bytes + next > c->size)
			if (!drop(c))
				return PHASE_SIGNAL;
		end = add(c, next);
		done += next;
		if (++calls % 4096 == 0)
			pool_report(&c->p);
	}
	pool_report(&c->p);
	return end;
}

static void report(const struct churn *c)
{
	struct stress *s = c->p.s;
	uint64_t live = c->p.live_bytes, obtained = pool_obtained(s);

	stress_value(s, "live", (int64_t)live);
	stress_value(s, "obtained", (int64_t)obtained);
	stress_value(s, "wasted", (int64_t)(obtained > live ? obtained - live : 0));
	stress_value(s, "replaced", c->replaced);
	stress_value(s, "bloat", (int64_t)(obtained * 100 / live));
}

static enum phase run(struct stress *s)
{
	uint64_t rounds = option(s, "rounds"), i;
	struct churn c = { .random = option(s, "seed"), .size = option(s, "size"), .low = option(s, "min") };
	enum phase end;

	c.span = option(s, "max") - c.low + 1;
	end = pool_open(&c.p, s, (size_t)(c.size / c.low + 1), 0);
	if (end != PHASE_RUN)
		return end;
	stress_phase(s, PHASE_RUN);
	end = renew(&c, c.size - option(s, "max"));
	if (end == PHASE_RUN)
		stress_value(s, "obtained_full", (int64_t)pool_obtained(s));
	for (i = 0; end == PHASE_RUN && i < rounds; i++)
		end = renew(&c, c.size);
	/* The one that makes it exact. */
	if (end == PHASE_RUN && c.p.live_bytes < c.size)
		end = add(&c, (uint32_t)(c.size - c.p.live_bytes));
	if (end != PHASE_RUN)
		return end;
	pool_report(&c.p);
	report(&c);
	end = stress_hold(s);
	return pool_check(&c.p) || !stress_ended(s) ? end : PHASE_SIGNAL;
}

const struct stressor stressor_frag_churn = {
	.name = "frag-churn",
	.about = "keeps an amount in use whose blocks come and go at random",
	.options = options,
	.values = values,
	.check = check,
	.run = run,
};
