/* SPDX-License-Identifier: MIT */
/* Lists of CPUs or nodes as the kernel and its tools write them, "0-3,7" (cpuset(7), "List format"), and back. */
#ifndef OOMLAB_LIB_IDLIST_H
#define OOMLAB_LIB_IDLIST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define IDLIST_MAX     1024 /* one more than the highest */
#define IDLIST_ALLOWED "numbers and ranges, e.g. 0-3,7"

struct idlist {
	unsigned long words[IDLIST_MAX / (8 * sizeof(unsigned long))]; /* as set_mempolicy(2) takes them */
};

/* 0, -EINVAL for what is no such list or an empty one, -ERANGE for a number of IDLIST_MAX or more. */
int idlist_parse(const char *text, struct idlist *ret);

bool idlist_has(const struct idlist *list, unsigned int id);
void idlist_add(struct idlist *list, unsigned int id);

/* The highest; -1: it is empty. */
int idlist_last(const struct idlist *list);

/* "0-3,7" into buf, cut where it is too long; returns buf. */
const char *idlist_format(const struct idlist *list, char *buf, size_t room);

#endif
