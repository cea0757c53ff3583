// SPDX-License-Identifier: MIT
#include "harness/kills.h"

#include "harness/places/programs.h"
#include "lib/json.h"

#include <string.h>

/* What was left, as the last sample before says. */
static const struct {
	const char *key, *column;
} left[] = {
	{ "mem_available", "meminfo.MemAvailable" },
	{ "mem_free", "meminfo.MemFree" },
	{ "swap_free", "meminfo.SwapFree" },
};

#define LEFT (sizeof(left) / sizeof(left[0]))

static size_t column_of(const struct record *r, const char *name)
{
	json_t *columns = r->columns[SAMPLE_SYSTEM];
	size_t i;

	for (i = 0; i < json_array_size(columns); i++)
		if (!strcmp(json_string_value(json_array_get(columns, i)), name))
			break;
	return i;
}

static void add_left(json_t *kill, const struct record *r, const struct blackbox *box, uint64_t t_ns)
{
	const struct bb_record *rec = NULL, *last = NULL;
	const struct bb_sample *s;
	size_t i, at;

	while ((rec = bb_next(box, rec)))
		if (rec->type == BB_SYSTEM && rec->len >= sizeof(*s) && rec->t_ns <= t_ns)
			last = rec;
	s = last ? (const struct bb_sample *)last->payload : NULL;
	for (i = 0; i < LEFT; i++) {
		at = column_of(r, left[i].column);
		json_object_set_new(kill, left[i].key,
				    s && at < s->count &&
						    last->len >= sizeof(*s) + s->count * sizeof(*s->values) &&
						    s->values[at] != BB_MISSING
					    ? json_integer(s->values[at])
					    : json_null());
	}
}

/* When it was done: by the kernel's stamp where that is on the trial's clock, by the trace's, else when it was read. */
static uint64_t when(const json_t *event)
{
	int64_t t_ns = json_number(event, "sent_ns", json_number(event, "log_ns", -1));

	return (uint64_t)(t_ns >= 0 ? t_ns : json_number(event, "t_ns", 0));
}

/* SIGTERM and later SIGKILL to one process is one kill. */
static bool is_there(const json_t *list, const char *by, int64_t pid)
{
	const json_t *one;
	size_t i;

	json_array_foreach ((json_t *)list, i, one)
		if (!strcmp(json_text(one, "by", ""), by) && json_number(one, "pid", 0) == pid)
			return true;
	return false;
}

/* Keeps the list in the order of time. */
static void insert(json_t *list, json_t *kill)
{
	size_t i = json_array_size(list);

	while (i > 0 && json_number(json_array_get(list, i - 1), "t_ns", 0) > json_number(kill, "t_ns", 0))
		i--;
	json_array_insert_new(list, i, kill);
}

/* {"name", "ready", "packages"}; NULL: there is none. */
static const json_t *killer_of(const json_t *spec)
{
	return json_object_get(programs_killer(spec), "killer");
}

json_t *kills_list(const struct record *r, const json_t *spec, const struct blackbox *box)
{
	int64_t release_ns = json_number(record_event(r, "release", NULL, NULL), "t_ns", 0);
	const char *killer = json_text(killer_of(spec), "name", "killer");
	json_t *list = json_array(), *event, *kill;
	size_t i;

	json_array_foreach (r->events, i, event) {
		bool by_kernel = !strcmp(json_text(event, "event", ""), "oom-kill");
		const char *by = by_kernel ? "kernel" : killer, *comm = json_text(event, "comm", "");
		int64_t pid = json_number(event, "pid", 0);
		uint64_t t_ns = when(event);

		if ((!by_kernel && strcmp(json_text(event, "event", ""), "signal") != 0) ||
		    is_there(list, by, pid))
			continue;
		kill = json_pack("{s:s, s:s?, s:I, s:s, s:I, s:I}", "by", by, "process",
				 json_text(event, "process", NULL), "pid", (json_int_t)pid, "comm", comm,
				 "signal", (json_int_t)json_number(event, "signal", 9), "t_ns",
				 (json_int_t)t_ns - release_ns);
		if (!kill)
			continue;
		if (json_object_get(event, "child_of"))
			json_object_set(kill, "child_of", json_object_get(event, "child_of"));
		add_left(kill, r, box, t_ns);
		insert(list, kill);
	}
	return list;
}

static const json_t *first_by(const json_t *kills, const char *by, bool is)
{
	const json_t *one;
	size_t i;

	json_array_foreach ((json_t *)kills, i, one)
		if (!strcmp(json_text(one, "by", ""), by) == is)
			return one;
	return NULL;
}

static void copy(json_t *metrics, const char *name, const json_t *from, const char *key)
{
	json_t *value = json_object_get(from, key);

	if (value)
		json_object_set(metrics, name, value);
	else
		json_object_set_new(metrics, name, json_null());
}

static size_t count_by_killer(const json_t *kills)
{
	const json_t *one;
	size_t count = 0, i;

	json_array_foreach ((json_t *)kills, i, one)
		count += strcmp(json_text(one, "by", ""), "kernel") != 0;
	return count;
}

void kills_say(json_t *metrics, const json_t *kills, const json_t *spec)
{
	const json_t *first = json_array_get(kills, 0);
	const json_t *kernel = first_by(kills, "kernel", true), *killer = first_by(kills, "kernel", false);

	json_object_set_new(metrics, "first_kill.by", json_string(json_text(first, "by", "nobody")));
	copy(metrics, "first_kill.process", first, "process");
	copy(metrics, "first_kill.time", first, "t_ns");
	copy(metrics, "first_kill.mem_available", first, "mem_available");
	copy(metrics, "first_kill.mem_free", first, "mem_free");
	copy(metrics, "first_kill.swap_free", first, "swap_free");
	json_object_set_new(metrics, "killer.kills",
			    killer_of(spec) ? json_integer((json_int_t)count_by_killer(kills)) : json_null());
	json_object_set_new(metrics, "killer.ahead",
			    kernel && killer ? json_integer(json_number(kernel, "t_ns", 0) -
							    json_number(killer, "t_ns", 0))
					     : json_null());
}
