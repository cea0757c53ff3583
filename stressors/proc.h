/* SPDX-License-Identifier: MIT */
/* What the kernel says in /proc and /sys, read without stdio, which allocates. */
#ifndef OOMLAB_STRESSORS_PROC_H
#define OOMLAB_STRESSORS_PROC_H

#include "stressors/stressor.h"

#include <sys/types.h>

/* The first room - 1 bytes of a file, and a NUL; how many, or -errno. */
ssize_t proc_text(const char *path, char *ret_text, size_t room);

/*
 * The number of the line "KEY:   12 kB" in bytes, of "KEY:  12" as it stands; -errno
 * when it cannot be read, -ENODATA without such a line. The file has at most 16 KiB.
 */
int64_t proc_line(const char *path, const char *key);

/* The number that is all of a file; -errno. */
int64_t proc_number(const char *path);

/* Bytes of this process's memory by smaps_rollup: "Swap", "AnonHugePages", ...; -ENOENT before Linux 4.14. */
int64_t proc_own(const char *key);

/*
 * What one of these found is not what the stressor needs: stress_unmet() with the
 * words, unless it was memory for reading it that was lacking.
 */
enum phase proc_unmet(struct stress *s, int64_t found, const char *words);

#endif
