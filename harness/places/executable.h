/* SPDX-License-Identifier: MIT */
/* What the kernel makes of a file that is executed: an ELF program with its loader, or a script with its interpreter. */
#ifndef OOMLAB_PLACES_EXECUTABLE_H
#define OOMLAB_PLACES_EXECUTABLE_H

#include "lib/err.h"
#include "lib/files.h"

#include <stdbool.h>

struct executable {
	bool script;                    /* else ELF */
	int bits;                       /* ELF: 32 or 64 */
	bool dynamic;                   /* ELF: it has libraries, or is one */
	char interpreter[PATH_LEN_MAX]; /* ELF: PT_INTERP, "": none; script: the program after "#!" */
	char name[256];                 /* script of env's: the program that env is to find; "": none */
};

/* -ENOEXEC: neither of the two, or an ELF file of another kind of machine than x86. */
int executable_read(const char *path, struct executable *ret, struct err *e);

/*
 * 32 or 64: what the kernel must be able to run for that program, be it a script
 * or not; path_list is where env looks for interpreters. Negative as above.
 */
int executable_bits(const char *path, const char *path_list, struct err *e);

/* execve(2) follows scripts of scripts that deep (BINPRM_MAX_RECURSION). */
#define EXECUTABLE_DEPTH_MAX 4

#endif
