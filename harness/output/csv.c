// SPDX-License-Identifier: MIT
/* The black box taken apart into files that other programs read. */
#include "harness/output/output.h"

#include "lib/files.h"
#include "lib/json.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum kind { SYSTEM, PROCESS, CGROUP, KINDS };

/* One sample file: what it is called, what names its rows and how, in the spec. */
static const struct form {
	const char *of; /* in the BB_COLUMNS record */
	const char *file;
	enum bb_type type;
	const char *row_head; /* NULL: one row a tick, no name */
	const char *list, *key;
	const char *next; /* names the row one past the list */
} forms[KINDS] = {
	{ "system", "system.csv", BB_SYSTEM, NULL, NULL, NULL, "" },
	{ "process", "processes.csv", BB_PROCESS, "process", "processes", "name", "" },
	{ "cgroup", "cgroups.csv", BB_CGROUP, "cgroup", "cgroups", "path", BB_OTHERS_GROUP },
};

struct writer {
	const struct blackbox *box;
	const json_t *spec;
	json_t *children; /* row of a process: "tree/81", the child of a process whose samples are there from here on */
	json_t *columns[KINDS]; /* arrays of names, NULL where the box has none */
	FILE *samples[KINDS];
	FILE *events;
	FILE *kmsg;
};

/* RFC 4180: quoted where it must be, quotes doubled. */
static void field(FILE *out, const char *text)
{
	if (!text[strcspn(text, ",\"\r\n")]) {
		fputs(text, out);
		return;
	}
	fputc('"', out);
	for (; *text; text++) {
		if (*text == '"')
			fputc('"', out);
		fputc(*text, out);
	}
	fputc('"', out);
}

/* The columns are announced before the first sample; the last word counts. */
static void find_columns(struct writer *w)
{
	const struct bb_record *rec = NULL;
	size_t i;

	while ((rec = bb_next(w->box, rec))) {
		json_t *root, *names;

		if (rec->type != BB_COLUMNS)
			continue;
		root = json_loadb((const char *)rec->payload, rec->len, 0, NULL);
		names = json_object_get(root, "names");
		for (i = 0; json_is_array(names) && i < KINDS; i++) {
			if (strcmp(json_text(root, "of", ""), forms[i].of) != 0)
				continue;
			json_decref(w->columns[i]);
			w->columns[i] = json_incref(names);
		}
		json_decref(root);
	}
}

static void header(struct writer *w, enum kind kind)
{
	FILE *out = w->samples[kind];
	const json_t *name;
	size_t i;

	fputs("t_ns", out);
	if (forms[kind].row_head)
		fprintf(out, ",%s", forms[kind].row_head);
	json_array_foreach (w->columns[kind], i, name) {
		fputc(',', out);
		field(out, json_is_string(name) ? json_string_value(name) : "");
	}
	fputc('\n', out);
}

static void sample(struct writer *w, enum kind kind, const struct bb_record *rec)
{
	const struct bb_sample *s = (const struct bb_sample *)rec->payload;
	size_t columns = json_array_size(w->columns[kind]), i;
	FILE *out = w->samples[kind];
	char row[16];

	if (rec->len < sizeof(*s) || s->count > (rec->len - sizeof(*s)) / sizeof(s->values[0]))
		return; /* damaged */
	fprintf(out, "%llu", (unsigned long long)rec->t_ns);
	if (forms[kind].row_head) {
		const json_t *rows = json_object_get(w->spec, forms[kind].list);

		fputc(',', out);
		snprintf(row, sizeof(row), "%u", s->index);
		field(out, json_text(json_array_get(rows, s->index), forms[kind].key,
				     kind == PROCESS                     ? json_text(w->children, row, "")
				     : s->index == json_array_size(rows) ? forms[kind].next
									 : ""));
	}
	for (i = 0; i < columns; i++) {
		if (i < s->count && s->values[i] != BB_MISSING)
			fprintf(out, ",%lld", (long long)s->values[i]);
		else
			fputc(',', out);
	}
	fputc('\n', out);
}

static void note_child(struct writer *w, const json_t *event)
{
	char row[16];

	if (strcmp(json_text(event, "event", ""), "child") != 0)
		return;
	snprintf(row, sizeof(row), "%lld", (long long)json_number(event, "row", 0));
	json_object_set_new(w->children, row,
			    json_sprintf("%s/%lld", json_text(event, "process", ""),
					 (long long)json_number(event, "pid", 0)));
}

/* {"event": "x"} -> {"t_ns":12,"event": "x"} on one line; what is no object is left out. */
static void event(struct writer *w, const struct bb_record *rec)
{
	json_t *value = json_loadb((const char *)rec->payload, rec->len, 0, NULL);
	json_t *line = json_pack("{s:I}", "t_ns", (json_int_t)rec->t_ns);

	if (json_is_object(value) && line && json_object_update_missing(line, value) == 0) {
		json_dumpf(line, w->events, JSON_COMPACT);
		fputc('\n', w->events);
		note_child(w, value);
	}
	json_decref(line);
	json_decref(value);
}

static void kmsg(FILE *out, const struct bb_record *rec)
{
	fwrite(rec->payload, 1, rec->len, out);
	if (rec->len && rec->payload[rec->len - 1] != '\n')
		fputc('\n', out);
}

static int open_one(const char *dir, const char *name, FILE **ret, struct err *e)
{
	char path[PATH_LEN_MAX];
	int r;

	r = path_format(path, "%s/%s", dir, name);
	if (r < 0)
		return err_errno(e, -r, "%s/%s", dir, name);
	*ret = fopen(path, "we");
	return *ret ? 0 : err_errno(e, errno, "%s: open", path);
}

/* The first error of all of them counts: with a full disk each file has one. */
static int close_one(const char *dir, const char *name, FILE *file, int so_far, struct err *e)
{
	int code;

	if (!file)
		return so_far;
	code = ferror(file) ? EIO : 0;
	if (fclose(file) != 0)
		code = errno;
	if (code == 0 || so_far < 0)
		return so_far;
	return err_errno(e, code, "%s/%s: write", dir, name);
}

static void write_records(struct writer *w)
{
	const struct bb_record *rec = NULL;
	size_t i;

	for (i = 0; i < KINDS; i++)
		header(w, (enum kind)i);
	while ((rec = bb_next(w->box, rec))) {
		if (rec->type == BB_EVENT)
			event(w, rec);
		if (rec->type == BB_KMSG)
			kmsg(w->kmsg, rec);
		for (i = 0; i < KINDS; i++)
			if (rec->type == forms[i].type)
				sample(w, (enum kind)i, rec);
	}
}

int output_csv(const struct blackbox *box, const json_t *spec, const char *dir, struct err *e)
{
	struct writer w = { .box = box, .spec = spec, .children = json_object() };
	size_t i;
	int r;

	find_columns(&w);
	r = open_one(dir, "events.jsonl", &w.events, e);
	if (r == 0)
		r = open_one(dir, "kmsg.log", &w.kmsg, e);
	for (i = 0; r == 0 && i < KINDS; i++)
		r = open_one(dir, forms[i].file, &w.samples[i], e);
	if (r == 0)
		write_records(&w);
	r = close_one(dir, "events.jsonl", w.events, r, e);
	r = close_one(dir, "kmsg.log", w.kmsg, r, e);
	for (i = 0; i < KINDS; i++) {
		r = close_one(dir, forms[i].file, w.samples[i], r, e);
		json_decref(w.columns[i]);
	}
	json_decref(w.children);
	return r;
}
