// SPDX-License-Identifier: MIT
#include "stressors/numa.h"

#include "stressors/proc.h"

#include <errno.h>
#include <numaif.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define AT_ONCE 512
#define TEXT    256

const char *const numa_needs[] = { "two NUMA nodes", NULL };

/* "0-1": nodes with memory; cpuset(7) may allow only some of them. */
static void nodes_with_memory(struct idlist *ret)
{
	struct idlist found = { { 0 } }, allowed;
	char text[TEXT];
	unsigned int id;
	ssize_t len = proc_text("/sys/devices/system/node/has_memory", text, sizeof(text));

	memset(ret, 0, sizeof(*ret));
	if (len <= 0)
		return;
	text[strcspn(text, "\n")] = 0;
	if (idlist_parse(text, &found) < 0 ||
	    get_mempolicy(NULL, allowed.words, IDLIST_MAX, NULL, MPOL_F_MEMS_ALLOWED) < 0)
		return;
	for (id = 0; id < IDLIST_MAX; id++)
		if (idlist_has(&found, id) && idlist_has(&allowed, id))
			idlist_add(ret, id);
}

enum phase numa_open(struct numa *n, struct stress *s)
{
	unsigned int id, count = 0;

	*n = (struct numa){ .s = s };
	nodes_with_memory(&n->nodes);
	for (id = 0; id < IDLIST_MAX; id++)
		count += idlist_has(&n->nodes, id);
	return count >= 2 ? PHASE_RUN : stress_unmet(s, "there are no two NUMA nodes with memory");
}

static enum phase absent(const struct numa *n, unsigned int id)
{
	char text[TEXT];

	return stress_unmet(n->s, "node %u has no memory for this process; nodes that have: %s", id,
			    idlist_format(&n->nodes, text, sizeof(text)));
}

enum phase numa_nodes(const struct numa *n, const char *name, struct idlist *ret)
{
	unsigned int id;

	if (!option_ids(n->s, name, ret))
		*ret = n->nodes;
	for (id = 0; id < IDLIST_MAX; id++)
		if (idlist_has(ret, id) && !idlist_has(&n->nodes, id))
			return absent(n, id);
	return PHASE_RUN;
}

enum phase numa_node(const struct numa *n, const char *name, unsigned int *ret)
{
	*ret = (unsigned int)option(n->s, name);
	return idlist_has(&n->nodes, *ret) ? PHASE_RUN : absent(n, *ret);
}

/* Maps --size with this policy (MPOL_BIND, ...), in small pages; writes nothing. */
static enum phase map(struct numa *n, int policy, const struct idlist *nodes)
{
	struct stress *s = n->s;
	uint64_t size = option(s, "size");
	void *start = mmap(NULL, (size_t)size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (start == MAP_FAILED)
		return stress_refused(s, "mmap", size);
	n->start = start;
	n->bytes = (size_t)size;
	/* A kernel without huge pages does not know the advice. */
	(void)madvise(start, n->bytes, MADV_NOHUGEPAGE);
	if (mbind(start, n->bytes, policy, nodes->words, IDLIST_MAX, 0) < 0)
		return stress_refused(s, "mbind", size);
	stress_allocated(s, size);
	return PHASE_RUN;
}

enum phase numa_look(struct numa *n)
{
	const size_t page = (size_t)sysconf(_SC_PAGESIZE), pages = (n->bytes + page - 1) / page;
	int status[AT_ONCE];
	void *at[AT_ONCE];
	size_t done, i, count;

	memset(n->on, 0, sizeof(n->on));
	for (done = 0; done < pages; done += count) {
		count = pages - done < AT_ONCE ? pages - done : AT_ONCE;
		for (i = 0; i < count; i++)
			at[i] = n->start + (done + i) * page;
		if (move_pages(0, count, at, NULL, status, 0) < 0)
			return stress_refused(n->s, "move_pages", count * sizeof(at[0]));
		/* Not on a node: it is in swap, or was never written. */
		for (i = 0; i < count; i++)
			if (status[i] >= 0 && status[i] < IDLIST_MAX)
				n->on[status[i]] += page;
		if (!stress_going(n->s))
			return PHASE_SIGNAL;
	}
	return PHASE_RUN;
}

enum phase numa_fill(struct numa *n, int policy, const struct idlist *nodes)
{
	enum phase end;

	stress_phase(n->s, PHASE_RUN);
	end = map(n, policy, nodes);
	if (end == PHASE_RUN && !stress_fill(n->s, n->start, n->bytes))
		end = PHASE_SIGNAL;
	return end == PHASE_RUN ? numa_look(n) : end;
}

static uint64_t sum(const struct numa *n, const struct idlist *nodes, bool in)
{
	uint64_t bytes = 0;
	unsigned int id;

	for (id = 0; id < IDLIST_MAX; id++)
		if (idlist_has(nodes, id) == in)
			bytes += n->on[id];
	return bytes;
}

uint64_t numa_on(const struct numa *n, const struct idlist *nodes)
{
	return sum(n, nodes, true);
}

uint64_t numa_elsewhere(const struct numa *n, const struct idlist *nodes)
{
	return sum(n, nodes, false);
}
