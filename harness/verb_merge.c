// SPDX-License-Identifier: MIT
/* oomlab merge RUN...: the shards of a run become one run. */
#include "harness/merge.h"
#include "harness/plan.h"
#include "harness/report.h"
#include "harness/verbs.h"
#include "lib/json.h"

#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char help[] =
	"usage: oomlab merge RUN... --out DIR [options]\n"
	"\n"
	"Puts run directories of one plan together: the shards of `oomlab run --shard I/N`, from any machines.\n"
	"\n"
	"  --out DIR      the new run directory, absent or empty\n"
	"  --format F     table (default), tap, json\n"
	"  --partial      trials that no RUN has are no reason for exit status 3\n"
	"\n"
	"exit status: that of the run if it had been one; 2 bad input, 3 also when trials are missing\n";

static const struct option options[] = {
	{ "out", required_argument, NULL, 'o' },
	{ "format", required_argument, NULL, 'f' },
	{ "partial", no_argument, NULL, 'p' },
	{ "help", no_argument, NULL, 'h' },
	{ NULL, 0, NULL, 0 },
};

struct wish {
	const char *out;
	const struct output *format;
	bool partial;
};

/* 0: go on; otherwise *ret_status is what to exit with. */
static int parse(struct wish *w, int argc, char **argv, int *ret_status)
{
	int c;

	*w = (struct wish){ .format = output_find("table") };
	*ret_status = EXIT_USAGE;
	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (c == 'h') {
			fputs(help, stdout);
			*ret_status = EXIT_PASS;
			return -1;
		}
		if (c == 'o')
			w->out = optarg;
		else if (c == 'p')
			w->partial = true;
		else if (c != 'f')
			return -1;
		else if (!(w->format = output_find(optarg)))
			return complain_and(-1, "merge", "--format %s: table, tap or json", optarg);
	}
	if (optind == argc)
		return complain_and(-1, "merge", "which runs? directories that oomlab run made");
	if (!w->out || !w->out[0])
		return complain_and(-1, "merge", "--out DIR must be given: a directory, absent or empty");
	return 0;
}

/* How many shards the parts are of, and which of them are there; 0 when they do not agree. */
static unsigned int shards_of(const json_t *parts, bool given[SHARDS_MAX + 1])
{
	unsigned int count = 0;
	const json_t *part;
	struct shard s;
	size_t i;

	json_array_foreach (parts, i, part) {
		if (!shard_parse(json_text(part, "shard", ""), &s) || (count && s.count != count))
			return 0;
		count = s.count;
		given[s.index] = true;
	}
	return count;
}

/* The cells of the shards that are not there, a line a shard; ret_cells gets them. */
static void say_shards(const struct merge *m, json_t *ret_cells)
{
	static bool given[SHARDS_MAX + 1];
	unsigned int count = shards_of(m->parts, given), i;
	json_t *shares = count ? plan_shares(m->plan, count) : NULL, *share;
	static size_t cells[SHARDS_MAX + 1];
	const char *cell;

	json_object_foreach (shares, cell, share) {
		if (given[json_integer_value(share)])
			continue;
		cells[json_integer_value(share)]++;
		json_object_set_new(ret_cells, cell, json_true());
	}
	for (i = 1; i <= count; i++)
		if (cells[i])
			complain_and(0, "merge", "missing: shard %u/%u, %zu of %zu cells", i, count, cells[i],
				     json_object_size(shares));
	json_decref(shares);
}

static void say_missing(const struct merge *m, bool partial)
{
	json_t *said = json_object(), *one;
	const char *first = NULL;
	size_t others = 0, i;

	say_shards(m, said);
	json_array_foreach (m->missing, i, one) {
		const char *where = json_string_value(one);
		const json_t *slot = json_object_get(m->slots, where);

		if (json_object_get(said, json_string_value(json_array_get(slot, 0))))
			continue;
		first = first ? first : where;
		others++;
	}
	json_decref(said);
	if (others == 1)
		complain_and(0, "merge", "missing: %s", first);
	else if (others)
		complain_and(0, "merge", "missing: %s and %zu more", first, others - 1);
	if (json_array_size(m->missing) && !partial)
		complain_and(0, "merge", "not the whole run; --partial takes what is there");
}

/* run.json; its times are those of the parts, which may have run side by side. */
static json_t *describe(const struct merge *m, const struct rundir *d, int argc, char **argv)
{
	json_t *run = rundir_describe(d, argc, argv);
	const char *started = NULL;
	int64_t wall_ns = 0;
	const json_t *part;
	size_t i;

	json_array_foreach (m->parts, i, part) {
		const char *its = json_text(part, "started", NULL);

		if (its && (!started || strcmp(its, started) < 0))
			started = its;
		if (json_number(part, "wall_ns", 0) > wall_ns)
			wall_ns = json_number(part, "wall_ns", 0);
	}
	if (started)
		json_object_set_new(run, "started", json_string(started));
	json_object_set_new(run, "shard", json_null());
	json_object_set(run, "plan", m->plan);
	json_object_set(run, "parts", m->parts);
	json_object_set(run, "missing", m->missing);
	json_object_set_new(run, "wall_ns", json_integer(wall_ns));
	return run;
}

static int make(const struct merge *m, const struct wish *w, int argc, char **argv)
{
	enum exit_status status = report_status(m->results);
	struct err e = ERR_INIT;
	struct rundir d;
	json_t *tree;
	int r;

	r = rundir_stage(w->out, &d, &e);
	if (r < 0)
		return complain_and(EXIT_USAGE, "merge", "%s", e.text);
	if (json_array_size(m->missing) && !w->partial)
		status = EXIT_BROKEN;
	tree = report_tree(describe(m, &d, argc, argv), json_incref(m->results), json_incref(m->where),
			   status);
	r = merge_files(m, d.path, &e);
	if (r == 0)
		r = rundir_finish(&d, json_object_get(tree, "run"), &e);
	if (r == 0)
		r = rundir_publish(&d, w->out, &e);
	if (r == 0) {
		say_missing(m, w->partial);
		r = report_print("merge", w->format, &d, tree);
		status = r == EXIT_PASS ? status : (enum exit_status)r;
	} else {
		rundir_discard(&d);
		status = r == -EINTR ? EXIT_INTERRUPTED : r == -EINVAL ? EXIT_USAGE : report_error(r);
		complain_and(status, "merge", "%s", e.text);
	}
	json_decref(tree);
	return status;
}

int verb_merge(int argc, char **argv)
{
	struct err e = ERR_INIT;
	struct merge m;
	struct wish w;
	sigset_t set;
	int status;

	if (parse(&w, argc, argv, &status) < 0)
		return status;
	/* Looked for between trials, so that an interrupted merge takes away what it has made. */
	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGHUP);
	sigprocmask(SIG_BLOCK, &set, NULL);
	if (merge_read((const char *const *)argv + optind, (size_t)(argc - optind), &m, &e) < 0)
		status = complain_and(EXIT_USAGE, "merge", "%s", e.text);
	else
		status = make(&m, &w, argc, argv);
	merge_free(&m);
	return status;
}
