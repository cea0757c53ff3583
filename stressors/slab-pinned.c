// SPDX-License-Identifier: MIT
/*
 * Row B6: slabs that the kernel cannot take back, because a process holds what lies in them: open files. They are
 * in no process's resident size, so the OOM killer looks for them elsewhere and kills others first.
 */
#include "stressors/stressor.h"

#include "stressors/proc.h"

#include <errno.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <unistd.h>

#define MEMINFO "/proc/meminfo"
/* Besides what it holds: standard streams, bell, and one to read files. */
#define SPARE 16

static const char *const objects[] = { "socket", "timer", NULL };

static const struct option_info options[] = {
	{ .name = "count",
	  .kind = OPTION_COUNT,
	  .fallback = "8000",
	  .min = 1,
	  .max = 1 << 24,
	  .help = "open files to hold" },
	{ .name = "object",
	  .kind = OPTION_CHOICE,
	  .fallback = "socket",
	  .choices = objects,
	  .help = "what they are: sockets of about 2 KB, counted in the cgroup; timers of half a KB, mostly not" },
	{ .name = "pause", .kind = OPTION_DURATION, .fallback = "0", .help = "wait after every 1000" },
	{ .name = NULL },
};

static const struct value_info values[] = {
	{ "held", "count", "open files that it holds" },
	{ "slab_rise", "bytes", "by which Slab of the machine has grown" },
	{ "unreclaim_rise", "bytes", "by which SUnreclaim of the machine has grown" },
	{ NULL, NULL, NULL },
};

struct before {
	int64_t slab, unreclaim;
};

static int64_t rise(const char *key, int64_t before)
{
	int64_t now = proc_line(MEMINFO, key);

	return now < 0 || before < 0 ? SHARED_UNKNOWN : now - before;
}

static void report(struct stress *s, uint64_t held, const struct before *b)
{
	stress_value(s, "held", (int64_t)held);
	stress_value(s, "slab_rise", rise("Slab", b->slab));
	stress_value(s, "unreclaim_rise", rise("SUnreclaim", b->unreclaim));
}

/* As many descriptors as that; root may raise the hard limit too, up to fs.nr_open. */
static enum phase make_room(struct stress *s, uint64_t count)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return stress_error(s, errno, "getrlimit");
	if (limit.rlim_cur >= count)
		return PHASE_RUN;
	limit.rlim_cur = count;
	if (limit.rlim_max < count)
		limit.rlim_max = count;
	if (setrlimit(RLIMIT_NOFILE, &limit) == 0)
		return PHASE_RUN;
	return stress_unmet(s, "%llu open files are more than RLIMIT_NOFILE and fs.nr_open allow",
			    (unsigned long long)count);
}

static int open_one(bool socket_wanted)
{
	if (socket_wanted)
		return socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	return timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);
}

static enum phase hold_all(struct stress *s, uint64_t count, const struct before *b)
{
	bool sockets = option(s, "object") == 0;
	uint64_t i;

	for (i = 0; i < count; i++) {
		if (open_one(sockets) < 0) {
			if (errno == ENOBUFS || errno == ENFILE) /* sock_alloc() has no other word for it */
				errno = ENOMEM;
			return stress_refused(s, sockets ? "socket" : "timerfd_create", 0);
		}
		if (i % 1000 == 999) {
			report(s, i + 1, b);
			if (!stress_wait(s, option(s, "pause")))
				return PHASE_SIGNAL;
		}
		if (!stress_going(s))
			return PHASE_SIGNAL;
	}
	report(s, count, b);
	return PHASE_DONE;
}

static enum phase run(struct stress *s)
{
	const struct before b = { proc_line(MEMINFO, "Slab"), proc_line(MEMINFO, "SUnreclaim") };
	enum phase end = make_room(s, option(s, "count") + SPARE);

	if (end != PHASE_RUN)
		return end;
	stress_phase(s, PHASE_RUN);
	end = hold_all(s, option(s, "count"), &b);
	return end == PHASE_DONE ? stress_hold(s) : end;
}

const struct stressor stressor_slab_pinned = {
	.name = "slab-pinned",
	.about = "holds open files, whose slabs the kernel cannot take back",
	.options = options,
	.values = values,
	.run = run,
};
