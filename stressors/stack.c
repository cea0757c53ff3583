// SPDX-License-Identifier: MIT
/*
 * Memory that nobody allocates: the stack grows when it is written below its end, up to RLIMIT_STACK. Who passes that
 * gets SIGSEGV, so stress_stack() asks before each frame.
 */
#include "stressors/stressor.h"

#include <sys/resource.h>

#define FRAME ((size_t)64 << 10)
/* What the calls below the last frame may take: the kernel's answer is for all of it. */
#define RESERVE ((size_t)64 << 10)

static const struct option_info options[] = {
	{ .name = "size", .kind = OPTION_SIZE, .fallback = "4M", .min = 1, .help = "stack to use" },
	{ .name = "pause", .kind = OPTION_DURATION, .fallback = "0", .help = "wait after each 64K" },
	{ .name = NULL },
};

static const struct value_info values[] = {
	{ "stack_limit", "bytes", "RLIMIT_STACK, raised as far as it may be; not set without a limit" },
	{ "stack_rise", "bytes", "rise of VmStk" },
	{ NULL, NULL, NULL },
};

static enum phase at_the_end(struct stress *s, int64_t before)
{
	stress_value(s, "stack_rise", stress_rise("VmStk", before));
	return stress_hold(s);
}

static enum phase __attribute__((noinline)) deeper(struct stress *s, uint64_t left, int64_t before)
{
	unsigned char frame[FRAME];
	size_t len = left < FRAME ? (size_t)left : FRAME;
	unsigned char *start = frame + FRAME - len;
	enum phase end;

	if (!stress_stack(FRAME + RESERVE))
		return stress_refused(s, "growing the stack", len);
	stress_allocated(s, len);
	if (!stress_write(s, start, len))
		return PHASE_SIGNAL;
	left -= len;
	if (!stress_wait(s, left ? option(s, "pause") : 0))
		return PHASE_SIGNAL;
	end = left ? deeper(s, left, before) : at_the_end(s, before);
	if (end == PHASE_DONE && !stress_check(s, start, len))
		end = PHASE_SIGNAL;
	return end;
}

/* The soft limit up to the hard one, if the size needs it: the kernel looks at it whenever the stack grows. */
static void raise_limit(struct stress *s, uint64_t size)
{
	/* A frame has more in it than what is written, and arguments and environment are on the stack too. */
	uint64_t need = size + size / 16 + FRAME * 4 + RESERVE * 4;
	struct rlimit limit;

	if (getrlimit(RLIMIT_STACK, &limit) < 0 || limit.rlim_cur == RLIM_INFINITY)
		return;
	if (limit.rlim_cur < need) {
		limit.rlim_cur = limit.rlim_max == RLIM_INFINITY || limit.rlim_max > need ? (rlim_t)need
											  : limit.rlim_max;
		(void)setrlimit(RLIMIT_STACK, &limit);
	}
	if (getrlimit(RLIMIT_STACK, &limit) == 0)
		stress_value(s, "stack_limit", (int64_t)limit.rlim_cur);
}

static enum phase run(struct stress *s)
{
	stress_phase(s, PHASE_RUN);
	raise_limit(s, option(s, "size"));
	if (!stress_stack(2 * FRAME + RESERVE))
		return stress_refused(s, "growing the stack", FRAME);
	return deeper(s, option(s, "size"), stress_own("VmStk"));
}

const struct stressor stressor_stack = {
	.name = "stack",
	.about = "grows its stack by recursion and writes all of it",
	.options = options,
	.values = values,
	.run = run,
};
