// SPDX-License-Identifier: MIT
/*
 * Memory that is moved from one node to another and back while it is in use: page by page (move_pages(2)), with all of
 * the process (migrate_pages(2)), or by a new policy (mbind(2), MPOL_MF_MOVE). With --verify every byte is read back.
 */
#include "stressors/numa.h"

#include <errno.h>
#include <numaif.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define AT_ONCE 512

enum how { HOW_PAGES, HOW_PROCESS, HOW_POLICY };

static const char *const hows[] = { "pages", "process", "policy", NULL };

static const struct option_info options[] = {
	{ .name = "size",
	  .kind = OPTION_SIZE,
	  .fallback = "32M",
	  .min = 4096,
	  .help = "size of the mapping" },
	{ .name = "from",
	  .kind = OPTION_COUNT,
	  .fallback = "0",
	  .max = IDLIST_MAX - 1,
	  .help = "node on which it is written" },
	{ .name = "to",
	  .kind = OPTION_COUNT,
	  .fallback = "1",
	  .max = IDLIST_MAX - 1,
	  .help = "the other node" },
	{ .name = "moves",
	  .kind = OPTION_COUNT,
	  .fallback = "1",
	  .min = 1,
	  .max = 1 << 20,
	  .help = "to the other node and back, so many times; odd: it ends there" },
	{ .name = "how",
	  .kind = OPTION_CHOICE,
	  .choices = hows,
	  .fallback = "pages",
	  .help = "by move_pages, by migrate_pages, by mbind with MPOL_MF_MOVE" },
	{ .name = NULL },
};

static const struct value_info values[] = {
	{ "on_from", "bytes", "on the first node, when all of it is written" },
	{ "moved", "bytes", "that came to the node they were to go to, by all moves" },
	{ "left_behind", "bytes", "that did not" },
	{ "on_to", "bytes", "on the other node at the end" },
	{ "move_time", "ns", "all moves took" },
	{ NULL, NULL, NULL },
};

static int check(const struct stress *s, struct err *e)
{
	if (option(s, "from") == option(s, "to"))
		return err_set(e, EINVAL, "--to: is the node of --from; allowed: another one");
	return 0;
}

static struct idlist only(unsigned int id)
{
	struct idlist list = { { 0 } };

	idlist_add(&list, id);
	return list;
}

/* Page by page: more than its return value says what has come of each, and numa_look() asks that anyhow. */
static enum phase move_each(struct numa *n, unsigned int to)
{
	const size_t page = (size_t)sysconf(_SC_PAGESIZE), pages = (n->bytes + page - 1) / page;
	int status[AT_ONCE], target[AT_ONCE];
	void *at[AT_ONCE];
	size_t done, i, count;

	for (done = 0; done < pages; done += count) {
		count = pages - done < AT_ONCE ? pages - done : AT_ONCE;
		for (i = 0; i < count; i++) {
			at[i] = n->start + (done + i) * page;
			target[i] = (int)to;
		}
		if (move_pages(0, count, at, target, status, MPOL_MF_MOVE) < 0)
			return stress_refused(n->s, "move_pages", count * page);
		if (!stress_going(n->s))
			return PHASE_SIGNAL;
	}
	return PHASE_RUN;
}

static enum phase move(struct numa *n, unsigned int from, unsigned int to)
{
	enum how how = (enum how)option(n->s, "how");
	struct idlist old = only(from), new = only(to);

	if (how == HOW_PAGES)
		return move_each(n, to);
	if (how == HOW_PROCESS && migrate_pages(0, IDLIST_MAX, old.words, new.words) < 0)
		return stress_refused(n->s, "migrate_pages", n->bytes);
	if (how == HOW_POLICY &&
	    mbind(n->start, n->bytes, MPOL_PREFERRED, new.words, IDLIST_MAX, MPOL_MF_MOVE) < 0)
		return stress_refused(n->s, "mbind with MPOL_MF_MOVE", n->bytes);
	return stress_going(n->s) ? PHASE_RUN : PHASE_SIGNAL;
}

static int64_t clock_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

static enum phase move_all(struct numa *n, unsigned int from, unsigned int to)
{
	int64_t moved = 0, left = 0, took = 0, start;
	uint64_t moves = option(n->s, "moves"), i;
	enum phase end = PHASE_RUN;

	for (i = 0; end == PHASE_RUN && i < moves; i++) {
		unsigned int target = i % 2 ? from : to;

		start = clock_ns();
		end = move(n, i % 2 ? to : from, target);
		took += clock_ns() - start;
		if (end == PHASE_RUN)
			end = numa_look(n);
		if (end != PHASE_RUN)
			return end;
		moved += (int64_t)n->on[target];
		left += (int64_t)n->bytes - (int64_t)n->on[target];
		stress_value(n->s, "moved", moved);
		stress_value(n->s, "left_behind", left);
		stress_value(n->s, "move_time", took);
	}
	stress_value(n->s, "on_to", (int64_t)n->on[to]);
	return end;
}

static enum phase run(struct stress *s)
{
	unsigned int from = 0, to = 0;
	struct idlist nodes;
	struct numa n;
	enum phase end = numa_open(&n, s);

	if (end == PHASE_RUN)
		end = numa_node(&n, "from", &from);
	if (end == PHASE_RUN)
		end = numa_node(&n, "to", &to);
	if (end != PHASE_RUN)
		return end;
	nodes = only(from);
	end = numa_fill(&n, MPOL_PREFERRED, &nodes);
	if (end != PHASE_RUN)
		return end;
	stress_value(s, "on_from", (int64_t)n.on[from]);
	end = move_all(&n, from, to);
	return end == PHASE_RUN ? stress_hold(s) : end;
}

const struct stressor stressor_numa_migrate = {
	.name = "numa-migrate",
	.about = "writes memory on one NUMA node and moves it to another",
	.needs = numa_needs,
	.options = options,
	.values = values,
	.check = check,
	.run = run,
};
