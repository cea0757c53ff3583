// SPDX-License-Identifier: MIT
#include "harness/report.h"

#include "harness/places/keeper.h"
#include "lib/clock.h"
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

json_t *report_run(const struct rundir *d, int argc, char **argv, const struct plan *plan, struct shard share,
		   const struct runner *runner, enum exit_status *ret_status)
{
	json_t *run = rundir_describe(d, argc, argv);
	json_t *results = json_array(), *where = json_array();
	struct keeper_counts guests = keeper_counts();
	char text[SHARD_TEXT_MAX];
	size_t i;

	for (i = 0; i < plan->count; i++) {
		if (!plan->jobs[i].result) /* never started: the run was interrupted */
			continue;
		json_array_append(results, plan->jobs[i].result);
		json_array_append_new(where, json_string(plan->jobs[i].relative));
	}
	*ret_status = runner->interrupted ? EXIT_INTERRUPTED : report_status(results);
	json_object_set_new(run, "shard", share.count ? json_string(shard_format(text, share)) : json_null());
	json_object_set(run, "plan", plan->whole);
	json_object_set_new(run, "guests",
			    json_pack("{s:i, s:i, s:i}", "booted", (int)guests.booted, "woken",
				      (int)guests.woken, "saved", (int)guests.saved));
	json_object_set_new(run, "wall_ns", json_integer((json_int_t)(clock_ns() - runner->started_ns)));
	return report_tree(run, results, where, *ret_status);
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
