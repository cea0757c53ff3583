/* SPDX-License-Identifier: MIT */
/*
 * Fragments of a kernel's configuration: what is wanted of a kernel that is
 * built here. Files kconfig/NAME.config of ours, or of the user's own:
 *
 *   # What it is for, in one line.
 *   # needs: tiny-fast
 *   CONFIG_FAILSLAB=y
 *   CONFIG_FAIL_FUNCTION=y # optional
 *   # CONFIG_RANDOMIZE_BASE is not set
 */
#ifndef OOMLAB_GUEST_FRAGMENT_H
#define OOMLAB_GUEST_FRAGMENT_H

#include "lib/err.h"
#include "lib/files.h"

#define FRAGMENT_SUFFIX ".config"

/*
 * One option a line, of the file and of all that it needs: "CONFIG_X=value",
 * "CONFIG_X=value # optional". Where two name an option the later one counts,
 * and what a file needs comes before it. dir holds the fragments that can be
 * needed. Bad lines are -EINVAL, "path:line: what is wrong; what is allowed".
 */
int fragment_read(const char *path, const char *dir, char **ret_text, struct err *e);

/* The first comment of a fragment; "" without one. */
void fragment_about(const char *path, char *ret, size_t room);

#endif
