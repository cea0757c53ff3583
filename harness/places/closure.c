// SPDX-License-Identifier: MIT
#include "harness/places/closure.h"

#include "harness/places/executable.h"
#include "lib/capture.h"
#include "lib/paths.h"

#include <dirent.h>
#include <errno.h>
#include <search.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define LINKS_MAX 40 /* path_resolution(7) */
#define DEPTH_MAX 64
#define ASK_MS    (60 * 1000)
#define ASK_ARGS  80
#define LD_CACHE  "/etc/ld.so.cache"
#define HWCAPS    "/glibc-hwcaps/"
#define PYCACHE   "__pycache__"

const char *closure_env(const char *const env[], const char *name)
{
	size_t len = strlen(name);

	for (; *env; env++)
		if (strncmp(*env, name, len) == 0 && (*env)[len] == '=')
			return *env + len + 1;
	return NULL;
}

static int by_path(const void *a, const void *b)
{
	return strcmp(((const struct closure_entry *)a)->path, ((const struct closure_entry *)b)->path);
}

static int by_path_of_pointers(const void *a, const void *b)
{
	return by_path(*(const void *const *)a, *(const void *const *)b);
}

void closure_sort(struct closure *c)
{
	qsort(c->entries, c->count, sizeof(*c->entries), by_path_of_pointers);
}

const struct closure_entry *closure_find(const struct closure *c, const char *path)
{
	const struct closure_entry wanted = { .path = (char *)path };
	void *const *found = tfind(&wanted, &c->by_path, by_path);

	return found ? *found : NULL;
}

static void free_entry(struct closure_entry *entry)
{
	free(entry->path);
	free(entry->source);
	free(entry->target);
	free(entry);
}

static void keep_entry(void *entry)
{
	(void)entry;
}

void closure_free(struct closure *c)
{
	tdestroy(c->by_path, keep_entry);
	while (c->count)
		free_entry(c->entries[--c->count]);
	free(c->entries);
	memset(c, 0, sizeof(*c));
}

static int append(struct closure *c, struct closure_entry *entry)
{
	struct closure_entry **more;

	if (c->count == c->room) {
		more = reallocarray(c->entries, c->room + 1024, sizeof(*more));
		if (!more)
			return -ENOMEM;
		c->entries = more;
		c->room += 1024;
	}
	if (!tsearch(entry, &c->by_path, by_path))
		return -ENOMEM;
	c->entries[c->count++] = entry;
	return 0;
}

/* Is path the directory that stands for the root, or below it? Those above it are not. */
static bool is_overlaid(const struct closure *c, const char *path)
{
	size_t len = strlen(c->overlay);

	return len && strncmp(path, c->overlay, len) == 0 && (path[len] == '/' || !path[len]);
}

/* One name in a directory that is no link; target: of a link, else "". Once is enough. */
static int add_entry(struct closure *c, const char *source, const struct stat *st, const char *target,
		     struct err *e)
{
	bool overlaid = is_overlaid(c, source);
	const char *path = overlaid ? source + strlen(c->overlay) : source;
	struct closure_entry *entry;

	if (!path[0] || closure_find(c, path))
		return 0;
	if (c->count == CLOSURE_ENTRIES_MAX)
		return err_set(e, E2BIG, "more than %d files", CLOSURE_ENTRIES_MAX);
	if (strchr(path, '\n') || strchr(target, '\n'))
		return err_set(e, EINVAL, "a file's name has a line feed in it");
	entry = calloc(1, sizeof(*entry));
	if (entry)
		*entry = (struct closure_entry){ .path = strdup(path),
						 .source = overlaid ? strdup(source) : NULL,
						 .target = target[0] ? strdup(target) : NULL,
						 .mode = st->st_mode,
						 .mtime_s = st->st_mtime,
						 .bytes = S_ISREG(st->st_mode) ? (uint64_t)st->st_size : 0 };
	if (entry && entry->path && (entry->target || !target[0]) && (entry->source || !overlaid) &&
	    append(c, entry) == 0)
		return 0;
	if (entry)
		free_entry(entry);
	return err_errno(e, ENOMEM, "%s", path);
}

int closure_directory(struct closure *c, const char *path, struct err *e)
{
	const struct stat st = { .st_mode = S_IFDIR | 0755 };

	return add_entry(c, path, &st, "", e);
}

/* Where the resolution of a path stands: directories that are no links, and what is left. */
struct resolution {
	char here[PATH_LEN_MAX], rest[2 * PATH_LEN_MAX], target[PATH_LEN_MAX];
	int links;
};

/* The first part of what is left, which loses it; "" at the end. */
static void next_part(struct resolution *s, char ret[NAME_MAX + 1])
{
	size_t skip = strspn(s->rest, "/"), len = strcspn(s->rest + skip, "/");

	snprintf(ret, NAME_MAX + 1, "%.*s", (int)len, s->rest + skip);
	memmove(s->rest, s->rest + skip + len, strlen(s->rest + skip + len) + 1);
}

static int follow(struct resolution *s, const char *link)
{
	ssize_t n = readlink(link, s->target, sizeof(s->target) - 1);
	char rest[sizeof(s->rest)];

	if (n < 0)
		return -errno;
	s->target[n] = 0;
	if (++s->links > LINKS_MAX)
		return -ELOOP;
	if (snprintf(rest, sizeof(rest), "%s/%s", s->target, s->rest) >= (int)sizeof(rest))
		return -ENAMETOOLONG;
	strcpy(s->rest, rest);
	if (s->target[0] == '/')
		s->here[0] = 0;
	return 0;
}

/* Adds a path as the kernel walks it: every directory, and every link with what it leads to. */
static int add_path(struct closure *c, const char *path, char ret_real[PATH_LEN_MAX], struct err *e)
{
	struct resolution s = { .here = "" };
	char part[NAME_MAX + 1], next[PATH_LEN_MAX];
	struct stat st;
	int r = 0;

	snprintf(s.rest, sizeof(s.rest), "%s", path);
	for (next_part(&s, part); r == 0 && part[0]; next_part(&s, part)) {
		if (strcmp(part, ".") == 0)
			continue;
		if (strcmp(part, "..") == 0) {
			*(strrchr(s.here, '/') ?: s.here) = 0;
			continue;
		}
		if (path_format(next, "%s/%s", s.here, part) < 0)
			return err_errno(e, ENAMETOOLONG, "%s", path);
		if (lstat(next, &st) < 0)
			return err_errno(e, errno, "%s", path);
		s.target[0] = 0;
		if (S_ISLNK(st.st_mode))
			r = follow(&s, next);
		else if (!S_ISDIR(st.st_mode) && !S_ISREG(st.st_mode))
			return err_set(e, EINVAL, "%s: neither a file nor a folder", next);
		else
			strcpy(s.here, next);
		if (r < 0)
			return err_errno(e, -r, "%s", next);
		if (is_overlaid(c, next) || !is_overlaid(c, path))
			r = add_entry(c, next, &st, s.target, e);
	}
	if (r == 0)
		strcpy(ret_real, s.here[0] ? s.here : "/");
	return r;
}

/* A library for a better processor than the guest's has its plain twin two directories up. */
static int add_plain_twin(struct closure *c, const char *path, struct err *e)
{
	char plain[PATH_LEN_MAX], ignored[PATH_LEN_MAX];
	const char *at = strstr(path, HWCAPS);
	const char *rest = at ? strchr(at + strlen(HWCAPS), '/') : NULL;

	if (!rest || path_format(plain, "%.*s%s", (int)(at - path), path, rest) < 0 ||
	    access(plain, F_OK) < 0)
		return 0;
	return add_path(c, plain, ignored, e);
}

/*
 * 	linux-vdso.so.1 (0x00007ffd6c9f3000)
 * 	libc.so.6 => /lib/x86_64-linux-gnu/libc.so.6 (0x00007f6d0cb98000)
 * 	libgone.so => not found
 * 	/lib64/ld-linux-x86-64.so.2 (0x00007f6d0ce8d000)
 * ERROR: ld.so: object '/nope.so' from LD_PRELOAD cannot be preloaded (...): ignored.
 *
 * strict: what is missing is an error; of: who needs it.
 */
static int add_listed(struct closure *c, char *line, const char *of, bool strict, struct err *e)
{
	char *found = strstr(line, " => "), *end, real[PATH_LEN_MAX];
	int r;

	line += strspn(line, " \t");
	found = found ? found + 4 : line;
	if (strncmp(found, "not found", 9) == 0 || strncmp(line, "ERROR: ld.so", 12) == 0 ||
	    strncmp(line, "Error loading shared library", 28) == 0) {
		line[strcspn(line, "\n")] = 0;
		return strict ? err_set(e, ENOENT, "%s: its loader says: %s", of, line) : 0;
	}
	if (found[0] != '/')
		return 0;
	end = strstr(found, " (0x");
	if (end)
		*end = 0;
	r = add_path(c, found, real, e);
	return r == 0 ? add_plain_twin(c, found, e) : r;
}

/* "env -i LD_...=... LOADER --list PATH" */
static int ask_loader(const char *loader, const char *path, const char *const env[], char **ret_text,
		      int *ret_status, struct err *e)
{
	const char *command[ASK_ARGS + 6] = { "/usr/bin/env", "-i" };
	size_t n = 2;

	for (; *env && n < ASK_ARGS; env++)
		if (strncmp(*env, "LD_", 3) == 0)
			command[n++] = *env;
	command[n++] = loader;
	command[n++] = "--list";
	command[n] = path;
	return capture(command, ASK_MS, ret_text, ret_status, e);
}

static int add_libraries(struct closure *c, const char *path, const struct executable *x,
			 const char *const env[], bool strict, struct err *e)
{
	const char *loader = x->interpreter[0] ? x->interpreter : c->loader;
	AUTO_FREE char *text = NULL;
	char *rest, *line, real[PATH_LEN_MAX];
	int status, r;

	if (!x->dynamic || !loader[0])
		return 0;
	r = add_path(c, loader, real, e);
	if (r == 0 && access(LD_CACHE, R_OK) == 0)
		r = add_path(c, LD_CACHE, real, e);
	if (r == 0)
		r = ask_loader(loader, path, env, &text, &status, e);
	if (r == 0 && status != 0)
		return strict ? err_set(e, ENOENT, "%.*s", (int)strcspn(text, "\n"), text) : 0;
	for (rest = text; r == 0 && (line = strsep(&rest, "\n"));)
		r = add_listed(c, line, path, strict, e);
	return r;
}

/* Of Python's library: the bytecode of that Python, no tests, nothing to link programs with, no packages. */
static bool python_leaves_out(const char *dir, const char *name, const char *tag)
{
	const char *in = strrchr(dir, '/') + 1;
	size_t len = strlen(name);
	char suffix[80];

	if (strcmp(in, PYCACHE) == 0) {
		snprintf(suffix, sizeof(suffix), ".%.64s.pyc", tag);
		return len < strlen(suffix) || strcmp(name + len - strlen(suffix), suffix) != 0;
	}
	return (len > 2 && strcmp(name + len - 2, ".a") == 0) || strcmp(name, "test") == 0 ||
	       strcmp(name, "site-packages") == 0 || strcmp(name, "dist-packages") == 0;
}

/* What a walk through a folder is about; tag: it is Python's library, with bytecode of that name. */
struct walk {
	struct closure *c;
	const char *const *env;
	const char *tag;
};

static int add_tree(const struct walk *w, const char *dir, int depth, struct err *e);

static int add_child(const struct walk *w, const char *path, int depth, struct err *e)
{
	char real[PATH_LEN_MAX];
	struct executable x;
	struct stat st;
	int r;

	if (lstat(path, &st) < 0)
		return err_errno(e, errno, "%s", path);
	if (S_ISLNK(st.st_mode) && access(path, F_OK) < 0)
		return add_path(w->c, path, real, NULL) == -ENOMEM ? -ENOMEM : 0; /* it dangles here, too */
	if (!S_ISLNK(st.st_mode) && !S_ISDIR(st.st_mode) && !S_ISREG(st.st_mode))
		return 0;
	r = add_path(w->c, path, real, e);
	if (r == 0 && S_ISDIR(st.st_mode))
		return add_tree(w, path, depth + 1, e);
	if (r == 0 && S_ISREG(st.st_mode) && executable_read(path, &x, NULL) == 0 && !x.script)
		return add_libraries(w->c, path, &x, w->env, false, e);
	return r;
}

static int add_tree(const struct walk *w, const char *dir, int depth, struct err *e)
{
	DIR *d = depth < DEPTH_MAX ? opendir(dir) : NULL;
	char path[PATH_LEN_MAX];
	struct dirent *one;
	int r = 0;

	if (!d)
		return err_errno(e, depth < DEPTH_MAX ? errno : ELOOP, "%s", dir);
	while (r == 0 && (one = readdir(d))) {
		if (strcmp(one->d_name, ".") == 0 || strcmp(one->d_name, "..") == 0 ||
		    (w->tag && python_leaves_out(dir, one->d_name, w->tag)))
			continue;
		r = path_format(path, "%s/%s", dir, one->d_name);
		r = r < 0 ? err_errno(e, -r, "%s", dir) : add_child(w, path, depth, e);
	}
	closedir(d);
	return r;
}

/* "python3.11", and nothing that only begins so */
static bool is_python(const char *real)
{
	const char *name = strrchr(real, '/') + 1;

	return strncmp(name, "python", 6) == 0 && !name[6 + strspn(name + 6, "0123456789.")];
}

/* The interpreter itself knows where its library is; of a virtual environment the packages belong to it. */
static int add_python(struct closure *c, const char *path, const char *const env[], struct err *e)
{
	static const char code[] = "import sys, sysconfig\n"
				   "paths = sysconfig.get_paths()\n"
				   "print(sys.implementation.cache_tag)\n"
				   "for key in 'stdlib', 'platstdlib': print('L' + paths[key])\n"
				   "if sys.prefix != sys.base_prefix:\n"
				   "    for key in 'purelib', 'platlib': print('P' + paths[key])\n"
				   "    print('P' + sys.prefix + '/pyvenv.cfg')\n";
	const char *const command[] = { "/usr/bin/env", "-i", path, "-I", "-c", code, NULL };
	AUTO_FREE char *text = NULL;
	char *rest, *line, *tag, real[PATH_LEN_MAX];
	int status, r;

	r = capture(command, ASK_MS, &text, &status, e);
	if (r < 0)
		return r;
	if (status != 0)
		return err_set(e, EIO, "%s -I -c ... does not say where its library is: %.200s", path, text);
	rest = text;
	tag = strsep(&rest, "\n");
	while (r == 0 && (line = strsep(&rest, "\n"))) {
		struct walk w = { c, env, line[0] == 'L' ? tag : NULL };
		struct stat st;

		if (!line[0] || stat(line + 1, &st) < 0)
			continue;
		r = add_path(c, line + 1, real, e);
		if (r == 0 && S_ISDIR(st.st_mode))
			r = add_tree(&w, real, 0, e);
	}
	return r;
}

static int add_executable(struct closure *c, const char *path, const char *const env[], bool strict,
			  int depth, struct err *e)
{
	const char *path_list = closure_env(env, "PATH");
	char real[PATH_LEN_MAX], named[PATH_LEN_MAX];
	struct executable x;
	int r;

	if (depth > EXECUTABLE_DEPTH_MAX)
		return err_set(e, ELOOP, "%s: scripts of scripts, more than %d deep", path, depth - 1);
	r = add_path(c, path, real, e);
	if (r == 0)
		r = executable_read(path, &x, e);
	if (r < 0)
		return r;
	if (!x.script) {
		if (x.interpreter[0] && strict)
			strcpy(c->loader, x.interpreter);
		r = add_libraries(c, path, &x, env, strict, e);
		return r == 0 && is_python(real) ? add_python(c, path, env, e) : r;
	}
	r = add_executable(c, x.interpreter, env, strict, depth + 1, e);
	if (r < 0 || !x.name[0])
		return r < 0 ? err_prefix(e, "%s", path) : 0;
	if (!path_list || paths_search(path_list, x.name, named) < 0)
		return err_set(e, ENOENT, "%s: its interpreter %s is not in PATH (%s)", path, x.name,
			       path_list ? path_list : "");
	return add_executable(c, named, env, strict, depth + 1, e);
}

int closure_program(struct closure *c, const char *path, const char *const env[], struct err *e)
{
	return add_executable(c, path, env, true, 0, e);
}

int closure_file(struct closure *c, const char *path, const char *const env[], struct err *e)
{
	struct walk w = { c, env, NULL };
	char real[PATH_LEN_MAX];
	struct executable x;
	struct stat st;
	int r;

	r = add_path(c, path, real, e);
	if (r < 0)
		return r;
	if (stat(real, &st) == 0 && S_ISDIR(st.st_mode))
		return add_tree(&w, real, 0, e);
	if (executable_read(real, &x, NULL) < 0)
		return 0;
	if (x.script && !paths_executable(real))
		return 0;
	return add_executable(c, path, env, false, 0, e);
}
