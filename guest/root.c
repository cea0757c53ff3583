// SPDX-License-Identifier: MIT
#include "guest/root.h"

#include "guest/devices.h"
#include "lib/files.h"
#include "lib/jsonw.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>

/* Without DAX their pages are in the page cache: RAM, which the kernel takes back when it is short of it. */
static int mount_programs(const char *device, bool *ret_dax, struct err *e)
{
	unsigned long flags = MS_RDONLY | MS_NODEV | MS_NOATIME;

	*ret_dax = mount(device, ROOT_PATH, "ext4", flags, "dax") == 0;
	if (*ret_dax || mount(device, ROOT_PATH, "ext4", flags, NULL) == 0)
		return 0;
	return err_set(e, errno == ENODEV ? EOPNOTSUPP : errno, "exec: mount %s as ext4: %s", device,
		       strerror(errno));
}

static int bind(const char *path, struct err *e)
{
	char there[PATH_LEN_MAX];

	path_format(there, ROOT_PATH "%s", path);
	return mount(path, there, NULL, MS_BIND | MS_REC, NULL) < 0 ? err_errno(e, errno, "%s: bind", there)
								    : 0;
}

/* Where a program may write, unless something of its own lies there. */
static int make_writable(const char *path, const char *mode, struct err *e)
{
	char there[PATH_LEN_MAX];

	path_format(there, ROOT_PATH "%s", path);
	if (dir_is_empty(there) != 1 || mount("tmpfs", there, "tmpfs", MS_NOSUID | MS_NODEV, mode) == 0)
		return 0;
	return err_errno(e, errno, "%s: mount tmpfs", there);
}

static void record(struct blackbox *bb, bool dax)
{
	char text[128];
	struct jsonw w;

	jsonw_begin(&w, text, sizeof(text));
	jsonw_str(&w, "event", "programs");
	jsonw_bool(&w, "dax", dax);
	bb_append(bb, BB_EVENT, 0, text, jsonw_end(&w));
}

int root_make(struct blackbox *bb, struct err *e)
{
	static const char *const shared[] = { "/dev", "/proc", "/sys" };
	char device[DEVICE_PATH_MAX];
	bool dax = false;
	size_t i;
	int r;

	r = device_programs(device, e);
	if (r == 0 && mkdir(ROOT_PATH, 0755) < 0)
		r = err_errno(e, errno, ROOT_PATH ": mkdir");
	if (r == 0)
		r = mount_programs(device, &dax, e);
	for (i = 0; r == 0 && i < sizeof(shared) / sizeof(shared[0]); i++)
		r = bind(shared[i], e);
	if (r == 0 && dir_is_empty("/data") >= 0)
		r = bind("/data", e);
	if (r == 0)
		r = make_writable("/tmp", "mode=1777", e);
	if (r == 0)
		r = make_writable("/run", "mode=755", e);
	if (r == 0)
		record(bb, dax);
	return r;
}
