// SPDX-License-Identifier: MIT
#include "harness/determinism.h"

#include "lib/blackbox.h"
#include "lib/files.h"
#include "lib/json.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RESULT "result.json"

static int not_dots(const struct dirent *entry)
{
	return strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
}

/* By bytes: alphasort() would ask the locale. */
static int by_name(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

struct names_in {
	struct dirent **v;
	int count;
};

static void free_names(struct names_in *names)
{
	while (names->count > 0)
		free(names->v[--names->count]);
	free(names->v);
}

static int read_names(const char *dir, struct names_in *ret, struct err *e)
{
	ret->v = NULL;
	ret->count = scandir(dir, &ret->v, not_dots, by_name);
	if (ret->count >= 0)
		return 0;
	ret->count = 0;
	return err_errno(e, errno, "%s", dir);
}

struct text {
	const char *p, *end;
	size_t line;
};

/*
 * The next line with its newline; 0 at the end. Of result.json the line
 * "  "trial": 2," is left out, for it is what tells the trials apart.
 */
static size_t next_line(struct text *t, bool result, const char **ret)
{
	const char *newline;
	size_t len;

	do {
		*ret = t->p;
		newline = t->p < t->end ? memchr(t->p, '\n', (size_t)(t->end - t->p)) : NULL;
		len = (size_t)((newline ? newline + 1 : t->end) - t->p);
		t->p += len;
		t->line++;
	} while (result && len > 11 && memcmp(*ret, "  \"trial\": ", 11) == 0);
	return len;
}

/* The number of the first line that differs, 0: none. */
static size_t differing_line(struct text a, struct text b, bool result)
{
	const char *one, *two;
	size_t len;

	do {
		len = next_line(&a, result, &one);
		if (next_line(&b, result, &two) != len || memcmp(one, two, len) != 0)
			return a.line;
	} while (len);
	return 0;
}

static int read_text(const char *dir, const char *name, char **ret_data, struct text *ret, struct err *e)
{
	char path[PATH_LEN_MAX];
	size_t len = 0;
	int r;

	r = path_format(path, "%s/%s", dir, name);
	if (r < 0)
		return err_errno(e, -r, "%s/%s", dir, name);
	r = file_read(path, BB_BYTES_MAX, ret_data, &len, e);
	if (r == 0)
		*ret = (struct text){ *ret_data, *ret_data + len, 0 };
	return r;
}

static int compare_file(const char *dir, const char *other, const char *name, char ret[DIFFERENCE_MAX],
			struct err *e)
{
	AUTO_FREE char *a_data = NULL;
	AUTO_FREE char *b_data = NULL;
	struct text a, b;
	size_t line;
	int r;

	r = read_text(dir, name, &a_data, &a, e);
	if (r == 0)
		r = read_text(other, name, &b_data, &b, e);
	if (r < 0)
		return r;
	line = differing_line(a, b, strcmp(name, RESULT) == 0);
	if (line)
		snprintf(ret, DIFFERENCE_MAX, "%s:%zu differs", name, line);
	return 0;
}

int determinism_compare(const char *dir, const char *other, char ret[DIFFERENCE_MAX], struct err *e)
{
	struct names_in a = { NULL, 0 }, b = { NULL, 0 };
	int r, i;

	ret[0] = 0;
	r = read_names(dir, &a, e);
	if (r == 0)
		r = read_names(other, &b, e);
	for (i = 0; r == 0 && !ret[0] && (i < a.count || i < b.count); i++) {
		int order = i == a.count ? 1 : i == b.count ? -1 : strcmp(a.v[i]->d_name, b.v[i]->d_name);

		if (order)
			snprintf(ret, DIFFERENCE_MAX, "only one of them has %s",
				 order < 0 ? a.v[i]->d_name : b.v[i]->d_name);
		else
			r = compare_file(dir, other, a.v[i]->d_name, ret, e);
	}
	free_names(&a);
	free_names(&b);
	return r;
}

static bool is_judged(const struct job *job)
{
	const char *verdict = json_text(job->result, "verdict", "");

	return json_flag(json_object_get(job->spec, "machine"), "deterministic", false) &&
	       (!strcmp(verdict, "pass") || !strcmp(verdict, "fail"));
}

static int hold_against(struct job *job, const struct job *first, const char *run_dir, struct err *e)
{
	char dir[PATH_LEN_MAX], other[PATH_LEN_MAX], path[PATH_LEN_MAX], difference[DIFFERENCE_MAX];
	int r;

	if (path_format(dir, "%s/%s", run_dir, job->relative) < 0 ||
	    path_format(other, "%s/%s", run_dir, first->relative) < 0 ||
	    path_format(path, "%s/" RESULT, dir) < 0)
		return err_errno(e, ENAMETOOLONG, "%s/%s", run_dir, job->relative);
	r = determinism_compare(other, dir, difference, e);
	if (r < 0 || !difference[0])
		return r;
	json_object_set_new(job->result, "verdict", json_string("broken"));
	json_object_set_new(
		job->result, "reason",
		json_sprintf("not deterministic: against trial %d, %s", first->number, difference));
	return json_write(path, job->result, e);
}

int determinism_check(struct job *jobs, size_t count, const char *run_dir, struct err *e)
{
	const struct job *first = NULL;
	size_t i;
	int r = 0;

	for (i = 0; r == 0 && i < count; i++) {
		if (!is_judged(&jobs[i]))
			continue;
		if (first && first->spec == jobs[i].spec)
			r = hold_against(&jobs[i], first, run_dir, e);
		else
			first = &jobs[i];
	}
	return r;
}
