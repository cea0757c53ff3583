// SPDX-License-Identifier: MIT
#include "harness/record.h"

#include "harness/engine/spec.h"
#include "lib/json.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static const size_t rows_max[SAMPLE_KINDS] = { 1, SPEC_PROCESSES_MAX + SPEC_CHILDREN_MAX,
					       SPEC_CGROUPS_MAX + 1 };

static bool all_text(const json_t *list)
{
	size_t i;

	for (i = 0; i < json_array_size(list); i++)
		if (!json_is_string(json_array_get(list, i)))
			return false;
	return json_is_array(list);
}

static int take_columns(struct record *r, const struct bb_record *rec)
{
	static const char *const names[SAMPLE_KINDS] = { "system", "process", "cgroup" };
	json_t *json = json_loadb((const char *)rec->payload, rec->len, 0, NULL);
	json_t *list = json_object_get(json, "names");
	const char *of = json_text(json, "of", "");
	size_t k, i, cells;

	for (k = 0; k < SAMPLE_KINDS; k++) {
		if (strcmp(of, names[k]) != 0 || r->columns[k] || !all_text(list))
			continue;
		r->columns[k] = json_incref(list);
		cells = rows_max[k] * json_array_size(r->columns[k]);
		r->series[k] = calloc(cells + 1, sizeof(**r->series));
		for (i = 0; r->series[k] && i < cells; i++)
			r->series[k][i] = (struct series){ .first = BB_MISSING,
							   .last = BB_MISSING,
							   .min = BB_MISSING,
							   .max = BB_MISSING,
							   .before = { BB_MISSING, BB_MISSING, BB_MISSING } };
		if (!r->series[k]) {
			json_decref(json);
			return -ENOMEM;
		}
	}
	json_decref(json);
	return 0;
}

/* What was seen lately of whoever had the row before is not the new one's. */
static void clear_row(struct record *r, const json_t *child)
{
	size_t columns = json_array_size(r->columns[SAMPLE_PROCESS]), i;
	int64_t row = json_number(child, "row", -1);

	if (row < 0 || (size_t)row >= rows_max[SAMPLE_PROCESS] || !r->series[SAMPLE_PROCESS])
		return;
	for (i = 0; i < columns; i++)
		r->series[SAMPLE_PROCESS][(size_t)row * columns + i].recents = 0;
}

static void take_event(struct record *r, const struct bb_record *rec)
{
	json_t *json = json_loadb((const char *)rec->payload, rec->len, 0, NULL);
	json_t *with_time;

	if (!json_is_object(json)) {
		json_decref(json);
		return;
	}
	with_time = json_pack("{s:I}", "t_ns", (json_int_t)rec->t_ns);
	json_object_update(with_time, json);
	json_array_append_new(r->events, with_time);
	if (!strcmp(json_text(json, "event", ""), "child") && rec->t_ns <= r->chosen_ns)
		clear_row(r, json);
	json_decref(json);
}

static void add_recent(struct series *s, int64_t value, uint64_t t_ns)
{
	memmove(&s->recent[1], &s->recent[0], (RECENT - 1) * sizeof(s->recent[0]));
	s->recent[0] = (struct moment){ value, t_ns };
	s->recents += s->recents < RECENT;
}

static void add_value(struct series *s, int64_t value, uint64_t t_ns, bool chosen)
{
	if (value == BB_MISSING)
		return;
	if (s->first == BB_MISSING)
		s->first = s->min = s->max = value;
	s->last = value;
	s->last_ns = t_ns;
	if (!chosen)
		add_recent(s, value, t_ns);
	if (value < s->min)
		s->min = value;
	if (value > s->max)
		s->max = value;
}

/* What a sample of the system has in that column; first gets what the first one had. */
static int64_t system_value(const struct record *r, const struct bb_sample *s, const char *column,
			    int64_t *ret_first)
{
	const struct series *of = record_series(r, SAMPLE_SYSTEM, 0, column);
	size_t at = of ? (size_t)(of - r->series[SAMPLE_SYSTEM]) : 0;

	*ret_first = of ? of->first : BB_MISSING;
	return of && at < s->count ? s->values[at] : BB_MISSING;
}

static bool has_risen(const struct record *r, const struct bb_sample *s, const char *column)
{
	int64_t first, value = system_value(r, s, column, &first);

	return value != BB_MISSING && first != BB_MISSING && value > first;
}

static bool is_beyond(const struct record *r, const struct bb_sample *s, enum mark mark)
{
	int64_t total, unused, ignored;

	if (mark != MARK_SWAP_TENTH)
		return has_risen(r, s, mark == MARK_SWAP ? "vmstat.pswpout" : "vmstat.oom_kill");
	total = system_value(r, s, "meminfo.SwapTotal", &ignored);
	unused = system_value(r, s, "meminfo.SwapFree", &ignored);
	return total != BB_MISSING && unused != BB_MISSING && total - unused > total / 10;
}

/* Before a sample of the system is taken: is it the first beyond a mark? Until then its values are those before. */
static void look_for_marks(struct record *r, const struct bb_sample *s)
{
	size_t columns = json_array_size(r->columns[SAMPLE_SYSTEM]), m, i;

	for (m = 0; m < MARKS; m++) {
		r->passed[m] = r->passed[m] || is_beyond(r, s, (enum mark)m);
		for (i = 0; !r->passed[m] && i < s->count && i < columns; i++)
			if (s->values[i] != BB_MISSING)
				r->series[SAMPLE_SYSTEM][i].before[m] = s->values[i];
	}
}

static void take_sample(struct record *r, enum sample_kind kind, const struct bb_record *rec)
{
	const struct bb_sample *s = (const struct bb_sample *)rec->payload;
	size_t columns = json_array_size(r->columns[kind]), i;

	if (rec->len < sizeof(*s) || rec->len < sizeof(*s) + (uint64_t)s->count * sizeof(*s->values) ||
	    s->index >= rows_max[kind] || !r->series[kind])
		return;
	if (s->index >= r->rows[kind])
		r->rows[kind] = s->index + 1;
	if (kind == SAMPLE_SYSTEM)
		look_for_marks(r, s);
	for (i = 0; i < s->count && i < columns; i++)
		add_value(&r->series[kind][s->index * columns + i], s->values[i], rec->t_ns,
			  rec->t_ns > r->chosen_ns);
	r->samples += kind == SAMPLE_SYSTEM;
}

/* An event of that name; NULL: none. */
static json_t *event_of(const struct bb_record *rec, const char *name)
{
	json_t *json;

	/* Most of a box is samples and output: it is not parsed twice for this. */
	if (rec->type != BB_EVENT || !memmem(rec->payload, rec->len, name, strlen(name)))
		return NULL;
	json = json_loadb((const char *)rec->payload, rec->len, 0, NULL);
	if (json && !strcmp(json_text(json, "event", ""), name))
		return json;
	json_decref(json);
	return NULL;
}

/* select_bad_process() has chosen before oom_kill_process() prints the report's first line, "invoked oom-killer". */
static uint64_t first_choice_ns(const struct blackbox *box)
{
	const struct bb_record *rec = NULL;
	int64_t invoked_ns = -1;
	json_t *json;

	while ((rec = bb_next(box, rec))) {
		if ((json = event_of(rec, "oom-invoked"))) {
			invoked_ns = json_number(json, "log_ns", -1);
		} else if ((json = event_of(rec, "oom-kill"))) {
			json_decref(json);
			return invoked_ns >= 0 ? (uint64_t)invoked_ns : rec->t_ns;
		}
		json_decref(json);
	}
	return UINT64_MAX;
}

int record_read(const struct blackbox *box, struct record *ret, struct err *e)
{
	const struct bb_record *rec = NULL;
	int r = 0;

	memset(ret, 0, sizeof(*ret));
	ret->events = json_array();
	ret->chosen_ns = first_choice_ns(box);
	while (r == 0 && (rec = bb_next(box, rec))) {
		if (rec->type == BB_COLUMNS)
			r = take_columns(ret, rec);
		else if (rec->type == BB_EVENT)
			take_event(ret, rec);
		else if (rec->type >= BB_SYSTEM && rec->type <= BB_CGROUP)
			take_sample(ret, (enum sample_kind)(rec->type - BB_SYSTEM), rec);
	}
	if (r < 0) {
		record_free(ret);
		return err_errno(e, -r, "reading the black box");
	}
	return 0;
}

void record_free(struct record *r)
{
	size_t k;

	json_decref(r->events);
	for (k = 0; k < SAMPLE_KINDS; k++) {
		json_decref(r->columns[k]);
		free(r->series[k]);
	}
	memset(r, 0, sizeof(*r));
}

const struct series *record_series(const struct record *r, enum sample_kind kind, size_t row,
				   const char *column)
{
	size_t columns = json_array_size(r->columns[kind]), i;

	if (row >= rows_max[kind] || !r->series[kind])
		return NULL;
	for (i = 0; i < columns; i++)
		if (!strcmp(json_string_value(json_array_get(r->columns[kind], i)), column))
			return &r->series[kind][row * columns + i];
	return NULL;
}

const json_t *record_event(const struct record *r, const char *event, const char *key, const char *value)
{
	size_t i = json_array_size(r->events);

	while (i-- > 0) {
		const json_t *one = json_array_get(r->events, i);

		if (!strcmp(json_text(one, "event", ""), event) &&
		    (!key || !strcmp(json_text(one, key, ""), value)))
			return one;
	}
	return NULL;
}
