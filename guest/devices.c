// SPDX-License-Identifier: MIT
#include "guest/devices.h"

#include "lib/files.h"
#include "lib/json.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define BLOCK "/sys/block"
/* fs/ext4/ext4.h: the superblock is 1024 bytes into the device, s_magic and s_uuid that far into it. */
#define SUPERBLOCK  1024
#define MAGIC_AT    0x38
#define UUID_AT     0x68
#define UUID_BYTES  16
#define EXT_MAGIC_0 0x53
#define EXT_MAGIC_1 0xef

void device_line(char ret[DEVICE_LINE_MAX], const char *dir, const char *name, const char *file)
{
	AUTO_FREE char *text = NULL;
	char path[PATH_LEN_MAX];

	ret[0] = 0;
	if (path_format(path, "%s/%s/%s", dir, name, file) < 0 ||
	    file_read(path, DEVICE_LINE_MAX - 1, &text, NULL, NULL) < 0)
		return;
	strcpy(ret, text);
	ret[strcspn(ret, "\n")] = 0;
}

int device_find(const char *dir, bool (*is)(const char *dir, const char *name), char ret_name[NAME_MAX + 1])
{
	DIR *d = opendir(dir);
	struct dirent *entry;
	int r = -ENODEV;

	while (d && r < 0 && (entry = readdir(d)))
		if (entry->d_name[0] != '.' && is(dir, entry->d_name)) {
			strcpy(ret_name, entry->d_name);
			r = 0;
		}
	if (d)
		closedir(d);
	return r;
}

static uint8_t nibble(char c)
{
	return (uint8_t)(c <= '9' ? c - '0' : c - 'a' + 10);
}

/* "6f6f6d6c-..." as it stands in a superblock */
static void uuid_bytes(const char *text, uint8_t ret[UUID_BYTES])
{
	size_t i;

	for (i = 0; i < UUID_BYTES; i++) {
		text += *text == '-';
		ret[i] = (uint8_t)(nibble(text[0]) << 4 | nibble(text[1]));
		text += 2;
	}
}

bool device_holds(const char *path, const char *uuid_text)
{
	AUTO_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC);
	uint8_t super[UUID_AT + UUID_BYTES], uuid[UUID_BYTES];

	if (fd < 0 || pread(fd, super, sizeof(super), SUPERBLOCK) != (ssize_t)sizeof(super))
		return false;
	uuid_bytes(uuid_text, uuid);
	return super[MAGIC_AT] == EXT_MAGIC_0 && super[MAGIC_AT + 1] == EXT_MAGIC_1 &&
	       memcmp(super + UUID_AT, uuid, UUID_BYTES) == 0;
}

static bool holds(const char *name, const char *uuid)
{
	char path[DEVICE_PATH_MAX];

	snprintf(path, sizeof(path), "/dev/%s", name);
	return device_holds(path, uuid);
}

static bool is_data(const char *dir, const char *name)
{
	(void)dir;
	return holds(name, DEVICE_DATA_UUID);
}

static bool is_programs(const char *dir, const char *name)
{
	(void)dir;
	return holds(name, DEVICE_PROGRAMS_UUID);
}

static bool is_swap_disk(const char *dir, const char *name)
{
	char serial[DEVICE_LINE_MAX];

	device_line(serial, dir, name, "serial");
	return strcmp(serial, DEVICE_SWAP_SERIAL) == 0;
}

/* Which of several is pmem0 depends on who of libnvdimm's threads is first. */
static bool is_swap_pmem(const char *dir, const char *name)
{
	return strncmp(name, "pmem", 4) == 0 && !is_data(dir, name) && !is_programs(dir, name);
}

static bool is_zram(const char *dir, const char *name)
{
	(void)dir;
	return strncmp(name, "zram", 4) == 0;
}

/*
 * Those of libnvdimm come from a thread of its own: whoever reads this waits for what that has to do by then. A device
 * whose label says that the kernel keeps its notes in it, as the programs' does, is found to be such a one in the course of
 * it (nd_pfn_probe()), and what it becomes is left to the thread again: hence twice.
 */
void device_wait(void)
{
	char ignored[DEVICE_LINE_MAX];

	device_line(ignored, "/sys/bus/nd/devices", "ndbus0", "wait_probe");
	device_line(ignored, "/sys/bus/nd/devices", "ndbus0", "wait_probe");
}

/* The kinds of swap: how their block device is known, and which file of its gets the size. */
static const struct swap_device {
	const char *kind, *what;
	bool (*is)(const char *dir, const char *name);
	const char *size_file;
} swap_devices[] = {
	{ "disk", "disk with the serial \"" DEVICE_SWAP_SERIAL "\"", is_swap_disk, NULL },
	{ "pmem", "persistent memory (pmem)", is_swap_pmem, NULL },
	{ "zram", "compressed memory (zram)", is_zram, "disksize" },
};

int device_swap(const json_t *machine, char ret[DEVICE_PATH_MAX], struct err *e)
{
	const json_t *swap = json_object_get(machine, "swap");
	const char *kind = json_text(swap, "kind", "disk");
	const struct swap_device *d = swap_devices;
	char name[NAME_MAX + 1], path[PATH_LEN_MAX], size[32];

	ret[0] = 0;
	if (!json_is_object(swap))
		return 0;
	while (strcmp(d->kind, kind) != 0)
		if (++d == swap_devices + sizeof(swap_devices) / sizeof(swap_devices[0]))
			return err_set(e, EOPNOTSUPP, "swap of kind %s: this agent knows none", kind);
	if (device_find(BLOCK, d->is, name) < 0)
		return err_set(e, EOPNOTSUPP, "this kernel shows no %s in " BLOCK, d->what);
	snprintf(ret, DEVICE_PATH_MAX, "/dev/%s", name);
	if (!d->size_file)
		return 0;
	path_format(path, BLOCK "/%s/%s", name, d->size_file);
	snprintf(size, sizeof(size), "%lld", (long long)json_number(swap, "size", 0));
	return file_put(path, size, e);
}

int device_data(const json_t *machine, char ret[DEVICE_PATH_MAX], struct err *e)
{
	const json_t *data = json_object_get(machine, "data");
	const char *kind = json_text(data, "kind", "disk");
	char name[NAME_MAX + 1];

	ret[0] = 0;
	if (!json_is_object(data))
		return 0;
	if (device_find(BLOCK, is_data, name) < 0)
		return err_set(e, EOPNOTSUPP,
			       "this kernel shows no %s with the file system for data in " BLOCK, kind);
	snprintf(ret, DEVICE_PATH_MAX, "/dev/%s", name);
	return 0;
}

int device_programs(char ret[DEVICE_PATH_MAX], struct err *e)
{
	char name[NAME_MAX + 1];

	if (device_find(BLOCK, is_programs, name) < 0)
		return err_set(e, EOPNOTSUPP,
			       "this kernel shows no persistent memory (pmem) with the programs in " BLOCK);
	snprintf(ret, DEVICE_PATH_MAX, "/dev/%s", name);
	return 0;
}
