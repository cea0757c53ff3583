// SPDX-License-Identifier: MIT
/* oomlab list [WHAT...]: what there is, a line each. */
#include "harness/verbs.h"

#include "cgroups/cgroups.h"
#include "guest/built.h"
#include "guest/kernels.h"
#include "harness/metrics.h"
#include "harness/output/output.h"
#include "harness/places/place.h"
#include "harness/scenario/scenario.h"
#include "harness/stressors.h"
#include "lib/json.h"
#include "lib/paths.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void add(json_t *list, const char *name, const char *about)
{
	json_array_append_new(list, json_pack("{s:s, s:s}", "name", name, "about", about));
}

static int list_stressors(json_t *list, struct err *e)
{
	json_t *all = NULL;
	int r = stressors_list(&all, e);

	if (r == 0)
		json_array_extend(list, all);
	json_decref(all);
	return r;
}

static void add_scenario(json_t *list, const char *path, const struct names *known)
{
	struct complaints *c = complaints_new();
	struct scenario_options none = { 0 };
	struct scenario *s = NULL;

	if (c && scenario_load(path, &none, known, c, &s) == 0)
		json_array_append_new(list, json_pack("{s:s, s:s, s:s, s:s, s:I}", "name", scenario_name(s),
						      "about", scenario_about(s), "place", scenario_place(s),
						      "source", scenario_source(s), "cells",
						      (json_int_t)scenario_cells(s)));
	else
		add(list, path, "cannot be read: oomlab run says why");
	scenario_free(s);
	complaints_free(c);
}

static int list_scenarios(json_t *list, struct err *e)
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
		add_scenario(list, paths[i], known);
	catalogue_free(paths);
	return 0;
}

/* What single stressors measure besides. */
static int list_values(json_t *list, struct err *e)
{
	json_t *all = NULL, *one, *value;
	char name[128], about[512];
	int r = stressors_list(&all, e);
	size_t i, j;

	json_array_foreach (all, i, one)
		json_array_foreach (json_object_get(one, "values"), j, value) {
			snprintf(name, sizeof(name), "PROCESS.%s", json_text(value, "name", ""));
			snprintf(about, sizeof(about), "%s: %s", json_text(one, "name", ""),
				 json_text(value, "about", ""));
			add(list, name, about);
		}
	json_decref(all);
	return r;
}

static int list_metrics(json_t *list, struct err *e)
{
	static const char *const prefixes[METRIC_SCOPES] = { "PROCESS.", "cgroup.PATH.", "system.", "" };
	enum metric_scope scope;
	const struct metric *m;
	char name[128];
	size_t i;

	for (scope = METRIC_PROCESS; scope < METRIC_SCOPES; scope++)
		for (i = 0; (m = metric_at(scope, i)); i++) {
			snprintf(name, sizeof(name), "%s%s", prefixes[scope], m->name);
			add(list, name, m->about);
		}
	return list_values(list, e);
}

static int add_kernel(json_t *list, const char *name, const char *about, struct err *e)
{
	struct kernel k;
	char text[512];
	int r;

	r = kernels_find(name, &k, e);
	if (r < 0)
		return r;
	snprintf(text, sizeof(text), "%s%s%s%s", about, about[0] && k.cached ? "; " : "",
		 !k.cached ? ""
		 : k.built ? "built: "
			   : "fetched: ",
		 k.version);
	add(list, name, text);
	return 0;
}

static int list_kernels(json_t *list, struct err *e)
{
	struct kernel_table table;
	struct built *built;
	int r = kernels_load(&table, e), n, i;

	for (i = 0; r == 0 && i < (int)table.count; i++)
		r = add_kernel(list, table.rows[i].name, table.rows[i].about, e);
	if (r < 0)
		return r;
	built = calloc(BUILT_MAX, sizeof(*built));
	n = built ? built_list(&table, built, e) : err_errno(e, ENOMEM, "kernels");
	for (i = 0; r == 0 && i < n; i++)
		r = add_kernel(list, built[i].name, built[i].about, e);
	free(built);
	return n < 0 ? n : r;
}

static int list_limits(json_t *list, struct err *e)
{
	const char *name;
	size_t i;

	(void)e;
	for (i = 0; (name = cg_key_name(i, NULL)); i++) {
		bool v1 = cg_key_here(1, name, NULL) == 0, v2 = cg_key_here(2, name, NULL) == 0;

		add(list, name, v1 && v2 ? "cgroup v1 and v2" : v1 ? "cgroup v1 only" : "cgroup v2 only");
	}
	return 0;
}

static int list_places(json_t *list, struct err *e)
{
	size_t i;

	(void)e;
	for (i = 0; places[i]; i++)
		add(list, places[i]->name, places[i]->about);
	return 0;
}

static int list_formats(json_t *list, struct err *e)
{
	size_t i;

	(void)e;
	for (i = 0; outputs[i]; i++)
		add(list, outputs[i]->name, outputs[i]->about);
	return 0;
}

static const struct topic {
	const char *name;
	int (*fill)(json_t *list, struct err *e);
} topics[] = {
	{ "stressors", list_stressors }, { "scenarios", list_scenarios }, { "metrics", list_metrics },
	{ "kernels", list_kernels },     { "limits", list_limits },       { "places", list_places },
	{ "formats", list_formats },
};

#define TOPICS (sizeof(topics) / sizeof(topics[0]))

static void print_text(const json_t *list)
{
	int width = 12;
	json_t *one;
	size_t i;

	json_array_foreach (list, i, one) {
		int len = (int)strlen(json_text(one, "name", ""));

		width = len > width && len <= 32 ? len : width;
	}
	json_array_foreach (list, i, one) {
		printf("  %-*s  %s", width, json_text(one, "name", ""), json_text(one, "about", ""));
		if (json_text(one, "place", NULL))
			printf(" [%s, %lld cells; %s]", json_text(one, "place", ""),
			       (long long)json_number(one, "cells", 0), json_text(one, "source", ""));
		printf("\n");
	}
}

static int show(const struct topic *t, bool as_json, json_t *all)
{
	json_t *list = json_array();
	struct err e = ERR_INIT;
	int r = t->fill(list, &e);

	if (r < 0) {
		json_decref(list);
		return complain_and(EXIT_BROKEN, "list", "%s: %s", t->name, e.text);
	}
	if (!as_json) {
		printf("%s:\n", t->name);
		print_text(list);
	}
	json_object_set_new(all, t->name, list);
	return EXIT_PASS;
}

static bool wanted(const char *name, int argc, char **argv)
{
	int i;

	for (i = optind; i < argc; i++)
		if (!strcmp(argv[i], name))
			return true;
	return optind == argc;
}

static int check_topics(int argc, char **argv)
{
	int i;
	size_t j;

	for (i = optind; i < argc; i++) {
		for (j = 0; j < TOPICS && strcmp(argv[i], topics[j].name) != 0; j++)
			;
		if (j == TOPICS)
			return complain_and(
				EXIT_USAGE, "list",
				"no list of \"%s\"; there are stressors, scenarios, metrics, kernels, limits, places, formats",
				argv[i]);
	}
	return EXIT_PASS;
}

int verb_list(int argc, char **argv)
{
	static const struct option options[] = { { "json", no_argument, NULL, 'j' },
						 { "help", no_argument, NULL, 'h' },
						 { NULL, 0, NULL, 0 } };
	bool as_json = false;
	json_t *all;
	int c, status;
	size_t i;

	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (c == 'h') {
			printf("usage: oomlab list [stressors|scenarios|metrics|kernels|limits|places|formats]... [--json]\n");
			return EXIT_PASS;
		}
		if (c != 'j')
			return EXIT_USAGE;
		as_json = true;
	}
	status = check_topics(argc, argv);
	all = json_object();
	for (i = 0; status == EXIT_PASS && i < TOPICS; i++)
		if (wanted(topics[i].name, argc, argv))
			status = show(&topics[i], as_json, all);
	if (as_json && status == EXIT_PASS) {
		json_dumpf(all, stdout, JSON_INDENT(2));
		printf("\n");
	}
	json_decref(all);
	return status;
}
