// SPDX-License-Identifier: MIT
#include "harness/prediction_scope.h"

#include "lib/idlist.h"
#include "lib/json.h"

#include <stdlib.h>
#include <string.h>

#define PAGE_BYTES 4096

/* The value that a limit of a group had at last before the kill; -1: none was set, or it is no number. */
static int64_t limit_of(const struct record *r, const char *group, const char *key, uint64_t before_ns)
{
	int64_t found = -1;
	json_t *one;
	size_t i;

	json_array_foreach (r->events, i, one) {
		const char *event = json_text(one, "event", "");
		uint64_t bytes;

		if ((uint64_t)json_number(one, "t_ns", 0) > before_ns)
			break;
		if ((strcmp(event, "set") != 0 && strcmp(event, "fault") != 0) ||
		    strcmp(json_text(one, "cgroup", ""), group) != 0 ||
		    strcmp(json_text(one, "key", ""), key) != 0)
			continue;
		bytes = strtoull(json_text(one, "got", "max"), NULL, 10);
		found = bytes ? (int64_t)bytes : json_text(one, "got", "m")[0] == '0' ? 0 : -1;
	}
	return found;
}

const char *scope_group(const struct record *r, const char *logged)
{
	const char *found = NULL;
	size_t longest = 0, i;
	json_t *one;

	json_array_foreach (r->events, i, one) {
		const char *path = json_text(one, "path", ""), *end = logged + strlen(logged);
		size_t len = strlen(path);

		if (strcmp(json_text(one, "event", ""), "cgroup") != 0 || len < longest ||
		    (size_t)(end - logged) <= len || strcmp(end - len, path) != 0 ||
		    end[-(ptrdiff_t)len - 1] != '/')
			continue;
		found = json_text(one, "cgroup", "");
		longest = len;
	}
	return found;
}

static int64_t system_total(const struct record *r, const char *column)
{
	const struct series *s = record_series(r, SAMPLE_SYSTEM, 0, column);

	return s && s->last != BB_MISSING ? s->last : 0;
}

struct oom_scope scope_of_kill(const struct record *r, const json_t *kill, const struct oom_report *report,
			       const char *limit_group)
{
	const char *constraint = json_text(kill, "constraint", "");
	struct oom_scope scope = { -1, PAGE_BYTES, false };
	uint64_t t_ns = (uint64_t)json_number(kill, "t_ns", 0);
	int64_t swap = system_total(r, "meminfo.SwapTotal"), most, swap_most;

	if (report && (!strcmp(constraint, "cpuset") || !strcmp(constraint, "mempolicy")))
		scope = oom_scope_of(report);
	if (scope.total_pages >= 0)
		return scope;
	if (strcmp(constraint, "memcg") != 0) {
		scope.total_pages = (system_total(r, "meminfo.MemTotal") + swap) / PAGE_BYTES;
		return scope;
	}
	most = limit_group ? limit_of(r, limit_group, "memory.max", t_ns) : -1;
	swap_most = limit_group ? limit_of(r, limit_group, "memory.swap.max", t_ns) : -1;
	if (most >= 0)
		scope.total_pages =
			(most + (swap_most >= 0 && swap_most < swap ? swap_most : swap)) / PAGE_BYTES;
	return scope;
}

static bool below(const char *path, const char *group)
{
	size_t len = strlen(group);

	return !len || (!strncmp(path, group, len) && (!path[len] || path[len] == '/'));
}

static bool share_a_node(const char *a, const char *b)
{
	struct idlist x, y;
	unsigned int id;

	if (idlist_parse(a, &x) < 0 || idlist_parse(b, &y) < 0)
		return true;
	for (id = 0; id < IDLIST_MAX; id++)
		if (idlist_has(&x, id) && idlist_has(&y, id))
			return true;
	return false;
}

/* The nodes that a group may have, its own or those of one above it; NULL: all. */
static const char *nodes_of(const struct record *r, const char *group)
{
	const char *found = NULL;
	size_t longest = 0, i;
	json_t *one;

	json_array_foreach (r->events, i, one) {
		const char *told = json_text(one, "cgroup", "");

		if (strcmp(json_text(one, "event", ""), "set") != 0 ||
		    strcmp(json_text(one, "key", ""), "cpuset.mems") != 0 || !told[0] ||
		    !below(group, told) || strlen(told) < longest)
			continue;
		found = json_text(one, "got", NULL);
		longest = strlen(told);
	}
	return found;
}

bool scope_excludes(const struct record *r, const json_t *kill, const json_t *process,
		    const struct oom_report *report, const char *limit_group)
{
	const char *constraint = json_text(kill, "constraint", "");
	const json_t *numa = json_object_get(process, "numa");

	if (!strcmp(constraint, "memcg"))
		return !limit_group || !below(json_text(process, "cgroup", ""), limit_group);
	if (!strcmp(constraint, "mempolicy") && report && !strcmp(json_text(numa, "policy", ""), "bind"))
		return !share_a_node(json_text(numa, "nodes", ""), report->nodemask);
	if (!strcmp(constraint, "cpuset") && report) {
		const char *nodes = nodes_of(r, json_text(process, "cgroup", ""));

		return nodes && !share_a_node(nodes, report->mems_allowed);
	}
	return false;
}
