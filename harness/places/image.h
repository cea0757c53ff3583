/* SPDX-License-Identifier: MIT */
/*
 * Disk images that only a guest's QEMU is to see: files without a name, so that
 * nothing is left behind however the harness ends.
 */
#ifndef OOMLAB_PLACES_IMAGE_H
#define OOMLAB_PLACES_IMAGE_H

#include "lib/err.h"

#include <stdbool.h>
#include <stdint.h>

#define IMAGE_PROGRAM "mke2fs"

/*
 * A descriptor of a new file of that many zeros on dir's file system. Its space
 * is taken now: a disk that fills up later would look to the guest like a
 * broken one. what is for messages.
 */
int image_blank(const char *dir, const char *what, uint64_t bytes, struct err *e);

/*
 * One with an empty ext4 without a journal, the same bytes every time
 * (DEVICE_DATA_UUID). written: the guest will write to the file itself, so its
 * space is taken now.
 */
int image_data(const char *dir, uint64_t bytes, bool written, struct err *e);

/*
 * For programs: such a file system with that UUID and room for that many files,
 * which begins that far into the file. All of its space is taken.
 */
int image_filesystem(const char *dir, const char *uuid, uint64_t offset, uint64_t bytes, uint64_t inodes,
		     struct err *e);

#endif
