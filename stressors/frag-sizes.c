// SPDX-License-Identifier: MIT
/* Row B2: the two ways to free of row B1 with request sizes of the user's own, drawn at random from a list. */
#include "stressors/frag.h"

#include "lib/units.h"

#include <errno.h>

static const char *const orders[] = { "scattered", "lifo", NULL };

static const struct option_info options[] = {
	{ .name = "sizes",
	  .kind = OPTION_SIZES,
	  .fallback = "24B,100B,700B,1500B,4K,20K",
	  .min = 1,
	  .max = 127 << 10,
	  .help = "of the blocks; one that is named twice comes twice as often" },
	{ .name = "size",
	  .kind = OPTION_SIZE,
	  .fallback = "64M",
	  .min = 64 << 10,
	  .max = (uint64_t)1 << 40,
	  .total = true,
	  .help = "allocated and written before any is freed" },
	{ .name = "order",
	  .kind = OPTION_CHOICE,
	  .fallback = "scattered",
	  .choices = orders,
	  .help = "those that stay lie between the freed ones, or below them" },
	{ .name = "keep",
	  .kind = OPTION_COUNT,
	  .fallback = "256",
	  .min = 1,
	  .max = 1 << 20,
	  .help = "one of so many blocks is kept" },
	{ .name = "seed", .kind = OPTION_COUNT, .fallback = "1", .help = "other draws" },
	{ .name = NULL },
};

struct draw {
	uint64_t sizes[SIZES_MAX];
	size_t count;
	uint64_t random, left_bytes;
};

static struct draw draw_open(const struct stress *s)
{
	struct draw d = { .random = option(s, "seed"), .left_bytes = option(s, "size") };

	d.count = option_sizes(s, "sizes", d.sizes);
	return d;
}

/* The next block's size; the last one is what is left, so that all of them are --size; 0: no more. */
static uint32_t draw_next(struct draw *d)
{
	uint64_t bytes = d->sizes[stress_random(&d->random) % d->count];

	if (bytes > d->left_bytes)
		bytes = d->left_bytes;
	d->left_bytes -= bytes;
	return (uint32_t)bytes;
}

static size_t draw_all(struct draw d)
{
	size_t n = 0;

	while (draw_next(&d))
		n++;
	return n;
}

static int check(const struct stress *s, struct err *e)
{
	size_t blocks = draw_all(draw_open(s));

	if (option(s, "keep") <= blocks)
		return 0;
	return err_set(e, EINVAL, "--keep: more than there are blocks; allowed: 1 to %zu", blocks);
}

static enum phase run(struct stress *s)
{
	struct draw d = draw_open(s);
	struct pool p;
	enum phase end = pool_open(&p, s, draw_all(d), 0);
	size_t i;

	if (end != PHASE_RUN)
		return end;
	for (i = 0; i < p.count; i++)
		p.sizes[i] = draw_next(&d);
	return frag_pool(&p, (size_t)option(s, "keep"), option(s, "order") == 0);
}

const struct stressor stressor_frag_sizes = {
	.name = "frag-sizes",
	.about = "as frag-order and frag-lifo, with blocks of several sizes",
	.options = options,
	.values = frag_values,
	.check = check,
	.run = run,
};
