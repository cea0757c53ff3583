// SPDX-License-Identifier: MIT
#include "harness/scenario/scenario.h"

#include "harness/scenario/matrix.h"
#include "harness/scenario/bind.h"
#include "harness/scenario/expect.h"
#include "harness/scenario/path.h"
#include "lib/files.h"
#include "lib/json.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Every value from the command line is a small document of its own, alive as long as the load. */
#define OVERRIDES_MAX 256
/* Faulty cells looked at: more of them say the same. */
#define FAULTY_CELLS_MAX 100

struct scenario {
	char *path;
	json_t *about; /* a bound cell, for what is the same in all of them */
	size_t cell_count;
	json_t **specs;
};

struct load {
	struct binder b;
	struct fy_document *doc;
	struct matrix m;
	struct fy_document *values[OVERRIDES_MAX];
	char *options[OVERRIDES_MAX]; /* "--set PATH=VALUE" */
	size_t value_count;
	struct laid laid[OVERRIDES_MAX + 1]; /* paths owned */
	size_t laid_count;
	bool failed;
};

/* Parses the text of an option; NULL with a complaint. The result lives as long as l. */
static struct fy_node *option_value(struct load *l, const char *option, const char *text)
{
	struct fy_document *doc = NULL;

	complaints_option(l->b.c, option);
	/* Nothing is null in YAML, but no document. */
	if (!text[strspn(text, " ")])
		text = "~";
	if (tree_parse(option, text, strlen(text), l->b.c, &doc) < 0) {
		l->failed = true;
		return NULL;
	}
	l->values[l->value_count - 1] = doc;
	return fy_document_root(doc);
}

/* Takes a place for one more option; NULL with a complaint when there are too many. */
static const char *add_option(struct load *l, const char *name, const char *text)
{
	char *option;

	if (l->value_count == OVERRIDES_MAX || asprintf(&option, "%s %s", name, text) < 0) {
		complain(l->b.c, l->b.source, "%s: too many options; allowed: %d", name, OVERRIDES_MAX);
		l->failed = true;
		return NULL;
	}
	l->options[l->value_count++] = option;
	return option;
}

/* "PATH=VALUE" in two; the path is the caller's to free, NULL with a complaint. */
static char *split(struct load *l, const char *option, const char *text, const char **ret_value)
{
	const char *equals = strchr(text, '=');
	char *path = equals && equals > text ? strndup(text, (size_t)(equals - text)) : NULL;

	if (!path) {
		complaints_option(l->b.c, option);
		complain(l->b.c, option, "no PATH=VALUE; allowed: e.g. machine.memory=512M");
		l->failed = true;
		return NULL;
	}
	*ret_value = equals + 1;
	return path;
}

static void note_laid(struct load *l, const char *option, const char *path)
{
	struct laid at = { strdup(path), option };

	if (at.path)
		l->laid[l->laid_count++] = at;
	else
		l->failed = true;
}

static void lay(struct load *l, const char *option, const char *path, struct fy_node *value)
{
	char why[WHY_MAX];

	if (!value)
		return;
	if (path_lay(&l->b, l->doc, path, value, why) < 0) {
		complain(l->b.c, option, "%s", why);
		l->failed = true;
		return;
	}
	l->b.root = fy_document_root(l->doc);
	matrix_drop(&l->m, path);
	note_laid(l, option, path);
}

static void lay_set(struct load *l, const char *text)
{
	const char *option = add_option(l, "--set", text), *value_text = NULL;
	AUTO_FREE char *path = option ? split(l, option, text, &value_text) : NULL;
	struct fy_node *value = path ? option_value(l, option, value_text) : NULL;

	if (value && !strncmp(path, "matrix", 6) && (!path[6] || path[6] == '.')) {
		complain(l->b.c, option, "an axis is not set; allowed: --matrix PATH=V1,V2");
		l->failed = true;
		return;
	}
	lay(l, option, path, value);
}

static void lay_values(struct load *l, const char *option, const char *path, struct fy_node *values)
{
	if (!values || matrix_set(&l->b, &l->m, path, values, NULL, option) < 0)
		l->failed = true;
	else
		note_laid(l, option, path);
}

static void lay_axis(struct load *l, const char *text)
{
	const char *option = add_option(l, "--matrix", text), *value_text = NULL;
	AUTO_FREE char *path = option ? split(l, option, text, &value_text) : NULL;
	AUTO_FREE char *list = NULL;
	struct fy_node *values;

	if (!path || asprintf(&list, "[%s]", value_text) < 0)
		return;
	values = option_value(l, option, list);
	lay_values(l, option, path, values);
}

static void lay_kernels(struct load *l, const struct scenario_options *o)
{
	AUTO_FREE char *text = NULL;
	const char *option;
	struct fy_node *value;
	json_t *list = json_array();
	size_t i;

	for (i = 0; i < o->kernel_count; i++)
		json_array_append_new(list, json_string(o->kernels[i]));
	text = json_dumps(o->kernel_count == 1 ? json_array_get(list, 0) : list,
			  JSON_ENCODE_ANY | JSON_COMPACT);
	json_decref(list);
	option = text ? add_option(l, "--kernel", o->kernel_count == 1 ? o->kernels[0] : text) : NULL;
	value = option ? option_value(l, option, text) : NULL;
	if (!value)
		l->failed = true;
	else if (o->kernel_count == 1)
		lay(l, option, "machine.kernel", value);
	else
		lay_values(l, option, "machine.kernel", value);
}

static void lay_options(struct load *l, const struct scenario_options *o)
{
	const char *option;
	size_t i;

	for (i = 0; i < o->set_count; i++)
		lay_set(l, o->sets[i]);
	if (o->place) {
		option = add_option(l, "--place", o->place);
		if (option)
			lay(l, option, "place", option_value(l, option, o->place));
	}
	if (o->kernel_count > 0)
		lay_kernels(l, o);
	for (i = 0; i < o->matrix_count; i++)
		lay_axis(l, o->matrices[i]);
}

/* The parts of a bound cell in the order of docs/records.md. */
static json_t *make_spec(json_t *cell, const char *id, json_t *axes)
{
	static const char *const parts[] = { "place",  "machine", "sysctl", "cgroups", "processes",
					     "faults", "stop",    "record", "expect" };
	json_t *spec = json_object();
	size_t i;

	json_object_set_new(spec, "spec", json_integer(1));
	json_object_set(spec, "scenario", json_object_get(cell, "scenario"));
	json_object_set_new(spec, "cell", json_string(id));
	json_object_set_new(spec, "axes", axes);
	for (i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
		json_object_set(spec, parts[i], json_object_get(cell, parts[i]));
	if (json_is_object(json_object_get(cell, "killer")))
		json_array_append(json_object_get(spec, "processes"), json_object_get(cell, "killer"));
	return spec;
}

static int add_cell(struct load *l, struct scenario *s, json_t *cell, json_t *taken)
{
	char id[CELL_ID_MAX + 1];

	if (s->cell_count == 0)
		s->about = json_incref(cell);
	if (strcmp(json_text(cell, "place", ""), scenario_place(s)) != 0) {
		complain(l->b.c, l->b.source,
			 "some cells run in a guest, some on the host; allowed: place: host|guest");
		return -EINVAL;
	}
	matrix_cell_id(&l->m, s->cell_count, taken, id);
	s->specs[s->cell_count] = make_spec(cell, id, matrix_cell_axes(&l->m, s->cell_count));
	s->cell_count++;
	return 0;
}

/* Binds every cell; goes on to find what is wrong in others when one is. */
static int bind_cells(struct load *l, struct scenario *s)
{
	json_t *taken = json_object(), *cell;
	size_t i, faulty = 0;

	s->specs = calloc(l->m.cells, sizeof(*s->specs));
	if (!s->specs) {
		complain(l->b.c, l->b.source, "out of memory");
		faulty = FAULTY_CELLS_MAX;
	}
	for (i = 0; i < l->m.cells && faulty < FAULTY_CELLS_MAX; i++) {
		int r = matrix_lay(&l->b, &l->m, l->doc, i);

		cell = bind_cell(&l->b);
		if (r < 0 || !cell)
			faulty++;
		else if (faulty == 0 && add_cell(l, s, cell, taken) < 0)
			faulty++;
		json_decref(cell);
		if (r < 0)
			break;
	}
	json_decref(taken);
	l->failed |= i < l->m.cells; /* cells that were not looked at answer no `where` */
	return faulty ? -EINVAL : 0;
}

/*
 * A `where` may name values that the command line has taken out of this run:
 * they count as long as the file's own cells have them.
 */
static void note_own_cells(struct load *l)
{
	struct complaints *silent = complaints_new();
	struct binder b = l->b;
	struct fy_document *doc = NULL;
	struct matrix m = { 0 };
	size_t i;

	if (!silent)
		return;
	b.c = silent;
	if (tree_read(b.source, silent, &doc) == 0) {
		b.root = fy_document_root(doc);
		if (matrix_read(&b, &m) == 0 && matrix_finish(&b, &m) == 0)
			for (i = 0; i < m.cells && matrix_lay(&b, &m, doc, i) == 0; i++)
				expect_note_where(&b);
		matrix_free(&m);
		fy_document_destroy(doc);
	}
	complaints_free(silent);
}

static int load(struct load *l, const struct scenario_options *o, struct scenario *s)
{
	int r = 0;

	if (tree_read(l->b.source, l->b.c, &l->doc) < 0)
		return -EINVAL;
	l->b.root = fy_document_root(l->doc);
	if (matrix_read(&l->b, &l->m) < 0)
		l->failed = true;
	if (o)
		lay_options(l, o);
	if (matrix_finish(&l->b, &l->m) < 0) {
		matrix_free(&l->m);
		l->m.cells = 1;
		l->failed = true;
	}
	r = bind_cells(l, s);
	/* Where no cell could be made, no cell could answer. */
	if (l->failed)
		return -EINVAL;
	if (o && o->set_count + o->matrix_count + o->kernel_count > 0)
		note_own_cells(l);
	l->b.failed = false;
	expect_check_where(&l->b);
	return l->b.failed ? -EINVAL : r;
}

int scenario_load(const char *path, const struct scenario_options *options, const struct names *known,
		  struct complaints *c, struct scenario **ret)
{
	struct scenario *s = calloc(1, sizeof(*s));
	struct load *l = calloc(1, sizeof(*l));
	int r = -ENOMEM;
	size_t i;

	if (s && l && (s->path = strdup(path))) {
		l->b = (struct binder){ .c = c, .known = known, .source = path };
		l->b.laid = l->laid;
		l->b.runs_seen = json_object();
		l->b.where_seen = json_object();
		r = load(l, options, s);
		matrix_free(&l->m);
		fy_document_destroy(l->doc);
		for (i = 0; i < l->laid_count; i++)
			free((char *)l->laid[i].path);
		for (i = 0; i < l->value_count; i++) {
			fy_document_destroy(l->values[i]);
			free(l->options[i]);
		}
		json_decref(l->b.runs_seen);
		json_decref(l->b.where_seen);
		json_decref(l->b.group_paths);
		json_decref(l->b.process_names);
	} else {
		complain(c, path, "out of memory");
	}
	free(l);
	if (r < 0)
		scenario_free(s);
	else
		*ret = s;
	return r;
}

void scenario_free(struct scenario *s)
{
	size_t i;

	if (!s)
		return;
	for (i = 0; i < s->cell_count; i++)
		json_decref(s->specs[i]);
	free(s->specs);
	json_decref(s->about);
	free(s->path);
	free(s);
}

const char *scenario_path(const struct scenario *s)
{
	return s->path;
}

const char *scenario_name(const struct scenario *s)
{
	return json_text(s->about, "scenario", "");
}

const char *scenario_about(const struct scenario *s)
{
	return json_text(s->about, "about", "");
}

const char *scenario_source(const struct scenario *s)
{
	return json_text(s->about, "source", "");
}

const char *scenario_place(const struct scenario *s)
{
	return json_text(s->about, "place", "");
}

size_t scenario_cells(const struct scenario *s)
{
	return s->cell_count;
}

const char *scenario_cell(const struct scenario *s, size_t cell)
{
	return json_text(s->specs[cell], "cell", "");
}

json_t *scenario_spec(const struct scenario *s, size_t cell)
{
	return s->specs[cell];
}

void scenario_keys_print(FILE *to)
{
	keys_print(to);
}
