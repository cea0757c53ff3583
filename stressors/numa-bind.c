// SPDX-License-Identifier: MIT
/*
 * Row D6: memory that may come from these nodes alone (mbind(2), MPOL_BIND). When they are full it is reclaimed
 * from them or somebody is killed (CONSTRAINT_MEMORY_POLICY), however much is free on the others.
 */
#include "stressors/numa.h"

#include <numaif.h>

static const struct option_info options[] = {
	{ .name = "size",
	  .kind = OPTION_SIZE,
	  .fallback = "32M",
	  .min = 4096,
	  .help = "size of the mapping" },
	{ .name = "nodes", .kind = OPTION_IDS, .fallback = "1", .help = "where it may lie" },
	{ .name = NULL },
};

static const struct value_info values[] = {
	{ "on_nodes", "bytes", "on these nodes, when all of it is written" },
	{ "elsewhere", "bytes", "on other nodes" },
	{ NULL, NULL, NULL },
};

static enum phase run(struct stress *s)
{
	struct idlist nodes;
	struct numa n;
	enum phase end = numa_open(&n, s);

	if (end == PHASE_RUN)
		end = numa_nodes(&n, "nodes", &nodes);
	if (end == PHASE_RUN)
		end = numa_fill(&n, MPOL_BIND, &nodes);
	if (end != PHASE_RUN)
		return end;
	stress_value(s, "on_nodes", (int64_t)numa_on(&n, &nodes));
	stress_value(s, "elsewhere", (int64_t)numa_elsewhere(&n, &nodes));
	return stress_hold(s);
}

const struct stressor stressor_numa_bind = {
	.name = "numa-bind",
	.about = "writes memory that may lie on some NUMA nodes alone",
	.needs = numa_needs,
	.options = options,
	.values = values,
	.run = run,
};
