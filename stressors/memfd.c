// SPDX-License-Identifier: MIT
/* Rows C1, C3: shared memory as programs of today ask for it, by memfd_create(2): pages of tmpfs, in no directory. */
#include "stressors/stressor.h"

#include <sys/mman.h>
#include <unistd.h>

static const struct option_info options[] = {
	{ .name = "size", .kind = OPTION_SIZE, .fallback = "64M", .min = 1, .help = "size of the mapping" },
	{ .name = NULL },
};

static enum phase run(struct stress *s)
{
	uint64_t size = option(s, "size");
	void *map;
	int fd;

	stress_phase(s, PHASE_RUN);
	fd = memfd_create("oomlab", MFD_CLOEXEC);
	if (fd < 0)
		return stress_refused(s, "memfd_create", size);
	if (ftruncate(fd, (off_t)size) < 0)
		return stress_refused(s, "ftruncate of a memfd", size);
	map = mmap(NULL, (size_t)size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (map == MAP_FAILED)
		return stress_refused(s, "mmap", size);
	stress_allocated(s, size);
	return stress_fill(s, map, (size_t)size) ? stress_hold(s) : PHASE_SIGNAL;
}

const struct stressor stressor_memfd = {
	.name = "memfd",
	.about = "writes shared memory that it has from memfd_create",
	.options = options,
	.run = run,
};
