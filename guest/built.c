// SPDX-License-Identifier: MIT
#include "guest/built.h"

#include "guest/fragment.h"
#include "guest/kernel_cache.h"
#include "guest/script.h"
#include "lib/paths.h"

#include <errno.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define TEXT_BYTES_MAX (512u << 10)
#define MEMORY_LEAST   (48ULL << 20) /* tiny-fast does not boot in 32M */

bool built_is(const char *name)
{
	return strncmp(name, BUILT_PREFIX, strlen(BUILT_PREFIX)) == 0;
}

static int fragments_dir(char ret[PATH_LEN_MAX], struct err *e)
{
	int r = paths_data("kconfig", ret);

	return r < 0 ? err_errno(e, -r, "kconfig, the fragments of kernels' configurations") : 0;
}

/* "debian:6.1" -> "6.1". A name with a dash is another flavour of a source that is in the table already. */
static const char *source_of(const struct kernel_row *row)
{
	const char *colon = strchr(row->name, ':');

	return colon && colon[1] && !strchr(colon, '-') ? colon + 1 : NULL;
}

static const struct kernel_row *row_of_source(const struct kernel_table *table, const char *source,
					      size_t len)
{
	size_t i;

	for (i = 0; i < table->count; i++) {
		const char *one = source_of(&table->rows[i]);

		if (one && strlen(one) == len && strncmp(one, source, len) == 0)
			return &table->rows[i];
	}
	return NULL;
}

/* It becomes a part of file names and of the kernel's version. */
static bool is_fragment_name(const char *name)
{
	static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";
	size_t len = strlen(name);

	return len > 0 && len <= 40 && name[0] != '.' && name[0] != '-' && name[strspn(name, allowed)] == 0;
}

static int compose(const struct kernel_row *row, const char *fragment, struct built *ret, struct err *e)
{
	char dir[PATH_LEN_MAX];
	int r;

	if (!is_fragment_name(fragment))
		return err_set(e, EINVAL,
			       "\"%.64s\" does not do as a name; allowed: letters, digits, ._-, at most 40",
			       fragment);
	r = fragments_dir(dir, e);
	if (r < 0)
		return r;
	memset(ret, 0, sizeof(*ret));
	ret->row = row;
	strcpy(ret->fragment, fragment);
	r = snprintf(ret->name, sizeof(ret->name), BUILT_PREFIX "%s-%s", source_of(row), fragment);
	if (r >= (int)sizeof(ret->name) || path_format(ret->path, "%s/%s" FRAGMENT_SUFFIX, dir, fragment) < 0)
		return err_errno(e, ENAMETOOLONG, "%s", fragment);
	if (access(ret->path, F_OK) == 0)
		fragment_about(ret->path, ret->about, sizeof(ret->about));
	else
		ret->path[0] = 0;
	return 0;
}

int built_parse(const struct kernel_table *table, const char *name, struct built *ret, struct err *e)
{
	const char *rest = name + strlen(BUILT_PREFIX), *dash = strchr(rest, '-');
	const struct kernel_row *row = dash ? row_of_source(table, rest, (size_t)(dash - rest)) : NULL;

	if (row)
		return compose(row, dash + 1, ret, e);
	if (!source_of(&table->rows[0]))
		return err_set(e, EINVAL, "%s has no source", table->rows[0].name);
	return compose(&table->rows[0], rest, ret, e);
}

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct built *)a)->name, ((const struct built *)b)->name);
}

/* "DIR/tiny-fast.config", "CACHE/built-6.1-tiny-fast" -> built:..., once. */
static void add_path(const struct kernel_table *table, const char *path, struct built ret[BUILT_MAX], int *n)
{
	const char *base = strrchr(path, '/') + 1;
	char name[PATH_LEN_MAX];
	struct built one;
	int i;

	if (strncmp(base, "built-", 6) == 0)
		base += 6;
	if (path_format(name, BUILT_PREFIX "%s", base) < 0)
		return;
	if (strlen(name) > strlen(FRAGMENT_SUFFIX) &&
	    strcmp(name + strlen(name) - strlen(FRAGMENT_SUFFIX), FRAGMENT_SUFFIX) == 0)
		name[strlen(name) - strlen(FRAGMENT_SUFFIX)] = 0;
	/* What is being built or taken away is not there. */
	if (strstr(name, ".part.") || strstr(name, ".old.") || built_parse(table, name, &one, NULL) < 0)
		return;
	for (i = 0; i < *n && strcmp(ret[i].name, one.name) != 0; i++)
		;
	if (i == *n && *n < BUILT_MAX)
		ret[(*n)++] = one;
}

int built_list(const struct kernel_table *table, struct built ret[BUILT_MAX], struct err *e)
{
	char dir[PATH_LEN_MAX], cache[PATH_LEN_MAX], pattern[PATH_LEN_MAX];
	glob_t found = { 0 };
	int n = 0, r;
	size_t i;

	r = fragments_dir(dir, e);
	if (r == 0)
		r = kernel_cache_path(cache, e);
	if (r < 0)
		return r;
	if (path_format(pattern, "%s/*" FRAGMENT_SUFFIX, dir) == 0)
		glob(pattern, 0, NULL, &found);
	if (path_format(pattern, "%s/built-*", cache) == 0)
		glob(pattern, found.gl_pathc ? GLOB_APPEND : 0, NULL, &found);
	for (i = 0; i < found.gl_pathc; i++)
		add_path(table, found.gl_pathv[i], ret, &n);
	globfree(&found);
	qsort(ret, (size_t)n, sizeof(*ret), by_name);
	return n;
}

/* Names of our fragments, or of all that there is to be named after "built:". */
static void name_fragments(char *ret, size_t room)
{
	char dir[PATH_LEN_MAX], pattern[PATH_LEN_MAX];
	glob_t found = { 0 };
	size_t len = 0, i;

	ret[0] = 0;
	if (fragments_dir(dir, NULL) < 0 || path_format(pattern, "%s/*" FRAGMENT_SUFFIX, dir) < 0 ||
	    glob(pattern, 0, NULL, &found) != 0)
		return;
	for (i = 0; i < found.gl_pathc && len < room; i++) {
		const char *base = strrchr(found.gl_pathv[i], '/') + 1;

		len += (size_t)snprintf(ret + len, room - len, "%s%.*s", i ? ", " : "",
					(int)(strlen(base) - strlen(FRAGMENT_SUFFIX)), base);
	}
	globfree(&found);
}

static int no_fragment(const char *name, struct err *e)
{
	char known[ERR_TEXT_MAX / 2];

	name_fragments(known, sizeof(known));
	return err_set(
		e, ENOENT,
		"no fragment \"%s\" and nothing built of one; fragments: %s, or a file: oomlab kernels build PATH",
		name, known);
}

/* The options asked for; the kernel says by its version what it was built of. */
static int read_wanted(const struct built *b, const char *path, char **ret_text, struct err *e)
{
	AUTO_FREE char *options = NULL;
	char dir[PATH_LEN_MAX];
	int r;

	r = fragments_dir(dir, e);
	if (r == 0)
		r = fragment_read(path, dir, &options, e);
	if (r < 0)
		return r;
	if (asprintf(ret_text, "CONFIG_LOCALVERSION=\"-%s\"\n%s", b->fragment, options) < 0)
		return err_errno(e, ENOMEM, "%s", path);
	return 0;
}

/* Was the kernel in the cache built of this? */
static bool is_built_of(const struct kernel *k, const char *wanted)
{
	AUTO_FREE char *text = NULL;
	char path[PATH_LEN_MAX];

	return path_format(path, "%s/fragment", k->dir) == 0 &&
	       file_read(path, TEXT_BYTES_MAX, &text, NULL, NULL) == 0 && strcmp(text, wanted) == 0;
}

static int look(const struct built *b, const char *cache, struct kernel *ret, struct err *e)
{
	int r;

	*ret = (struct kernel){ .built = true, .memory_min_bytes = MEMORY_LEAST };
	strcpy(ret->name, b->name);
	strcpy(ret->arch, b->row->arch);
	r = kernel_cache_dir(cache, b->name, ret->dir, e);
	return r < 0 ? r : kernel_cache_look(ret, e);
}

/* CACHE/build/6.1-tiny-fast, where it is built; with ".lock" behind it, its lock. */
static int work_path(const struct built *b, const char *suffix, char ret[PATH_LEN_MAX], struct err *e)
{
	char below[KERNEL_TEXT_MAX + 16];

	snprintf(below, sizeof(below), "build/%s%s", b->name + strlen(BUILT_PREFIX), suffix);
	return paths_cache(below, ret) < 0 ? err_errno(e, ENOENT, "the cache directory") : 0;
}

/* Is there an unfinished build of it? */
static bool is_begun(const struct built *b)
{
	char work[PATH_LEN_MAX];

	return work_path(b, "", work, NULL) == 0 && access(work, F_OK) == 0;
}

int built_find_in(const struct kernel_table *table, const char *cache, const char *name, struct kernel *ret,
		  struct err *e)
{
	AUTO_FREE char *wanted = NULL;
	struct built b;
	struct kernel k;
	int r;

	r = built_parse(table, name, &b, e);
	if (r < 0)
		return r;
	r = look(&b, cache, &k, e);
	if (r == 0 && !k.cached && !b.path[0] && !is_begun(&b))
		return no_fragment(b.fragment, e);
	if (r == 0 && k.cached && b.path[0]) {
		r = read_wanted(&b, b.path, &wanted, e);
		k.stale = r == 0 && !is_built_of(&k, wanted);
		k.cached = !k.stale;
	}
	if (r == 0)
		*ret = k;
	return r;
}

int built_refuse(const struct kernel *k, struct err *e)
{
	struct kernel_table table;
	struct built b;

	if (kernels_load(&table, e) < 0 || built_parse(&table, k->name, &b, e) < 0)
		return -ENOENT;
	return err_set(e, EOPNOTSUPP, "kernel %s is %s: oomlab kernels build %s%s%s%s%s", k->name,
		       k->stale ? "built of another fragment than there is now" : "not built",
		       b.path[0] ? "" : "PATH/", b.fragment, b.path[0] ? "" : FRAGMENT_SUFFIX,
		       b.row == &table.rows[0] ? "" : " --source ",
		       b.row == &table.rows[0] ? "" : b.row->name);
}

/* "PATH/my.config" -> "my"; a name of ours is ours alone. */
static int name_of_path(const char *path, char ret[KERNEL_TEXT_MAX], struct err *e)
{
	const char *base = strrchr(path, '/') + 1;
	size_t len = strlen(base), suffix = strlen(FRAGMENT_SUFFIX);

	if (len > suffix && strcmp(base + len - suffix, FRAGMENT_SUFFIX) == 0)
		len -= suffix;
	if (len >= KERNEL_TEXT_MAX)
		return err_errno(e, ENAMETOOLONG, "%s", path);
	memcpy(ret, base, len);
	ret[len] = 0;
	return 0;
}

static int choose(const struct kernel_table *table, const char *word, const char *source, struct built *ret,
		  struct err *e)
{
	const struct kernel_row *row = source ? kernels_row(table, source, e) : &table->rows[0];
	bool is_path = strchr(word, '/');
	char name[KERNEL_TEXT_MAX];
	int r;

	if (!row)
		return -ENOENT;
	if (!source_of(row))
		return err_set(
			e, EINVAL,
			"%s: another flavour of a source; allowed: the name without what is behind the dash",
			row->name);
	if (!is_path)
		r = snprintf(name, sizeof(name), "%s", word) >= (int)sizeof(name)
			    ? err_errno(e, ENAMETOOLONG, "%s", word)
			    : 0;
	else
		r = name_of_path(word, name, e);
	if (r == 0)
		r = compose(row, name, ret, e);
	if (r < 0)
		return r;
	if (is_path && ret->path[0])
		return err_set(e, EINVAL, "%s: %s is the name of a fragment of oomlab's; give yours another",
			       word, name);
	return is_path || ret->path[0] ? 0 : no_fragment(name, e);
}

static int run_build(const struct built *b, const struct kernel *k, const char *wanted, bool anew,
		     struct err *e)
{
	AUTO_CLOSE int fd = memfd_create("fragment", MFD_CLOEXEC);
	struct script s = {
		.name = "build-kernel", .does = "built", .what = "kernel", .of = k->name, .stdin_fd = fd
	};
	char apt[PATH_LEN_MAX], work[PATH_LEN_MAX], sources[PATH_LEN_MAX];
	const char *arguments[] = { k->name,       k->dir,          work,        sources, apt,
				    b->row->suite, b->row->section, b->row->arch };
	size_t n = 0, i;
	int r;

	r = fd < 0 ? -errno : write_all(fd, wanted, strlen(wanted));
	if (r < 0 || lseek(fd, 0, SEEK_SET) < 0)
		return err_errno(e, r < 0 ? -r : errno, "the fragment in memory");
	if (paths_cache("apt", apt) < 0 || paths_cache("sources", sources) < 0)
		return err_errno(e, ENOENT, "the cache directory");
	r = work_path(b, "", work, e);
	if (r < 0)
		return r;
	if (anew)
		s.arguments[n++] = "--refresh";
	for (i = 0; i < sizeof(arguments) / sizeof(arguments[0]); i++)
		s.arguments[n++] = arguments[i];
	return script_run(&s, e);
}

int built_make(const struct kernel_table *table, const char *word, const char *source, bool anew,
	       struct kernel *ret, bool *ret_is_new, struct err *e)
{
	AUTO_FREE char *wanted = NULL;
	char cache[PATH_LEN_MAX];
	struct built b;
	int r;

	r = choose(table, word, source, &b, e);
	if (r == 0)
		r = read_wanted(&b, b.path[0] ? b.path : word, &wanted, e);
	if (r == 0)
		r = kernel_cache_path(cache, e);
	if (r < 0)
		return r;
	/* A damaged one is built anew. */
	*ret_is_new = anew || look(&b, cache, ret, NULL) < 0 || !ret->cached || !is_built_of(ret, wanted);
	if (!*ret_is_new)
		return 0;
	r = look(&b, cache, ret, e);
	r = run_build(&b, ret, wanted, anew || r < 0, e);
	if (r == 0)
		r = look(&b, cache, ret, e);
	return r;
}

int built_remove(const char *name, struct err *e)
{
	char cache[PATH_LEN_MAX], dir[PATH_LEN_MAX], lock[PATH_LEN_MAX], work[PATH_LEN_MAX];
	struct kernel_table table;
	struct built b;
	int r;

	r = kernels_load(&table, e);
	if (r == 0)
		r = built_parse(&table, name, &b, e);
	if (r == 0)
		r = kernel_cache_path(cache, e);
	if (r == 0)
		r = kernel_cache_dir(cache, b.name, dir, e);
	if (r == 0)
		r = work_path(&b, ".lock", lock, e);
	if (r == 0)
		r = work_path(&b, "", work, e);
	if (r < 0)
		return r;
	return kernel_cache_remove(b.name, dir, work, lock, "its build", e);
}
