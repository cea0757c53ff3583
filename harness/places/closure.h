/* SPDX-License-Identifier: MIT */
/*
 * Everything on this machine that a program needs to run elsewhere, at the same
 * paths: its interpreter and libraries as its own dynamic loader finds them, a
 * Python's standard library, and the links on the way to each.
 */
#ifndef OOMLAB_PLACES_CLOSURE_H
#define OOMLAB_PLACES_CLOSURE_H

#include "lib/err.h"
#include "lib/files.h"

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define CLOSURE_ENTRIES_MAX 100000

/* A directory, a file or a link (target is not NULL then). */
struct closure_entry {
	char *path;   /* absolute; none of its directories is a link */
	char *source; /* where it is on this machine, if elsewhere; else NULL */
	char *target;
	mode_t mode;
	int64_t mtime_s;
	uint64_t bytes; /* of a file */
};

/* Starts all zeros. */
struct closure {
	struct closure_entry **entries;
	size_t count, room;
	void *by_path; /* tsearch(3) */
	/*
	 * What is added from below this directory goes where it would be were this the root: packages that are unpacked
	 * and not installed. "": none is.
	 */
	char overlay[PATH_LEN_MAX];
	char loader[PATH_LEN_MAX]; /* of the last program, for libraries that are found by themselves */
};

/*
 * Adds a program. env: its whole environment, "NAME=VALUE", NULL at the end; what
 * LD_PRELOAD names there belongs to it. The program is not run; its dynamic
 * loader and, for Python, its interpreter are asked. -ENOENT names what is missing.
 */
int closure_program(struct closure *c, const char *path, const char *const env[], struct err *e);

/* Adds a file or a folder with all in it. Of programs and libraries among them also what they need, if it is here. */
int closure_file(struct closure *c, const char *path, const char *const env[], struct err *e);

/* Adds a folder, empty unless something in it is added as well. Its own folder is there. */
int closure_directory(struct closure *c, const char *path, struct err *e);

/* By path: a directory comes before what is in it. */
void closure_sort(struct closure *c);

/* The entry with that path; NULL: there is none. */
const struct closure_entry *closure_find(const struct closure *c, const char *path);

void closure_free(struct closure *c);

/* The value of a variable in env; NULL: it is not there. */
const char *closure_env(const char *const env[], const char *name);

#endif
