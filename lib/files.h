/* SPDX-License-Identifier: MIT */
/* Whole small files, directories and their removal. Every error names the path and the call. */
#ifndef OOMLAB_LIB_FILES_H
#define OOMLAB_LIB_FILES_H

#include "lib/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/*
 * Reads a whole file of at most bytes_max bytes; *ret_text is NUL-terminated
 * and the caller's to free; ret_len may be NULL. -EFBIG when it is longer.
 */
int file_read(const char *path, size_t bytes_max, char **ret_text, size_t *ret_len, struct err *e);

/* Creates or truncates path with these bytes; nothing but a whole file is left in its place. */
int file_write(const char *path, const void *data, size_t len, struct err *e);

/* One write(2) to an existing kernel file (sysctl, procfs); no O_CREAT, no O_TRUNC. */
int file_put(const char *path, const char *text, struct err *e);

/* Reads one whole unsigned number from a kernel file; -ENODATA when it holds no number. */
int file_read_u64(const char *path, uint64_t *ret_value);

/* write(2) until all is written or an error; 0 or -errno. */
int write_all(int fd, const void *data, size_t len);

/* A descriptor of a new file in dir that has no name, so that it is gone when nobody has it open; -1 and errno. */
int file_unnamed(const char *dir);

/* mkdir -p, mode 0755. */
int dir_make(const char *path, struct err *e);

/* rm -rf, one file system, links not followed. A path that is not there is no error. */
int tree_remove(const char *path, struct err *e);

/* 1 when path is a directory without entries, 0 when it has some, -errno (-ENOENT, -ENOTDIR, ...). */
int dir_is_empty(const char *path);

/*
 * Puts the files of one directory into another that is there: hard links where
 * the file systems allow, else copies. -EINVAL when it holds anything but files.
 */
int dir_link(const char *from, const char *to, struct err *e);

#define PATH_LEN_MAX 4096

/* snprintf into a path buffer; -ENAMETOOLONG when it does not fit. */
int path_format(char ret_path[PATH_LEN_MAX], const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Cleanup attributes: __attribute__((cleanup(cleanup_free))) char *p = NULL; */
static inline void cleanup_free(void *p)
{
	__builtin_free(*(void **)p);
}
void cleanup_close(const int *fd);

#define AUTO_FREE  __attribute__((cleanup(cleanup_free)))
#define AUTO_CLOSE __attribute__((cleanup(cleanup_close)))

#endif
