// SPDX-License-Identifier: MIT
/*
 * Row A5: a page that is only read is the kernel's one page of zeros, mapped once more: it costs a fault and a page
 * table entry, but no memory. The first write of a page makes a copy, and that is one of the process's own.
 */
#include "stressors/stressor.h"

#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

enum mode { MODE_BOTH, MODE_READ, MODE_WRITE };

static const char *const modes[] = { "both", "read", "write", NULL };

static const struct option_info options[] = {
	{ .name = "size", .kind = OPTION_SIZE, .fallback = "32M", .min = 1, .help = "size of the mapping" },
	{ .name = "mode",
	  .kind = OPTION_CHOICE,
	  .fallback = "both",
	  .choices = modes,
	  .help = "what is done with it" },
	{ .name = "pause",
	  .kind = OPTION_DURATION,
	  .fallback = "0",
	  .help = "wait between reading and writing" },
	{ .name = NULL },
};

static const struct value_info values[] = {
	{ "read_rss", "bytes", "rise of VmRSS by reading all of it" },
	{ "read_faults", "count", "page faults while reading" },
	{ "write_rss", "bytes", "rise of VmRSS by writing all of it" },
	{ "write_faults", "count", "page faults while writing" },
	{ NULL, NULL, NULL },
};

struct before {
	int64_t rss;
	int64_t faults;
};

static int64_t faults(void)
{
	struct rusage used = { 0 };

	getrusage(RUSAGE_SELF, &used);
	return used.ru_minflt + used.ru_majflt;
}

static struct before look(void)
{
	/* The faults last: reading /proc may take some of its own. */
	return (struct before){ .rss = stress_own("VmRSS"), .faults = faults() };
}

static void tell(struct stress *s, struct before was, const char *rss_name, const char *faults_name)
{
	stress_value(s, faults_name, faults() - was.faults);
	stress_value(s, rss_name, stress_rise("VmRSS", was.rss));
}

/* A page at a time, which must be zeros. */
static bool read_all(struct stress *s, const unsigned char *start, size_t size)
{
	static const unsigned char zeros[4096];
	size_t done, step;

	for (done = 0; done < size; done += step) {
		step = size - done < sizeof(zeros) ? size - done : sizeof(zeros);
		if (memcmp(start + done, zeros, step) != 0)
			stress_compare(s, (uintptr_t)start + done, zeros, start + done, step);
		stress_read(s, step);
		if (!stress_going(s))
			return false;
	}
	return true;
}

static enum phase run(struct stress *s)
{
	const size_t size = (size_t)option(s, "size");
	const enum mode mode = (enum mode)option(s, "mode");
	unsigned char *start;
	struct before was;

	stress_phase(s, PHASE_RUN);
	start = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (start == MAP_FAILED)
		return stress_refused(s, "mmap", size);
	/* A kernel without huge pages does not know the advice, and needs none. */
	(void)madvise(start, size, MADV_NOHUGEPAGE);
	stress_allocated(s, size);
	if (mode != MODE_WRITE) {
		was = look();
		if (!read_all(s, start, size))
			return PHASE_SIGNAL;
		tell(s, was, "read_rss", "read_faults");
		if (!stress_wait(s, mode == MODE_BOTH ? option(s, "pause") : 0))
			return PHASE_SIGNAL;
	}
	if (mode != MODE_READ) {
		was = look();
		if (!stress_fill(s, start, size))
			return PHASE_SIGNAL;
		tell(s, was, "write_rss", "write_faults");
	}
	return stress_hold(s);
}

const struct stressor stressor_zero_page = {
	.name = "zero-page",
	.about = "reads memory that was never written, then writes it",
	.options = options,
	.values = values,
	.run = run,
};
