// SPDX-License-Identifier: MIT
/*
 * Rows C1, C3: System V shared memory. A segment outlives the processes that use it, so an OOM kill frees nothing of it,
 * unless it is marked for removal; these are, as soon as they are attached, and go with the process.
 */
#include "stressors/stressor.h"

#include <errno.h>
#include <sys/ipc.h>
#include <sys/shm.h>

static const struct option_info options[] = {
	{ .name = "size",
	  .kind = OPTION_SIZE,
	  .fallback = "64M",
	  .min = 1,
	  .total = true,
	  .help = "size of all segments together" },
	{ .name = "segment",
	  .kind = OPTION_SIZE,
	  .fallback = "16M",
	  .min = 4096,
	  .help = "size of one segment; the last may be smaller" },
	{ .name = NULL },
};

/* Nobody else will do it: refused for want of memory, it is asked for once more. */
static int mark_for_removal(int id)
{
	int r = shmctl(id, IPC_RMID, NULL);

	return r < 0 && errno == ENOMEM ? shmctl(id, IPC_RMID, NULL) : r;
}

/* The segment has no key, and is nobody's once it is marked: only a SIGKILL between the first two calls leaves it. */
static enum phase one(struct stress *s, size_t bytes)
{
	int id = shmget(IPC_PRIVATE, bytes, IPC_CREAT | 0600), code;
	void *start;

	if (id < 0)
		return stress_refused(s, "shmget (limits are in /proc/sys/kernel/shm*)", bytes);
	start = shmat(id, NULL, 0);
	code = errno;
	if (mark_for_removal(id) < 0)
		return stress_error(s, errno, "shmctl: segment %d stays (ipcrm -m %d)", id, id);
	errno = code;
	if (start == (void *)-1)
		return stress_refused(s, "shmat", bytes);
	stress_allocated(s, bytes);
	return stress_fill(s, start, bytes) ? PHASE_DONE : PHASE_SIGNAL;
}

static enum phase run(struct stress *s)
{
	uint64_t left = option(s, "size"), segment = option(s, "segment");
	enum phase end = PHASE_DONE;

	stress_phase(s, PHASE_RUN);
	while (end == PHASE_DONE && left) {
		uint64_t bytes = left < segment ? left : segment;

		end = one(s, (size_t)bytes);
		left -= bytes;
	}
	return end == PHASE_DONE ? stress_hold(s) : end;
}

const struct stressor stressor_shm = {
	.name = "shm",
	.about = "writes segments of System V shared memory",
	.options = options,
	.run = run,
};
