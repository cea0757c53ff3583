/* SPDX-License-Identifier: MIT */
/* The directory of kernels that were fetched or built: CACHE/debian-6.1/{vmlinuz,config,version,...}. */
#ifndef OOMLAB_GUEST_KERNEL_CACHE_H
#define OOMLAB_GUEST_KERNEL_CACHE_H

#include "guest/kernels.h"

/* The cache's own directory; it need not exist. */
int kernel_cache_path(char ret[PATH_LEN_MAX], struct err *e);

/* The kernel's directory in it: "debian:6.1" is CACHE/debian-6.1. */
int kernel_cache_dir(const char *cache, const char *name, char ret[PATH_LEN_MAX], struct err *e);

/* What is in k->dir: cached and, if it is, version, vmlinuz and modules_dir. An error: it is damaged. */
int kernel_cache_look(struct kernel *k, struct err *e);

/*
 * Deletes dir, and work unless it is NULL: 1, or 0 when neither is there.
 * -EBUSY while the holder of the lock file is at work: "a fetch".
 */
int kernel_cache_remove(const char *name, const char *dir, const char *work, const char *lock,
			const char *holder, struct err *e);

#endif
