// SPDX-License-Identifier: MIT
#include "harness/metrics_trial.h"

#include "lib/json.h"

#include <string.h>

/* Of whatever process: a child of a stressor's is none of the scenario's and can be the first. */
static const json_t *first_kill(const struct record *r)
{
	json_t *one;
	size_t i;

	json_array_foreach (r->events, i, one)
		if (!strcmp(json_text(one, "event", ""), "oom-kill"))
			return one;
	return NULL;
}

static json_t *constraint(const struct record *r)
{
	const char *name = json_text(first_kill(r), "constraint", "unknown");

	return strcmp(name, "unknown") != 0 ? json_string(name) : json_null();
}

/* Is the log's group ("/oomlab.1.1/app") the one at path ("oomlab.1.1/app")? In a container more may stand before it. */
static bool is_at(const char *logged, const char *path)
{
	size_t all = strlen(logged), len = strlen(path);

	return all > len && logged[all - len - 1] == '/' && !strcmp(logged + all - len, path);
}

static json_t *limit_cgroup(const struct record *r)
{
	const char *logged = json_text(first_kill(r), "oom_memcg", "");
	json_t *one;
	size_t i;

	json_array_foreach (r->events, i, one)
		if (!strcmp(json_text(one, "event", ""), "cgroup") &&
		    is_at(logged, json_text(one, "path", "/")))
			return json_string(json_text(one, "cgroup", ""));
	return logged[0] ? json_string(logged) : json_null();
}

/* Where neither a panic nor an end was seen, nobody knows. */
static json_t *panic(const struct record *r)
{
	const json_t *event = record_event(r, "panic", NULL, NULL);

	if (event)
		return json_string(json_text(event, "panic", "other"));
	return record_event(r, "end", NULL, NULL) ? json_string("none") : json_null();
}

json_t *trial_value(const struct record *r, const json_t *victims, const char *name)
{
	json_t *first = json_object_get(json_array_get(victims, 0), "process");

	if (!strcmp(name, "kills"))
		return json_integer((json_int_t)json_array_size(victims));
	if (!strcmp(name, "constraint"))
		return constraint(r);
	if (!strcmp(name, "limit_cgroup"))
		return limit_cgroup(r);
	if (!strcmp(name, "panic"))
		return panic(r);
	if (strchr(name, '.')) /* prediction() and kills_list() know, which need the whole box */
		return json_null();
	return first ? json_incref(first) : json_null();
}
