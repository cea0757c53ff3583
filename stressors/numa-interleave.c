// SPDX-License-Identifier: MIT
/* Row D6: memory whose pages come from several nodes in turn (mbind(2), MPOL_INTERLEAVE). */
#include "stressors/numa.h"

#include <numaif.h>

static const struct option_info options[] = {
	{ .name = "size",
	  .kind = OPTION_SIZE,
	  .fallback = "32M",
	  .min = 4096,
	  .help = "size of the mapping" },
	{ .name = "nodes", .kind = OPTION_IDS, .fallback = "all", .help = "that take turns" },
	{ .name = NULL },
};

static const struct value_info values[] = {
	{ "nodes_used", "count", "nodes that have some of it" },
	{ "least", "bytes", "on the one of these nodes that has least" },
	{ "most", "bytes", "on the one that has most" },
	{ "elsewhere", "bytes", "on other nodes" },
	{ NULL, NULL, NULL },
};

static enum phase run(struct stress *s)
{
	uint64_t least = UINT64_MAX, most = 0;
	struct idlist nodes;
	unsigned int id, used = 0;
	struct numa n;
	enum phase end = numa_open(&n, s);

	if (end == PHASE_RUN)
		end = numa_nodes(&n, "nodes", &nodes);
	if (end == PHASE_RUN)
		end = numa_fill(&n, MPOL_INTERLEAVE, &nodes);
	if (end != PHASE_RUN)
		return end;
	for (id = 0; id < IDLIST_MAX; id++) {
		used += n.on[id] != 0;
		if (!idlist_has(&nodes, id))
			continue;
		least = n.on[id] < least ? n.on[id] : least;
		most = n.on[id] > most ? n.on[id] : most;
	}
	stress_value(s, "nodes_used", used);
	stress_value(s, "least", (int64_t)least);
	stress_value(s, "most", (int64_t)most);
	stress_value(s, "elsewhere", (int64_t)numa_elsewhere(&n, &nodes));
	return stress_hold(s);
}

const struct stressor stressor_numa_interleave = {
	.name = "numa-interleave",
	.about = "writes memory whose pages lie on NUMA nodes in turn",
	.needs = numa_needs,
	.options = options,
	.values = values,
	.run = run,
};
