// SPDX-License-Identifier: MIT
#include "harness/stressors.h"

#include "lib/capture.h"
#include "lib/json.h"
#include "lib/paths.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define TIMEOUT_MS 10000
#define WORDS_MAX  256

static int program(char ret_path[PATH_LEN_MAX], struct err *e)
{
	int r = paths_helper("oomlab-stress", ret_path);

	return r < 0 ? err_set(e, -r, "oomlab-stress is not there beside oomlab: run make") : 0;
}

int stressors_list(json_t **ret, struct err *e)
{
	char path[PATH_LEN_MAX];
	const char *argv[] = { path, "--list", "--json", NULL };
	AUTO_FREE char *text = NULL;
	json_error_t problem;
	json_t *all;
	int status, r;

	r = program(path, e);
	if (r == 0)
		r = capture(argv, TIMEOUT_MS, &text, &status, e);
	if (r < 0)
		return r;
	all = json_loads(text, 0, &problem);
	*ret = json_incref(json_object_get(all, "stressors"));
	json_decref(all);
	if (!json_is_array(*ret))
		return err_set(e, EBADMSG, "%s --list --json: %s", path,
			       all ? "no list of stressors" : problem.text);
	return 0;
}

int stressors_check(const char *const *argv, char *why, size_t room)
{
	char path[PATH_LEN_MAX];
	const char *words[WORDS_MAX + 4] = { path, argv[0], "--check" };
	AUTO_FREE char *text = NULL;
	struct err e = ERR_INIT;
	size_t n, i;
	int status, r;

	for (n = 3, i = 1; argv[i] && n < WORDS_MAX; i++)
		words[n++] = argv[i];
	r = program(path, &e);
	if (r == 0)
		r = capture(words, TIMEOUT_MS, &text, &status, &e);
	if (r < 0) {
		snprintf(why, room, "%s", e.text);
		return -EINVAL;
	}
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return 0;
	snprintf(why, room, "%.*s", (int)strcspn(text, "\n"), text);
	return -EINVAL;
}

int stressors_exec(char **argv, struct err *e)
{
	char path[PATH_LEN_MAX];
	int r = program(path, e);

	if (r < 0)
		return r;
	argv[0] = path;
	execv(path, argv);
	return err_errno(e, errno, "%s", path);
}
