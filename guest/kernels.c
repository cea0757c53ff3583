// SPDX-License-Identifier: MIT
#include "guest/kernels.h"

#include "lib/paths.h"
#include "lib/units.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define TABLE_BYTES_MAX (64u << 10)
#define COLUMNS         7
#define REASON_FD       3 /* fetch writes to it why it failed */

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

/* A file "DIR/version" of one line. */
static int read_version(const char *dir, char ret[KERNEL_TEXT_MAX], struct err *e)
{
	AUTO_FREE char *text = NULL;
	char path[PATH_LEN_MAX];
	int r;

	r = path_format(path, "%s/version", dir);
	if (r < 0)
		return err_errno(e, -r, "%s", dir);
	r = file_read(path, KERNEL_TEXT_MAX, &text, NULL, e);
	if (r < 0)
		return r;
	text[strcspn(text, "\n")] = 0;
	if (copy_text(ret, KERNEL_TEXT_MAX, text) < 0 || strchr(ret, '/'))
		return err_set(e, EBADMSG, "%s: holds no kernel version", path);
	return 0;
}

/* What the cache holds for k->dir. The directory appears whole or not at all. */
static int look_into_cache(struct kernel *k, struct err *e)
{
	int r;

	k->cached = access(k->dir, F_OK) == 0;
	if (!k->cached)
		return 0;
	r = read_version(k->dir, k->version, e);
	if (r < 0)
		return r;
	if (path_format(k->vmlinuz, "%s/vmlinuz", k->dir) < 0 ||
	    path_format(k->modules_dir, "%s/modules/lib/modules/%s", k->dir, k->version) < 0)
		return err_errno(e, ENAMETOOLONG, "%s", k->dir);
	return kernels_check_image(k->vmlinuz, (char[KERNEL_TEXT_MAX]){ 0 }, (char[KERNEL_TEXT_MAX]){ 0 }, e);
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
		       "unknown kernel \"%s\"; allowed: %s, or the path of a bzImage with a slash in it, "
		       "as PATH[:MODULES]",
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

/* "debian:6.1" -> "CACHE/debian-6.1" */
static int dir_in(const char *cache, const char *name, char ret[PATH_LEN_MAX], struct err *e)
{
	int r = path_format(ret, "%s/%s", cache, name);
	char *p;

	if (r < 0)
		return err_errno(e, -r, "%s/%s", cache, name);
	for (p = strrchr(ret, '/'); *p; p++)
		if (*p == ':')
			*p = '-';
	return 0;
}

static int cache_path(char ret[PATH_LEN_MAX], struct err *e)
{
	int r = paths_cache("kernels", ret);

	return r < 0 ? err_errno(e, -r,
				 "the kernel cache: neither XDG_CACHE_HOME nor HOME is an absolute path")
		     : 0;
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
	r = dir_in(cache, name, k.dir, e);
	if (r == 0)
		r = look_into_cache(&k, e);
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
	r = cache_path(cache, e);
	if (r < 0)
		return r;
	return kernels_find_in(&table, cache, name, ret, e);
}

/* What fetch is started with; found before the fork. */
struct fetch {
	char program[PATH_LEN_MAX], table[PATH_LEN_MAX], apt[PATH_LEN_MAX];
	bool refresh;
	int reason_fd;
};

/* In the child: fetch dies with us, hears our signals and writes to standard error alone. */
static void exec_fetch(const struct fetch *f, const struct kernel *k, pid_t parent)
{
	sigset_t none;

	prctl(PR_SET_PDEATHSIG, SIGTERM);
	if (getppid() != parent)
		_exit(1);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	signal(SIGPIPE, SIG_DFL);
	dup2(STDERR_FILENO, STDOUT_FILENO);
	setenv("OOMLAB_KERNELS_TABLE", f->table, 1);
	/* dup2() to itself would leave it close-on-exec */
	if (f->reason_fd == REASON_FD ? fcntl(REASON_FD, F_SETFD, 0) == 0
				      : f->reason_fd >= 0 && dup2(f->reason_fd, REASON_FD) >= 0)
		setenv("OOMLAB_REASON_FD", "3", 1);
	else
		unsetenv("OOMLAB_REASON_FD");
	if (f->refresh)
		execl(f->program, f->program, "--refresh", k->name, k->dir, f->apt, (char *)NULL);
	else
		execl(f->program, f->program, k->name, k->dir, f->apt, (char *)NULL);
	dprintf(STDERR_FILENO, "%s: exec: %s\n", f->program, strerror(errno));
	_exit(127);
}

static int find_fetch(struct fetch *f, struct err *e)
{
	int r = table_path(f->table, e);

	if (r < 0)
		return r;
	r = paths_helper("fetch", f->program);
	if (r < 0)
		return err_errno(e, -r, "fetch, which gets guest kernels");
	r = paths_cache("apt", f->apt);
	return r < 0 ? err_errno(e, -r, "the cache directory") : 0;
}

/* fetch's status and its own words as an error. */
static int fetch_failed(const struct kernel *k, int reason_fd, int status, struct err *e)
{
	char reason[1024] = "";

	if (WIFSIGNALED(status))
		return err_set(e, EINTR, "kernel %s: fetching it was ended by signal %d", k->name,
			       WTERMSIG(status));
	if (reason_fd >= 0 && pread(reason_fd, reason, sizeof(reason) - 1, 0) > 0)
		reason[strcspn(reason, "\n")] = 0;
	return reason[0] ? err_set(e, EIO, "kernel %s could not be fetched: %s", k->name, reason)
			 : err_set(e, EIO, "kernel %s could not be fetched (exit %d of fetch)", k->name,
				   WEXITSTATUS(status));
}

static int run_fetch(const struct kernel *k, bool refresh, struct err *e)
{
	AUTO_CLOSE int reason_fd = memfd_create("reason", MFD_CLOEXEC);
	struct fetch f = { .refresh = refresh, .reason_fd = reason_fd };
	pid_t parent = getpid(), pid;
	int status, r;

	r = find_fetch(&f, e);
	if (r < 0)
		return r;
	pid = fork();
	if (pid < 0)
		return err_errno(e, errno, "fork");
	if (pid == 0)
		exec_fetch(&f, k, parent);
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return err_errno(e, errno, "waitpid");
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return 0;
	return fetch_failed(k, reason_fd, status, e);
}

static int fetch_and_look(struct kernel *k, bool refresh, struct err *e)
{
	int r = run_fetch(k, refresh, e);

	if (r < 0)
		return r;
	r = look_into_cache(k, e);
	if (r == 0 && !k->cached)
		return err_set(e, ENOENT, "%s: fetch left nothing there", k->dir);
	return r;
}

int kernels_ensure(struct kernel *k, struct err *e)
{
	return k->cached ? 0 : fetch_and_look(k, false, e);
}

int kernels_refresh(struct kernel *k, struct err *e)
{
	return fetch_and_look(k, true, e);
}

/* The lock of fetch; -1 in *ret_fd when nothing was ever fetched. */
static int lock_fetch(const char *name, int *ret_fd, struct err *e)
{
	char path[PATH_LEN_MAX];
	int fd;

	if (paths_cache("apt/lock", path) < 0)
		return err_errno(e, ENOENT, "the cache directory");
	fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd < 0 && errno != ENOENT)
		return err_errno(e, errno, "%s: open", path);
	if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) < 0) {
		int code = errno;

		close(fd);
		return code == EWOULDBLOCK
			       ? err_set(e, EBUSY, "kernel %s is not removed: a fetch is running", name)
			       : err_errno(e, code, "%s: flock", path);
	}
	*ret_fd = fd;
	return 0;
}

int kernels_remove(const char *name, struct err *e)
{
	char cache[PATH_LEN_MAX], dir[PATH_LEN_MAX], part[PATH_LEN_MAX];
	AUTO_CLOSE int lock = -1;
	int r;

	r = cache_path(cache, e);
	if (r == 0)
		r = dir_in(cache, name, dir, e);
	if (r == 0)
		r = lock_fetch(name, &lock, e);
	if (r < 0)
		return r;
	/* Gone in one step; a name that the next fetch clears away if we are killed. */
	r = path_format(part, "%s.part.%d", dir, (int)getpid());
	if (r < 0)
		return err_errno(e, -r, "%s", dir);
	if (rename(dir, part) < 0)
		return errno == ENOENT ? 0 : err_errno(e, errno, "%s: rename", dir);
	r = tree_remove(part, e);
	return r < 0 ? r : 1;
}
