// SPDX-License-Identifier: MIT
/*
 * A file descriptor that becomes readable when a group gets into trouble, so
 * that nobody has to look all the time. v1: an eventfd on memory.oom_control,
 * signalled before the kernel chooses a victim (cgroup-v1/memory.rst, 10. OOM
 * Control). v2: memory.events, which polls EPOLLPRI at each of its counters' rises.
 */
#include "cgroups/cgroups.h"

#include "lib/files.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

static int open_v1(const struct cg_system *sys, const char *path)
{
	AUTO_CLOSE int control = cg_open(sys, path, "memory.oom_control");
	char file[PATH_LEN_MAX], text[64];
	int bell, r;

	if (control < 0)
		return control;
	bell = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (bell < 0)
		return -errno;
	snprintf(text, sizeof(text), "%d %d", bell, control);
	r = path_format(file, "%s/%s/cgroup.event_control", sys->memory, path);
	if (r == 0)
		r = file_put(file, text, NULL);
	if (r < 0) {
		close(bell);
		return r;
	}
	return bell;
}

int cg_bell_open(const struct cg_system *sys, const char *path, uint32_t *ret_events)
{
	int bell;

	if (sys->version == 1) {
		*ret_events = EPOLLIN;
		return open_v1(sys, path);
	}
	*ret_events = EPOLLPRI;
	bell = cg_open(sys, path, "memory.events");
	if (bell >= 0)
		cg_bell_answer(bell);
	return bell;
}

void cg_bell_answer(int bell)
{
	char text[512];

	/* v2 wants its file read again from the start; for an eventfd the offset means nothing (ESPIPE). */
	if (pread(bell, text, sizeof(text), 0) < 0)
		(void)!read(bell, text, 8);
}
