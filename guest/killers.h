/* SPDX-License-Identifier: MIT */
/*
 * User-space killers for guests (killers.def): Debian's packages of them are fetched into the cache and not installed,
 * for that would start them on this machine. A guest finds them at their own paths; programs and libraries that they
 * need beside are this machine's.
 */
#ifndef OOMLAB_GUEST_KILLERS_H
#define OOMLAB_GUEST_KILLERS_H

#include "lib/err.h"
#include "lib/files.h"

#define KILLERS_SUITE        "bookworm"
#define KILLER_ARGUMENTS_MAX 4
#define KILLER_VERSION_MAX   128

struct killer {
	const char *name; /* NULL ends the list */
	const char *packages, *program, *helper, *ready;
	const char *arguments[KILLER_ARGUMENTS_MAX + 1]; /* NULL-terminated */
	const char *about;
};

/* All of them. */
const struct killer *killers(void);

/* By its name; NULL: unknown. */
const struct killer *killer_find(const char *name);

/* "earlyoom 1.7-1+b1", the package that has it as it was fetched; "" where it was not, or is our own. */
void killer_version(const struct killer *k, char ret[KILLER_VERSION_MAX]);

/*
 * Fetches its packages if they are not in the cache, with progress on standard error, and says below which directory
 * they lie; ret_root is "" for one of our own.
 */
int killer_ensure(const struct killer *k, char ret_root[PATH_LEN_MAX], struct err *e);

#endif
