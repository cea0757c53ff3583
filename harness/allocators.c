// SPDX-License-Identifier: MIT
#include "harness/allocators.h"

#include <glob.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#define FOLDERS "{/usr/local/lib,/usr/lib/x86_64-linux-gnu,/usr/lib64,/usr/lib}/"

static const struct {
	const char *name, *file, *package, *about;
} rows[] = {
#define ALLOCATOR(name_, file_, package_, about_) { name_, file_, package_, about_ },
#include "harness/allocators.def"
#undef ALLOCATOR
};

#define ROWS (sizeof(rows) / sizeof(rows[0]))

/* The first that there is; of several versions the last by name. False: none. */
static bool find(const char *file, char ret_path[PATH_LEN_MAX])
{
	char pattern[PATH_LEN_MAX];
	glob_t found = { 0 };
	bool there;

	snprintf(pattern, sizeof(pattern), "%s%s", file[0] == '/' ? "" : FOLDERS, file);
	there = glob(pattern, GLOB_BRACE, NULL, &found) == 0 && found.gl_pathc;
	if (there)
		there = path_format(ret_path, "%s",
				    found.gl_pathv[file[0] == '/' ? found.gl_pathc - 1 : 0]) >= 0;
	globfree(&found);
	return there;
}

const struct allocator_name *allocators(void)
{
	static struct allocator_name names[ROWS + 1];
	static char paths[ROWS][PATH_LEN_MAX];
	size_t i;

	for (i = 0; !names[0].name && i < ROWS; i++) {
		if (rows[i].file[0] && find(rows[i].file, paths[i]))
			names[i].library = paths[i];
		else if (rows[i].file[0])
			names[i].package = rows[i].package;
	}
	for (i = 0; i < ROWS; i++)
		names[i].name = rows[i].name;
	return names;
}

const char *allocator_about(size_t i)
{
	return rows[i].about;
}
