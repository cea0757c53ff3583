/* SPDX-License-Identifier: MIT */
/* The scripts that get a kernel: fetch and build. They die with us and speak on standard error alone. */
#ifndef OOMLAB_GUEST_SCRIPT_H
#define OOMLAB_GUEST_SCRIPT_H

#include "lib/err.h"

#define SCRIPT_ARGUMENTS_MAX 24

struct script {
	const char *name;                                /* of the helper program: "fetch" */
	const char *does;                                /* for messages: "kernel K could not be <fetched>" */
	const char *what, *of;                           /* for messages: "kernel", its name */
	const char *table;                               /* the table of kernels; NULL: it needs none */
	int stdin_fd;                                    /* -1: ours */
	const char *arguments[SCRIPT_ARGUMENTS_MAX + 1]; /* NULL-terminated, without the program's name */
};

/* Runs it to its end: -EINTR when a signal ended it, -EIO with its own reason when it failed. */
int script_run(const struct script *s, struct err *e);

#endif
