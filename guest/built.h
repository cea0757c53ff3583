/* SPDX-License-Identifier: MIT */
/*
 * Kernels that are built here, of Debian's linux-source and a fragment of a
 * configuration. "built:6.1-tiny-fast" is the source of the table's debian:6.1
 * and the fragment kconfig/tiny-fast.config; "built:tiny-fast" the same with
 * the source of the table's first row.
 */
#ifndef OOMLAB_GUEST_BUILT_H
#define OOMLAB_GUEST_BUILT_H

#include "guest/kernels.h"

#define BUILT_PREFIX "built:"
#define BUILT_MAX    64

struct built {
	char name[KERNEL_TEXT_MAX];     /* "built:6.1-tiny-fast" */
	char fragment[KERNEL_TEXT_MAX]; /* "tiny-fast" */
	const struct kernel_row *row;   /* of its source */
	char path[PATH_LEN_MAX];        /* of the fragment, if it is one of ours; else "" */
	char about[256];                /* its first comment; else "" */
};

/* Has it the form built:...? */
bool built_is(const char *name);

/* Takes a name apart; -EINVAL when it is none. The fragment need not be there. */
int built_parse(const struct kernel_table *table, const char *name, struct built *ret, struct err *e);

/* Fragments of ours and what was built, by name, each with the default source or the one it has: how many. */
int built_list(const struct kernel_table *table, struct built ret[BUILT_MAX], struct err *e);

/* As kernels_find_in(): a fragment that is neither ours nor was ever built is -ENOENT. */
int built_find_in(const struct kernel_table *table, const char *cache, const char *name, struct kernel *ret,
		  struct err *e);

/* Says why a kernel that is not cached cannot be used, and the command that builds it: -EOPNOTSUPP. */
int built_refuse(const struct kernel *k, struct err *e);

/*
 * Builds a kernel, which takes minutes. word: a fragment of ours by name, or a
 * file by a path with a slash in it; source: a row's name, NULL the first.
 * Unchanged, it is left as it is (*ret_is_new false) unless anew is set. Bad words
 * are -ENOENT and -EINVAL, a build that failed is another error.
 */
int built_make(const struct kernel_table *table, const char *word, const char *source, bool anew,
	       struct kernel *ret, bool *ret_is_new, struct err *e);

/* As kernels_remove(); what an unfinished build left goes as well. */
int built_remove(const char *name, struct err *e);

#endif
