// SPDX-License-Identifier: MIT
/* oomlab list scenarios, and oomlab list coverage. */
#include "harness/verb_list.h"

#include "cgroups/cgroups.h"
#include "harness/rows.h"
#include "harness/scenario/scenario.h"
#include "harness/verbs.h"
#include "lib/json.h"
#include "lib/paths.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* One more need, unless it is in the list. */
static void need(json_t *needs, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static void need(json_t *needs, const char *fmt, ...)
{
	char text[256];
	json_t *one;
	va_list ap;
	size_t i;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	json_array_foreach (needs, i, one)
		if (!strcmp(json_string_value(one), text))
			return;
	json_array_append_new(needs, json_string(text));
}

/* A limit that one version alone has. */
static void need_version(json_t *needs, const char *key)
{
	if (cg_key_here(1, key, NULL) < 0)
		need(needs, "cgroup v2");
	else if (cg_key_here(2, key, NULL) < 0)
		need(needs, "cgroup v1");
}

static void group_needs(json_t *needs, const json_t *spec)
{
	json_t *group, *fault, *change, *value;
	const char *version = json_text(json_object_get(spec, "machine"), "cgroup", NULL), *key;
	size_t i, j;

	if (!json_array_size(json_object_get(spec, "cgroups")))
		return;
	if (version) {
		need(needs, "cgroup %s", version);
		return;
	}
	json_array_foreach (json_object_get(spec, "cgroups"), i, group)
		json_object_foreach (json_object_get(group, "set"), key, value)
			need_version(needs, key);
	json_array_foreach (json_object_get(spec, "faults"), i, fault)
		json_array_foreach (json_object_get(fault, "set"), j, change)
			if (json_text(change, "key", NULL))
				need_version(needs, json_text(change, "key", ""));
}

static void machine_needs(json_t *needs, const json_t *machine)
{
	const json_t *swap = json_object_get(machine, "swap"), *data = json_object_get(machine, "data");
	long long nodes = (long long)json_array_size(json_object_get(machine, "nodes"));
	long long cpus = json_number(machine, "cpus", 1);

	if (cpus > 1)
		need(needs, "%lld CPUs", cpus);
	if (nodes > 1)
		need(needs, "%lld NUMA nodes", nodes);
	if (json_is_object(swap))
		need(needs, "swap on %s", json_text(swap, "kind", ""));
	if (json_is_object(data))
		need(needs, "data on %s", json_text(data, "kind", ""));
	if (json_is_object(json_object_get(machine, "zswap")))
		need(needs, "zswap");
	if (json_number(machine, "hugepages", 0) > 0)
		need(needs, "huge pages");
	if (json_text(machine, "thp", NULL))
		need(needs, "THP %s", json_text(machine, "thp", ""));
	if (json_is_true(json_object_get(machine, "mglru")))
		need(needs, "MGLRU");
	if (json_is_true(json_object_get(machine, "ksm")))
		need(needs, "KSM");
	if (json_is_true(json_object_get(machine, "deterministic")))
		need(needs, "a deterministic guest");
}

/* What a guest has anyhow. */
static void host_needs(json_t *needs, const json_t *spec)
{
	json_t *process;
	size_t i;

	if (json_object_size(json_object_get(spec, "sysctl")) ||
	    json_is_object(json_object_get(json_object_get(spec, "machine"), "swap")))
		need(needs, "--allow-host-changes");
	json_array_foreach (json_object_get(spec, "processes"), i, process)
		if (json_number(process, "oom_score_adj", 0) < 0)
			need(needs, "CAP_SYS_RESOURCE");
}

static void process_needs(json_t *needs, const json_t *spec)
{
	json_t *process;
	size_t i;

	json_array_foreach (json_object_get(spec, "processes"), i, process) {
		const char *name = json_text(json_object_get(process, "malloc"), "name", "glibc");

		if (strcmp(name, "glibc") != 0)
			need(needs, "%s", name);
	}
}

/* What the machines of all cells must have, from their specs. */
static json_t *needs_of(const struct scenario *s)
{
	json_t *needs = json_array();
	const char *kernel;
	size_t i;

	for (i = 0; i < scenario_cells(s); i++) {
		kernel = json_text(json_object_get(scenario_spec(s, i), "machine"), "kernel", NULL);
		if (kernel)
			need(needs, "kernel %s", kernel);
	}
	for (i = 0; i < scenario_cells(s); i++) {
		const json_t *spec = scenario_spec(s, i);

		machine_needs(needs, json_object_get(spec, "machine"));
		group_needs(needs, spec);
		process_needs(needs, spec);
		if (!strcmp(scenario_place(s), "host"))
			host_needs(needs, spec);
	}
	return needs;
}

static void add_scenario(json_t *list, const char *path, const char *relative, const struct names *known)
{
	struct complaints *c = complaints_new();
	struct scenario_options none = { 0 };
	struct scenario *s = NULL;

	if (c && scenario_load(path, &none, known, c, &s) == 0)
		json_array_append_new(list,
				      json_pack("{s:s, s:s, s:s, s:s, s:s, s:I, s:o, s:o}", "name",
						scenario_name(s), "about", scenario_about(s), "path",
						relative, "place", scenario_place(s), "source",
						scenario_source(s), "cells", (json_int_t)scenario_cells(s),
						"rows", rows_in(scenario_source(s)), "needs", needs_of(s)));
	else
		json_array_append_new(list, json_pack("{s:s, s:s}", "name", path, "about",
						      "cannot be read: oomlab run says why"));
	scenario_free(s);
	complaints_free(c);
}

int list_scenarios(json_t *list, struct err *e)
{
	const struct names *known;
	char dir[PATH_LEN_MAX];
	char **paths;
	size_t i;
	int r;

	r = known_names(&known, e);
	if (r == 0 && paths_data("scenarios", dir) < 0)
		r = err_set(e, ENOENT, "the folder scenarios is not there");
	if (r == 0)
		r = catalogue_find(dir, &paths, e);
	if (r < 0)
		return r;
	for (i = 0; paths[i]; i++)
		add_scenario(list, paths[i], paths[i] + strlen(dir) + 1, known);
	catalogue_free(paths);
	return 0;
}

/* {name, path} of the scenarios that say they prove the row. */
static json_t *proof_of(const json_t *scenarios, const char *row)
{
	json_t *proof = json_array(), *one, *has;
	size_t i, j;

	json_array_foreach ((json_t *)scenarios, i, one)
		json_array_foreach (json_object_get(one, "rows"), j, has)
			if (!strcmp(json_string_value(has), row))
				json_array_append_new(proof, json_pack("{s:O, s:O}", "name",
								       json_object_get(one, "name"), "path",
								       json_object_get(one, "path")));
	return proof;
}

int list_coverage(json_t *list, struct err *e)
{
	json_t *scenarios = json_array();
	int r = list_scenarios(scenarios, e);
	const char *row, *fact;
	size_t i;

	for (i = 0; r == 0 && (row = row_at(i, &fact)); i++)
		json_array_append_new(list, json_pack("{s:s, s:s, s:o}", "name", row, "about", fact,
						      "scenarios", proof_of(scenarios, row)));
	json_decref(scenarios);
	return r;
}

void coverage_print(const json_t *list)
{
	json_t *row, *one;
	size_t i, j;

	printf("# What proves what\n\n"
	       "Each fact of the reference articles, and the scenarios whose `source` names its row. Written by\n"
	       "`build/oomlab list coverage > docs/coverage.md`; the facts are rows of `harness/rows.def`.\n\n"
	       "| row | fact | scenarios |\n| --- | --- | --- |\n");
	json_array_foreach ((json_t *)list, i, row) {
		printf("| %s | %s |", json_text(row, "name", ""), json_text(row, "about", ""));
		json_array_foreach (json_object_get(row, "scenarios"), j, one)
			printf("%s [%s](../scenarios/%s)", j ? "," : "", json_text(one, "name", ""),
			       json_text(one, "path", ""));
		printf(" |\n");
	}
}
