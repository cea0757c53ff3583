/* SPDX-License-Identifier: MIT */
/* The file system inside a guest that the user's programs see: theirs, and the kernel's own in it. */
#ifndef OOMLAB_GUEST_ROOT_H
#define OOMLAB_GUEST_ROOT_H

#include "lib/blackbox.h"
#include "lib/err.h"

#define ROOT_PATH "/programs"

/*
 * Mounts it at ROOT_PATH and appends an event "programs", which says whether its
 * pages are used where they lie (DAX). /proc, /sys, /dev and what is mounted at
 * /data are the guest's; /tmp and /run are empty and can be written to, unless
 * programs lie in them. -EOPNOTSUPP: this kernel cannot.
 */
int root_make(struct blackbox *bb, struct err *e);

#endif
