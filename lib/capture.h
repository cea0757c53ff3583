/* SPDX-License-Identifier: MIT */
/* Runs a program to its end and takes what it prints. */
#ifndef OOMLAB_LIB_CAPTURE_H
#define OOMLAB_LIB_CAPTURE_H

#include "lib/err.h"

#include <stddef.h>

#define CAPTURE_BYTES_MAX (1u << 20)

/*
 * Executes argv[0] (a path, or a name sought in PATH) without a shell, standard
 * input empty, standard output and error together into *ret_text (the caller's
 * to free, at most CAPTURE_BYTES_MAX). *ret_status as from waitpid(2). It is
 * killed after timeout_ms, with its process group: -ETIMEDOUT. -ENOENT and the
 * like: it could not be started.
 */
int capture(const char *const argv[], int timeout_ms, char **ret_text, int *ret_status, struct err *e);

#endif
