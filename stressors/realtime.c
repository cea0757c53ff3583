// SPDX-License-Identifier: MIT
/*
 * Row A10: what a real-time program does before its loop, so that no page fault comes in it. The heap never gives
 * anything back (M_TRIM_THRESHOLD -1), nothing is a mapping of its own (M_MMAP_MAX 0), heap and stack are written
 * once, and everything is locked. mlockall(2), "Notes", and mallopt(3) describe it.
 */
#include "stressors/stressor.h"

#include <errno.h>
#include <malloc.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>

#define BLOCKS_MAX 64
#define FRAME      4096
/* A block's header and what rounding takes. */
#define HEADER 64

static const struct option_info options[] = {
	{ .name = "size",
	  .kind = OPTION_SIZE,
	  .fallback = "4M",
	  .min = 64 << 10,
	  .help = "allocated and freed in each round" },
	{ .name = "stack",
	  .kind = OPTION_SIZE,
	  .fallback = "256K",
	  .min = FRAME,
	  .max = 4 << 20,
	  .help = "stack used in each round" },
	{ .name = "rounds", .kind = OPTION_COUNT, .fallback = "50", .min = 1, .help = "rounds of the loop" },
	{ .name = "plain", .kind = OPTION_FLAG, .help = "prepare nothing" },
	{ .name = "seed", .kind = OPTION_COUNT, .fallback = "1", .help = "other sizes of the blocks" },
	{ .name = NULL },
};

static const struct value_info values[] = {
	{ "loop_minor_faults", "count", "minor page faults in the loop" },
	{ "loop_major_faults", "count", "major page faults in the loop" },
	{ "rounds_done", "count", "rounds of the loop" },
	{ NULL, NULL, NULL },
};

/* Down to a depth in bytes; the barriers keep the frames, and the call from becoming a loop. */
static void __attribute__((noinline)) use_stack(size_t bytes)
{
	volatile unsigned char frame[FRAME];

	frame[0] = 1;
	frame[FRAME / 2] = 1;
	if (bytes > FRAME)
		use_stack(bytes - FRAME);
	__asm__ volatile("" : : "r"(frame) : "memory");
}

/* Cuts size into up to BLOCKS_MAX blocks of random sizes, whose sum it is. */
static size_t cut(uint64_t *random, size_t size, size_t *ret_bytes)
{
	size_t count = 0, left = size, most = 2 * size / BLOCKS_MAX;

	while (left && count < BLOCKS_MAX - 1) {
		size_t bytes = 1 + (size_t)(stress_random(random) % most);

		ret_bytes[count] = bytes < left ? bytes : left;
		left -= ret_bytes[count++];
	}
	if (left)
		ret_bytes[count++] = left;
	return count;
}

/* The first round counts what is allocated and written, the others have the same again. */
static enum phase one_round(struct stress *s, uint64_t *random, bool count)
{
	size_t bytes[BLOCKS_MAX], blocks = cut(random, (size_t)option(s, "size"), bytes), got, i;
	unsigned char *block[BLOCKS_MAX];
	enum phase end = PHASE_DONE;
	size_t at;

	for (got = 0; got < blocks && end == PHASE_DONE; got++) {
		block[got] = malloc(bytes[got]);
		if (!block[got])
			return stress_refused(s, "malloc", bytes[got]);
		if (count) {
			stress_allocated(s, bytes[got]);
			if (!stress_write(s, block[got], bytes[got]))
				end = PHASE_SIGNAL;
			continue;
		}
		for (at = 0; at < bytes[got]; at += FRAME / 2)
			((volatile unsigned char *)block[got])[at] = 1;
	}
	use_stack((size_t)option(s, "stack"));
	/* Every other one first, so that there are holes. */
	for (i = 0; i < got; i += 2)
		free(block[i]);
	for (i = 1; i < got; i += 2)
		free(block[i]);
	return stress_going(s) ? end : PHASE_SIGNAL;
}

static enum phase prepare(struct stress *s)
{
	const size_t size = (size_t)option(s, "size");
	unsigned char *block;

	if (!mallopt(M_TRIM_THRESHOLD, -1) || !mallopt(M_MMAP_MAX, 0))
		return stress_unmet(s, "the C library does not know M_TRIM_THRESHOLD and M_MMAP_MAX");
	block = malloc(size + BLOCKS_MAX * HEADER);
	if (!block)
		return stress_refused(s, "malloc", size);
	stress_allocated(s, size);
	if (!stress_write(s, block, size))
		return PHASE_SIGNAL;
	free(block);
	use_stack((size_t)option(s, "stack") + 16 * FRAME);
	if (mlockall(MCL_CURRENT | MCL_FUTURE) == 0)
		return PHASE_DONE;
	if (errno == EPERM || errno == ENOMEM)
		return stress_unmet(s, "mlockall refused: RLIMIT_MEMLOCK is too low");
	return stress_error(s, errno, "mlockall");
}

static enum phase run(struct stress *s)
{
	const uint64_t rounds = option(s, "rounds");
	const bool plain = option(s, "plain");
	uint64_t random = option(s, "seed"), done;
	struct rusage before = { 0 }, after = { 0 };
	enum phase end = PHASE_DONE;

	if (stress_foreign_malloc(s))
		return stress_unmet(s, "it is about glibc's malloc");
	stress_phase(s, PHASE_RUN);
	/* Twice: each of use_stack()'s frames has more in it than FRAME. */
	if (!stress_stack(2 * (size_t)option(s, "stack") + 64 * FRAME))
		return stress_refused(s, "growing the stack", option(s, "stack"));
	if (!plain)
		end = prepare(s);
	getrusage(RUSAGE_SELF, &before);
	for (done = 0; end == PHASE_DONE && done < rounds; done++)
		end = one_round(s, &random, plain && done == 0);
	getrusage(RUSAGE_SELF, &after);
	stress_value(s, "loop_minor_faults", after.ru_minflt - before.ru_minflt);
	stress_value(s, "loop_major_faults", after.ru_majflt - before.ru_majflt);
	stress_value(s, "rounds_done", (int64_t)done);
	return end == PHASE_DONE ? stress_hold(s) : end;
}

static const char *const needs[] = { "RLIMIT_MEMLOCK or CAP_IPC_LOCK, unless --plain", NULL };

const struct stressor stressor_realtime = {
	.name = "realtime",
	.about =
		"locks and writes its memory beforehand, then allocates and frees in a loop without page faults",
	.needs = needs,
	.options = options,
	.values = values,
	.run = run,
};
