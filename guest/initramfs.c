// SPDX-License-Identifier: MIT
#include "guest/initramfs.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <libkmod.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

void modules_free(struct module_list *list)
{
	while (list->count)
		free(list->paths[--list->count]);
}

static int add_path(struct module_list *list, const char *path, struct err *e)
{
	size_t i;

	for (i = 0; i < list->count; i++)
		if (strcmp(list->paths[i], path) == 0)
			return 0;
	if (list->count == MODULES_MAX)
		return err_set(e, E2BIG, "%s: more than %d modules for one guest", path, MODULES_MAX);
	list->paths[list->count] = strdup(path);
	if (!list->paths[list->count])
		return err_errno(e, ENOMEM, "%s", path);
	list->count++;
	return 0;
}

/* A module and what it needs. libkmod gives the needs in load order; built-in ones have no path. */
static int add_module(struct kmod_module *mod, struct module_list *list, struct err *e)
{
	struct kmod_list *needs = kmod_module_get_dependencies(mod), *l;
	const char *path;
	int r = 0;

	kmod_list_foreach(l, needs)
	{
		struct kmod_module *need = kmod_module_get_module(l);

		path = kmod_module_get_path(need);
		if (r == 0 && path)
			r = add_path(list, path, e);
		kmod_module_unref(need);
	}
	kmod_module_unref_list(needs);
	path = kmod_module_get_path(mod);
	return r == 0 && path ? add_path(list, path, e) : r;
}

/* "-name": the kernel does without it where it has none. */
static int add_named(struct kmod_ctx *ctx, const char *dir, const char *name, struct module_list *list,
		     struct err *e)
{
	bool optional = name[0] == '-';
	struct kmod_list *found = NULL, *l;
	int r;

	name += optional;
	r = kmod_module_new_from_lookup(ctx, name, &found);
	if (r < 0)
		return err_errno(e, -r, "%s: module %s", dir, name);
	if (!found && optional)
		return 0;
	if (!found)
		return err_set(e, EOPNOTSUPP, "the kernel has no %s, neither built in nor as a module (%s)",
			       name, dir);
	kmod_list_foreach(l, found)
	{
		struct kmod_module *mod = kmod_module_get_module(l);

		if (r == 0)
			r = add_module(mod, list, e);
		kmod_module_unref(mod);
	}
	kmod_module_unref_list(found);
	return r;
}

static void silent(void *data, int priority, const char *file, int line, const char *fn, const char *format,
		   va_list args)
{
	(void)data, (void)priority, (void)file, (void)line, (void)fn, (void)format, (void)args;
}

int modules_resolve(const char *dir, const char *const names[], struct module_list *ret, struct err *e)
{
	/* No modprobe.d: this machine's aliases and blacklists say nothing about the guest's. */
	const char *const no_config[] = { NULL };
	struct module_list list = { .count = 0 };
	struct kmod_ctx *ctx = kmod_new(dir, no_config);
	size_t i;
	int r = 0;

	if (!ctx)
		return err_errno(e, ENOMEM, "%s: kmod_new", dir);
	kmod_set_log_fn(ctx, silent, NULL);
	for (i = 0; names[i] && r == 0; i++)
		r = add_named(ctx, dir, names[i], &list, e);
	kmod_unref(ctx);
	if (r < 0)
		modules_free(&list);
	else
		*ret = list;
	return r;
}

static int archive_failed(struct archive *a, const char *what, struct err *e)
{
	int code = archive_errno(a) > 0 ? archive_errno(a) : EIO;

	return err_set(e, code, "initramfs: %s: %s", what,
		       archive_error_string(a) ? archive_error_string(a) : strerror(code));
}

/* An entry of the archive; times are left out so that equal contents make equal bytes. */
static int put(struct archive *a, const char *path, mode_t mode, dev_t rdev, const void *data, size_t len,
	       struct err *e)
{
	struct archive_entry *entry = archive_entry_new();
	int r = 0;

	if (!entry)
		return err_errno(e, ENOMEM, "initramfs: %s", path);
	archive_entry_set_pathname(entry, path);
	archive_entry_set_mode(entry, mode);
	archive_entry_set_nlink(entry, 1);
	archive_entry_set_size(entry, (la_int64_t)len);
	archive_entry_set_mtime(entry, 0, 0);
	if (rdev)
		archive_entry_set_rdev(entry, rdev);
	if (archive_write_header(a, entry) != ARCHIVE_OK)
		r = archive_failed(a, path, e);
	else if (len && archive_write_data(a, data, len) != (la_ssize_t)len)
		r = archive_failed(a, path, e);
	archive_entry_free(entry);
	return r;
}

static int put_program(struct archive *a, const char *path, const char *from, struct err *e)
{
	AUTO_FREE char *data = NULL;
	size_t len;
	int r;

	r = file_read(from, PROGRAM_BYTES_MAX, &data, &len, e);
	return r < 0 ? r : put(a, path, S_IFREG | 0755, 0, data, len, e);
}

static int read_whole(struct archive *a, const char *path, char **ret_data, size_t *ret_len, struct err *e)
{
	size_t room = 256u << 10, len = 0;
	char *data = malloc(room);

	while (data) {
		la_ssize_t n = archive_read_data(a, data + len, room - len);
		char *more;

		if (n < 0) {
			free(data);
			return archive_failed(a, path, e);
		}
		if (n == 0) {
			*ret_data = data;
			*ret_len = len;
			return 0;
		}
		len += (size_t)n;
		if (len < room)
			continue;
		if (room >= MODULE_BYTES_MAX) {
			free(data);
			return err_set(e, EFBIG, "%s: larger than %u bytes", path, MODULE_BYTES_MAX);
		}
		room *= 2;
		more = realloc(data, room);
		if (!more)
			free(data);
		data = more;
	}
	return err_errno(e, ENOMEM, "%s", path);
}

/* A module's contents; libarchive's raw format undoes .xz, .zst and .gz. */
static int read_module(const char *path, char **ret_data, size_t *ret_len, struct err *e)
{
	struct archive *a = archive_read_new();
	struct archive_entry *entry;
	int r;

	if (!a)
		return err_errno(e, ENOMEM, "%s", path);
	archive_read_support_filter_all(a);
	archive_read_support_format_raw(a);
	if (archive_read_open_filename(a, path, 64u << 10) != ARCHIVE_OK ||
	    archive_read_next_header(a, &entry) != ARCHIVE_OK)
		r = archive_failed(a, path, e);
	else
		r = read_whole(a, path, ret_data, ret_len, e);
	archive_read_free(a);
	return r;
}

/* "/x/kernel/drivers/block/virtio_blk.ko.xz" -> "modules/virtio_blk.ko" */
static int name_in_guest(const char *path, char ret[PATH_LEN_MAX])
{
	const char *base = strrchr(path, '/') ? strrchr(path, '/') + 1 : path;

	return path_format(ret, "modules/%.*s.ko", (int)strcspn(base, "."), base);
}

static int put_modules(struct archive *a, const struct module_list *modules, struct err *e)
{
	char order[MODULES_MAX * 128] = "";
	size_t len = 0, i;
	int r;

	for (i = 0; modules && i < modules->count; i++) {
		AUTO_FREE char *data = NULL;
		char name[PATH_LEN_MAX];
		size_t bytes = 0;

		if (name_in_guest(modules->paths[i], name) < 0 || len + strlen(name) + 3 > sizeof(order))
			return err_errno(e, ENAMETOOLONG, "%s", modules->paths[i]);
		r = read_module(modules->paths[i], &data, &bytes, e);
		if (r == 0)
			r = put(a, name, S_IFREG | 0644, 0, data, bytes, e);
		if (r < 0)
			return r;
		len += (size_t)snprintf(order + len, sizeof(order) - len, "/%s\n", name);
	}
	return put(a, &INITRAMFS_ORDER[1], S_IFREG | 0644, 0, order, len, e);
}

static int put_all(struct archive *a, const char *agent, const char *stress,
		   const struct module_list *modules, struct err *e)
{
	static const char *const dirs[] = { "bin", "dev", "modules", "proc", "run", "sys", "tmp" };
	size_t i;
	int r;

	for (i = 0; i < sizeof(dirs) / sizeof(dirs[0]); i++) {
		r = put(a, dirs[i], S_IFDIR | 0755, 0, NULL, 0, e);
		if (r < 0)
			return r;
	}
	/* The kernel opens it for init's standard streams before anything is mounted. */
	r = put(a, "dev/console", S_IFCHR | 0600, makedev(5, 1), NULL, 0, e);
	if (r < 0)
		return r;
	r = put_program(a, "init", agent, e);
	if (r < 0)
		return r;
	r = put_program(a, &INITRAMFS_STRESS[1], stress, e);
	if (r < 0)
		return r;
	return put_modules(a, modules, e);
}

int initramfs_write(int fd, const char *agent, const char *stress, const struct module_list *modules,
		    struct err *e)
{
	struct archive *a = archive_write_new();
	int r;

	if (!a)
		return err_errno(e, ENOMEM, "initramfs");
	archive_write_set_format_cpio_newc(a);
	archive_write_add_filter_none(a);
	if (archive_write_open_fd(a, fd) != ARCHIVE_OK)
		r = archive_failed(a, "open", e);
	else
		r = put_all(a, agent, stress, modules, e);
	if (r == 0 && archive_write_close(a) != ARCHIVE_OK)
		r = archive_failed(a, "write", e);
	archive_write_free(a);
	return r;
}
