// SPDX-License-Identifier: MIT
/*
 * Rows A10, C1: memory that is locked stays in RAM: it is neither reclaimed nor swapped, only its owner's end frees it.
 * How much a process without CAP_IPC_LOCK may lock is RLIMIT_MEMLOCK.
 */
#include "stressors/stressor.h"

#include "lib/units.h"

#include <errno.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/resource.h>

enum how { LOCK, ONFAULT, ALL };

static const char *const hows[] = { "mlock", "onfault", "all", NULL };

static const struct option_info options[] = {
	{ .name = "size", .kind = OPTION_SIZE, .fallback = "64M", .min = 1, .help = "size of the mapping" },
	{ .name = "block",
	  .kind = OPTION_SIZE,
	  .fallback = "1M",
	  .min = 4096,
	  .help = "locked at once; whole pages of 4K" },
	{ .name = "how",
	  .kind = OPTION_CHOICE,
	  .choices = hows,
	  .fallback = "mlock",
	  .help = "mlock; mlock2 with MLOCK_ONFAULT; mlockall with MCL_FUTURE" },
	{ .name = NULL },
};

static int check(const struct stress *s, struct err *e)
{
	if (option(s, "block") % 4096)
		return err_set(e, EINVAL, "--block: not whole pages; allowed: multiples of 4K");
	return 0;
}

/* ENOMEM, EAGAIN and EPERM all stand for the limit, but not only for it. */
static enum phase refused(struct stress *s, const char *call, uint64_t bytes)
{
	char text[96], most[UNITS_TEXT_MAX];
	struct rlimit limit;
	int code = errno;

	if (getrlimit(RLIMIT_MEMLOCK, &limit) < 0 || limit.rlim_cur == RLIM_INFINITY)
		snprintf(text, sizeof(text), "%s", call);
	else
		snprintf(text, sizeof(text), "%s (RLIMIT_MEMLOCK is %s)", call,
			 size_format(most, limit.rlim_cur));
	errno = code == EAGAIN ? ENOMEM : code;
	return stress_refused(s, text, bytes);
}

static void *map(size_t bytes)
{
	return mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}

/* Block by block, so that what is allocated is what could be locked. */
static enum phase fill(struct stress *s, enum how how)
{
	uint64_t left = option(s, "size"), block = option(s, "block");
	char *start = how == ALL ? NULL : map((size_t)left);

	if (start == MAP_FAILED)
		return stress_refused(s, "mmap", left);
	while (left) {
		size_t len = (size_t)(left < block ? left : block);

		if (how == ALL)
			start = map(len);
		if (start == MAP_FAILED)
			return refused(s, "mmap after mlockall", len);
		if (how == LOCK && mlock(start, len) < 0)
			return refused(s, "mlock", len);
		if (how == ONFAULT && mlock2(start, len, MLOCK_ONFAULT) < 0)
			return refused(s, "mlock2", len);
		stress_allocated(s, len);
		if (!stress_fill(s, start, len))
			return PHASE_SIGNAL;
		start += len;
		left -= len;
	}
	return PHASE_DONE;
}

static enum phase run(struct stress *s)
{
	enum how how = (enum how)option(s, "how");
	enum phase end;

	stress_phase(s, PHASE_RUN);
	if (how == ALL && mlockall(MCL_CURRENT | MCL_FUTURE) < 0)
		return refused(s, "mlockall", 0);
	end = fill(s, how);
	return end == PHASE_DONE ? stress_hold(s) : end;
}

const struct stressor stressor_mlock = {
	.name = "mlock",
	.about = "locks memory into RAM and writes it",
	.options = options,
	.check = check,
	.run = run,
};
