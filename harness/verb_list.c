// SPDX-License-Identifier: MIT
/* oomlab list [WHAT...]: what there is, a line each. */
#include "harness/verbs.h"

#include "cgroups/cgroups.h"
#include "guest/built.h"
#include "guest/kernels.h"
#include "guest/killers.h"
#include "harness/allocators.h"
#include "harness/metrics.h"
#include "harness/output/output.h"
#include "harness/places/place.h"
#include "harness/stressors.h"
#include "harness/verb_list.h"
#include "lib/json.h"
#include "lib/units.h"

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

/* {name, about, source, parameters, cgroups}: limits by group, "" for its own. */
static int list_profiles(json_t *list, struct err *e)
{
	const struct names *known;
	const char *name;
	json_t *one, *entry;
	int r = known_names(&known, e);

	if (r < 0)
		return r;
	json_object_foreach ((json_t *)known->profiles, name, one) {
		entry = json_pack("{s:s}", "name", name);
		json_object_update(entry, one);
		json_array_append_new(list, entry);
	}
	return 0;
}

static int list_allocators(json_t *list, struct err *e)
{
	const struct allocator_name *one = allocators();
	size_t i;

	(void)e;
	for (i = 0; one[i].name; i++) {
		char about[PATH_LEN_MAX + 128];

		snprintf(about, sizeof(about), "%s; %s%s", allocator_about(i),
			 one[i].package ? "not here: apt-get install " : "",
			 one[i].package   ? one[i].package
			 : one[i].library ? one[i].library
					  : "always here");
		add(list, one[i].name, about);
	}
	return 0;
}

static int list_killers(json_t *list, struct err *e)
{
	const struct killer *k;

	(void)e;
	for (k = killers(); k->name; k++) {
		char about[512], version[KILLER_VERSION_MAX];

		killer_version(k, version);
		snprintf(about, sizeof(about), "%s%s%s", k->about, version[0] ? "; fetched: " : "", version);
		add(list, k->name, about);
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
	void (*print)(
		const json_t *list); /* NULL: as a list; else a page of its own, only when it is asked for */
} topics[] = {
	{ "stressors", list_stressors, NULL },
	{ "scenarios", list_scenarios, NULL },
	{ "metrics", list_metrics, NULL },
	{ "kernels", list_kernels, NULL },
	{ "limits", list_limits, NULL },
	{ "profiles", list_profiles, NULL },
	{ "allocators", list_allocators, NULL },
	{ "killers", list_killers, NULL },
	{ "places", list_places, NULL },
	{ "formats", list_formats, NULL },
	{ "coverage", list_coverage, coverage_print },
};

#define TOPICS (sizeof(topics) / sizeof(topics[0]))

/* "a, b" */
static void print_words(const char *before, const json_t *words)
{
	json_t *one;
	size_t i;

	json_array_foreach ((json_t *)words, i, one)
		printf("%s%s", i ? ", " : before, json_string_value(one));
}

/* " {request: 32M, limit: 64M}" */
static void print_parameters(const json_t *parameters)
{
	const char *name, *before = " {";
	char text[UNITS_TEXT_MAX];
	json_t *value;

	json_object_foreach ((json_t *)parameters, name, value) {
		printf("%s%s: %s", before, name, size_format(text, (uint64_t)json_integer_value(value)));
		before = ", ";
	}
	printf("%s", json_object_size(parameters) ? "}" : "");
}

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
		if (json_text(one, "place", NULL)) {
			long long cells = json_number(one, "cells", 0);

			printf(" [%s, %lld cell%s", json_text(one, "place", ""), cells,
			       cells == 1 ? "" : "s");
			print_words("; rows ", json_object_get(one, "rows"));
			print_words("; needs ", json_object_get(one, "needs"));
			printf("]");
		} else if (json_array_size(json_object_get(one, "needs"))) {
			print_words(" [needs ", json_object_get(one, "needs"));
			printf("]");
		}
		print_parameters(json_object_get(one, "parameters"));
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
	if (!as_json && t->print) {
		t->print(list);
	} else if (!as_json) {
		printf("%s:\n", t->name);
		print_text(list);
	}
	json_object_set_new(all, t->name, list);
	return EXIT_PASS;
}

static bool wanted(const struct topic *t, int argc, char **argv)
{
	int i;

	for (i = optind; i < argc; i++)
		if (!strcmp(argv[i], t->name))
			return true;
	return optind == argc && !t->print;
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
				"no list of \"%s\"; there are stressors, scenarios, metrics, kernels, limits, profiles, allocators, killers, places, formats, coverage",
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
			printf("usage: oomlab list [stressors|scenarios|metrics|kernels|limits|profiles|allocators|killers|places|formats|coverage]... [--json]\n");
			return EXIT_PASS;
		}
		if (c != 'j')
			return EXIT_USAGE;
		as_json = true;
	}
	status = check_topics(argc, argv);
	all = json_object();
	for (i = 0; status == EXIT_PASS && i < TOPICS; i++)
		if (wanted(&topics[i], argc, argv))
			status = show(&topics[i], as_json, all);
	if (as_json && status == EXIT_PASS) {
		json_dumpf(all, stdout, JSON_INDENT(2));
		printf("\n");
	}
	json_decref(all);
	return status;
}
