/* SPDX-License-Identifier: MIT */
/*
 * A log as lines, whatever it comes in: packed (gzip, xz, zstd, bzip2), UTF-16, with line ends of LF, CR LF or CR.
 * Memory is bounded: of a line that is longer than LOGFILE_LINE_MAX the rest is dropped.
 */
#ifndef OOMLAB_HARNESS_LOGFILE_H
#define OOMLAB_HARNESS_LOGFILE_H

#include "lib/err.h"

#include <stddef.h>

#define LOGFILE_LINE_MAX 65536

/* A line without its end; less than 0 ends the reading, with that. */
typedef int (*logfile_fn)(void *user, const char *line, size_t len);

/* A file by its path; "-": standard input. -errno with the reason, or what the function returned. */
int logfile_read(const char *path, logfile_fn fn, void *user, struct err *e);

/* What this machine's kernel has in its log now (/dev/kmsg). */
int logfile_kernel(logfile_fn fn, void *user, struct err *e);

#endif
