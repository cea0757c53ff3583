/* SPDX-License-Identifier: MIT */
/*
 * A persistent memory device as "ndctl create-namespace --mode=fsdax" leaves it:
 * what the kernel notes of each page is on the device itself, before the data,
 * and a file system on it can hand out its pages as they lie there.
 */
#ifndef OOMLAB_PLACES_FSDAX_H
#define OOMLAB_PLACES_FSDAX_H

#include <stdint.h>

/* How much of such a device comes before that many bytes of data; a multiple of 2M, as they must be. */
uint64_t fsdax_reserved(uint64_t data_bytes);

/* Marks fd, reserved and data bytes long, as such a device; 0 or -errno. */
int fsdax_mark(int fd, uint64_t reserved_bytes, uint64_t data_bytes);

#endif
