// SPDX-License-Identifier: MIT
/*
 * Which nodes a request was kept to, before Linux 4.20 and its line "oom-kill:constraint=":
 *
 *   hog invoked oom-killer: gfp_mask=0x14280ca(GFP_HIGHUSER_MOVABLE|__GFP_ZERO), nodemask=1, order=0, ...     since 4.6
 *   hog cpuset=/ mems_allowed=0-1                                                                             since 2.6.30
 */
#include "harness/oracle/parts.h"
#include "lib/idlist.h"

bool cpuset_line(struct oom_report *r, struct span s)
{
	static const char cpuset[] = " cpuset=", mems[] = " mems_allowed=";
	const char *name = span_find(s, cpuset), *list = span_find_last(s, mems), *end;

	if (!name || !list || list < name + sizeof(cpuset) - 1)
		return false;
	span_copy(r->cpuset, sizeof(r->cpuset), name + sizeof(cpuset) - 1, list);
	list += sizeof(mems) - 1;
	for (end = list; end < s.end && (span_is_digit(*end) || span_is_one(*end, ",-")); end++)
		;
	span_copy(r->mems_allowed, sizeof(r->mems_allowed), list, end);
	return true;
}

/* Is there a node in all that is not in some? False where one of them is no list. */
static bool leaves_out(const char *some, const char *all)
{
	struct idlist x, y;
	unsigned int id;

	if (idlist_parse(some, &x) < 0 || idlist_parse(all, &y) < 0)
		return false;
	for (id = 0; id < IDLIST_MAX; id++)
		if (idlist_has(&y, id) && !idlist_has(&x, id))
			return true;
	return false;
}

/* A node of which the report has zones and that is not in the list. */
static bool leaves_out_zones(const char *some, const struct oom_report *r)
{
	struct idlist x;
	size_t i;

	if (idlist_parse(some, &x) < 0)
		return false;
	for (i = 0; i < r->zone_count; i++)
		if (r->zones[i].node >= 0 && r->zones[i].node < IDLIST_MAX &&
		    !idlist_has(&x, (unsigned int)r->zones[i].node))
			return true;
	return false;
}

void constraint_of_nodes(struct oom_report *r)
{
	bool root = !r->cpuset[0] || !strcmp(r->cpuset, "/"); /* which has all nodes */

	/* constrained_alloc(); nearly every machine has a node 0, but nobody says what others it has. */
	if (!r->invoked || r->constraint != OOM_CONSTRAINT_UNKNOWN || r->memory.limit_bytes >= 0)
		return;
	if (leaves_out(r->nodemask, r->mems_allowed[0] ? r->mems_allowed : "0") ||
	    leaves_out_zones(r->nodemask, r))
		r->constraint = OOM_CONSTRAINT_MEMPOLICY;
	else if (!root && (leaves_out(r->mems_allowed, "0") || leaves_out_zones(r->mems_allowed, r)))
		r->constraint = OOM_CONSTRAINT_CPUSET;
}
