/* SPDX-License-Identifier: MIT */
/* One QEMU process: how it is started, and what its console and its own log say afterwards. */
#ifndef OOMLAB_PLACES_QEMU_H
#define OOMLAB_PLACES_QEMU_H

#include "lib/err.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define QEMU_PROGRAM     "qemu-system-x86_64"
#define QEMU_SWAP_SERIAL "oomlabswap" /* guest/agent.c looks for it */
#define CONSOLE_TAIL     8            /* lines shown with an error */

struct qemu_setup {
	const char *kernel; /* bzImage */
	const char *append; /* kernel command line */
	uint64_t memory_bytes;
	unsigned int cpus;
	const json_t *nodes;     /* array of bytes; NULL or empty: no NUMA */
	const json_t *distances; /* between them, array of arrays; NULL or empty: QEMU's */
	int initramfs_fd;
	int swap_fd;          /* image of the swap disk; -1: none */
	uint64_t pmem_bytes;  /* of a persistent memory device; 0: none */
	const char *box_path; /* the black box */
	uint64_t box_bytes;
	const char *console_path; /* gets the serial console */
	const char *log_path;     /* gets QEMU's own output */
	bool kvm;
	bool deterministic; /* time is a count of instructions; not with kvm */
};

/* Full path of QEMU in ret; -ENOENT when it is not installed. */
int qemu_find(char ret_path[], size_t room);

/*
 * Starts QEMU as a child that dies with the caller, in a process group of its
 * own, without network, with QEMU's sandbox on.
 */
int qemu_start(const struct qemu_setup *s, pid_t *ret_pid, struct err *e);

/* What a console.log tells. */
struct console {
	char panic[256]; /* after "Kernel panic - not syncing: "; "" when there is none */
	char agent[256]; /* the agent's last complaint; "" when there is none */
	char tail[1024]; /* the last lines, indented, one a line */
};

/* Takes away carriage returns, escape sequences and what cannot be printed, in place. */
void console_clean(char *text);
void console_parse(char *text, struct console *ret);
void console_read(const char *path, struct console *ret);

#endif
