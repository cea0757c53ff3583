// SPDX-License-Identifier: MIT
#include "harness/report.h"

#include "lib/json.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

static int count(const json_t *results, const char *verdict)
{
	const json_t *result;
	int n = 0;
	size_t i;

	json_array_foreach (results, i, result)
		n += strcmp(json_text(result, "verdict", ""), verdict) == 0;
	return n;
}

enum exit_status report_status(const json_t *results)
{
	if (count(results, "broken"))
		return EXIT_BROKEN;
	if (count(results, "fail"))
		return EXIT_FAIL;
	return count(results, "pass") ? EXIT_PASS : EXIT_SKIP;
}

json_t *report_tree(json_t *run, json_t *results, json_t *where, enum exit_status status)
{
	json_object_set_new(run, "verdicts",
			    json_pack("{s:i, s:i, s:i, s:i}", "pass", count(results, "pass"), "fail",
				      count(results, "fail"), "skip", count(results, "skip"), "broken",
				      count(results, "broken")));
	json_object_set_new(run, "exit", json_integer(status));
	json_object_set_new(run, "results", where);
	return json_pack("{s:o, s:o}", "run", run, "results", results);
}

static unsigned int terminal_width(void)
{
	struct winsize size;

	return ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 ? size.ws_col : 0;
}

int report_print(const char *verb, const struct output *format, const struct rundir *dir, const json_t *tree)
{
	bool people = isatty(STDOUT_FILENO);
	const struct output_options shown = {
		.colour = people && !getenv("NO_COLOR"),
		.width = people ? terminal_width() : 0,
		.run_dir = dir->shown,
	};

	if (format->write(stdout, tree, &shown) < 0)
		return complain_and(EXIT_BROKEN, verb, "out of memory");
	return EXIT_PASS;
}

enum exit_status report_error(int r)
{
	return r == -ENOSPC || r == -EACCES || r == -EROFS ? EXIT_USAGE : EXIT_BROKEN;
}
