/* SPDX-License-Identifier: MIT */
/*
 * Where the program's own files are: beside the executable in a build tree
 * (build/oomlab, with scenarios/ and guest/ one level up), or as `make install`
 * puts them (bin/, libexec/oomlab/, share/oomlab/).
 */
#ifndef OOMLAB_LIB_PATHS_H
#define OOMLAB_LIB_PATHS_H

#include "lib/files.h"

/* Full path of a helper program: "oomlab-stress", "oomlab-agent", "fetch". -ENOENT if it is not there. */
int paths_helper(const char *name, char ret_path[PATH_LEN_MAX]);

/* Full path of a data file or directory: "scenarios", "kernels/table.tsv". -ENOENT if it is not there. */
int paths_data(const char *name, char ret_path[PATH_LEN_MAX]);

/* ${XDG_CACHE_HOME:-~/.cache}/oomlab/NAME; -ENOENT without a home. The directory need not exist. */
int paths_cache(const char *name, char ret_path[PATH_LEN_MAX]);

/* ${XDG_STATE_HOME:-~/.local/state}/oomlab/NAME, as paths_cache(). */
int paths_state(const char *name, char ret_path[PATH_LEN_MAX]);

/* Full path of a program of the machine's in PATH, else where administrators have theirs; -ENOENT. */
int paths_program(const char *name, char ret_path[PATH_LEN_MAX]);

/* The same in a list of directories such as PATH holds; empty ones do not count. */
int paths_search(const char *list, const char *name, char ret_path[PATH_LEN_MAX]);

/* A file, no directory, that the caller may execute. */
bool paths_executable(const char *path);

#endif
