/* SPDX-License-Identifier: MIT */
/* What a spec's machine comes to in a guest: its disks, its kernel's command line, what it cannot have. */
#ifndef OOMLAB_PLACES_GUEST_MACHINE_H
#define OOMLAB_PLACES_GUEST_MACHINE_H

#include "lib/err.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#define GUEST_APPEND_MAX 2048

/* Where QEMU gets a guest's swap or data from. */
enum disk_backing { DISK_NOTHING, DISK_IMAGE, DISK_NVDIMM };

/* One kind of disk. guest/devices.c knows under which name its device shows up. */
struct disk_kind {
	const char *name;
	enum disk_backing backing;
	uint64_t step_bytes;      /* its size is a multiple of that */
	const char *modules[4];   /* as modules_resolve() takes them */
	const char *cmdline;      /* words for the kernel, each after a space; NULL: none */
	const char *unrepeatable; /* why a deterministic guest cannot have it; NULL: it can */
};

/* The spec's machine, RAM in bytes, and whether every run of it is to be the same. */
const json_t *guest_machine(const json_t *spec);
uint64_t guest_memory(const json_t *spec);
bool guest_deterministic(const json_t *spec);

/* Its swap: {"size", "kind"}, the bytes of it, and the row of its kind; NULL and 0: it has none. */
const json_t *guest_swap(const json_t *spec);
uint64_t guest_swap_bytes(const json_t *spec);
const struct disk_kind *guest_swap_kind(const json_t *spec);

/* Likewise what its file system for data lies on. */
const json_t *guest_data(const json_t *spec);
uint64_t guest_data_bytes(const json_t *spec);
const struct disk_kind *guest_data_kind(const json_t *spec);

/* Bytes of the host's memory that the guest can come to use: its RAM, and disks that are memory as well. */
uint64_t guest_host_memory(const json_t *spec);

#define GUEST_MODULES_MAX 12

/* Modules a guest needs, as modules_resolve() takes them: NULL-terminated. */
struct guest_modules {
	const char *names[GUEST_MODULES_MAX + 1];
	char compressor[96]; /* zswap's, as one of the names */
};
void guest_modules(const json_t *spec, struct guest_modules *ret);

/*
 * 0, or -EOPNOTSUPP with the reason: CPUs, nodes, swap, data, and what cannot be
 * deterministic. accel is the command line's: auto, kvm, tcg or NULL.
 */
int guest_machine_fits(const json_t *spec, const char *accel, struct err *why);

/* The kernel's command line; -E2BIG when it is too long. */
int guest_command_line(const json_t *spec, char ret[GUEST_APPEND_MAX], struct err *e);

/* How long QEMU may take for boot, trial and end, in nanoseconds of the host's. */
uint64_t guest_deadline(const json_t *spec);

#endif
