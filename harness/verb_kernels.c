// SPDX-License-Identifier: MIT
/* oomlab kernels: the kernels that guests run, fetched, built, compared and removed. */
#include "harness/verb_kernels.h"

#include "guest/built.h"
#include "lib/json.h"
#include "lib/units.h"

#include <errno.h>
#include <ftw.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void kernels_print_json(json_t *value)
{
	json_dumpf(value, stdout, JSON_INDENT(2));
	printf("\n");
	json_decref(value);
}

/* nftw() hands its callback nothing of ours. */
static uint64_t tree_sum_bytes;

static int add_file(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)path;
	(void)ftw;
	if (type == FTW_F)
		tree_sum_bytes += (uint64_t)st->st_blocks * 512;
	return 0;
}

static uint64_t tree_bytes(const char *dir)
{
	tree_sum_bytes = 0;
	nftw(dir, add_file, 16, FTW_PHYS | FTW_MOUNT);
	return tree_sum_bytes;
}

/* A kernel as JSON; one that is damaged carries "error" and counts as not there. */
static json_t *describe(const char *name, const char *suite, const char *arch, const char *about)
{
	struct err e = ERR_INIT;
	struct kernel k;
	int r = kernels_find(name, &k, &e);
	bool cached = r == 0 && k.cached;
	json_t *one =
		json_pack("{s:s, s:s, s:s, s:b, s:s?, s:o, s:s}", "name", name, "suite", suite, "arch", arch,
			  "cached", cached, "version", cached ? k.version : NULL, "bytes",
			  cached ? json_integer((json_int_t)tree_bytes(k.dir)) : json_null(), "about", about);

	if (r < 0)
		json_object_set_new(one, "error", json_string(e.text));
	else if (k.built)
		json_object_set_new(one, "stale", json_boolean(k.stale));
	return one;
}

/* What there is of a kernel that cannot be booted yet. */
static const char *absence(const json_t *one)
{
	const json_t *stale = json_object_get(one, "stale");

	return !stale ? "not fetched" : json_is_true(stale) ? "built of another fragment" : "not built";
}

static void print_kernel(const json_t *one, int name_width)
{
	const char *damage = json_text(one, "error", NULL);
	char size[UNITS_TEXT_MAX] = "";

	if (json_flag(one, "cached", false))
		size_format(size, (uint64_t)json_number(one, "bytes", 0));
	printf("%-*s  %-10s %5s  %s%s\n", name_width, json_text(one, "name", ""), json_text(one, "suite", ""),
	       size[0] ? size : "-", damage ? "damaged: " : "",
	       damage ? damage : json_text(one, "version", absence(one)));
}

/* The table's kernels, then those that are built. */
static int describe_all(json_t *list, struct err *e)
{
	struct kernel_table table;
	struct built *built;
	int n, i, r;

	r = kernels_load(&table, e);
	if (r < 0)
		return r;
	for (i = 0; i < (int)table.count; i++)
		json_array_append_new(list, describe(table.rows[i].name, table.rows[i].suite,
						     table.rows[i].arch, table.rows[i].about));
	built = calloc(BUILT_MAX, sizeof(*built));
	n = built ? built_list(&table, built, e) : err_errno(e, ENOMEM, "kernels");
	for (i = 0; i < n; i++)
		json_array_append_new(list, describe(built[i].name, built[i].row->suite, built[i].row->arch,
						     built[i].about));
	free(built);
	return n < 0 ? n : 0;
}

static int kernels_list_verb(const struct kernels_options *o)
{
	struct err e = ERR_INIT;
	json_t *list, *one;
	int width = 0, len;
	size_t i;

	if (o->count)
		return complain_and(EXIT_USAGE, KERNELS_VERB, "list: takes no names, found \"%s\"",
				    o->names[0]);
	list = json_array();
	if (describe_all(list, &e) < 0) {
		json_decref(list);
		return complain_and(EXIT_BROKEN, KERNELS_VERB, "list: %s", e.text);
	}
	if (o->json) {
		kernels_print_json(json_pack("{s:o}", "kernels", list));
		return EXIT_PASS;
	}
	json_array_foreach (list, i, one) {
		len = (int)strlen(json_text(one, "name", ""));
		width = len > width ? len : width;
	}
	printf("%-*s  %-10s %5s  %s\n", width, "kernel", "suite", "size", "version");
	json_array_foreach (list, i, one)
		print_kernel(one, width);
	json_decref(list);
	return EXIT_PASS;
}

int kernels_check_name(const struct kernel_table *table, const char *name, struct err *e)
{
	struct kernel k;
	int r;

	if (built_is(name)) {
		r = kernels_find(name, &k, e);
		/* A damaged one is there all the same. */
		return r == -ENOENT || r == -EINVAL ? r : 0;
	}
	return kernels_row(table, name, e) ? 0 : -ENOENT;
}

/* All names are known, or the first that is not is complained about before anything is done. */
static int check_names(const struct kernels_options *o, const char *what, struct kernel_table *ret_table)
{
	struct err e = ERR_INIT;
	int i;

	if (kernels_load(ret_table, &e) < 0)
		return complain_and(EXIT_BROKEN, KERNELS_VERB, "%s: %s", what, e.text);
	if (o->count == 0 && !o->all)
		return complain_and(EXIT_USAGE, KERNELS_VERB,
				    "%s: which? oomlab kernels list says what there is", what);
	if (o->count && o->all)
		return complain_and(EXIT_USAGE, KERNELS_VERB, "%s: either names or --all", what);
	for (i = 0; i < o->count; i++)
		if (kernels_check_name(ret_table, o->names[i], &e) < 0)
			return complain_and(EXIT_USAGE, KERNELS_VERB, "%s: %s", what, e.text);
	return EXIT_PASS;
}

static int fetch_one(const char *name, bool refresh)
{
	struct err e = ERR_INIT;
	struct kernel k;
	int r;

	r = kernels_find(name, &k, &e);
	/* One that is damaged is nothing to keep. */
	if (r < 0 && refresh && kernels_remove(name, &e) > 0)
		r = kernels_find(name, &k, &e);
	else if (r < 0 && !refresh)
		return complain_and(EXIT_BROKEN, KERNELS_VERB,
				    "fetch: %s; oomlab kernels fetch --refresh %s mends it", e.text, name);
	if (r == 0 && k.cached && !refresh) {
		printf("%s is fetched already: %s\n", name, k.version);
		return EXIT_PASS;
	}
	if (r == 0)
		r = refresh ? kernels_refresh(&k, &e) : kernels_ensure(&k, &e);
	if (r < 0)
		return complain_and(EXIT_BROKEN, KERNELS_VERB, "fetch: %s", e.text);
	printf("%s is fetched: %s\n", name, k.version);
	return EXIT_PASS;
}

static int kernels_fetch_verb(const struct kernels_options *o)
{
	struct kernel_table table;
	int status = check_names(o, "fetch", &table), i;
	int count = o->all ? (int)table.count : o->count;

	for (i = 0; status == EXIT_PASS && i < o->count; i++)
		if (built_is(o->names[i]))
			status = complain_and(EXIT_USAGE, KERNELS_VERB,
					      "fetch: %s is built, not fetched: oomlab kernels build",
					      o->names[i]);
	if (status != EXIT_PASS)
		return status;
	for (i = 0; i < count; i++)
		if (fetch_one(o->all ? table.rows[i].name : o->names[i], o->refresh) != EXIT_PASS)
			status = EXIT_BROKEN;
	return status;
}

/* Bad words: 2. A build that failed: 3. */
static int build_one(const struct kernel_table *table, const struct kernels_options *o, const char *word)
{
	struct err e = ERR_INIT;
	struct kernel k;
	bool is_new;
	int r = built_make(table, word, o->source, o->refresh, &k, &is_new, &e);

	if (r < 0)
		return complain_and(r == -ENOENT || r == -EINVAL ? EXIT_USAGE : EXIT_BROKEN, KERNELS_VERB,
				    "build: %s", e.text);
	printf("%s is built%s: %s\n", k.name, is_new ? "" : " already", k.version);
	return EXIT_PASS;
}

static int kernels_build_verb(const struct kernels_options *o)
{
	struct kernel_table table;
	struct err e = ERR_INIT;
	int status = EXIT_PASS, i;

	if (kernels_load(&table, &e) < 0)
		return complain_and(EXIT_BROKEN, KERNELS_VERB, "build: %s", e.text);
	if (o->count == 0)
		return complain_and(EXIT_USAGE, KERNELS_VERB,
				    "build: of which fragment? oomlab kernels list says what there is");
	for (i = 0; status == EXIT_PASS && i < o->count; i++)
		status = build_one(&table, o, o->names[i]);
	return status;
}

static int kernels_remove_verb(const struct kernels_options *o)
{
	struct kernel_table table;
	int status = check_names(o, "remove", &table), i;

	for (i = 0; status == EXIT_PASS && i < o->count; i++) {
		struct err e = ERR_INIT;
		int r = kernels_remove(o->names[i], &e);

		if (r < 0)
			status = complain_and(EXIT_BROKEN, KERNELS_VERB, "remove: %s", e.text);
		else
			printf("%s is %s\n", o->names[i],
			       r                       ? "removed"
			       : built_is(o->names[i]) ? "not built"
						       : "not fetched");
	}
	return status;
}

/* What can be done with kernels. options: the letters of those it takes. */
static const struct action {
	const char *name, *options, *usage, *about;
	int (*run)(const struct kernels_options *o);
} actions[] = {
	{ "list", "j", "[--json]", "those there are and what of them is fetched", kernels_list_verb },
	{ "fetch", "ar", "NAME...|--all [--refresh]", "gets them from Debian; --refresh: anew",
	  kernels_fetch_verb },
	{ "build", "rs", "FRAGMENT... [--source K] [--refresh]",
	  "builds them of K's source: a name of ours or a PATH", kernels_build_verb },
	{ "diff", "aj", "A B [--all] [--json]", "options that matter to memory and differ; --all: every one",
	  kernels_diff },
	{ "remove", "", "NAME...", "deletes what was fetched or built", kernels_remove_verb },
};

#define ACTIONS (sizeof(actions) / sizeof(actions[0]))

static int usage(FILE *to, int status)
{
	size_t i;

	fprintf(to, "usage: oomlab kernels ACTION ...\n");
	for (i = 0; i < ACTIONS; i++)
		fprintf(to, "  %-6s %-37s %s\n", actions[i].name, actions[i].usage, actions[i].about);
	fprintf(to,
		"A and B: names of the list, or PATH[:MODULES] of a bzImage built with CONFIG_IKCONFIG\n");
	return status;
}

/* 0, or -EINVAL when it has been complained about. */
static int parse_options(const struct action *a, int argc, char **argv, struct kernels_options *ret)
{
	static const struct option options[] = {
		{ "json", no_argument, NULL, 'j' },    { "all", no_argument, NULL, 'a' },
		{ "refresh", no_argument, NULL, 'r' }, { "source", required_argument, NULL, 's' },
		{ "help", no_argument, NULL, 'h' },    { NULL, 0, NULL, 0 }
	};
	int c;

	*ret = (struct kernels_options){ 0 };
	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (c == '?')
			return -EINVAL;
		if (c != 'h' && !strchr(a->options, c)) {
			complain_and(EXIT_USAGE, KERNELS_VERB, "%s: takes %s", a->name, a->usage);
			return -EINVAL;
		}
		ret->json |= c == 'j';
		ret->all |= c == 'a';
		ret->refresh |= c == 'r';
		ret->help |= c == 'h';
		ret->source = c == 's' ? optarg : ret->source;
	}
	ret->names = argv + optind;
	ret->count = argc - optind;
	return 0;
}

int verb_kernels(int argc, char **argv)
{
	struct kernels_options o;
	size_t i;

	if (argc < 2)
		return usage(stderr, EXIT_USAGE);
	if (strcmp(argv[1], "--help") == 0)
		return usage(stdout, EXIT_PASS);
	for (i = 0; i < ACTIONS && strcmp(actions[i].name, argv[1]) != 0; i++)
		;
	if (i == ACTIONS)
		return complain_and(EXIT_USAGE, KERNELS_VERB,
				    "no \"%s\"; there are list, fetch, build, diff, remove", argv[1]);
	argv[1] = (char[]){ "oomlab kernels" }; /* what getopt_long() complains as */
	if (parse_options(&actions[i], argc - 1, argv + 1, &o) < 0)
		return EXIT_USAGE;
	return o.help ? usage(stdout, EXIT_PASS) : actions[i].run(&o);
}
