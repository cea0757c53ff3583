// SPDX-License-Identifier: MIT
#include "lib/paths.h"

#include <errno.h>
#include <libgen.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Directory of the running executable. */
static int exe_dir(char ret[PATH_LEN_MAX])
{
	char exe[PATH_LEN_MAX];
	ssize_t n = readlink("/proc/self/exe", exe, sizeof(exe) - 1);

	if (n < 0)
		return -errno;
	exe[n] = 0;
	return path_format(ret, "%s", dirname(exe));
}

/* The first of the candidates DIR/pattern/name that exists. */
static int find(const char *const patterns[], const char *name, char ret_path[PATH_LEN_MAX])
{
	char dir[PATH_LEN_MAX];
	size_t i;
	int r;

	r = exe_dir(dir);
	if (r < 0)
		return r;
	for (i = 0; patterns[i]; i++) {
		r = path_format(ret_path, "%s/%s/%s", dir, patterns[i], name);
		if (r < 0)
			return r;
		if (access(ret_path, F_OK) == 0)
			return 0;
	}
	return -ENOENT;
}

int paths_helper(const char *name, char ret_path[PATH_LEN_MAX])
{
	/* Build tree, its parent for build/unit/ and build/clang/unit/, the fetch script's source, installed. */
	static const char *const patterns[] = { ".",
						"..",
						"../guest/kernels",
						"../../guest/kernels",
						"../../../guest/kernels",
						"../libexec/oomlab",
						NULL };

	return find(patterns, name, ret_path);
}

int paths_data(const char *name, char ret_path[PATH_LEN_MAX])
{
	static const char *const patterns[] = { "..",          "../guest",       "../..",
						"../../guest", "../../../guest", "../share/oomlab",
						NULL };

	return find(patterns, name, ret_path);
}

static int below_home(const char *variable, const char *fallback, const char *name,
		      char ret_path[PATH_LEN_MAX])
{
	const char *base = getenv(variable);
	const char *home = getenv("HOME");

	if (base && base[0] == '/')
		return path_format(ret_path, "%s/oomlab/%s", base, name);
	if (!home || home[0] != '/')
		return -ENOENT;
	return path_format(ret_path, "%s/%s/oomlab/%s", home, fallback, name);
}

int paths_cache(const char *name, char ret_path[PATH_LEN_MAX])
{
	return below_home("XDG_CACHE_HOME", ".cache", name, ret_path);
}

int paths_state(const char *name, char ret_path[PATH_LEN_MAX])
{
	return below_home("XDG_STATE_HOME", ".local/state", name, ret_path);
}

/* A user's PATH may lack what only root is thought to need. */
#define PATH_DEFAULT "/usr/local/bin:/usr/bin:/bin"
#define PATH_MORE    "/usr/local/sbin:/usr/sbin:/sbin"

bool paths_executable(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && S_ISREG(st.st_mode) && access(path, X_OK) == 0;
}

int paths_search(const char *list, const char *name, char ret_path[PATH_LEN_MAX])
{
	AUTO_FREE char *copy = strdup(list);
	char *rest = copy, *dir;

	while (copy && (dir = strsep(&rest, ":")))
		if (dir[0] && path_format(ret_path, "%s/%s", dir, name) == 0 && paths_executable(ret_path))
			return 0;
	return -ENOENT;
}

int paths_program(const char *name, char ret_path[PATH_LEN_MAX])
{
	const char *path = getenv("PATH");

	if (paths_search(path ? path : PATH_DEFAULT, name, ret_path) == 0)
		return 0;
	return paths_search(PATH_MORE, name, ret_path);
}
