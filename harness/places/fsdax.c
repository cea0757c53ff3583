// SPDX-License-Identifier: MIT
#include "harness/places/fsdax.h"

#include <endian.h>
#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

#define PAGE        4096ULL
#define STEP        (2ULL << 20)
#define PAGE_STRUCT 64ULL /* what the kernel has of each page: sizeof(struct page) */
#define MODE_PMEM   2     /* enum nd_pfn_mode */
#define RESERVED    8192ULL

/* drivers/nvdimm/pfn.h of Linux; it is 4096 bytes into the device. All is little-endian. */
struct nd_pfn_sb {
	uint8_t signature[16];
	uint8_t uuid[16];
	uint8_t parent_uuid[16]; /* zeros: a device without labels */
	uint32_t flags;
	uint16_t version_major;
	uint16_t version_minor;
	uint64_t dataoff;
	uint64_t npfns;
	uint32_t mode;
	uint32_t start_pad;
	uint32_t end_trunc;
	uint32_t align;
	uint32_t page_size;
	uint16_t page_struct_size;
	uint8_t padding[3994];
	uint64_t checksum;
} __attribute__((packed));

_Static_assert(sizeof(struct nd_pfn_sb) == PAGE, "a page, as the kernel reads it");

uint64_t fsdax_reserved(uint64_t data_bytes)
{
	uint64_t bytes = 0, before;

	/* What is reserved has pages as well. */
	do {
		before = bytes;
		bytes = RESERVED + (before + data_bytes) / PAGE * PAGE_STRUCT;
		bytes = (bytes + STEP - 1) / STEP * STEP;
	} while (bytes != before);
	return bytes;
}

/* nd_fletcher64() of drivers/nvdimm/core.c */
static uint64_t checksum(const struct nd_pfn_sb *sb)
{
	uint32_t words[PAGE / sizeof(uint32_t)], low = 0;
	uint64_t high = 0;
	size_t i;

	memcpy(words, sb, sizeof(words));
	for (i = 0; i < PAGE / sizeof(uint32_t); i++) {
		low += le32toh(words[i]);
		high += low;
	}
	return high << 32 | low;
}

int fsdax_mark(int fd, uint64_t reserved_bytes, uint64_t data_bytes)
{
	struct nd_pfn_sb sb = { .signature = "NVDIMM_PFN_INFO",
				.uuid = "oomlab programs",
				.version_major = htole16(1),
				.version_minor = htole16(4),
				.dataoff = htole64(reserved_bytes),
				.npfns = htole64(data_bytes / PAGE),
				.mode = htole32(MODE_PMEM),
				.align = htole32((uint32_t)STEP),
				.page_size = htole32((uint32_t)PAGE),
				.page_struct_size = htole16((uint16_t)PAGE_STRUCT) };

	sb.checksum = htole64(checksum(&sb));
	return pwrite(fd, &sb, sizeof(sb), PAGE) == (ssize_t)sizeof(sb) ? 0 : errno ? -errno : -EIO;
}
