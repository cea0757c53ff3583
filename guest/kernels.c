// SPDX-License-Identifier: MIT
#include "guest/kernels.h"

#include "guest/built.h"
#include "guest/kernel_cache.h"
#include "guest/script.h"
#include "lib/paths.h"
#include "lib/units.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define TABLE_BYTES_MAX (64u << 10)
#define COLUMNS         7

static int copy_text(char *to, size_t room, const char *from)
{
	size_t len = strlen(from);

	if (len == 0 || len >= room)
		return -EINVAL;
	memcpy(to, from, len + 1);
	return 0;
}

/* The name becomes a directory's and the rest arguments of apt, so only plain words pass. */
static bool is_plain(const char *text)
{
	static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789:.+_-";

	return text[0] != '.' && text[0] != '-' && text[strspn(text, allowed)] == 0;
}

static int parse_row(char *line, struct kernel_row *row, const char **ret_wrong)
{
	static const char *const names[COLUMNS] = { "name",         "suite",        "section", "package",
						    "architecture", "least memory", "about" };
	char *const to[COLUMNS] = { row->name, row->suite, row->section, row->package,
				    row->arch, NULL,       row->about };
	size_t i;

	for (i = 0; i < COLUMNS; i++) {
		char *field = strsep(&line, "\t");
		int r;

		*ret_wrong = names[i];
		if (!field)
			return -ENODATA;
		if (to[i])
			r = copy_text(to[i], KERNEL_TEXT_MAX, field);
		else
			r = size_parse(field, &row->memory_min_bytes);
		if (r < 0 || (i < 5 && !is_plain(field)))
			return -EINVAL;
	}
	*ret_wrong = "an eighth column";
	return line ? -EINVAL : 0;
}

static const struct kernel_row *row_named(const struct kernel_table *table, const char *name)
{
	size_t i;

	for (i = 0; i < table->count; i++)
		if (strcmp(table->rows[i].name, name) == 0)
			return &table->rows[i];
	return NULL;
}

int kernels_parse(const char *text, const char *path, struct kernel_table *ret, struct err *e)
{
	AUTO_FREE char *copy = strdup(text);
	char *rest = copy, *line;
	unsigned int n = 0;

	if (!copy)
		return err_errno(e, ENOMEM, "%s", path);
	memset(ret, 0, sizeof(*ret));
	while ((line = strsep(&rest, "\n"))) {
		struct kernel_row row = { 0 };
		const char *wrong;
		int r;

		n++;
		if (line[0] == 0 || line[0] == '#')
			continue;
		r = parse_row(line, &row, &wrong);
		if (r == -ENODATA)
			return err_set(e, EINVAL,
				       "%s:%u: column \"%s\" is missing; columns are separated by tabs", path,
				       n, wrong);
		if (r < 0)
			return err_set(e, EINVAL, "%s:%u: %s: not allowed here", path, n, wrong);
		if (row_named(ret, row.name))
			return err_set(e, EINVAL, "%s:%u: %s: a second row of that name", path, n, row.name);
		if (ret->count == KERNELS_MAX)
			return err_set(e, E2BIG, "%s:%u: more than %d kernels", path, n, KERNELS_MAX);
		ret->rows[ret->count++] = row;
	}
	if (ret->count == 0)
		return err_set(e, EINVAL, "%s: no kernel in it", path);
	return 0;
}

static int table_path(char ret_path[PATH_LEN_MAX], struct err *e)
{
	int r = paths_data("kernels/table.tsv", ret_path);

	return r < 0 ? err_errno(e, -r, "kernels/table.tsv, the list of guest kernels") : 0;
}

int kernels_load(struct kernel_table *ret, struct err *e)
{
	AUTO_FREE char *text = NULL;
	char path[PATH_LEN_MAX];
	int r;

	r = table_path(path, e);
	if (r < 0)
		return r;
	r = file_read(path, TABLE_BYTES_MAX, &text, NULL, e);
	if (r < 0)
		return r;
	return kernels_parse(text, path, ret, e);
}

/* Protocol 2.12 and later say it: xloadflags at 0x236, bit 0: has a 64-bit entry. */
static const char *arch_of(const unsigned char head[0x238])
{
	unsigned int protocol = head[0x206] | (unsigned int)head[0x207] << 8;

	return protocol < 0x20c ? "" : head[0x236] & 1 ? "amd64" : "i386";
}

int kernels_check_image(const char *path, char ret_version[KERNEL_TEXT_MAX], char ret_arch[KERNEL_TEXT_MAX],
			struct err *e)
{
	AUTO_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC);
	unsigned char head[0x238] = { 0 };
	char text[KERNEL_TEXT_MAX] = "";
	unsigned int at;
	ssize_t n;

	if (fd < 0)
		return err_errno(e, errno, "%s: open", path);
	n = pread(fd, head, sizeof(head), 0);
	if (n < 0)
		return err_errno(e, errno, "%s: read", path);
	if ((size_t)n < sizeof(head) || memcmp(head + 0x202, "HdrS", 4) != 0)
		return err_set(e, ENOEXEC, "%s: not a bzImage (no \"HdrS\" at 0x202)", path);
	at = 0x200 + (head[0x20e] | (unsigned int)head[0x20f] << 8);
	if (at > 0x200 && pread(fd, text, sizeof(text) - 1, at) < 0)
		return err_errno(e, errno, "%s: read", path);
	/* "6.1.0-50-cloud-amd64 (debian-kernel@...) #1 SMP ..." */
	text[strcspn(text, " \n")] = 0;
	strcpy(ret_version, text);
	strcpy(ret_arch, arch_of(head));
	return 0;
}

/* MODULES may be the directory with modules.dep or a root above lib/modules/VERSION. */
static int find_modules(struct kernel *k, const char *given, struct err *e)
{
	char probe[PATH_LEN_MAX];

	if (path_format(probe, "%s/modules.dep", given) == 0 && access(probe, R_OK) == 0)
		return path_format(k->modules_dir, "%s", given);
	if (path_format(k->modules_dir, "%s/lib/modules/%s", given, k->version) == 0 &&
	    path_format(probe, "%s/modules.dep", k->modules_dir) == 0 && access(probe, R_OK) == 0)
		return 0;
	return err_set(e, ENOENT, "%s: no modules.dep there or in lib/modules/%s below it; run depmod -b",
		       given, k->version);
}

/* "PATH" or "PATH:MODULES". */
static int find_path(const char *name, struct kernel *k, struct err *e)
{
	char file[PATH_LEN_MAX], absolute[PATH_MAX];
	char *colon;
	int r;

	if (copy_text(file, sizeof(file), name) < 0)
		return err_errno(e, ENAMETOOLONG, "%s", name);
	colon = access(file, F_OK) < 0 ? strrchr(file, ':') : NULL;
	if (colon)
		*colon++ = 0;
	k->cached = true;
	k->memory_min_bytes = KERNEL_MEMORY_LEAST;
	r = kernels_check_image(file, k->version, k->arch, e);
	if (r < 0)
		return r;
	if (!realpath(file, absolute))
		return err_errno(e, errno, "%s: realpath", file);
	strcpy(k->vmlinuz, absolute);
	return colon ? find_modules(k, colon, e) : 0;
}

static void name_all(const struct kernel_table *table, char *ret, size_t room)
{
	size_t len = 0, i;

	ret[0] = 0;
	for (i = 0; i < table->count && len < room; i++)
		len += (size_t)snprintf(ret + len, room - len, "%s%s", i ? ", " : "", table->rows[i].name);
}

static int unknown(const struct kernel_table *table, const char *name, struct err *e)
{
	char known[ERR_TEXT_MAX / 2];

	name_all(table, known, sizeof(known));
	return err_set(e, ENOENT,
		       "unknown kernel \"%s\"; allowed: %s, " BUILT_PREFIX
		       "NAME of one built here, or the path of a "
		       "bzImage with a slash in it, as PATH[:MODULES]",
		       name, known);
}

const struct kernel_row *kernels_row(const struct kernel_table *table, const char *name, struct err *e)
{
	const struct kernel_row *row = row_named(table, name);
	char known[ERR_TEXT_MAX / 2];

	name_all(table, known, sizeof(known));
	if (!row)
		err_set(e, ENOENT, "unknown kernel \"%.256s\"; known: %s", name, known);
	return row;
}

int kernels_find_in(const struct kernel_table *table, const char *cache, const char *name, struct kernel *ret,
		    struct err *e)
{
	const struct kernel_row *row;
	struct kernel k = { 0 };
	int r;

	if (!name)
		name = table->rows[0].name;
	if (copy_text(k.name, sizeof(k.name), name) < 0)
		return unknown(table, "", e);
	if (built_is(name))
		return built_find_in(table, cache, name, ret, e);
	if (strchr(name, '/')) {
		r = find_path(name, &k, e);
		if (r == 0)
			*ret = k;
		return r;
	}
	row = row_named(table, name);
	if (!row)
		return unknown(table, name, e);
	k.in_table = true;
	k.memory_min_bytes = row->memory_min_bytes;
	strcpy(k.arch, row->arch);
	r = kernel_cache_dir(cache, name, k.dir, e);
	if (r == 0)
		r = kernel_cache_look(&k, e);
	if (r == 0)
		*ret = k;
	return r;
}

int kernels_find(const char *name, struct kernel *ret, struct err *e)
{
	struct kernel_table table;
	char cache[PATH_LEN_MAX];
	int r;

	r = kernels_load(&table, e);
	if (r < 0)
		return r;
	r = kernel_cache_path(cache, e);
	if (r < 0)
		return r;
	return kernels_find_in(&table, cache, name, ret, e);
}

static int run_fetch(const struct kernel *k, bool refresh, struct err *e)
{
	struct script s = {
		.name = "fetch", .does = "fetched", .what = "kernel", .of = k->name, .stdin_fd = -1
	};
	char table[PATH_LEN_MAX], apt[PATH_LEN_MAX];
	size_t n = 0;
	int r;

	r = table_path(table, e);
	if (r < 0)
		return r;
	r = paths_cache("apt", apt);
	if (r < 0)
		return err_errno(e, -r, "the cache directory");
	s.table = table;
	if (refresh)
		s.arguments[n++] = "--refresh";
	s.arguments[n++] = k->name;
	s.arguments[n++] = k->dir;
	s.arguments[n++] = apt;
	return script_run(&s, e);
}

static int fetch_and_look(struct kernel *k, bool refresh, struct err *e)
{
	int r = run_fetch(k, refresh, e);

	if (r < 0)
		return r;
	r = kernel_cache_look(k, e);
	if (r == 0 && !k->cached)
		return err_set(e, ENOENT, "%s: fetch left nothing there", k->dir);
	return r;
}

int kernels_ensure(struct kernel *k, struct err *e)
{
	if (k->built && !k->cached)
		return built_refuse(k, e);
	return k->cached ? 0 : fetch_and_look(k, false, e);
}

int kernels_refresh(struct kernel *k, struct err *e)
{
	return fetch_and_look(k, true, e);
}

int kernels_remove(const char *name, struct err *e)
{
	char cache[PATH_LEN_MAX], dir[PATH_LEN_MAX], lock[PATH_LEN_MAX];
	int r;

	if (built_is(name))
		return built_remove(name, e);
	r = kernel_cache_path(cache, e);
	if (r == 0)
		r = kernel_cache_dir(cache, name, dir, e);
	if (r == 0 && paths_cache("apt/lock", lock) < 0)
		r = err_errno(e, ENOENT, "the cache directory");
	return r < 0 ? r : kernel_cache_remove(name, dir, NULL, lock, "a fetch", e);
}
