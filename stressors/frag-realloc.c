// SPDX-License-Identifier: MIT
/*
 * Row B3: buffers that grow, all of them by a step before any grows again. realloc may leave a
 * buffer where it is and grow it, or move it by its page tables alone (mremap(2)); malloc, copy
 * and free needs both at once, and leaves a hole.
 */
#include "stressors/pool.h"

#include <errno.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>

static const char *const ways[] = { "realloc", "copy", NULL };

static const struct option_info options[] = {
	{ .name = "way",
	  .kind = OPTION_CHOICE,
	  .fallback = "realloc",
	  .choices = ways,
	  .help = "how a buffer grows: realloc, or malloc, copy and free" },
	{ .name = "size",
	  .kind = OPTION_SIZE,
	  .fallback = "32M",
	  .min = 4096,
	  .max = (uint64_t)1 << 40,
	  .help = "of all buffers at the end" },
	{ .name = "buffers",
	  .kind = OPTION_COUNT,
	  .fallback = "16",
	  .min = 1,
	  .max = 1 << 20,
	  .help = "how many there are" },
	{ .name = "steps",
	  .kind = OPTION_COUNT,
	  .fallback = "64",
	  .min = 1,
	  .max = 1 << 16,
	  .help = "in how many equal steps each grows to its size" },
	{ .name = NULL },
};

static const struct value_info values[] = {
	{ "live", "bytes", "in use at the end" },
	{ "obtained", "bytes", "what malloc has from the system then" },
	{ "obtained_most", "bytes", "what malloc had at most" },
	{ "wasted", "bytes", "obtained and not in use" },
	{ "grown", "count", "how often a buffer grew" },
	{ "moved", "count", "how often it was elsewhere then" },
	{ "copied", "bytes", "copied by this program, not by realloc" },
	{ NULL, NULL, NULL },
};

struct growth {
	struct stress *s;
	char **buffers;
	size_t count, bytes, step; /* of a buffer: as it is, and by how much it grows */
	bool copies;
	int64_t grown, moved, copied;
	uint64_t most;
};

static int check(const struct stress *s, struct err *e)
{
	uint64_t steps = option(s, "steps") * option(s, "buffers");

	if (option(s, "size") / steps >= 1)
		return 0;
	return err_set(e, EINVAL, "--size: less than a byte a step of each buffer; allowed: at least %lluB",
		       (unsigned long long)steps);
}

static void note_most(struct growth *g)
{
	uint64_t now = pool_obtained(g->s);

	if (now > g->most)
		g->most = now;
	stress_live(g->s, g->s->page->allocated_bytes, now);
}

static char *grow_by_copy(struct growth *g, char *old)
{
	char *new = malloc(g->bytes + g->step);

	if (!new)
		return NULL;
	if (old)
		memcpy(new, old, g->bytes);
	g->copied += old ? (int64_t)g->bytes : 0;
	/* Now there are two of it. */
	note_most(g);
	free(old);
	return new;
}

/* What it holds is by number, not by address: it moves. */
static enum phase grow(struct growth *g, size_t i)
{
	uintptr_t before = (uintptr_t)g->buffers[i];
	char *new = g->copies ? grow_by_copy(g, g->buffers[i]) : realloc(g->buffers[i], g->bytes + g->step);

	if (!new)
		return stress_refused(g->s, g->copies ? "malloc" : "realloc", g->bytes + g->step);
	g->buffers[i] = new;
	g->grown++;
	g->moved += before && (uintptr_t) new != before;
	stress_allocated(g->s, g->step);
	memset(new + g->bytes, (int)(i & 0xff), g->step);
	__asm__ volatile("" : : "r"(new) : "memory");
	stress_touched(g->s, g->step);
	return stress_going(g->s) ? PHASE_RUN : PHASE_SIGNAL;
}

static enum phase grow_all(struct growth *g, size_t steps)
{
	enum phase end = PHASE_RUN;
	size_t i;

	for (; end == PHASE_RUN && steps > 0; steps--) {
		for (i = 0; end == PHASE_RUN && i < g->count; i++)
			end = grow(g, i);
		g->bytes += g->step;
		note_most(g);
	}
	return end;
}

static bool verified(const struct growth *g)
{
	unsigned char expected;
	size_t i, at;

	for (i = 0; i < g->count; i++) {
		expected = (unsigned char)i;
		for (at = 0; at < g->bytes; at++)
			if ((unsigned char)g->buffers[i][at] != expected)
				stress_compare(g->s, (uintptr_t)g->buffers[i] + at, &expected,
					       g->buffers[i] + at, 1);
		stress_read(g->s, g->bytes);
		if (!stress_going(g->s))
			return false;
	}
	return true;
}

static void report(struct growth *g)
{
	uint64_t live = g->count * g->bytes, obtained = pool_obtained(g->s);

	stress_value(g->s, "live", (int64_t)live);
	stress_value(g->s, "obtained", (int64_t)obtained);
	stress_value(g->s, "obtained_most", (int64_t)g->most);
	stress_value(g->s, "wasted", (int64_t)(obtained > live ? obtained - live : 0));
	stress_value(g->s, "grown", g->grown);
	stress_value(g->s, "moved", g->moved);
	stress_value(g->s, "copied", g->copied);
}

static enum phase run(struct stress *s)
{
	size_t steps = (size_t)option(s, "steps");
	struct growth g = { .s = s, .count = (size_t)option(s, "buffers"), .copies = option(s, "way") == 1 };
	struct pool table;
	enum phase end = pool_open(&table, s, g.count, 0);

	if (end != PHASE_RUN)
		return end;
	g.buffers = (char **)table.blocks;
	g.step = (size_t)(option(s, "size") / g.count / steps);
	/* glibc would take its threshold for mappings from the first one that is freed, so for one way alone. */
	mallopt(M_MMAP_THRESHOLD, 128 << 10);
	stress_phase(s, PHASE_RUN);
	end = grow_all(&g, steps);
	if (end != PHASE_RUN)
		return end;
	report(&g);
	end = stress_hold(s);
	if (option(s, "verify") && !verified(&g) && stress_ended(s))
		return PHASE_SIGNAL;
	return end;
}

const struct stressor stressor_frag_realloc = {
	.name = "frag-realloc",
	.about = "grows buffers step by step, by realloc or by malloc, copy and free",
	.options = options,
	.values = values,
	.check = check,
	.run = run,
};
