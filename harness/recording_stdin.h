/* SPDX-License-Identifier: MIT */
/* The standard input of a program in a guest: read before the guest starts, for it has no other way in. */
#ifndef OOMLAB_HARNESS_RECORDING_STDIN_H
#define OOMLAB_HARNESS_RECORDING_STDIN_H

#include "lib/err.h"
#include "lib/files.h"

#define RECORDING_STDIN_MAX (64u << 20)
#define RECORDING_STDIN_MS  60000 /* without a byte and without an end */

/*
 * All of fd as the file "stdin" in dir; ret_path "" where there is nothing: no
 * bytes, a terminal (which is not read), a closed descriptor, a device that is
 * no pipe. -EOPNOTSUPP: it is larger than RECORDING_STDIN_MAX, or neither goes on nor ends.
 */
int recording_stdin(int fd, const char *dir, char ret_path[PATH_LEN_MAX], struct err *e);

#endif
