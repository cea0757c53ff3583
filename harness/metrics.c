// SPDX-License-Identifier: MIT
#include "harness/metrics.h"

#include "harness/metrics_rows.h"
#include "harness/metrics_trial.h"
#include "harness/overcommit.h"
#include "lib/json.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const struct metric *metric_at(enum metric_scope scope, size_t i)
{
	return i < metric_tables[scope].count ? &metric_tables[scope].rows[i].metric : NULL;
}

static const struct metric *in_scope(enum metric_scope scope, const char *name)
{
	size_t i;

	for (i = 0; i < metric_tables[scope].count; i++)
		if (!strcmp(metric_tables[scope].rows[i].metric.name, name))
			return &metric_tables[scope].rows[i].metric;
	return NULL;
}

const struct metric *metric_find(const char *full_name)
{
	const char *dot = strrchr(full_name, '.');
	enum metric_scope scope = !strncmp(full_name, "system.", 7)   ? METRIC_SYSTEM
				  : !strncmp(full_name, "cgroup.", 7) ? METRIC_CGROUP
								      : METRIC_PROCESS;
	/* Those of a trial have dots in their names, too, and "killer." may begin both. */
	const struct metric *found = in_scope(METRIC_TRIAL, full_name);

	return found || !dot ? found : in_scope(scope, dot + 1);
}

static int64_t rise(const struct series *s)
{
	return s->first == BB_MISSING ? BB_MISSING : s->last - s->first;
}

static int64_t rise_of_all(const struct record *r, enum sample_kind kind, size_t index, const char *prefix)
{
	size_t columns = json_array_size(r->columns[kind]), i;
	int64_t sum = BB_MISSING;

	for (i = 0; i < columns; i++) {
		const char *name = json_string_value(json_array_get(r->columns[kind], i));
		const struct series *s;

		if (strncmp(name, prefix, strlen(prefix)) != 0)
			continue;
		s = record_series(r, kind, index, name);
		if (s && s->first != BB_MISSING)
			sum = (sum == BB_MISSING ? 0 : sum) + rise(s);
	}
	return sum;
}

static int64_t before(const struct record *r, const struct series *s, enum mark mark)
{
	return r->passed[mark] ? s->before[mark] : BB_MISSING;
}

static int64_t reduce(const struct record *r, enum sample_kind kind, size_t index, const struct row *row)
{
	const struct series *s = row->column ? record_series(r, kind, index, row->column) : NULL;
	const struct series *other;

	if (row->reduce == RISE_OF_ALL)
		return rise_of_all(r, kind, index, row->column);
	if (!s && row->column2 && row->reduce != USED_MAX)
		s = record_series(r, kind, index, row->column2);
	if (!s || s->first == BB_MISSING)
		return BB_MISSING;
	switch (row->reduce) {
	case FIRST:
		return s->first;
	case LAST:
	case FROM_END:
		return s->last;
	case MIN:
		return s->min;
	case MAX:
		return s->max;
	case RISE:
		return rise(s);
	case BEFORE_SWAP:
		return before(r, s, MARK_SWAP);
	case BEFORE_SWAP_TENTH:
		return before(r, s, MARK_SWAP_TENTH);
	case BEFORE_KILL:
		return before(r, s, MARK_KILL);
	case USED_MAX:
		other = record_series(r, kind, index, row->column2);
		return other && other->min != BB_MISSING ? s->max - other->min : BB_MISSING;
	default:
		return BB_MISSING;
	}
}

static json_t *json_of(int64_t value)
{
	return value == BB_MISSING ? json_null() : json_integer(value);
}

static json_t *from_end(const struct record *r, size_t index, const char *process, const struct row *row)
{
	const struct series *s = row->column ? record_series(r, SAMPLE_PROCESS, index, row->column) : NULL;
	uint64_t sampled_ns = s && s->first != BB_MISSING ? s->last_ns : 0;
	const json_t *last = record_event(r, "exit", "process", process);

	/* Its end was not seen: then what counts is what was seen last. */
	if (!last) {
		last = record_event(r, "phase", "process", process);
		if ((uint64_t)json_number(last, "t_ns", 0) < sampled_ns)
			last = NULL;
	}
	if (json_object_get(last, row->metric.name))
		return json_incref(json_object_get(last, row->metric.name));
	return json_of(reduce(r, SAMPLE_PROCESS, index, row));
}

static json_t *duration(const struct record *r, const char *process)
{
	const json_t *exit_event = record_event(r, "exit", "process", process);
	const json_t *start = record_event(r, "release", NULL, NULL);

	if (!exit_event || !start)
		return json_null();
	return json_integer(json_number(exit_event, "t_ns", 0) - json_number(start, "t_ns", 0));
}

/* What is private of it at its end is written down while it waits to end, and so is what it allocated. */
static json_t *overhead(const struct record *r, const char *process)
{
	const json_t *maps = record_event(r, "maps", "process", process);
	const json_t *end = record_event(r, "exit", "process", process);

	if (!json_object_get(maps, "private") || !json_object_get(end, "allocated"))
		return json_null();
	return json_integer(json_number(maps, "private", 0) - json_number(end, "allocated", 0));
}

static json_t *process_value(const struct record *r, size_t index, const json_t *process,
			     const struct row *row)
{
	const char *name = json_text(process, "name", "");
	json_t *value;

	if (row->reduce == FROM_END)
		return from_end(r, index, name, row);
	if (row->reduce != SPECIAL)
		return json_of(reduce(r, SAMPLE_PROCESS, index, row));
	if (!strcmp(row->metric.name, "duration"))
		return duration(r, name);
	if (!strcmp(row->metric.name, "overhead"))
		return overhead(r, name);
	if (!strcmp(row->metric.name, "user_reserve"))
		return json_of(overcommit_user_reserve(r, index));
	if (!strcmp(row->metric.name, "oom_score_adj"))
		process = record_event(r, "spawn", "process", name);
	else if (!strcmp(row->metric.name, "vmas"))
		process = record_event(r, "maps", "process", name);
	value = json_object_get(process, row->metric.name);
	return value ? json_incref(value) : json_null();
}

/* What the stressor measured besides: the same names as in the event. */
static void add_values(json_t *to, const struct record *r, const char *process)
{
	const json_t *last = record_event(r, "exit", "process", process);
	json_t *values, *value;
	const char *name;
	char full[256];

	values = json_object_get(last ? last : record_event(r, "phase", "process", process), "values");
	json_object_foreach (values, name, value) {
		snprintf(full, sizeof(full), "%s.%s", process, name);
		json_object_set(to, full, value);
	}
}

static int64_t system_value(const struct record *r, const struct row *row)
{
	return row->reduce == SPECIAL ? overcommit_limit(r) : reduce(r, SAMPLE_SYSTEM, 0, row);
}

static void add(json_t *to, const char *prefix, const char *of, const char *name, json_t *value)
{
	char full[256];

	snprintf(full, sizeof(full), "%s%s.%s", prefix, of, name);
	json_object_set_new(to, full, value);
}

json_t *metrics_compute(const struct record *r, const json_t *spec, const json_t *processes,
			const json_t *victims)
{
	const json_t *groups = json_object_get(spec, "cgroups");
	json_t *all = json_object();
	json_t *one;
	size_t i, j;

	json_array_foreach (processes, i, one) {
		for (j = 0; j < metric_tables[METRIC_PROCESS].count; j++)
			add(all, "", json_text(one, "name", ""),
			    metric_tables[METRIC_PROCESS].rows[j].metric.name,
			    process_value(r, i, one, &metric_tables[METRIC_PROCESS].rows[j]));
		add_values(all, r, json_text(one, "name", ""));
	}
	json_array_foreach (groups, i, one)
		for (j = 0; j < metric_tables[METRIC_CGROUP].count; j++)
			add(all, "cgroup.", json_text(one, "path", ""),
			    metric_tables[METRIC_CGROUP].rows[j].metric.name,
			    json_of(reduce(r, SAMPLE_CGROUP, i, &metric_tables[METRIC_CGROUP].rows[j])));
	for (j = 0; j < metric_tables[METRIC_SYSTEM].count; j++)
		add(all, "system", "", metric_tables[METRIC_SYSTEM].rows[j].metric.name,
		    json_of(system_value(r, &metric_tables[METRIC_SYSTEM].rows[j])));
	for (j = 0; j < metric_tables[METRIC_TRIAL].count; j++)
		json_object_set_new(all, metric_tables[METRIC_TRIAL].rows[j].metric.name,
				    trial_value(r, victims, metric_tables[METRIC_TRIAL].rows[j].metric.name));
	return all;
}
