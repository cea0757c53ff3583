// SPDX-License-Identifier: MIT
#include "harness/outcome.h"

#include "lib/json.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *const outcome_names[] = { "exited", "enomem",  "oom-killed", "signalled", "sigbus",
				      "killer", "timeout", "stopped",    "unstarted", NULL };

/* What the three witnesses say of one process. */
struct testimony {
	const json_t *kill;   /* oom-kill event of the kernel log */
	const json_t *exit;   /* wait status; NULL: it was never reaped */
	int group;            /* its group's index in the record */
	int64_t group_kills;  /* rise of the group's oom_kill counter; -1: unknown */
	int64_t group_logged; /* kills in that group according to the kernel log */
	int64_t group_more;   /* how many more its counter may say than the log */
	bool log_there;
	bool killer; /* a user-space killer sent it a signal; or may have, where nobody could see who did */
};

static bool killed_from_outside(const struct testimony *t)
{
	return t->exit && json_number(t->exit, "signal", 0) == SIGKILL &&
	       !json_text(t->exit, "ended_by", NULL);
}

/* Index of the process's group in the record; processes that name none are in the last one. */
static int group_of(const json_t *spec, const char *path)
{
	const json_t *groups = json_object_get(spec, "cgroups");
	size_t i;

	for (i = 0; i < json_array_size(groups); i++)
		if (!strcmp(json_text(json_array_get(groups, i), "path", ""), path))
			return (int)i;
	return (int)json_array_size(groups);
}

static const char *group_path(const struct record *r, const json_t *spec, int index)
{
	const json_t *one = json_array_get(json_object_get(spec, "cgroups"), (size_t)index);
	const json_t *made = record_event(r, "cgroup", "cgroup", json_text(one, "path", BB_OTHERS_GROUP));

	return json_text(made, "path", NULL);
}

/*
 * Is the log's group ("/oomlab.1.1/app/x") the one at path ("oomlab.1.1/app") or
 * below it? In a container the log's begins with what our path does not show.
 */
static bool at_or_below(const char *logged, const char *path, bool below)
{
	size_t len = strlen(path);

	for (; (logged = strchr(logged, '/')); logged++)
		if (!strncmp(logged + 1, path, len) &&
		    (!logged[len + 1] || (below && logged[len + 1] == '/')))
			return true;
	return false;
}

/* Where the kernel says that a victim was; members of a group that dies as one are not told their group. */
static bool victim_was_in(const struct record *r, const json_t *spec, const json_t *kill, const char *path,
			  bool below)
{
	const char *logged = json_text(kill, "task_memcg", "");
	const char *process = json_text(kill, "process", NULL);
	char own[512] = "/";
	json_t *one;
	size_t i;

	if (logged[0] || !process)
		return at_or_below(logged, path, below);
	json_array_foreach (json_object_get(spec, "processes"), i, one) {
		const char *group;

		if (strcmp(json_text(one, "name", ""), process) != 0)
			continue;
		group = group_path(r, spec, group_of(spec, json_text(one, "cgroup", "")));
		snprintf(own, sizeof(own), "/%s", group ? group : "");
	}
	return at_or_below(own, path, below);
}

/* Was group ("app/x"), or one above it ("app"), told to die as one? */
static bool dies_as_one(const struct record *r, const char *group)
{
	json_t *one;
	size_t i;

	json_array_foreach (r->events, i, one) {
		const char *told = json_text(one, "cgroup", NULL);
		size_t len = told ? strlen(told) : 0;

		if (told && !strcmp(json_text(one, "key", ""), "memory.oom.group") &&
		    strcmp(json_text(one, "got", "0"), "0") != 0 && !strncmp(group, told, len) &&
		    (!group[len] || group[len] == '/'))
			return true;
	}
	return false;
}

/*
 * v2's memory.events counts what happened below a group as well, v1's oom_control does not.
 *
 * Where a group dies as one, the kernel counts its chosen victim once more if that has not gone yet,
 * and the log does not tell in which group the others were; those that are no process of the
 * scenario may have been in this one. (oom_group_kill would not do: it rises in the group that was
 * told and above, not in the one below it that holds the processes, and 5.10 does not have it.)
 */
static void count_logged(const struct record *r, const json_t *spec, const char *group, const char *path,
			 struct testimony *t)
{
	bool below = json_number(record_event(r, "start", NULL, NULL), "cgroup_version", 2) == 2;
	bool as_one = dies_as_one(r, group);
	json_t *one;
	size_t i;

	json_array_foreach (r->events, i, one) {
		bool chosen = !json_flag(one, "group_kill", false);

		if (strcmp(json_text(one, "event", ""), "oom-kill") != 0)
			continue;
		if (victim_was_in(r, spec, one, path, below)) {
			t->group_logged++;
			t->group_more += as_one && chosen;
		} else if (!chosen && !json_text(one, "process", NULL)) {
			t->group_more += !json_text(one, "task_memcg", "")[0];
		}
	}
}

static int64_t rise(const struct record *r, int group, const char *column)
{
	const struct series *s = record_series(r, SAMPLE_CGROUP, (size_t)group, column);

	return s && s->last != BB_MISSING ? s->last - s->first : -1;
}

static struct testimony hear(const struct record *r, const json_t *spec, const json_t *process)
{
	const char *name = json_text(process, "name", "");
	struct testimony t = { 0 };
	const char *path;

	t.kill = record_event(r, "oom-kill", "process", name);
	t.exit = record_event(r, "exit", "process", name);
	t.group = group_of(spec, json_text(process, "cgroup", ""));
	path = group_path(r, spec, t.group);
	t.group_kills = rise(r, t.group, "oom_kills");
	if (path)
		count_logged(r, spec, json_text(process, "cgroup", ""), path, &t);
	t.killer = record_event(r, "signal", "process", name) ||
		   (record_event(r, "no-signal-trace", NULL, NULL) && json_object_get(t.exit, "signal"));
	t.log_there = !record_event(r, "no-kernel-log", NULL, NULL) &&
		      json_number(record_event(r, "end", NULL, NULL), "kernel_log_lost", 0) == 0;
	return t;
}

/* The verdict of all witnesses that can speak; who cannot, does not count. */
static bool was_oom_killed(const struct testimony *t)
{
	return t->kill ? true : !t->log_there && killed_from_outside(t) && t->group_kills > 0;
}

static bool agree(const struct testimony *t)
{
	if (t->log_there && t->group_kills >= 0 &&
	    (t->group_kills < t->group_logged || t->group_kills > t->group_logged + t->group_more))
		return false;
	/* It may have been ended by us, or by a killer's SIGTERM, before it could die of the kernel's kill. */
	return !t->kill || !t->exit || killed_from_outside(t) || t->killer ||
	       json_text(t->exit, "ended_by", NULL);
}

static const char *outcome(const struct testimony *t)
{
	const char *ended_by = json_text(t->exit, "ended_by", NULL);
	int64_t signal_number = json_number(t->exit, "signal", 0);

	if (was_oom_killed(t))
		return "oom-killed";
	if (!t->exit)
		return NULL;
	if (!json_flag(t->exit, "started", true))
		return "unstarted";
	if (ended_by)
		return strcmp(ended_by, "timeout") == 0 ? "timeout" : "stopped";
	if (t->killer)
		return "killer";
	if (signal_number)
		return signal_number == SIGBUS ? "sigbus" : "signalled";
	return strcmp(json_text(t->exit, "phase", ""), "enomem") == 0 ? "enomem" : "exited";
}

/* Copies a member when it is there, else sets null. */
static void copy(json_t *to, const json_t *from, const char *key)
{
	json_t *value = json_object_get(from, key);

	if (value)
		json_object_set(to, key, value);
	else
		json_object_set_new(to, key, json_null());
}

json_t *outcome_processes(const struct record *r, const json_t *spec)
{
	static const char *const ends[] = { "exit_code", "signal", "phase", "errno", "note", NULL };
	json_t *list = json_array(), *one;
	size_t i, j;

	json_array_foreach (json_object_get(spec, "processes"), i, one) {
		const char *name = json_text(one, "name", "");
		struct testimony t = hear(r, spec, one);
		const json_t *last = t.exit ? t.exit : record_event(r, "phase", "process", name);
		json_t *p = json_pack("{s:s}", "name", name);

		copy(p, record_event(r, "spawn", "process", name), "pid");
		copy(p, one, json_object_get(one, "exec") ? "exec" : "run");
		copy(p, one, "cgroup");
		json_object_set_new(p, "outcome", outcome(&t) ? json_string(outcome(&t)) : json_null());
		for (j = 0; ends[j]; j++)
			copy(p, last, ends[j]);
		json_array_append_new(list, p);
	}
	return list;
}

static json_t *tri(bool can_speak, bool saw)
{
	return can_speak ? json_boolean(saw) : json_null();
}

static json_t *victim(const struct testimony *t, const char *name)
{
	static const char *const keys[] = { "pid",       "comm",       "uid",      "constraint",
					    "oom_memcg", "task_memcg", "total_vm", "anon_rss",
					    "file_rss",  "shmem_rss",  "pgtables", "oom_score_adj",
					    NULL };
	json_t *v = json_pack("{s:s}", "process", name);
	size_t i;

	for (i = 0; keys[i]; i++)
		copy(v, t->kill, keys[i]);
	if (!t->kill)
		copy(v, t->exit, "pid");
	copy(v, t->kill ? t->kill : t->exit, "t_ns");
	json_object_set_new(v, "witnesses",
			    json_pack("{s:o, s:o, s:o}", "kernel_log",
				      tri(t->log_there || t->kill, t->kill != NULL), "cgroup",
				      tri(t->group_kills >= 0, t->group_kills > 0), "wait_status",
				      tri(t->exit != NULL, killed_from_outside(t))));
	json_object_set_new(v, "agree", json_boolean(agree(t)));
	return v;
}

static char *disagreement(const struct testimony *t, const char *name)
{
	char log[128] = "not readable", counter[128] = "no counter", status[128] = "never reaped";
	char *text = NULL;

	if (t->log_there || t->kill)
		snprintf(log, sizeof(log), "%s (%lld killed in its cgroup)",
			 t->kill ? "killed" : "not killed", (long long)t->group_logged);
	if (t->group_kills >= 0)
		snprintf(counter, sizeof(counter), "oom_kill rose by %lld", (long long)t->group_kills);
	if (t->exit && json_object_get(t->exit, "signal"))
		snprintf(status, sizeof(status), "signal %lld", (long long)json_number(t->exit, "signal", 0));
	else if (t->exit)
		snprintf(status, sizeof(status), "exit %lld",
			 (long long)json_number(t->exit, "exit_code", -1));
	if (asprintf(&text, "the witnesses disagree about %s: kernel log: %s; cgroup: %s; wait status: %s",
		     name, log, counter, status) < 0)
		return NULL;
	return text;
}

/* Keeps the list in the order of time. */
static void insert_by_time(json_t *list, json_t *v)
{
	size_t i = json_array_size(list);

	while (i > 0 && json_number(json_array_get(list, i - 1), "t_ns", 0) > json_number(v, "t_ns", 0))
		i--;
	json_array_insert_new(list, i, v);
}

json_t *outcome_victims(const struct record *r, const json_t *spec, char **ret_disagreement)
{
	json_t *list = json_array(), *one;
	size_t i;

	*ret_disagreement = NULL;
	json_array_foreach (json_object_get(spec, "processes"), i, one) {
		const char *name = json_text(one, "name", "");
		struct testimony t = hear(r, spec, one);

		if (!agree(&t) && !*ret_disagreement)
			*ret_disagreement = disagreement(&t, name);
		if (was_oom_killed(&t))
			insert_by_time(list, victim(&t, name));
	}
	return list;
}
