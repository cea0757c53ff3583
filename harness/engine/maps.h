/* SPDX-License-Identifier: MIT */
/* What a process has mapped: how many pieces, and the first of them. */
#ifndef OOMLAB_ENGINE_MAPS_H
#define OOMLAB_ENGINE_MAPS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define MAPS_LISTED_MAX 48

struct mapping {
	uint64_t start, bytes;
	char perms[5]; /* "rw-p" */
	char name[48]; /* "[heap]", a path, cut to what fits; "": anonymous */
};

struct maps {
	size_t count; /* of all; kernels allow 65530 if nobody tells them otherwise */
	bool whole;   /* false: there are more than were counted */
	struct mapping listed[MAPS_LISTED_MAX]; /* those of the lowest addresses */
};

/* Reads /proc/PID/maps below root ("" is the machine); -errno when it cannot be read. Allocates nothing. */
int maps_read(const char *root, pid_t pid, struct maps *ret);

#endif
