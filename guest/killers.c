// SPDX-License-Identifier: MIT
#include "guest/killers.h"

#include "guest/script.h"
#include "lib/paths.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const struct killer rows[] = {
#define ARGUMENTS(...)                                                                                       \
	{                                                                                                    \
		__VA_ARGS__                                                                                  \
	}
#define KILLER(name_, packages_, program_, helper_, ready_, arguments_, about_)                              \
	{ name_, packages_, program_, helper_, ready_, arguments_, about_ },
#include "guest/killers.def"
#undef KILLER
#undef ARGUMENTS
	{ .name = NULL }
};

const struct killer *killers(void)
{
	return rows;
}

const struct killer *killer_find(const char *name)
{
	const struct killer *k;

	for (k = rows; k->name; k++)
		if (strcmp(k->name, name) == 0)
			return k;
	return NULL;
}

static int fetch(const struct killer *k, const char *dir, struct err *e)
{
	struct script s = { .name = "fetch-packages",
			    .does = "fetched",
			    .what = "killer",
			    .of = k->name,
			    .stdin_fd = -1,
			    .arguments = { k->name, dir, NULL, KILLERS_SUITE, "main", "amd64" } };
	AUTO_FREE char *packages = strdup(k->packages);
	char apt[PATH_LEN_MAX], *rest = packages, *one;
	size_t n = 6;
	int r;

	r = paths_cache("apt", apt);
	if (r < 0 || !packages)
		return err_errno(e, r < 0 ? -r : ENOMEM, "the cache directory");
	s.arguments[2] = apt;
	while (n < SCRIPT_ARGUMENTS_MAX && (one = strsep(&rest, " ")))
		s.arguments[n++] = one;
	return script_run(&s, e);
}

/* Where it is in the cache, and the file there that says it is whole: a line "PACKAGE VERSION" for each. */
static int cached_at(const struct killer *k, char ret_dir[PATH_LEN_MAX], char ret_marker[PATH_LEN_MAX],
		     struct err *e)
{
	char name[64];
	int r;

	snprintf(name, sizeof(name), "killers/%s", k->name);
	r = paths_cache(name, ret_dir);
	if (r == 0)
		r = path_format(ret_marker, "%s/package", ret_dir);
	return r < 0 ? err_errno(e, -r, "the cache directory") : 0;
}

void killer_version(const struct killer *k, char ret[KILLER_VERSION_MAX])
{
	char dir[PATH_LEN_MAX], marker[PATH_LEN_MAX];
	AUTO_FREE char *text = NULL;

	ret[0] = 0;
	if (k->packages[0] && cached_at(k, dir, marker, NULL) == 0 &&
	    file_read(marker, 1u << 16, &text, NULL, NULL) == 0)
		snprintf(ret, KILLER_VERSION_MAX, "%.*s", (int)strcspn(text, "\n"), text);
}

int killer_ensure(const struct killer *k, char ret_root[PATH_LEN_MAX], struct err *e)
{
	char dir[PATH_LEN_MAX], marker[PATH_LEN_MAX];
	int r;

	ret_root[0] = 0;
	if (!k->packages[0])
		return 0;
	r = cached_at(k, dir, marker, e);
	if (r < 0)
		return r;
	if (access(marker, R_OK) < 0)
		r = fetch(k, dir, e);
	return r < 0 ? r : path_format(ret_root, "%s/root", dir);
}
