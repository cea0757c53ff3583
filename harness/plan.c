// SPDX-License-Identifier: MIT
#include "harness/plan.h"

#include "lib/hash.h"
#include "lib/json.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/*
 * "1f0c...": what is to be done in a cell, to see that two machines mean the
 * same by its name. Where its file lies does not count.
 */
static json_t *digest(const json_t *spec)
{
	json_t *bare = json_deep_copy(spec), *one;
	AUTO_FREE char *text = NULL;
	size_t i;

	json_array_foreach (json_object_get(bare, "expect"), i, one)
		json_object_del(one, "at");
	text = bare ? json_dumps(bare, JSON_COMPACT | JSON_SORT_KEYS) : NULL;
	json_decref(bare);
	return text ? json_sprintf("%016llx", (unsigned long long)hash_text(text)) : NULL;
}

static char *cell_name(const struct scenario *s, size_t cell)
{
	char *name;

	return asprintf(&name, "%s/%s", scenario_name(s), scenario_cell(s, cell)) < 0 ? NULL : name;
}

static json_t *describe(struct scenario *const *scenarios, size_t count, int64_t repeat)
{
	json_t *cells = json_object();
	size_t i, j;

	for (i = 0; i < count; i++)
		for (j = 0; j < scenario_cells(scenarios[i]); j++) {
			AUTO_FREE char *name = cell_name(scenarios[i], j);

			if (!name ||
			    json_object_set_new(cells, name, digest(scenario_spec(scenarios[i], j))) < 0) {
				json_decref(cells);
				return NULL;
			}
		}
	return json_pack("{s:I, s:o}", "trials", (json_int_t)repeat, "cells", cells);
}

static int add_trials(struct plan *p, const char *name, json_t *spec, int64_t repeat, bool mixed)
{
	int64_t n;

	for (n = 1; n <= repeat; n++) {
		struct job *job = &p->jobs[p->count];

		job->spec = spec;
		job->place = place_find(json_text(spec, "place", "guest"));
		job->number = (int)n;
		job->relative = plan_directory(mixed, name, n);
		if (!job->relative)
			return -ENOMEM;
		p->count++;
	}
	return 0;
}

/* shares: NULL, all are wanted. */
static int add_cells(struct plan *p, struct scenario *const *scenarios, size_t count, const json_t *shares,
		     struct shard share)
{
	int64_t repeat = json_number(p->whole, "trials", 1);
	size_t i, j;
	int r = 0;

	for (i = 0; r == 0 && i < count; i++)
		for (j = 0; r == 0 && j < scenario_cells(scenarios[i]); j++) {
			AUTO_FREE char *name = cell_name(scenarios[i], j);

			if (!name)
				r = -ENOMEM;
			else if (!shares || json_number(shares, name, 0) == share.index)
				r = add_trials(p, name, scenario_spec(scenarios[i], j), repeat, count > 1);
		}
	return r;
}

int plan_make(struct scenario *const *scenarios, size_t count, int64_t repeat, struct shard share,
	      struct plan *ret)
{
	struct plan p = { .whole = describe(scenarios, count, repeat) };
	size_t cells = json_object_size(json_object_get(p.whole, "cells"));
	json_t *shares = share.count ? plan_shares(p.whole, share.count) : NULL;
	int r = -ENOMEM;

	p.jobs = calloc(cells * (size_t)repeat, sizeof(*p.jobs));
	if (p.whole && p.jobs && (shares || share.count == 0))
		r = add_cells(&p, scenarios, count, shares, share);
	json_decref(shares);
	if (r < 0)
		plan_free(&p);
	else
		*ret = p;
	return r;
}

int plan_one(json_t *spec, struct plan *ret)
{
	struct plan p = { .jobs = calloc(1, sizeof(*p.jobs)) };
	AUTO_FREE char *name = NULL;
	int r = -ENOMEM;

	if (asprintf(&name, "%s/%s", json_text(spec, "scenario", ""), json_text(spec, "cell", "all")) < 0)
		name = NULL;
	if (name)
		p.whole = json_pack("{s:i, s:{s:o}}", "trials", 1, "cells", name, digest(spec));
	if (p.jobs && p.whole)
		r = add_trials(&p, name, spec, 1, false);
	if (r < 0)
		plan_free(&p);
	else
		*ret = p;
	return r;
}

void plan_free(struct plan *p)
{
	size_t i;

	for (i = 0; i < p->count; i++) {
		free(p->jobs[i].relative);
		json_decref(p->jobs[i].result);
	}
	free(p->jobs);
	json_decref(p->whole);
	*p = (struct plan){ 0 };
}

json_t *plan_shares(const json_t *whole, unsigned int count)
{
	json_t *cells = json_object_get(whole, "cells"), *shares = json_object(), *value;
	size_t n = json_object_size(cells), i = 0;
	AUTO_FREE const char **names = calloc(n + 1, sizeof(*names));
	AUTO_FREE unsigned int *dealt = calloc(n + 1, sizeof(*dealt));
	const char *name;

	if (names)
		json_object_foreach (cells, name, value)
			names[i++] = name;
	if (!names || !dealt || shard_deal(names, n, count, dealt) < 0) {
		json_decref(shares);
		return NULL;
	}
	for (i = 0; i < n; i++)
		json_object_set_new(shares, names[i], json_integer(dealt[i]));
	return shares;
}

bool plan_is_mixed(const json_t *whole)
{
	const char *cell, *first = NULL;
	json_t *value;

	json_object_foreach (json_object_get(whole, "cells"), cell, value) {
		if (first && strncmp(cell, first, strcspn(first, "/") + 1) != 0)
			return true;
		first = cell;
	}
	return false;
}

char *plan_directory(bool mixed, const char *cell, int64_t trial)
{
	char *path;

	if (!mixed)
		cell += strcspn(cell, "/") + 1;
	return asprintf(&path, "%s/%lld", cell, (long long)trial) < 0 ? NULL : path;
}
