// SPDX-License-Identifier: MIT
/*
 * Row D4: many small processes below a parent that has next to nothing. Kernels before 2.6.36 counted half of each child's
 * memory for the parent, and killed it or its children; today each counts for itself alone (mm/oom_kill.c, oom_badness()).
 */
#include "stressors/children.h"

#include <errno.h>
#include <sys/mman.h>

static const struct option_info options[] = {
	{ .name = "children",
	  .kind = OPTION_COUNT,
	  .fallback = "16",
	  .min = 1,
	  .max = CHILDREN_MAX,
	  .help = "of each process that has some" },
	{ .name = "depth",
	  .kind = OPTION_COUNT,
	  .fallback = "1",
	  .min = 1,
	  .max = 12,
	  .help = "generations of them" },
	{ .name = "size",
	  .kind = OPTION_SIZE,
	  .fallback = "1M",
	  .min = 4096,
	  .help = "that each child writes" },
	{ .name = NULL },
};

static const struct value_info values[] = {
	{ "processes", "count", "of the tree, with the parent of all" },
	{ NULL, NULL, NULL },
};

struct generation {
	uint64_t left; /* generations below the processes of this one */
	size_t children, size;
};

/* All below one process; more than CHILDREN_MAX: too many. */
static uint64_t below(uint64_t children, uint64_t depth)
{
	uint64_t sum = 0, row = 1;

	for (; depth > 0 && sum <= CHILDREN_MAX; depth--) {
		row *= children;
		sum += row;
	}
	return sum;
}

static int check(const struct stress *s, struct err *e)
{
	if (below(option(s, "children"), option(s, "depth")) <= CHILDREN_MAX)
		return 0;
	return err_set(e, EINVAL, "--depth: with --children that is more processes than allowed: %d",
		       CHILDREN_MAX);
}

static enum phase child(struct stress *part, size_t index, void *user)
{
	const struct generation *its = user;
	struct generation next = *its;
	void *start = mmap(NULL, its->size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	(void)index;
	if (start == MAP_FAILED)
		return stress_refused(part, "mmap", its->size);
	stress_allocated(part, its->size);
	if (!stress_write(part, start, its->size))
		return PHASE_SIGNAL;
	next.left--;
	return its->left ? children_run(part, its->children, child, &next) : PHASE_RUN;
}

static enum phase run(struct stress *s)
{
	struct generation first = { .left = option(s, "depth") - 1,
				    .children = (size_t)option(s, "children"),
				    .size = (size_t)option(s, "size") };
	enum phase end;

	stress_phase(s, PHASE_RUN);
	end = children_run(s, first.children, child, &first);
	if (end != PHASE_RUN)
		return end;
	stress_value(s, "processes", (int64_t)below(option(s, "children"), option(s, "depth")) + 1);
	return children_hold(s);
}

const struct stressor stressor_fork_tree = {
	.name = "fork-tree",
	.about = "forks many small processes below one that has next to nothing",
	.options = options,
	.values = values,
	.check = check,
	.run = run,
};
