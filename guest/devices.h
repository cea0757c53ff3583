/* SPDX-License-Identifier: MIT */
/* Devices inside a guest: which is which, and the file system on one of them. */
#ifndef OOMLAB_GUEST_DEVICES_H
#define OOMLAB_GUEST_DEVICES_H

#include "lib/err.h"

#include <jansson.h>
#include <limits.h>
#include <stdbool.h>

#define DEVICE_LINE_MAX 4096

/* What its disk for swap calls itself, and the UUIDs of its file systems, by which devices are told apart. */
#define DEVICE_SWAP_SERIAL   "oomlabswap"
#define DEVICE_DATA_UUID     "6f6f6d6c-6162-4461-7461-000000000001"
#define DEVICE_PROGRAMS_UUID "6f6f6d6c-6162-4461-7461-000000000002"

/* A small file of sysfs without its newline; "" when it cannot be read. */
void device_line(char ret[DEVICE_LINE_MAX], const char *dir, const char *name, const char *file);

/* The first entry of dir that is() accepts; 0 or -ENODEV. */
int device_find(const char *dir, bool (*is)(const char *dir, const char *name), char ret_name[NAME_MAX + 1]);

/* Until the devices of modules that have just been loaded are there. */
void device_wait(void);

#define DEVICE_PATH_MAX (NAME_MAX + 8)

/* Path of the device for the machine's swap, ready for a signature; "" when it has no swap. */
int device_swap(const json_t *machine, char ret[DEVICE_PATH_MAX], struct err *e);

/* Likewise of the one with the machine's file system for data (machine.data). */
int device_data(const json_t *machine, char ret[DEVICE_PATH_MAX], struct err *e);

/* Path of the one with the programs of the user's processes. */
int device_programs(char ret[DEVICE_PATH_MAX], struct err *e);

/* True if that device holds the file system with that UUID. */
bool device_holds(const char *path, const char *uuid);

#endif
