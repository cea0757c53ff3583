// SPDX-License-Identifier: MIT
/*
 * Rows C1, C3: files that have no disk behind them. tmpfs is page cache that can only go to swap, and that outlives
 * whoever wrote it; no OOM kill gets it back. This one is a mount of the stressor's own that hangs nowhere, so it does
 * end with the process; without CAP_SYS_ADMIN (or before Linux 5.2) it is a file without a name in /dev/shm.
 */
#include "stressors/blockfile.h"

#include "lib/files.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mount.h>
#include <unistd.h>

#define SHM "/dev/shm"

static const struct option_info options[] = { BLOCKFILE_OPTIONS("64M"), { .name = NULL } };

/* The amount asked for in whole pages, so that it is the machine's memory that ends first. */
static int own_mount(uint64_t bytes)
{
	AUTO_CLOSE int fs = fsopen("tmpfs", FSOPEN_CLOEXEC);
	uint64_t kib = (bytes + 4095) / 4096 * 4;
	char size[32];

	snprintf(size, sizeof(size), "%lluk", (unsigned long long)kib);
	if (fs < 0 || fsconfig(fs, FSCONFIG_SET_STRING, "size", size, 0) < 0 ||
	    fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
		return -1;
	return fsmount(fs, FSMOUNT_CLOEXEC, 0);
}

static enum phase create(struct stress *s, int *ret_fd)
{
	AUTO_CLOSE int mount = own_mount(option(s, "size"));
	AUTO_CLOSE int shm = mount < 0 ? open(SHM, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
	char path[64];

	if (mount < 0 && errno == ENOMEM)
		return stress_refused(s, "fsmount of a tmpfs", option(s, "size"));
	if (mount < 0 && (shm < 0 || !in_ram(shm)))
		return stress_unmet(s, "no mount of its own (CAP_SYS_ADMIN and Linux 5.2), and " SHM
				       " is no tmpfs");
	snprintf(path, sizeof(path), "/proc/self/fd/%d", mount < 0 ? shm : mount);
	*ret_fd = file_unnamed(path);
	return *ret_fd < 0 ? stress_refused(s, "a file on tmpfs", 0) : PHASE_RUN;
}

static enum phase run(struct stress *s)
{
	struct blockfile f;
	int fd = -1;
	enum phase end = create(s, &fd);

	if (end == PHASE_RUN)
		end = blockfile_open(s, &f, fd);
	if (end != PHASE_RUN)
		return end;
	stress_phase(s, PHASE_RUN);
	end = blockfile_fill(s, &f);
	return end == PHASE_DONE ? blockfile_hold(s, &f) : end;
}

static const char *const needs[] = { "CAP_SYS_ADMIN or a tmpfs on " SHM, NULL };

const struct stressor stressor_tmpfs = {
	.name = "tmpfs",
	.about = "writes a file on tmpfs: page cache that has no disk, only swap",
	.needs = needs,
	.options = options,
	.run = run,
};
