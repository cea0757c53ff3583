// SPDX-License-Identifier: MIT
/* oomlab kernels: the kernels that guests run, fetched, compared and removed. */
#include "harness/verbs.h"

#include "guest/kconfig.h"
#include "guest/kernels.h"
#include "lib/json.h"
#include "lib/units.h"

#include <errno.h>
#include <ftw.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define VERB      "kernels"
#define WIDTH_MAX 34 /* of a column; what is longer juts out */

struct options {
	bool json, all, refresh, help;
	char **names;
	int count;
};

static void print_json(json_t *value)
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

/* A kernel as JSON; one that is damaged carries "error" and counts as not fetched. */
static json_t *describe(const struct kernel_row *row)
{
	struct err e = ERR_INIT;
	struct kernel k;
	int r = kernels_find(row->name, &k, &e);
	json_t *one = json_pack(
		"{s:s, s:s, s:s, s:b, s:s?, s:o, s:s}", "name", row->name, "suite", row->suite, "arch",
		row->arch, "cached", r == 0 && k.cached, "version", r == 0 && k.cached ? k.version : NULL,
		"bytes", r == 0 && k.cached ? json_integer((json_int_t)tree_bytes(k.dir)) : json_null(),
		"about", row->about);

	if (r < 0)
		json_object_set_new(one, "error", json_string(e.text));
	return one;
}

static void print_kernel(const json_t *one, int name_width)
{
	const char *damage = json_text(one, "error", NULL);
	char size[UNITS_TEXT_MAX] = "";

	if (json_flag(one, "cached", false))
		size_format(size, (uint64_t)json_number(one, "bytes", 0));
	printf("%-*s  %-10s %5s  %s%s\n", name_width, json_text(one, "name", ""), json_text(one, "suite", ""),
	       size[0] ? size : "-", damage ? "damaged: " : "",
	       damage ? damage : json_text(one, "version", "not fetched"));
}

static int kernels_list_verb(const struct options *o)
{
	struct kernel_table table;
	struct err e = ERR_INIT;
	json_t *list, *one;
	int width = 0;
	size_t i;

	if (o->count)
		return complain_and(EXIT_USAGE, VERB, "list: takes no names, found \"%s\"", o->names[0]);
	if (kernels_load(&table, &e) < 0)
		return complain_and(EXIT_BROKEN, VERB, "list: %s", e.text);
	list = json_array();
	for (i = 0; i < table.count; i++) {
		json_array_append_new(list, describe(&table.rows[i]));
		width = (int)strlen(table.rows[i].name) > width ? (int)strlen(table.rows[i].name) : width;
	}
	if (o->json) {
		print_json(json_pack("{s:o}", "kernels", list));
		return EXIT_PASS;
	}
	printf("%-*s  %-10s %5s  %s\n", width, "kernel", "suite", "size", "version");
	json_array_foreach (list, i, one)
		print_kernel(one, width);
	json_decref(list);
	return EXIT_PASS;
}

/* All names are known, or the first that is not is complained about before anything is done. */
static int check_names(const struct options *o, const char *what, struct kernel_table *ret_table)
{
	struct err e = ERR_INIT;
	int i;

	if (kernels_load(ret_table, &e) < 0)
		return complain_and(EXIT_BROKEN, VERB, "%s: %s", what, e.text);
	if (o->count == 0 && !o->all)
		return complain_and(EXIT_USAGE, VERB, "%s: which? oomlab kernels list says what there is",
				    what);
	if (o->count && o->all)
		return complain_and(EXIT_USAGE, VERB, "%s: either names or --all", what);
	for (i = 0; i < o->count; i++)
		if (!kernels_row(ret_table, o->names[i], &e))
			return complain_and(EXIT_USAGE, VERB, "%s: %s", what, e.text);
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
		return complain_and(EXIT_BROKEN, VERB,
				    "fetch: %s; oomlab kernels fetch --refresh %s mends it", e.text, name);
	if (r == 0 && k.cached && !refresh) {
		printf("%s is fetched already: %s\n", name, k.version);
		return EXIT_PASS;
	}
	if (r == 0)
		r = refresh ? kernels_refresh(&k, &e) : kernels_ensure(&k, &e);
	if (r < 0)
		return complain_and(EXIT_BROKEN, VERB, "fetch: %s", e.text);
	printf("%s is fetched: %s\n", name, k.version);
	return EXIT_PASS;
}

static int kernels_fetch_verb(const struct options *o)
{
	struct kernel_table table;
	int status = check_names(o, "fetch", &table), i;
	int count = o->all ? (int)table.count : o->count;

	if (status != EXIT_PASS)
		return status;
	for (i = 0; i < count; i++)
		if (fetch_one(o->all ? table.rows[i].name : o->names[i], o->refresh) != EXIT_PASS)
			status = EXIT_BROKEN;
	return status;
}

static int kernels_remove_verb(const struct options *o)
{
	struct kernel_table table;
	int status = check_names(o, "remove", &table), i;

	for (i = 0; status == EXIT_PASS && i < o->count; i++) {
		struct err e = ERR_INIT;
		int r = kernels_remove(o->names[i], &e);

		if (r < 0)
			status = complain_and(EXIT_BROKEN, VERB, "remove: %s", e.text);
		else
			printf(r ? "%s is removed\n" : "%s is not fetched\n", o->names[i]);
	}
	return status;
}

/* One side of a comparison. */
struct side {
	struct kernel k;
	struct kconfig config;
};

/* What the user asked for is not there to be compared: 2. What should be there is not: 3. */
static int read_side(const char *name, struct side *s)
{
	bool is_path = strchr(name, '/');
	struct kernel_table table;
	struct err e = ERR_INIT;
	char path[PATH_LEN_MAX];
	int r = kernels_load(&table, &e);

	if (r == 0 && !is_path && !kernels_row(&table, name, &e))
		return complain_and(EXIT_USAGE, VERB,
				    "diff: %s, or PATH[:MODULES] of a bzImage with a slash in it", e.text);
	if (r == 0)
		r = kernels_find(name, &s->k, &e);
	if (r < 0)
		return complain_and(is_path ? EXIT_USAGE : EXIT_BROKEN, VERB, "diff: %s", e.text);
	if (!s->k.cached)
		return complain_and(EXIT_USAGE, VERB, "diff: %s is not fetched: oomlab kernels fetch %s",
				    name, name);
	if (is_path) {
		r = kconfig_read_image(s->k.vmlinuz, &s->config, &e);
	} else {
		r = path_format(path, "%s/config", s->k.dir);
		r = r < 0 ? err_errno(&e, -r, "%s", s->k.dir) : kconfig_read(path, &s->config, &e);
	}
	return r < 0 ? complain_and(is_path ? EXIT_USAGE : EXIT_BROKEN, VERB, "diff: %s", e.text) : EXIT_PASS;
}

struct difference {
	json_t *list;
	size_t compared; /* options that either has */
};

static void compare(struct difference *d, const struct side s[2], const char *option, const char *about)
{
	const char *a = kconfig_value(&s[0].config, option), *b = kconfig_value(&s[1].config, option);

	if (!a && !b)
		return;
	d->compared++;
	if (a && b && strcmp(a, b) == 0)
		return;
	json_array_append_new(d->list, json_pack("{s:s, s:s?, s:s?, s:s?}", "option", option, "a", a, "b", b,
						 "changes", about));
}

static const char *about_option(const struct kconfig_options *options, const char *name)
{
	size_t i;

	for (i = 0; i < options->count; i++)
		if (strcmp(options->rows[i].name, name) == 0)
			return options->rows[i].value;
	return NULL;
}

/* Both lists are sorted by name. */
static void compare_all(struct difference *d, const struct side s[2], const struct kconfig_options *options)
{
	const struct kconfig *a = &s[0].config, *b = &s[1].config;
	size_t i = 0, j = 0;

	while (i < a->count || j < b->count) {
		int order = i == a->count   ? 1
			    : j == b->count ? -1
					    : strcmp(a->items[i].name, b->items[j].name);
		const char *name = order <= 0 ? a->items[i].name : b->items[j].name;

		compare(d, s, name, about_option(options, name));
		i += order <= 0;
		j += order >= 0;
	}
}

/* Columns as wide as what is in them, within bounds. */
static void print_table(const json_t *list, const struct side s[2])
{
	static const char *const keys[] = { "option", "a", "b" };
	const char *head[] = { "option", s[0].k.name, s[1].k.name };
	int width[3];
	json_t *one;
	size_t i, c;

	for (c = 0; c < 3; c++) {
		width[c] = (int)strnlen(head[c], WIDTH_MAX);
		json_array_foreach (list, i, one) {
			int len = (int)strlen(json_text(one, keys[c], "(not there)"));

			width[c] = len > width[c] && len <= WIDTH_MAX ? len : width[c];
		}
	}
	printf("%-*s  %-*s  %-*s  %s\n", width[0], head[0], width[1], head[1], width[2], head[2],
	       "what it changes");
	json_array_foreach (list, i, one) {
		const char *about = json_text(one, "changes", "");

		printf("%-*s  %-*s  %-*s%s%s\n", width[0], json_text(one, "option", ""), width[1],
		       json_text(one, "a", "(not there)"), about[0] ? width[2] : 0,
		       json_text(one, "b", "(not there)"), about[0] ? "  " : "", about);
	}
}

static int print_difference(const struct options *o, const struct difference *d, const struct side s[2])
{
	if (o->json) {
		print_json(json_pack("{s:{s:s, s:s}, s:{s:s, s:s}, s:b, s:I, s:O}", "a", "name", s[0].k.name,
				     "version", s[0].k.version, "b", "name", s[1].k.name, "version",
				     s[1].k.version, "all", o->all, "compared", (json_int_t)d->compared,
				     "differences", d->list));
		return EXIT_PASS;
	}
	if (json_array_size(d->list))
		print_table(d->list, s);
	printf("%zu of %zu options%s differ between %s (%s) and %s (%s)\n", json_array_size(d->list),
	       d->compared, o->all ? "" : " that matter to memory", s[0].k.name, s[0].k.version, s[1].k.name,
	       s[1].k.version);
	return EXIT_PASS;
}

static int diff_sides(const struct options *o, struct side s[2])
{
	struct difference d = { .list = json_array() };
	struct kconfig_options options;
	struct err e = ERR_INIT;
	int status;
	size_t i;

	status = read_side(o->names[0], &s[0]);
	if (status == EXIT_PASS)
		status = read_side(o->names[1], &s[1]);
	if (status == EXIT_PASS && kconfig_options_load(&options, &e) < 0)
		status = complain_and(EXIT_BROKEN, VERB, "diff: %s", e.text);
	if (status == EXIT_PASS) {
		for (i = 0; !o->all && i < options.count; i++)
			compare(&d, s, options.rows[i].name, options.rows[i].value);
		if (o->all)
			compare_all(&d, s, &options);
		status = print_difference(o, &d, s);
		kconfig_options_free(&options);
	}
	json_decref(d.list);
	return status;
}

static int kernels_diff_verb(const struct options *o)
{
	struct side *s;
	int status;

	if (o->count != 2)
		return complain_and(EXIT_USAGE, VERB, "diff: takes two kernels, found %d", o->count);
	s = calloc(2, sizeof(*s));
	if (!s)
		return complain_and(EXIT_BROKEN, VERB, "diff: %s", strerror(ENOMEM));
	status = diff_sides(o, s);
	kconfig_free(&s[0].config);
	kconfig_free(&s[1].config);
	free(s);
	return status;
}

/* What can be done with kernels. options: the letters of those it takes. */
static const struct action {
	const char *name, *options, *usage, *about;
	int (*run)(const struct options *o);
} actions[] = {
	{ "list", "j", "[--json]", "those there are and what of them is fetched", kernels_list_verb },
	{ "fetch", "ar", "NAME...|--all [--refresh]", "gets them from Debian; --refresh: anew",
	  kernels_fetch_verb },
	{ "diff", "aj", "A B [--all] [--json]", "options that matter to memory and differ; --all: every one",
	  kernels_diff_verb },
	{ "remove", "", "NAME...", "deletes what was fetched", kernels_remove_verb },
};

#define ACTIONS (sizeof(actions) / sizeof(actions[0]))

static int usage(FILE *to, int status)
{
	size_t i;

	fprintf(to, "usage: oomlab kernels ACTION ...\n");
	for (i = 0; i < ACTIONS; i++)
		fprintf(to, "  %-6s %-26s %s\n", actions[i].name, actions[i].usage, actions[i].about);
	fprintf(to,
		"A and B: names of the list, or PATH[:MODULES] of a bzImage built with CONFIG_IKCONFIG\n");
	return status;
}

/* 0, or -EINVAL when it has been complained about. */
static int parse_options(const struct action *a, int argc, char **argv, struct options *ret)
{
	static const struct option options[] = { { "json", no_argument, NULL, 'j' },
						 { "all", no_argument, NULL, 'a' },
						 { "refresh", no_argument, NULL, 'r' },
						 { "help", no_argument, NULL, 'h' },
						 { NULL, 0, NULL, 0 } };
	int c;

	*ret = (struct options){ 0 };
	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (c == '?')
			return -EINVAL;
		if (c != 'h' && !strchr(a->options, c)) {
			complain_and(EXIT_USAGE, VERB, "%s: takes %s", a->name, a->usage);
			return -EINVAL;
		}
		ret->json |= c == 'j';
		ret->all |= c == 'a';
		ret->refresh |= c == 'r';
		ret->help |= c == 'h';
	}
	ret->names = argv + optind;
	ret->count = argc - optind;
	return 0;
}

int verb_kernels(int argc, char **argv)
{
	struct options o;
	size_t i;

	if (argc < 2)
		return usage(stderr, EXIT_USAGE);
	if (strcmp(argv[1], "--help") == 0)
		return usage(stdout, EXIT_PASS);
	for (i = 0; i < ACTIONS && strcmp(actions[i].name, argv[1]) != 0; i++)
		;
	if (i == ACTIONS)
		return complain_and(EXIT_USAGE, VERB, "no \"%s\"; there are list, fetch, diff, remove",
				    argv[1]);
	argv[1] = (char[]){ "oomlab kernels" }; /* what getopt_long() complains as */
	if (parse_options(&actions[i], argc - 1, argv + 1, &o) < 0)
		return EXIT_USAGE;
	return o.help ? usage(stdout, EXIT_PASS) : actions[i].run(&o);
}
