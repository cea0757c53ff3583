/* SPDX-License-Identifier: MIT */
/* From a spec to a running guest: its kernel, initramfs and swap, and a keeper for it. */
#ifndef OOMLAB_PLACES_GUEST_LAUNCH_H
#define OOMLAB_PLACES_GUEST_LAUNCH_H

#include "guest/initramfs.h"
#include "guest/kernels.h"
#include "lib/err.h"
#include "lib/files.h"

#include <jansson.h>
#include <stdbool.h>
#include <sys/types.h>

/* The modules that the spec's machine needs of that kernel; -EOPNOTSUPP when it lacks one. */
int guest_resolve_modules(const json_t *spec, const struct kernel *k, struct module_list *ret, struct err *e);

/* Its first process and its stressors, in the kernel's own width. Where only the 32-bit ones lack: -EOPNOTSUPP. */
int guest_programs(const struct kernel *k, char ret_agent[PATH_LEN_MAX], char ret_stress[PATH_LEN_MAX],
		   struct err *e);

/*
 * Starts a guest with the black box of that path, which has the spec in it
 * already; dir gets its console.log and qemu.log. cold: without snapshots.
 */
int guest_launch(const json_t *spec, const char *dir, const char *box_path, bool kvm, bool cold,
		 pid_t *ret_pid, struct err *e);

#endif
