/* SPDX-License-Identifier: MIT */
/* What verbs other than run want to know about guests. */
#ifndef OOMLAB_PLACES_GUEST_H
#define OOMLAB_PLACES_GUEST_H

#include "harness/places/place.h"

#include <stddef.h>

#define GUEST_MEMORY_DEFAULT (256ULL << 20)

/* First line of QEMU's --version; -ENOENT when it is not installed. */
int guest_qemu_version(char *ret, size_t room);

#define GUEST_LOG_MAX 512

/* QEMU's own words, in one line; an empty log is taken away. */
void guest_qemu_log(const char *path, char ret[GUEST_LOG_MAX]);

/*
 * 0 when this machine's CPU says it can virtualise and /dev/kvm opens, else
 * -EOPNOTSUPP with the reason. That KVM works is known after a boot only.
 */
int guest_kvm_offered(struct err *why);

/*
 * Boots the spec's kernel under KVM within 20 s, once per process; the kernel
 * must be there (prepare() of the place). 0, or -EOPNOTSUPP with the reason.
 */
int guest_kvm_works(const json_t *spec, struct err *why);

#endif
