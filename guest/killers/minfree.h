/* SPDX-License-Identifier: MIT */
/*
 * The policy of Android's low memory killer (drivers/staging/android/lowmemorykiller.c until Linux 4.11): pure functions
 * over text and numbers. A level is a number of pages and an oom_score_adj; when both the free pages and the pages of
 * files are fewer than a level's, a process of at least its adj dies: the highest adj first, then the largest.
 */
#ifndef OOMLAB_KILLERS_MINFREE_H
#define OOMLAB_KILLERS_MINFREE_H

#include "lib/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MINFREE_LEVELS_MAX 6 /* as many as the driver's module parameters hold */

struct minfree_level {
	int64_t pages;
	int adj;
};

/* By rising pages: what is small comes first. */
struct minfree {
	struct minfree_level levels[MINFREE_LEVELS_MAX];
	size_t count;
};

/* "6M:0,8M:58,16M:352,64M:705": -EINVAL says what is wrong and what is allowed. */
int minfree_parse(const char *text, int64_t page_bytes, struct minfree *ret, struct err *e);

/* The level that both are below, the smallest of them; NULL: there is enough. Of totalreserve_pages free_pages is rid. */
const struct minfree_level *minfree_level(const struct minfree *m, int64_t free_pages, int64_t file_pages);

/* What /proc/meminfo says, in pages; -1: a line that is needed is missing. */
struct minfree_state {
	int64_t free_pages; /* MemFree */
	int64_t file_pages; /* of files, without shared memory, what cannot be evicted and the swap cache */
};
struct minfree_state minfree_state(const char *meminfo, int64_t page_bytes);

/* totalreserve_pages as calculate_totalreserve_pages() (mm/page_alloc.c) has it, from /proc/zoneinfo. */
int64_t minfree_reserve(const char *zoneinfo);

struct minfree_task {
	int pid;
	int adj;
	int64_t rss_pages;
};

/* Would the driver rather have a than b? b->pid 0: there is none yet. */
bool minfree_rather(const struct minfree_task *a, const struct minfree_task *b);

#endif
