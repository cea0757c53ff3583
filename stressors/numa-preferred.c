// SPDX-License-Identifier: MIT
/*
 * Row D6: memory that comes from one node as long as that has any, and from the next one then (mbind(2),
 * MPOL_PREFERRED): nobody is killed for it while another node has room.
 */
#include "stressors/numa.h"

#include <numaif.h>

static const struct option_info options[] = {
	{ .name = "size",
	  .kind = OPTION_SIZE,
	  .fallback = "32M",
	  .min = 4096,
	  .help = "size of the mapping" },
	{ .name = "node",
	  .kind = OPTION_COUNT,
	  .fallback = "1",
	  .max = IDLIST_MAX - 1,
	  .help = "where it lies if there is room" },
	{ .name = NULL },
};

static const struct value_info values[] = {
	{ "on_node", "bytes", "on this node, when all of it is written" },
	{ "elsewhere", "bytes", "on other nodes" },
	{ NULL, NULL, NULL },
};

static enum phase run(struct stress *s)
{
	struct idlist nodes = { { 0 } };
	unsigned int node = 0;
	struct numa n;
	enum phase end = numa_open(&n, s);

	if (end == PHASE_RUN)
		end = numa_node(&n, "node", &node);
	idlist_add(&nodes, node);
	if (end == PHASE_RUN)
		end = numa_fill(&n, MPOL_PREFERRED, &nodes);
	if (end != PHASE_RUN)
		return end;
	stress_value(s, "on_node", (int64_t)numa_on(&n, &nodes));
	stress_value(s, "elsewhere", (int64_t)numa_elsewhere(&n, &nodes));
	return stress_hold(s);
}

const struct stressor stressor_numa_preferred = {
	.name = "numa-preferred",
	.about = "writes memory that lies on one NUMA node while that has room, else on others",
	.needs = numa_needs,
	.options = options,
	.values = values,
	.run = run,
};
