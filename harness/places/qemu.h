/* SPDX-License-Identifier: MIT */
/* One QEMU process: how it is started, and what tells one kind of start from another. */
#ifndef OOMLAB_PLACES_QEMU_H
#define OOMLAB_PLACES_QEMU_H

#include "lib/err.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define QEMU_PROGRAM      "qemu-system-x86_64"
#define QEMU_DIGEST_BYTES 16

struct qemu_setup {
	const char *kernel; /* bzImage */
	const char *append; /* kernel command line */
	uint64_t memory_bytes;
	unsigned int cpus;
	const json_t *nodes;     /* array of bytes; NULL or empty: no NUMA */
	const json_t *distances; /* between them, array of arrays; NULL or empty: QEMU's */
	int initramfs_fd;
	int swap_fd;         /* image of the swap disk; -1: none */
	uint64_t pmem_bytes; /* of a persistent memory device for swap; 0: none */
	int data_fd;         /* image with the file system for data; -1: none */
	uint64_t data_bytes; /* of that */
	bool data_pmem;  /* it is persistent memory, which starts with what the image holds; else a disk */
	int programs_fd; /* image with the user's programs, persistent memory as well; -1: none */
	uint64_t programs_bytes; /* of that */
	const char *box_path;    /* the black box */
	uint64_t box_bytes;
	const char *console_path; /* the serial console is appended to it */
	const char *log_path;     /* gets QEMU's own output */
	int qmp_fd;               /* QEMU's end of a stream socket for QMP */
	bool incoming;            /* boots nothing, but waits for a migrate-incoming */
	bool kvm;
	bool deterministic; /* time is a count of instructions; not with kvm */
};

/*
 * Starts QEMU as a child that dies with the caller, in a process group of its
 * own, without network, with QEMU's sandbox on. The guest stops the machine by
 * itself through a pvpanic device.
 */
int qemu_start(const struct qemu_setup *s, pid_t *ret_pid, struct err *e);

/*
 * A digest of everything that goes into a boot: QEMU, its firmware and options,
 * the contents of kernel, initramfs and the images with files. Not where the box and the logs are.
 */
int qemu_digest(const struct qemu_setup *s, unsigned char ret[QEMU_DIGEST_BYTES], struct err *e);

#endif
