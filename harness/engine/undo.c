// SPDX-License-Identifier: MIT
#include "harness/engine/undo.h"

#include "cgroups/cgroups.h"
#include "lib/files.h"
#include "lib/json.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/swap.h>
#include <unistd.h>

#define JOURNAL_BYTES_MAX (1 << 20)

/*
 * When pid was started, in clock ticks since boot: with the pid it names a process for good. -1: it is
 * gone, or dead and not reaped yet.
 */
static int64_t start_ticks(pid_t pid)
{
	char path[PATH_LEN_MAX];
	AUTO_FREE char *text = NULL;
	const char *p;
	int field;

	if (path_format(path, "/proc/%d/stat", (int)pid) < 0 || file_read(path, 4096, &text, NULL, NULL) < 0)
		return -1;
	/* "12 (a (b) c) S 1 ...": the name may hold anything, so count from its last parenthesis. */
	p = strrchr(text, ')');
	if (!p || !strncmp(p, ") Z", 3) || !strncmp(p, ") X", 3))
		return -1;
	for (field = 2; p && field < 22; field++) {
		p = strchr(p, ' ');
		p = p ? p + 1 : NULL;
	}
	return p ? strtoll(p, NULL, 10) : -1;
}

static int append(const char *journal, int flags, json_t *line, struct err *e)
{
	AUTO_FREE char *text = json_dumps(line, JSON_COMPACT);
	AUTO_CLOSE int fd = open(journal, O_WRONLY | O_APPEND | O_CLOEXEC | flags, 0644);
	size_t len;
	int r;

	json_decref(line);
	if (!text)
		return err_set(e, ENOMEM, "%s: out of memory", journal);
	if (fd < 0)
		return err_errno(e, errno, "%s: open", journal);
	len = strlen(text);
	text[len] = '\n'; /* over the NUL: exactly len + 1 bytes are written */
	r = write_all(fd, text, len + 1);
	return r < 0 ? err_errno(e, -r, "%s: write", journal) : 0;
}

static int note(struct undo *u, json_t *line, struct err *e)
{
	if (!u->journal) {
		json_decref(line);
		return 0;
	}
	return append(u->journal, 0, line, e);
}

int undo_create(const char *journal, pid_t harness, struct err *e)
{
	return append(
		journal, O_CREAT | O_EXCL,
		json_pack("{s:i, s:I}", "harness", (int)harness, "started", (json_int_t)start_ticks(harness)),
		e);
}

/* "vm.overcommit_memory" -> "/proc/sys/vm/overcommit_memory" */
static int sysctl_path(const char *name, char ret[PATH_LEN_MAX])
{
	char *p;
	int r;

	if (strstr(name, "..") || name[0] == '/' || name[0] == '.')
		return -EINVAL;
	r = path_format(ret, "/proc/sys/%s", name);
	for (p = ret + strlen("/proc/sys/"); r == 0 && *p; p++)
		if (*p == '.')
			*p = '/';
	return r;
}

static int read_line(const char *path, char ret[128], struct err *e)
{
	AUTO_FREE char *text = NULL;
	int r;

	r = file_read(path, 4096, &text, NULL, e);
	if (r < 0)
		return r;
	if (snprintf(ret, 128, "%.*s", (int)strcspn(text, "\n"), text) >= 128)
		return err_set(e, EMSGSIZE, "%s: longer than 127 bytes", path);
	return 0;
}

int undo_sysctl(struct undo *u, const char *name, const char *value, char ret_was[128], char ret_got[128],
		struct err *e)
{
	char path[PATH_LEN_MAX];
	int r;

	r = sysctl_path(name, path);
	if (r < 0)
		return err_set(e, EINVAL, "sysctl %s: not a name below /proc/sys", name);
	if (access(path, F_OK) < 0)
		return err_set(e, EOPNOTSUPP, "this kernel has no sysctl %s", name);
	r = read_line(path, ret_was, e);
	if (r == 0)
		r = note(u, json_pack("{s:s, s:s, s:s}", "undo", "sysctl", "path", path, "value", ret_was),
			 e);
	if (r == 0)
		r = file_put(path, value, e);
	if (r == 0)
		r = read_line(path, ret_got, e);
	return r < 0 ? err_prefix(e, "sysctl %s", name) : 0;
}

/* The first page of a swap area, as mkswap(8) writes it: version 1, its last page, the signature. */
static int write_signature(int fd, uint64_t bytes)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	AUTO_FREE char *head = calloc(1, page);
	uint32_t info[3] = { 1, 0, 0 };
	ssize_t n;

	if (!head)
		return -ENOMEM;
	if (bytes / page < 10)
		return -EINVAL;
	info[1] = (uint32_t)(bytes / page - 1);
	memcpy(head + 1024, info, sizeof(info));
	memcpy(head + page - 10, "SWAPSPACE2", 10);
	n = pwrite(fd, head, page, 0);
	return n < 0 ? -errno : n == (ssize_t)page ? 0 : -EIO;
}

int undo_swap_on(struct undo *u, const char *path, uint64_t bytes, struct err *e)
{
	AUTO_CLOSE int fd = -1;
	off_t size;
	int r;

	r = note(u, json_pack("{s:s, s:s, s:b}", "undo", "swap", "path", path, "remove", bytes > 0), e);
	if (r < 0)
		return r;
	fd = open(path, O_RDWR | O_CLOEXEC | (bytes ? O_CREAT | O_EXCL : 0), 0600);
	if (fd < 0)
		return err_errno(e, errno, "swap %s: open", path);
	r = bytes ? posix_fallocate(fd, 0, (off_t)bytes) : 0;
	if (r)
		return err_errno(e, r, "swap %s: allocate", path);
	size = lseek(fd, 0, SEEK_END);
	r = write_signature(fd, (uint64_t)size);
	if (r < 0)
		return err_errno(e, -r, "swap %s: write the signature", path);
	fsync(fd);
	if (swapon(path, 0) < 0)
		return err_errno(e, errno, "swap %s: swapon", path);
	return 0;
}

int undo_note_cgroup(struct undo *u, const char *path, struct err *e)
{
	return note(u, json_pack("{s:s, s:s}", "undo", "cgroup", "path", path), e);
}

int undo_make_directory(struct undo *u, const char *path, struct err *e)
{
	int r;

	r = note(u, json_pack("{s:s, s:s}", "undo", "directory", "path", path), e);
	if (r == 0 && mkdir(path, 0700) < 0)
		r = err_errno(e, errno, "%s: mkdir", path);
	return r;
}

/* The stressors' files in it have no names: they are gone with their processes. */
static int undo_directory(const char *path, struct err *e)
{
	return rmdir(path) < 0 && errno != ENOENT ? err_errno(e, errno, "%s: remove", path) : 0;
}

static int undo_cgroup(const char *path, struct err *e)
{
	struct cg_system sys;
	int r;

	r = cg_init(&sys, e);
	return r < 0 ? r : cg_remove(&sys, path, e);
}

/*
 * Filename				Type		Size		Used		Priority
 * /tmp/swap                               file		1020		0		-2
 */
static bool swapped_on(const char *path)
{
	AUTO_FREE char *text = NULL;
	AUTO_FREE char *full = realpath(path, NULL);
	const char *line;

	if (!full || file_read("/proc/swaps", 1 << 16, &text, NULL, NULL) < 0)
		return errno != ENOENT;
	for (line = strchr(text, '\n'); line; line = strchr(line + 1, '\n'))
		if (!strncmp(line + 1, full, strlen(full)) && strchr(" \t", line[1 + strlen(full)]))
			return true;
	return false;
}

static int undo_swap(const char *path, bool remove_it, struct err *e)
{
	int errnum = swapoff(path) < 0 ? errno : 0;

	/* EINVAL: not swapped on (the trial died before swapon, or the machine was rebooted); EPERM does not tell. */
	if (errnum && errnum != EINVAL && errnum != ENOENT && (errnum != EPERM || swapped_on(path)))
		return err_errno(e, errnum, "swap %s: swapoff", path);
	if (remove_it && unlink(path) < 0 && errno != ENOENT)
		return err_errno(e, errno, "swap %s: remove", path);
	return 0;
}

static int undo_one(const json_t *line, const char *journal, size_t number, struct err *e)
{
	const char *what = json_text(line, "undo", "");
	const char *path = json_text(line, "path", "");
	bool below = path[0] && !strstr(path, "..");

	if (json_object_get(line, "harness"))
		return 0;
	if (!strcmp(what, "sysctl") && below && !strncmp(path, "/proc/sys/", 10))
		return file_put(path, json_text(line, "value", ""), e);
	if (!strcmp(what, "swap") && path[0])
		return undo_swap(path, json_flag(line, "remove", false), e);
	if (!strcmp(what, "directory") && below)
		return undo_directory(path, e);
	if (!strcmp(what, "cgroup") && below)
		return undo_cgroup(path, e);
	return err_set(e, EINVAL, "%s: line %zu makes no sense; undo it by hand and remove the file", journal,
		       number);
}

/*
 * The journal's lines as a JSON array, with null for one that is damaged. A last
 * line that was cut by the harness's death is left out: it had not acted on it yet.
 */
static json_t *read_journal(const char *journal, struct err *e)
{
	AUTO_FREE char *text = NULL;
	json_t *lines;
	char *p, *nl;

	if (file_read(journal, JOURNAL_BYTES_MAX, &text, NULL, e) < 0)
		return NULL;
	lines = json_array();
	for (p = text; lines && (nl = strchr(p, '\n')); p = nl + 1) {
		json_t *line = json_loadb(p, (size_t)(nl - p), 0, NULL);

		json_array_append_new(lines, line ? line : json_null());
	}
	return lines;
}

int undo_replay(const char *journal, struct err *e)
{
	struct err scratch = ERR_INIT;
	json_t *lines;
	size_t i;
	int first = 0;

	if (access(journal, F_OK) < 0)
		return 0;
	lines = read_journal(journal, e);
	if (!lines)
		return e ? -e->code : -EIO;
	for (i = json_array_size(lines); i-- > 0;) {
		int r = undo_one(json_array_get(lines, i), journal, i + 1, first ? &scratch : e);

		first = first ? first : r;
	}
	json_decref(lines);
	if (first == 0 && unlink(journal) < 0)
		return err_errno(e, errno, "%s: remove", journal);
	return first;
}

bool undo_owner_alive(const char *journal)
{
	json_t *lines = read_journal(journal, NULL);
	const json_t *owner = json_array_get(lines, 0);
	pid_t pid = (pid_t)json_number(owner, "harness", 0);
	bool alive = pid > 0 && start_ticks(pid) == json_number(owner, "started", -2);

	json_decref(lines);
	return alive;
}
