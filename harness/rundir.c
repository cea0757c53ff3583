// SPDX-License-Identifier: MIT
#include "harness/rundir.h"

#include "lib/json.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

/* 0: absent, 1: empty; a dangling link is neither. */
static int look_at(const char *out, struct err *e)
{
	int r = dir_is_empty(out);
	struct stat st;

	if (r == 0)
		return err_set(e, ENOTEMPTY,
			       "--out %s: is not empty; give a directory that is empty or does not exist",
			       out);
	if (r == -ENOENT && lstat(out, &st) < 0)
		return 0;
	return r < 0 ? err_errno(e, -r, "--out %s", out) : 1;
}

static int make_given(const char *out, struct rundir *d, struct err *e)
{
	int r = look_at(out, e);

	if (r < 0)
		return r;
	d->made = r == 0;
	r = dir_make(out, e);
	if (r < 0)
		return r;
	if (access(out, W_OK | X_OK) < 0)
		return err_errno(e, errno, "--out %s", out);
	snprintf(d->shown, sizeof(d->shown), "%s", out);
	return 0;
}

/* Two runs of one second get different names; mkdir decides, so two harnesses do too. */
static int make_default(const char *name, const char *stamp, struct rundir *d, struct err *e)
{
	int n, r;

	r = dir_make("results/runs", e);
	for (n = 1; r == 0 && n <= 1000; n++) {
		if (n == 1)
			r = path_format(d->shown, "results/runs/%s-%s", stamp, name);
		else
			r = path_format(d->shown, "results/runs/%s-%s.%d", stamp, name, n);
		if (r < 0)
			return err_errno(e, -r, "results/runs/%s", name);
		if (mkdir(d->shown, 0755) == 0) {
			d->made = true;
			return 0;
		}
		if (errno != EEXIST)
			return err_errno(e, errno, "%s: mkdir", d->shown);
	}
	return r < 0 ? r : err_set(e, EEXIST, "%s: exists, and so do its next 1000 names", d->shown);
}

static void stamp_now(struct rundir *d, char stamp[32])
{
	time_t now = time(NULL);
	struct tm utc;

	gmtime_r(&now, &utc);
	strftime(stamp, 32, "%Y%m%dT%H%M%SZ", &utc);
	strftime(d->started, sizeof(d->started), "%Y-%m-%dT%H:%M:%SZ", &utc);
}

int rundir_make(const char *out, const char *name, struct rundir *ret, struct err *e)
{
	char stamp[32];
	int r;

	memset(ret, 0, sizeof(*ret));
	stamp_now(ret, stamp);
	r = out ? make_given(out, ret, e) : make_default(name, stamp, ret, e);
	if (r < 0)
		return r;
	if (!realpath(ret->shown, ret->path))
		return err_errno(e, errno, "%s", ret->shown);
	return 0;
}

/* "a/b/" is "b" in "a"; the folder is made if it is not there, and its real path given. */
static int split_out(const char *out, char folder[PATH_LEN_MAX], char name[NAME_MAX + 1], struct err *e)
{
	char path[PATH_LEN_MAX], *slash;
	size_t len = strlen(out);
	const char *last;
	int r;

	while (len > 1 && out[len - 1] == '/')
		len--;
	r = path_format(path, "%.*s", (int)len, out);
	if (r < 0)
		return err_errno(e, -r, "--out %s", out);
	slash = strrchr(path, '/');
	last = slash ? slash + 1 : path;
	if (!*last || !strcmp(last, ".") || !strcmp(last, "..") || strlen(last) > NAME_MAX - 20)
		return err_set(e, EINVAL, "--out %s: allowed: a directory's name", out);
	snprintf(name, NAME_MAX + 1, "%s", last);
	if (slash)
		*slash = 0;
	r = slash && path[0] ? dir_make(path, e) : 0;
	if (r == 0 && !realpath(!slash ? "." : path[0] ? path : "/", folder))
		r = err_errno(e, errno, "--out %s", out);
	return r;
}

int rundir_stage(const char *out, struct rundir *ret, struct err *e)
{
	char folder[PATH_LEN_MAX], name[NAME_MAX + 1], real[PATH_LEN_MAX], stamp[32];
	int r, n;

	memset(ret, 0, sizeof(*ret));
	stamp_now(ret, stamp);
	r = look_at(out, e);
	if (r >= 0) /* what is there may be a link, or "." */
		r = split_out(r == 1 && realpath(out, real) ? real : out, folder, name, e);
	for (n = 1; r == 0 && n <= 1000; n++) {
		r = path_format(ret->path, "%s/.%s.merging.%d", folder, name, n);
		if (r < 0)
			return err_errno(e, -r, "--out %s", out);
		if (mkdir(ret->path, 0755) == 0) {
			ret->made = true;
			snprintf(ret->shown, sizeof(ret->shown), "%s", out);
			return 0;
		}
		if (errno != EEXIST)
			return err_errno(e, errno, "--out %s: %s: mkdir", out, ret->path);
	}
	return r < 0 ? r
		     : err_set(e, EEXIST, "%s: exists, and so do those of the 999 names before it",
			       ret->path);
}

/* Over an empty directory too; one that has been filled meanwhile is left alone by the kernel. */
int rundir_publish(struct rundir *d, const char *out, struct err *e)
{
	char real[PATH_LEN_MAX];

	if (rename(d->path, realpath(out, real) ? real : out) < 0)
		return err_errno(e, errno, "--out %s: rename", out);
	d->made = false;
	return 0;
}

void rundir_discard(struct rundir *d)
{
	if (d->made)
		tree_remove(d->path, NULL);
	d->made = false;
}

json_t *rundir_describe(const struct rundir *d, int argc, char **argv)
{
	uint64_t ram = (uint64_t)sysconf(_SC_PHYS_PAGES) * (uint64_t)sysconf(_SC_PAGESIZE);
	json_t *arguments = json_array();
	struct utsname u;
	int i;

	for (i = 0; i < argc; i++) {
		json_t *word = json_string(argv[i]);

		json_array_append_new(arguments, word ? word : json_string("?")); /* not UTF-8 */
	}
	uname(&u);
	return json_pack("{s:i, s:s, s:o, s:s, s:{s:s, s:s, s:i, s:I}}", "run", 1, "tool",
			 "oomlab " OOMLAB_VERSION, "arguments", arguments, "started", d->started, "host",
			 "kernel", u.release, "machine", u.machine, "cpus",
			 (int)sysconf(_SC_NPROCESSORS_ONLN), "memory", (json_int_t)ram);
}

int rundir_finish(const struct rundir *d, const json_t *run, struct err *e)
{
	char path[PATH_LEN_MAX];
	int r = path_format(path, "%s/run.json", d->path);

	return r < 0 ? err_errno(e, -r, "%s/run.json", d->path) : json_write(path, run, e);
}
