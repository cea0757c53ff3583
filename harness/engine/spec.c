// SPDX-License-Identifier: MIT
#include "harness/engine/spec.h"

#include "lib/json.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int bad(struct err *e, const char *what)
{
	return err_set(e, EINVAL, "trial spec: %s", what);
}

static int group_index(const struct spec *s, const char *path)
{
	unsigned int i;

	for (i = 0; i < s->cgroup_count; i++)
		if (!strcmp(s->cgroups[i].path, path))
			return (int)i;
	return -1;
}

static int parse_run(const json_t *run, char ***ret_argv)
{
	size_t count = json_array_size(run), i;
	char **argv = calloc(count + 1, sizeof(*argv));

	if (!argv)
		return -ENOMEM;
	for (i = 0; i < count; i++) {
		const char *word = json_string_value(json_array_get(run, i));

		if (!word || !(argv[i] = strdup(word)))
			break;
	}
	*ret_argv = argv;
	return i == count && count > 0 ? 0 : -EINVAL;
}

static int parse_env(const json_t *env, char ***ret_env)
{
	char **list = calloc(json_object_size(env) + 1, sizeof(*list));
	const char *name;
	json_t *value;
	size_t n = 0;

	if (!list)
		return -ENOMEM;
	*ret_env = list;
	json_object_foreach ((json_t *)env, name, value) {
		if (!json_is_string(value) ||
		    asprintf(&list[n], "%s=%s", name, json_string_value(value)) < 0) {
			list[n] = NULL;
			return -EINVAL;
		}
		n++;
	}
	return 0;
}

static int parse_streams(struct spec_process *p, const json_t *one, struct err *e)
{
	const char *streams = json_text(one, "streams", "events");

	if (!strcmp(streams, "caller"))
		p->streams = STREAMS_CALLER;
	else if (!strcmp(streams, "kept"))
		p->streams = STREAMS_KEPT;
	else if (strcmp(streams, "events") != 0)
		return bad(e, "streams that are none of events, kept, caller");
	return 0;
}

static int parse_program(struct spec_process *p, const json_t *one, struct err *e)
{
	const json_t *input = json_object_get(one, "stdin"), *killer = json_object_get(one, "killer");

	p->program = json_text(one, "program", NULL);
	p->stdin_text = json_text(input, "text", NULL);
	p->stdin_file = json_text(input, "file", NULL);
	if (!p->program || parse_run(json_object_get(one, "exec"), &p->argv) < 0)
		return bad(e, "a program without a path or without words");
	/* A path relative to the scenario's folder would lead it elsewhere; Python finds its library by it. */
	if (strchr(p->argv[0], '/')) {
		free(p->argv[0]);
		p->argv[0] = strdup(p->program);
	}
	if (!p->argv[0])
		return bad(e, "out of memory");
	if (parse_env(json_object_get(one, "env"), &p->env) < 0)
		return bad(e, "a program's environment");
	p->killer = json_text(killer, "name", NULL);
	p->ready = json_text(killer, "ready", NULL);
	if (killer && (!p->killer || !p->ready))
		return bad(e, "a killer without a name or without a text that says that it is ready");
	return parse_streams(p, one, e);
}

static int parse_process(struct spec *s, const json_t *one, struct err *e)
{
	struct spec_process *p = &s->processes[s->process_count];
	bool old_adj = json_is_integer(json_object_get(one, "oom_adj"));
	const json_t *adj = json_object_get(one, old_adj ? "oom_adj" : "oom_score_adj");
	const json_t *in = json_object_get(one, "cgroup");
	const char *group = in ? json_text(one, "cgroup", NULL) : "";
	int r;

	if (s->process_count == SPEC_PROCESSES_MAX)
		return bad(e, "more than 65 processes");
	s->process_count++;
	p->name = json_text(one, "name", NULL);
	p->adj_set = json_is_integer(adj);
	p->adj = p->adj_set ? (int)json_integer_value(adj) : 0;
	p->old_adj = old_adj;
	p->group = group && group[0] ? group_index(s, group) : -1;
	if (!p->name || !group || (group[0] && p->group < 0))
		return bad(e, "a process without a name or with an unknown cgroup");
	if (adj && !p->adj_set && !json_is_null(adj))
		return bad(e, "a process with an oom_score_adj that is no number");
	r = settings_parse(one, &p->settings, e);
	if (r < 0)
		return r;
	if (json_object_get(one, "exec"))
		return parse_program(p, one, e);
	p->stressor = true;
	p->program = json_text(one, "program", NULL);
	if (parse_run(json_object_get(one, "run"), &p->argv) < 0)
		return bad(e, "a process without a command");
	return parse_env(json_object_get(one, "env"), &p->env) < 0 ? bad(e, "a stressor's environment") : 0;
}

static int add_change(struct spec_change *list, unsigned int *count, struct spec_change change, struct err *e)
{
	if (*count == SPEC_CHANGES_MAX)
		return bad(e, "more than 256 values to set");
	if (!change.key || !change.value)
		return bad(e, "a value to set without a name or a text");
	list[(*count)++] = change;
	return 0;
}

/* memory.max comes first: v1 cannot limit swap before it. */
static int parse_limits(struct spec *s, json_t *set, struct err *e)
{
	static const char first[] = "memory.max";
	int group = (int)s->cgroup_count, r = 0;
	json_t *value = json_object_get(set, first);
	const char *key;

	if (value)
		r = add_change(s->setup, &s->setup_count,
			       (struct spec_change){ 0, group, first, json_string_value(value) }, e);
	json_object_foreach (set, key, value)
		if (r == 0 && strcmp(key, first) != 0)
			r = add_change(s->setup, &s->setup_count,
				       (struct spec_change){ 0, group, key, json_string_value(value) }, e);
	return r;
}

static int parse_cgroups(struct spec *s, json_t *list, struct err *e)
{
	json_t *one;
	size_t i;
	int r;

	json_array_foreach (list, i, one) {
		if (s->cgroup_count == SPEC_CGROUPS_MAX)
			return bad(e, "more than 32 cgroups");
		s->cgroups[s->cgroup_count].path = json_text(one, "path", NULL);
		if (!s->cgroups[s->cgroup_count].path)
			return bad(e, "a cgroup without a path");
		r = parse_limits(s, json_object_get(one, "set"), e);
		if (r < 0)
			return r;
		s->cgroup_count++;
	}
	return 0;
}

static int parse_faults(struct spec *s, json_t *list, struct err *e)
{
	json_t *fault, *one;
	int64_t before = 0;
	size_t i, j;

	json_array_foreach (list, i, fault) {
		int64_t at = json_number(fault, "at", -1);

		if (at < before)
			return bad(e, "a fault without a time, or earlier than the one before it");
		before = at;
		json_array_foreach (json_object_get(fault, "set"), j, one) {
			const char *group = json_text(one, "cgroup", NULL);
			struct spec_change c = { (uint64_t)at, -1,
						 json_text(one, group ? "key" : "sysctl", NULL),
						 json_text(one, "value", NULL) };
			int r;

			c.group = group ? group_index(s, group) : -1;
			if (group && c.group < 0)
				return bad(e, "a fault in an unknown cgroup");
			r = add_change(s->faults, &s->fault_count, c, e);
			if (r < 0)
				return r;
		}
	}
	return 0;
}

static int parse_times(struct spec *s, struct err *e)
{
	const json_t *machine = json_object_get(s->json, "machine");
	const json_t *stop = json_object_get(s->json, "stop");
	int64_t swap = json_number(json_object_get(machine, "swap"), "size", 0);
	int64_t timeout = json_number(stop, "timeout", 0), settle = json_number(stop, "settle", 0);
	int64_t every = json_number(json_object_get(s->json, "record"), "every", 0);

	if (timeout <= 0 || every <= 0 || !s->process_count)
		return bad(e, "stop.timeout, record.every or the processes are missing");
	if (swap < 0 || settle < 0)
		return bad(e, "machine.swap.size or stop.settle is negative");
	s->swap_bytes = (uint64_t)swap;
	s->timeout_ns = (uint64_t)timeout;
	s->settle_ns = (uint64_t)settle;
	s->every_ns = (uint64_t)every;
	return 0;
}

static int parse_all(struct spec *s, struct err *e)
{
	const json_t *processes = json_object_get(s->json, "processes");
	const char *key;
	json_t *value;
	size_t i;
	int r;

	if (json_number(s->json, "spec", 0) != SPEC_VERSION)
		return bad(e, "its version is not the one that this program reads");
	r = parse_cgroups(s, json_object_get(s->json, "cgroups"), e);
	if (r < 0)
		return r;
	json_object_foreach (json_object_get(s->json, "sysctl"), key, value) {
		r = add_change(s->setup, &s->setup_count,
			       (struct spec_change){ 0, -1, key, json_string_value(value) }, e);
		if (r < 0)
			return r;
	}
	json_array_foreach (processes, i, value) {
		r = parse_process(s, value, e);
		if (r == 0)
			r = trigger_parse(processes, i, "start", &s->processes[i].start, e);
		if (r == 0)
			r = trigger_parse(processes, i, "stop", &s->processes[i].stop, e);
		if (r < 0)
			return r;
	}
	r = parse_times(s, e);
	if (r < 0)
		return r;
	return parse_faults(s, json_object_get(s->json, "faults"), e);
}

int spec_parse(const char *text, size_t len, struct spec *ret, struct err *e)
{
	json_error_t problem;
	int r;

	memset(ret, 0, sizeof(*ret));
	ret->json = json_loadb(text, len, 0, &problem);
	if (!ret->json)
		return err_set(e, EINVAL, "trial spec: line %d: %s", problem.line, problem.text);
	r = parse_all(ret, e);
	if (r < 0)
		spec_free(ret);
	return r;
}

void spec_free(struct spec *s)
{
	unsigned int i, j;

	for (i = 0; i < s->process_count; i++) {
		for (j = 0; s->processes[i].argv && s->processes[i].argv[j]; j++)
			free(s->processes[i].argv[j]);
		free(s->processes[i].argv);
		for (j = 0; s->processes[i].env && s->processes[i].env[j]; j++)
			free(s->processes[i].env[j]);
		free(s->processes[i].env);
	}
	json_decref(s->json);
	memset(s, 0, sizeof(*s));
}
