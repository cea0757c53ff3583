/* SPDX-License-Identifier: MIT */
/*
 * What the kernel's overcommit accounting must come to, worked out from a record
 * as mm/util.c does (Documentation/mm/overcommit-accounting.rst). BB_MISSING: the
 * record does not say.
 */
#ifndef OOMLAB_HARNESS_OVERCOMMIT_H
#define OOMLAB_HARNESS_OVERCOMMIT_H

#include "harness/record.h"

/* vm_commit_limit(), in bytes: RAM without huge pages times the ratio, or vm.overcommit_kbytes; and swap. */
int64_t overcommit_limit(const struct record *r);

/*
 * What __vm_enough_memory() keeps back in mode 2 from the process with that index,
 * in bytes, for its user to recover: total_vm / 32, at most vm.user_reserve_kbytes.
 * (vm.admin_reserve_kbytes is kept back from those without CAP_SYS_ADMIN.)
 */
int64_t overcommit_user_reserve(const struct record *r, size_t process);

#endif
