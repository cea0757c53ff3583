// SPDX-License-Identifier: MIT
/* oomlab kernels diff: the options in which two kernels differ. */
#include "harness/verb_kernels.h"

#include "guest/built.h"
#include "guest/kconfig.h"
#include "lib/json.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WIDTH_MAX 34 /* of a column; what is longer juts out */

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

	if (r == 0 && !is_path && kernels_check_name(&table, name, &e) < 0)
		return complain_and(EXIT_USAGE, KERNELS_VERB,
				    "diff: %s, or PATH[:MODULES] of a bzImage with a slash in it", e.text);
	if (r == 0)
		r = kernels_find(name, &s->k, &e);
	if (r < 0)
		return complain_and(is_path ? EXIT_USAGE : EXIT_BROKEN, KERNELS_VERB, "diff: %s", e.text);
	if (!s->k.cached && s->k.built) {
		built_refuse(&s->k, &e);
		return complain_and(EXIT_USAGE, KERNELS_VERB, "diff: %s", e.text);
	}
	if (!s->k.cached)
		return complain_and(EXIT_USAGE, KERNELS_VERB,
				    "diff: %s is not fetched: oomlab kernels fetch %s", name, name);
	if (is_path) {
		r = kconfig_read_image(s->k.vmlinuz, &s->config, &e);
	} else {
		r = path_format(path, "%s/config", s->k.dir);
		r = r < 0 ? err_errno(&e, -r, "%s", s->k.dir) : kconfig_read(path, &s->config, &e);
	}
	return r < 0 ? complain_and(is_path ? EXIT_USAGE : EXIT_BROKEN, KERNELS_VERB, "diff: %s", e.text)
		     : EXIT_PASS;
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

static int print_difference(const struct kernels_options *o, const struct difference *d,
			    const struct side s[2])
{
	if (o->json) {
		kernels_print_json(json_pack("{s:{s:s, s:s}, s:{s:s, s:s}, s:b, s:I, s:O}", "a", "name",
					     s[0].k.name, "version", s[0].k.version, "b", "name", s[1].k.name,
					     "version", s[1].k.version, "all", o->all, "compared",
					     (json_int_t)d->compared, "differences", d->list));
		return EXIT_PASS;
	}
	if (json_array_size(d->list))
		print_table(d->list, s);
	printf("%zu of %zu options%s differ between %s (%s) and %s (%s)\n", json_array_size(d->list),
	       d->compared, o->all ? "" : " that matter to memory", s[0].k.name, s[0].k.version, s[1].k.name,
	       s[1].k.version);
	return EXIT_PASS;
}

static int diff_sides(const struct kernels_options *o, struct side s[2])
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
		status = complain_and(EXIT_BROKEN, KERNELS_VERB, "diff: %s", e.text);
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

int kernels_diff(const struct kernels_options *o)
{
	struct side *s;
	int status;

	if (o->count != 2)
		return complain_and(EXIT_USAGE, KERNELS_VERB, "diff: takes two kernels, found %d", o->count);
	s = calloc(2, sizeof(*s));
	if (!s)
		return complain_and(EXIT_BROKEN, KERNELS_VERB, "diff: %s", strerror(ENOMEM));
	status = diff_sides(o, s);
	kconfig_free(&s[0].config);
	kconfig_free(&s[1].config);
	free(s);
	return status;
}
