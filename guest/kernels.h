/* SPDX-License-Identifier: MIT */
/*
 * Kernels for guests: rows of kernels/table.tsv, fetched into the cache on
 * demand, those built here (guest/built.h), or files of the user's own as
 * PATH[:MODULES].
 */
#ifndef OOMLAB_GUEST_KERNELS_H
#define OOMLAB_GUEST_KERNELS_H

#include "lib/err.h"
#include "lib/files.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define KERNELS_MAX         64
#define KERNEL_TEXT_MAX     128
#define KERNEL_MEMORY_LEAST (32ULL << 20) /* for a kernel that is not in the table */

/* One row of the table. */
struct kernel_row {
	char name[KERNEL_TEXT_MAX]; /* "debian:6.1" */
	char suite[KERNEL_TEXT_MAX];
	char section[KERNEL_TEXT_MAX];
	char package[KERNEL_TEXT_MAX]; /* depends on the image's package */
	char arch[KERNEL_TEXT_MAX];
	char about[KERNEL_TEXT_MAX];
	uint64_t memory_min_bytes; /* least that boots with our initramfs */
};

struct kernel_table {
	struct kernel_row rows[KERNELS_MAX];
	size_t count;
};

/* A kernel that was asked for by name or path. */
struct kernel {
	char name[PATH_LEN_MAX]; /* as asked for */
	bool in_table;           /* else a path, or built */
	bool built;              /* here, of a source and a fragment: guest/built.h */
	bool stale;              /* built, but its fragment has changed since: not cached */
	bool cached;             /* ready to boot; true for a path */
	uint64_t memory_min_bytes;
	char arch[KERNEL_TEXT_MAX];     /* Debian's word: "amd64", "i386"; "": a path that does not tell */
	char version[KERNEL_TEXT_MAX];  /* "6.1.0-50-cloud-amd64"; "" while not cached */
	char dir[PATH_LEN_MAX];         /* in the cache; "" for a path */
	char vmlinuz[PATH_LEN_MAX];     /* the bzImage */
	char modules_dir[PATH_LEN_MAX]; /* holds modules.dep; "": no modules */
};

/* Parses the table's text; path is for messages, "path:line: what is wrong". */
int kernels_parse(const char *text, const char *path, struct kernel_table *ret, struct err *e);

/* The table that belongs to this program. */
int kernels_load(struct kernel_table *ret, struct err *e);

/*
 * Finds a kernel by the table's name, as built:NAME or as PATH[:MODULES]
 * (recognised by a slash); name NULL is the table's first row. An unknown name is -ENOENT with
 * the known ones in e, a file that is no bzImage -ENOEXEC. Changes nothing.
 */
int kernels_find(const char *name, struct kernel *ret, struct err *e);

/* The same in a table and with a cache directory of the caller's. */
int kernels_find_in(const struct kernel_table *table, const char *cache, const char *name, struct kernel *ret,
		    struct err *e);

/* The row of that name; NULL with the known names in e (code ENOENT). */
const struct kernel_row *kernels_row(const struct kernel_table *table, const char *name, struct err *e);

/*
 * Fetches the kernel if it is not cached, with progress on standard error; completes *k.
 * One that is to be built takes minutes: -EOPNOTSUPP with the command.
 */
int kernels_ensure(struct kernel *k, struct err *e);

/* The same, cached or not. A cached one stays as it is until the new one is whole. */
int kernels_refresh(struct kernel *k, struct err *e);

/*
 * Deletes a kernel of the table or one that was built from the cache, a damaged
 * one too: 1, or 0 when it is not there. -EBUSY while a fetch or its build runs.
 */
int kernels_remove(const char *name, struct err *e);

/*
 * Checks that path is a Linux/x86 bzImage and reads the version and, "" if it
 * does not tell, the architecture in it (Documentation/arch/x86/boot.rst:
 * "HdrS" at 0x202, kernel_version at 0x20e, xloadflags at 0x236).
 */
int kernels_check_image(const char *path, char ret_version[KERNEL_TEXT_MAX], char ret_arch[KERNEL_TEXT_MAX],
			struct err *e);

#endif
