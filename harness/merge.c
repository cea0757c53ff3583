// SPDX-License-Identifier: MIT
#include "harness/merge.h"

#include "harness/plan.h"
#include "lib/files.h"
#include "lib/json.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define JSON_BYTES_MAX (256U << 20)
#define TRIALS_MAX     10000000

/* run.json may come from anywhere, and directories are named after this. */
static bool is_cell(const char *name)
{
	const char *slash = strchr(name, '/');

	return slash && slash > name && slash[1] && !strchr(slash + 1, '/') && name[0] != '.' &&
	       strcmp(slash, "/.") != 0 && strcmp(slash, "/..") != 0;
}

static bool is_plan(const json_t *plan)
{
	json_t *cells = json_object_get(plan, "cells"), *digest;
	int64_t trials = json_number(plan, "trials", 0);
	const char *cell;

	if (trials < 1 || trials > REPEAT_MAX || json_object_size(cells) == 0 ||
	    json_object_size(cells) > (size_t)(TRIALS_MAX / trials))
		return false;
	json_object_foreach (cells, cell, digest)
		if (!is_cell(cell) || !json_is_string(digest))
			return false;
	return true;
}

static int read_run(const char *dir, json_t **ret, struct err *e)
{
	char path[PATH_LEN_MAX];
	struct stat st;
	struct shard shard;
	const char *word;
	json_t *run;
	int r;

	if (path_format(path, "%s/run.json", dir) < 0)
		return err_errno(e, ENAMETOOLONG, "%s", dir);
	if (stat(dir, &st) < 0)
		return err_errno(e, errno, "%s", dir);
	if (stat(path, &st) < 0 && (errno == ENOENT || errno == ENOTDIR))
		return err_set(e, EINVAL,
			       "%s: no run directory, or of a run that was killed: has no run.json", dir);
	r = json_read(path, JSON_BYTES_MAX, &run, e);
	if (r < 0)
		return r;
	word = json_text(run, "shard", NULL);
	if (json_number(run, "run", 0) != 1)
		r = err_set(e, EINVAL, "%s: no run.json of this version; allowed: \"run\": 1", path);
	else if (!is_plan(json_object_get(run, "plan")) || !json_is_array(json_object_get(run, "results")))
		r = err_set(e, EINVAL,
			    "%s: no plan and results, or damaged ones; allowed: as oomlab run writes them",
			    path);
	else if (word && !shard_parse(word, &shard))
		r = err_set(e, EINVAL, "%s: shard \"%.64s\"; allowed: %s", path, word, SHARD_ALLOWED);
	if (r < 0)
		json_decref(run);
	else
		*ret = run;
	return r;
}

/* The first cell of one plan that the other has not, NULL: none. */
static const char *lacks(const json_t *cells, const json_t *other)
{
	const char *cell;
	json_t *digest;

	json_object_foreach ((json_t *)cells, cell, digest)
		if (!json_object_get(other, cell))
			return cell;
	return NULL;
}

static int same_plan(const struct merge *m, const json_t *plan, const char *dir, struct err *e)
{
	const json_t *ours = json_object_get(m->plan, "cells"), *its = json_object_get(plan, "cells");
	int64_t trials = json_number(m->plan, "trials", 0), its_trials = json_number(plan, "trials", 0);
	const char *first = m->dirs[0], *cell;
	json_t *digest;

	if (trials != its_trials)
		return err_set(e, EINVAL, "%s: another plan than %s: trials of each cell are %lld and %lld",
			       dir, first, (long long)its_trials, (long long)trials);
	cell = lacks(its, ours);
	if (cell)
		return err_set(e, EINVAL, "%s: another plan than %s, which has no cell %s", dir, first, cell);
	cell = lacks(ours, its);
	if (cell)
		return err_set(e, EINVAL, "%s: another plan than %s: no cell %s", dir, first, cell);
	json_object_foreach ((json_t *)ours, cell, digest)
		if (!json_equal(digest, json_object_get(its, cell)))
			return err_set(
				e, EINVAL,
				"%s: another plan than %s: other options or another scenario file for cell %s",
				dir, first, cell);
	return 0;
}

static int take_plan(struct merge *m, json_t *plan, struct err *e)
{
	bool mixed = plan_is_mixed(plan);
	const char *cell;
	json_t *digest;
	int64_t n;

	m->plan = json_incref(plan);
	json_object_foreach (json_object_get(plan, "cells"), cell, digest)
		for (n = 1; n <= json_number(plan, "trials", 0); n++) {
			AUTO_FREE char *where = plan_directory(mixed, cell, n);

			if (!where || json_object_set_new(m->slots, where,
							  json_pack("[s, I]", cell, (json_int_t)n)) < 0)
				return err_set(e, ENOMEM, "out of memory");
		}
	return 0;
}

/* A result.json of that trial, with a verdict. */
static bool is_result(const json_t *result, const json_t *slot)
{
	static const char *const verdicts[] = { "pass", "fail", "skip", "broken" };
	const char *cell = json_string_value(json_array_get(slot, 0));
	const char *scenario = json_text(result, "scenario", "");
	const char *verdict = json_text(result, "verdict", "");
	size_t len = strlen(scenario), i;

	for (i = 0; i < 4 && strcmp(verdict, verdicts[i]) != 0; i++)
		;
	return i < 4 && json_number(result, "result", 0) == 1 && !strncmp(cell, scenario, len) &&
	       cell[len] == '/' && !strcmp(cell + len + 1, json_text(result, "cell", "")) &&
	       json_number(result, "trial", 0) == json_integer_value(json_array_get(slot, 1));
}

static int take_trial(struct merge *m, size_t part, const char *where, struct err *e)
{
	const char *dir = m->dirs[part];
	const json_t *slot = where ? json_object_get(m->slots, where) : NULL;
	const json_t *owner = slot ? json_object_get(m->owner, where) : NULL;
	char path[PATH_LEN_MAX];
	json_t *result;
	int r;

	if (!slot)
		return err_set(e, EINVAL, "%s/run.json: a result \"%.256s\" that is not in its plan", dir,
			       where ? where : "?");
	if (owner)
		return err_set(e, EINVAL, "%s and %s: both have %s; allowed: each trial once",
			       m->dirs[json_integer_value(owner)], dir, where);
	if (path_format(path, "%s/%s/result.json", dir, where) < 0)
		return err_errno(e, ENAMETOOLONG, "%s/%s", dir, where);
	r = json_read(path, JSON_BYTES_MAX, &result, e);
	if (r < 0)
		return r;
	if (!is_result(result, slot)) {
		json_decref(result);
		return err_set(e, EINVAL, "%s: not the result of this trial", path);
	}
	json_object_set_new(m->owner, where, json_integer((json_int_t)part));
	json_object_set_new(m->found, where, result);
	return 0;
}

/* run.json without what the merged one has itself. The parts of what has been merged before are parts of this. */
static void note_part(struct merge *m, const char *dir, const json_t *run)
{
	static const char *const facts[] = { "tool",  "arguments", "started",  "host",
					     "shard", "wall_ns",   "verdicts", "exit" };
	const json_t *before = json_object_get(run, "parts");
	json_t *part, *from;
	size_t i;

	if (json_array_size(before)) {
		json_array_extend(m->parts, (json_t *)before);
		return;
	}
	part = json_object();
	from = json_string(dir);
	json_object_set_new(part, "from", from ? from : json_string("?")); /* not UTF-8 */
	for (i = 0; i < sizeof(facts) / sizeof(facts[0]); i++)
		json_object_set(part, facts[i], json_object_get(run, facts[i]));
	json_array_append_new(m->parts, part);
}

static int take_part(struct merge *m, size_t part, struct err *e)
{
	json_t *run, *plan, *where;
	size_t i;
	int r;

	r = read_run(m->dirs[part], &run, e);
	if (r < 0)
		return r;
	plan = json_object_get(run, "plan");
	r = part == 0 ? take_plan(m, plan, e) : same_plan(m, plan, m->dirs[part], e);
	for (i = 0; r == 0 && (where = json_array_get(json_object_get(run, "results"), i)); i++)
		r = take_trial(m, part, json_string_value(where), e);
	if (r == 0)
		note_part(m, m->dirs[part], run);
	json_decref(run);
	return r;
}

int merge_read(const char *const *dirs, size_t count, struct merge *ret, struct err *e)
{
	struct merge m = { .dirs = dirs,
			   .count = count,
			   .parts = json_array(),
			   .results = json_array(),
			   .where = json_array(),
			   .missing = json_array(),
			   .slots = json_object(),
			   .owner = json_object(),
			   .found = json_object() };
	const char *where;
	json_t *slot, *result;
	size_t i;
	int r = 0;

	for (i = 0; r == 0 && i < count; i++)
		r = take_part(&m, i, e);
	json_object_foreach (m.slots, where, slot) {
		result = json_object_get(m.found, where);
		json_array_append_new(result ? m.where : m.missing, json_string(where));
		json_array_append(m.results, result); /* none is not appended */
	}
	*ret = m;
	return r;
}

void merge_free(struct merge *m)
{
	json_decref(m->plan);
	json_decref(m->parts);
	json_decref(m->results);
	json_decref(m->where);
	json_decref(m->missing);
	json_decref(m->slots);
	json_decref(m->owner);
	json_decref(m->found);
}

static bool is_interrupted(void)
{
	sigset_t waiting;

	sigpending(&waiting);
	return sigismember(&waiting, SIGINT) || sigismember(&waiting, SIGTERM) ||
	       sigismember(&waiting, SIGHUP);
}

int merge_files(const struct merge *m, const char *to, struct err *e)
{
	char from[PATH_LEN_MAX], into[PATH_LEN_MAX];
	const char *where;
	json_t *part;
	int r = 0;

	json_object_foreach (m->owner, where, part) {
		const char *dir = m->dirs[json_integer_value(part)];

		if (is_interrupted())
			return err_set(e, EINTR, "interrupted");
		if (path_format(from, "%s/%s", dir, where) < 0 || path_format(into, "%s/%s", to, where) < 0)
			return err_errno(e, ENAMETOOLONG, "%s/%s", dir, where);
		r = dir_make(into, e);
		if (r == 0)
			r = dir_link(from, into, e);
		if (r < 0)
			return r;
	}
	return 0;
}
