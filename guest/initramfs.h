/* SPDX-License-Identifier: MIT */
/*
 * The guest's only file system: a newc cpio with
 *
 *   /init  /bin/oomlab-stress  /dev/console  /proc /sys /dev ...
 *   /modules/NAME.ko ...   as plain files, whatever compression they come in
 *   /modules/order         their paths, one a line, as they are to be loaded
 */
#ifndef OOMLAB_GUEST_INITRAMFS_H
#define OOMLAB_GUEST_INITRAMFS_H

#include "lib/err.h"
#include "lib/files.h"

#include <stddef.h>

#define INITRAMFS_ORDER   "/modules/order"
#define INITRAMFS_STRESS  "/bin/oomlab-stress"
#define MODULES_MAX       64
#define MODULE_BYTES_MAX  (32u << 20)
#define PROGRAM_BYTES_MAX (64u << 20)

/* Module files of a kernel in the order they are to be loaded. */
struct module_list {
	char *paths[MODULES_MAX];
	size_t count;
};

/*
 * Adds the modules named (NULL-terminated) and what they need, in load order.
 * dir holds modules.dep. What is built in is left out; what the kernel does
 * not have at all is -EOPNOTSUPP, or left out as well where the name is "-NAME".
 */
int modules_resolve(const char *dir, const char *const names[], struct module_list *ret, struct err *e);
void modules_free(struct module_list *list);

/*
 * Writes the archive to fd, from its current position on. agent becomes /init.
 * modules NULL: none.
 */
int initramfs_write(int fd, const char *agent, const char *stress, const struct module_list *modules,
		    struct err *e);

#endif
