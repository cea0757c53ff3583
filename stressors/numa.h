/* SPDX-License-Identifier: MIT */
/*
 * What the numa-* stressors share: the machine's nodes, memory with a policy, and the nodes its pages are on. Of
 * libnuma they use the system calls of numaif.h, which keep no state: the rest of it reads /sys when a
 * program starts, and every stressor would begin with a heap that is not its own.
 */
#ifndef OOMLAB_STRESSORS_NUMA_H
#define OOMLAB_STRESSORS_NUMA_H

#include "lib/idlist.h"
#include "stressors/stressor.h"

struct numa {
	struct stress *s;
	struct idlist nodes; /* that have memory and may be used */
	unsigned char *start;
	size_t bytes;
	uint64_t on[IDLIST_MAX]; /* bytes on each node, by numa_look() */
};

extern const char *const numa_needs[];

/* The nodes; PHASE_RUN, or PHASE_UNMET when there are not two of them. */
enum phase numa_open(struct numa *n, struct stress *s);

/* Nodes of an option of node numbers, "all" being all of them; PHASE_UNMET when one has no memory. */
enum phase numa_nodes(const struct numa *n, const char *name, struct idlist *ret);

/* The same with an option of one number. */
enum phase numa_node(const struct numa *n, const char *name, unsigned int *ret);

/* Asks where the pages are, which move_pages(2) tells. PHASE_RUN, or how it ended. */
enum phase numa_look(struct numa *n);

/* Maps --size with this policy (MPOL_BIND, ...), in small pages, writes it, and looks. */
enum phase numa_fill(struct numa *n, int policy, const struct idlist *nodes);

/* Bytes on these nodes, and on all others, of the last look. */
uint64_t numa_on(const struct numa *n, const struct idlist *nodes);
uint64_t numa_elsewhere(const struct numa *n, const struct idlist *nodes);

#endif
