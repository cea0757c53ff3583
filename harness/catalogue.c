// SPDX-License-Identifier: MIT
/* From the words on the command line to scenario files. */
#include "harness/verbs.h"

#include "lib/paths.h"

#include <errno.h>
#include <stdbool.h>
#include <fts.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILES_MAX 4096

static int by_name(const FTSENT **a, const FTSENT **b)
{
	return strcmp((*a)->fts_name, (*b)->fts_name);
}

/* How much of a file's name is the scenario's: "a.b.yaml" -> 3; 0: it is none. */
static size_t stem_of(const char *name)
{
	const char *dot = strrchr(name, '.');

	return dot && (!strcmp(dot, ".yaml") || !strcmp(dot, ".yml")) ? (size_t)(dot - name) : 0;
}

static bool any(const FTSENT *f, const char *name)
{
	(void)f, (void)name;
	return true;
}

/* "NAME.yaml" */
static bool is_called(const FTSENT *f, const char *name)
{
	size_t stem = stem_of(f->fts_name);

	return strlen(name) == stem && strncmp(f->fts_name, name, stem) == 0;
}

/* "NAME/a.yaml", "NAME/b/c.yaml" */
static bool is_below(const FTSENT *f, const char *name)
{
	for (f = f->fts_parent; f && f->fts_level > FTS_ROOTLEVEL; f = f->fts_parent)
		if (strcmp(f->fts_name, name) == 0)
			return true;
	return false;
}

/* Adds every scenario file below dir that is wanted. */
static int walk(const char *dir, bool (*wanted)(const FTSENT *f, const char *name), const char *name,
		char **list, size_t *count)
{
	char *const roots[] = { (char *)dir, NULL };
	FTS *tree = fts_open(roots, FTS_PHYSICAL | FTS_COMFOLLOW | FTS_NOCHDIR, by_name);
	FTSENT *f;
	int r = 0;

	if (!tree)
		return -errno;
	while (r == 0 && (f = fts_read(tree))) {
		if (f->fts_info == FTS_DNR || f->fts_info == FTS_ERR)
			r = -f->fts_errno;
		if (f->fts_info != FTS_F || !stem_of(f->fts_name) || !wanted(f, name))
			continue;
		if (*count == FILES_MAX)
			r = -E2BIG;
		else if (!(list[(*count)++] = strdup(f->fts_path)))
			r = -ENOMEM;
	}
	fts_close(tree);
	return r;
}

/* The folder of oomlab's own scenarios, as short as it can be said from here. */
static int own_folder(char ret[PATH_LEN_MAX])
{
	char full[PATH_LEN_MAX], cwd[PATH_LEN_MAX];
	int r = paths_data("scenarios", ret);
	size_t len;

	if (r < 0 || !realpath(ret, full) || !getcwd(cwd, sizeof(cwd)))
		return r;
	len = strlen(cwd);
	return path_format(ret, "%s", !strncmp(full, cwd, len) && full[len] == '/' ? full + len + 1 : full);
}

/* A scenario's name comes before a folder's. */
static int find_own(const char *dir, const char *word, char **list, size_t *count)
{
	int r = walk(dir, is_called, word, list, count);

	return r == 0 && *count == 0 ? walk(dir, is_below, word, list, count) : r;
}

int catalogue_find(const char *word, char ***ret, struct err *e)
{
	char **list = calloc(FILES_MAX + 1, sizeof(*list));
	char dir[PATH_LEN_MAX];
	size_t count = 0;
	struct stat st;
	int r = 0;

	if (!list)
		return err_set(e, ENOMEM, "out of memory");
	if (stat(word, &st) == 0 && S_ISDIR(st.st_mode))
		r = walk(word, any, NULL, list, &count);
	else if (strchr(word, '/') || stem_of(word) || stat(word, &st) == 0)
		r = (list[count++] = strdup(word)) ? 0 : -ENOMEM; /* loading says what is wrong with it */
	else if (own_folder(dir) == 0)
		r = find_own(dir, word, list, &count);
	if (r == 0 && count == 0)
		r = stat(word, &st) == 0
			    ? err_set(e, ENOENT, "%s: no scenario (*.yaml) in this folder", word)
			    : err_set(e, ENOENT,
				      "%s: no file, no folder and no scenario or folder of oomlab's; see oomlab list scenarios",
				      word);
	else if (r < 0)
		r = err_errno(e, -r, "%s", word);
	if (r < 0)
		catalogue_free(list);
	else
		*ret = list;
	return r;
}

void catalogue_free(char **paths)
{
	size_t i;

	for (i = 0; paths && paths[i]; i++)
		free(paths[i]);
	free(paths);
}
