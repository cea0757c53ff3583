// SPDX-License-Identifier: MIT
/* oomlab run SCENARIO...: from the command line to an exit status. */
#include "harness/determinism.h"
#include "harness/janitor.h"
#include "harness/plan.h"
#include "harness/report.h"
#include "lib/clock.h"
#include "lib/json.h"
#include "lib/units.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SCENARIOS_MAX 1024
#define WORDS_MAX     64
#define JOBS_MAX      256

struct run {
	/* the command line */
	struct scenario_options overrides;
	const char *sets[WORDS_MAX], *matrices[WORDS_MAX], *kernels[WORDS_MAX];
	struct place_options place_options;
	const struct output *format;
	const char *out;
	char seed[64]; /* as --set takes it */
	int64_t repeat, jobs;
	struct shard share;
	bool list_cells, keep_box;
	/* what came of it */
	struct scenario *scenarios[SCENARIOS_MAX];
	size_t scenario_count;
	struct plan plan;
	struct rundir dir;
	bool live;
};

static const char help[] =
	"usage: oomlab run SCENARIO... [options]\n"
	"\n"
	"SCENARIO is a file, a folder of *.yaml, a name from `oomlab list scenarios`, or a folder of theirs.\n"
	"\n"
	"  --place host|guest     where trials run (default: what the scenario says)\n"
	"  --kernel K             guest kernel; repeated, it becomes an axis of the matrix\n"
	"  --set PATH=VALUE       change the scenario, e.g. --set machine.memory=512M\n"
	"  --matrix PATH=V1,V2    add an axis, e.g. --matrix sysctl.vm.swappiness=0,60,100\n"
	"  --repeat N             trials of each cell (default 1)\n"
	"  --deterministic        as --set machine.deterministic=true; trials of a cell must be the same\n"
	"  --seed N               as --set machine.seed=N: another interleaving of deterministic trials\n"
	"  --shard I/N            only the I-th of N shares of the cells; oomlab merge puts them together\n"
	"  --jobs N               trials at a time (default: one a core, but one on the host runs alone)\n"
	"  --out DIR              the run directory, absent or empty (default results/runs/<time>-<scenario>)\n"
	"  --format F             table (default), tap, json\n"
	"  --list-cells           print the cells and run nothing\n"
	"  --accel auto|kvm|tcg   how guests are executed\n"
	"  --cold                 boot every guest; neither use snapshots nor make them\n"
	"  --cgroup-parent PATH   make the trials' cgroups below this one\n"
	"  --allow-host-changes   let trials on the host set sysctls and swap; they are undone\n"
	"  --keep-blackbox        keep each trial's black box\n"
	"\n"
	"exit status: 0 all passed, 1 an expectation failed, 2 bad input, 3 broken,\n"
	"4 all skipped or an empty share\n";

static const struct option options[] = {
	{ "place", required_argument, NULL, 'p' },
	{ "kernel", required_argument, NULL, 'k' },
	{ "set", required_argument, NULL, 's' },
	{ "matrix", required_argument, NULL, 'm' },
	{ "repeat", required_argument, NULL, 'r' },
	{ "shard", required_argument, NULL, 'S' },
	{ "jobs", required_argument, NULL, 'j' },
	{ "out", required_argument, NULL, 'o' },
	{ "format", required_argument, NULL, 'f' },
	{ "list-cells", no_argument, NULL, 'l' },
	{ "accel", required_argument, NULL, 'a' },
	{ "cold", no_argument, NULL, 'C' },
	{ "cgroup-parent", required_argument, NULL, 'c' },
	{ "allow-host-changes", no_argument, NULL, 'H' },
	{ "keep-blackbox", no_argument, NULL, 'b' },
	{ "deterministic", no_argument, NULL, 'd' },
	{ "seed", required_argument, NULL, 'e' },
	{ "help", no_argument, NULL, 'h' },
	{ NULL, 0, NULL, 0 },
};

static int usage(const char *option, const char *value, const char *allowed)
{
	return complain_and(EXIT_USAGE, "run", "--%s %s: %s", option, value, allowed);
}

static int number(const char *option, const char *text, int64_t min, int64_t max, int64_t *ret)
{
	char allowed[64];

	if (int_parse(text, ret) == 0 && *ret >= min && *ret <= max)
		return EXIT_PASS;
	snprintf(allowed, sizeof(allowed), "a whole number from %lld to %lld", (long long)min,
		 (long long)max);
	return usage(option, text, allowed);
}

static int append(const char *option, const char **list, size_t *count, const char *value)
{
	if (*count == WORDS_MAX)
		return usage(option, value, "given more than 64 times");
	list[(*count)++] = value;
	return EXIT_PASS;
}

static int choose_accel(struct run *r, const char *word)
{
	if (strcmp(word, "auto") != 0 && strcmp(word, "kvm") != 0 && strcmp(word, "tcg") != 0)
		return usage("accel", word, "auto, kvm or tcg");
	r->place_options.accel = word;
	return EXIT_PASS;
}

static int choose_seed(struct run *r, const char *text)
{
	int64_t seed;
	int status = number("seed", text, 0, UINT32_MAX, &seed);

	if (status != EXIT_PASS)
		return status;
	snprintf(r->seed, sizeof(r->seed), "machine.seed=%lld", (long long)seed);
	return append("seed", r->sets, &r->overrides.set_count, r->seed);
}

static int take_option(struct run *r, int c, char *value)
{
	switch (c) {
	case 'p':
		r->overrides.place = value;
		return place_find(value) ? EXIT_PASS : usage("place", value, "host or guest");
	case 'k':
		return append("kernel", r->kernels, &r->overrides.kernel_count, value);
	case 's':
		return append("set", r->sets, &r->overrides.set_count, value);
	case 'd':
		return append("deterministic", r->sets, &r->overrides.set_count,
			      "machine.deterministic=true");
	case 'e':
		return choose_seed(r, value);
	case 'm':
		return append("matrix", r->matrices, &r->overrides.matrix_count, value);
	case 'r':
		return number("repeat", value, 1, REPEAT_MAX, &r->repeat);
	case 'j':
		return number("jobs", value, 1, JOBS_MAX, &r->jobs);
	case 'S':
		return shard_parse(value, &r->share) ? EXIT_PASS : usage("shard", value, SHARD_ALLOWED);
	case 'o':
		r->out = value;
		return value[0] ? EXIT_PASS : usage("out", "\"\"", "a directory");
	case 'f':
		r->format = output_find(value);
		return r->format ? EXIT_PASS : usage("format", value, "table, tap or json");
	case 'l':
		r->list_cells = true;
		return EXIT_PASS;
	case 'a':
		return choose_accel(r, value);
	case 'C':
		r->place_options.cold = true;
		return EXIT_PASS;
	case 'c':
		r->place_options.cgroup_parent = value;
		return strstr(value, "..") ? usage("cgroup-parent", value, "a path without \"..\"")
					   : EXIT_PASS;
	case 'H':
		r->place_options.allow_host_changes = true;
		return EXIT_PASS;
	case 'b':
		r->keep_box = true;
		return EXIT_PASS;
	default:
		return EXIT_USAGE;
	}
}

/* 0: go on; otherwise *ret_status is what to exit with. */
static int parse(struct run *r, int argc, char **argv, int *ret_status)
{
	int c;

	r->overrides.sets = r->sets;
	r->overrides.matrices = r->matrices;
	r->overrides.kernels = r->kernels;
	r->repeat = 1;
	r->format = output_find("table");
	r->place_options.accel = "auto";
	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (c == 'h') {
			fputs(help, stdout);
			*ret_status = EXIT_PASS;
			return -1;
		}
		*ret_status = take_option(r, c, optarg);
		if (*ret_status != EXIT_PASS)
			return -1;
	}
	if (optind < argc)
		return 0;
	*ret_status = complain_and(EXIT_USAGE, "run",
				   "which scenario? a file, a folder or a name; see oomlab list scenarios");
	return -1;
}

static int load_file(struct run *r, const char *path, const struct names *known, struct complaints *c)
{
	struct scenario *s;
	size_t i;

	if (r->scenario_count == SCENARIOS_MAX) {
		complain(c, path, "more than %d scenarios", SCENARIOS_MAX);
		return -E2BIG;
	}
	if (scenario_load(path, &r->overrides, known, c, &s) < 0)
		return -EINVAL;
	for (i = 0; i < r->scenario_count; i++)
		if (!strcmp(scenario_name(r->scenarios[i]), scenario_name(s)))
			complain(c, path, "a second scenario \"%s\" in one run; names must differ",
				 scenario_name(s));
	r->scenarios[r->scenario_count++] = s;
	return 0;
}

/* All that is wrong with all of the input, in one go. */
static int load(struct run *r, int argc, char **argv)
{
	struct complaints *c = complaints_new();
	const struct names *known;
	struct err e = ERR_INIT;
	int i, status = EXIT_PASS;

	if (!c || known_names(&known, &e) < 0) {
		complaints_free(c);
		return complain_and(EXIT_BROKEN, "run", "%s", c ? e.text : "out of memory");
	}
	for (i = optind; i < argc; i++) {
		char **paths;
		size_t j;

		if (catalogue_find(argv[i], &paths, &e) < 0) {
			status = complain_and(EXIT_USAGE, "run", "%s", e.text);
			continue;
		}
		for (j = 0; paths[j]; j++)
			load_file(r, paths[j], known, c);
		catalogue_free(paths);
	}
	if (complaints_count(c)) {
		complaints_print(c, stderr);
		status = EXIT_USAGE;
	}
	complaints_free(c);
	return status;
}

static int print_cells(const struct run *r)
{
	bool mixed = plan_is_mixed(r->plan.whole);
	size_t i;

	for (i = 0; i < r->plan.count; i++)
		printf("%s%s%s\n", mixed ? "" : json_text(r->plan.jobs[i].spec, "scenario", ""),
		       mixed ? "" : "/", r->plan.jobs[i].relative);
	return EXIT_PASS;
}

/* The live line shows the cell that was started last, and what all that run use together. */
static void show_progress(void *arg, const struct runner *runner)
{
	const struct run *r = arg;
	unsigned int repeat = (unsigned int)r->repeat, started = 0;
	struct live_state state = { .cells = (unsigned int)runner->count / repeat };
	uint64_t rss, swap;
	size_t i;

	if (!r->live)
		return;
	for (i = 0; i < runner->count; i++) {
		const struct job *job = &runner->jobs[i];

		started += job->state != JOB_WAITING;
		if (job->state != JOB_RUNNING)
			continue;
		runner_live(job, &rss, &swap);
		state.what = job->relative;
		state.rss_bytes += rss;
		state.swap_bytes += swap;
	}
	state.cell = (started + repeat - 1) / repeat;
	state.elapsed_ns = clock_ns() - runner->started_ns;
	if (state.what)
		live_update(stdout, &state);
	else
		live_clear(stdout);
}

/* A share without cells is no mistake of the user's, but it must not look like one that passed. */
static void say_if_empty(const struct run *r)
{
	size_t cells = json_object_size(json_object_get(r->plan.whole, "cells"));

	if (r->plan.count == 0)
		complain_and(EXIT_SKIP, "run",
			     "shard %u/%u is empty, for the plan has %zu cell%s; nothing was run",
			     r->share.index, r->share.count, cells, cells == 1 ? "" : "s");
}

static bool anything_done(const struct run *r)
{
	size_t i;

	for (i = 0; i < r->plan.count; i++)
		if (r->plan.jobs[i].result)
			return true;
	return false;
}

static int execute(struct run *r, int argc, char **argv)
{
	struct runner runner = { .jobs = r->plan.jobs,
				 .count = r->plan.count,
				 .at_once = (unsigned int)(r->jobs ? r->jobs : sysconf(_SC_NPROCESSORS_ONLN)),
				 .host_alone = !r->jobs,
				 .keep_box = r->keep_box,
				 .options = &r->place_options,
				 .dir = &r->dir,
				 .progress = show_progress,
				 .progress_arg = r };
	struct err e = ERR_INIT;
	enum exit_status status;
	json_t *all;
	int ret;

	ret = rundir_make(r->out, scenario_name(r->scenarios[0]), &r->dir, &e);
	if (ret < 0)
		return complain_and(EXIT_USAGE, "run", "%s", e.text);
	ret = janitor_start(&e);
	if (ret == 0)
		ret = runner_run(&runner, &e);
	if (ret == 0)
		ret = determinism_check(r->plan.jobs, r->plan.count, r->dir.path, &e);
	if (r->live)
		live_clear(stdout);
	janitor_stop();
	if (ret < 0) {
		/* Nothing was run at all: then nothing is left of it either. */
		if (!anything_done(r))
			rundir_discard(&r->dir);
		return complain_and(report_error(ret), "run", "%s", e.text);
	}
	all = report_run(&r->dir, argc, argv, &r->plan, r->share, &runner, &status);
	say_if_empty(r);
	ret = rundir_finish(&r->dir, json_object_get(all, "run"), &e);
	if (ret < 0)
		ret = complain_and(EXIT_BROKEN, "run", "%s", e.text);
	else
		ret = report_print("run", r->format, &r->dir, all);
	json_decref(all);
	return ret == EXIT_PASS ? (int)status : ret;
}

static void release(struct run *r)
{
	size_t i;

	plan_free(&r->plan);
	for (i = 0; i < r->scenario_count; i++)
		scenario_free(r->scenarios[i]);
	free(r);
}

int verb_run(int argc, char **argv)
{
	struct run *r = calloc(1, sizeof(*r));
	int status;

	if (!r)
		return complain_and(EXIT_BROKEN, "run", "out of memory");
	if (parse(r, argc, argv, &status) == 0) {
		r->live = isatty(STDOUT_FILENO) && r->format == output_find("table");
		status = load(r, argc, argv);
		if (status == EXIT_PASS &&
		    plan_make(r->scenarios, r->scenario_count, r->repeat, r->share, &r->plan) < 0)
			status = complain_and(EXIT_BROKEN, "run", "out of memory");
		if (status == EXIT_PASS)
			status = r->list_cells ? print_cells(r) : execute(r, argc, argv);
	}
	release(r);
	return status;
}
