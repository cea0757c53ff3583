// SPDX-License-Identifier: MIT
#include "stressors/pool.h"

#include <malloc.h>
#include <stdlib.h>
#include <sys/mman.h>

enum phase pool_open(struct pool *p, struct stress *s, size_t count, size_t block_bytes)
{
	void *map = mmap(NULL, count * sizeof(void *), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
			 -1, 0);

	if (map == MAP_FAILED)
		return stress_refused(s, "mmap of the table", count * sizeof(void *));
	*p = (struct pool){ .s = s, .blocks = map, .count = count, .block_bytes = block_bytes };
	return PHASE_RUN;
}

enum phase pool_fill(struct pool *p, size_t i)
{
	void *block = malloc(p->block_bytes);

	if (!block)
		return stress_refused(p->s, "malloc", p->block_bytes);
	p->blocks[i] = block;
	p->live_bytes += p->block_bytes;
	stress_allocated(p->s, p->block_bytes);
	return stress_write(p->s, block, p->block_bytes) ? PHASE_RUN : PHASE_SIGNAL;
}

bool pool_free(struct pool *p, size_t i)
{
	bool going = stress_check(p->s, p->blocks[i], p->block_bytes);

	free(p->blocks[i]);
	p->blocks[i] = NULL;
	p->live_bytes -= p->block_bytes;
	return going;
}

uint64_t pool_obtained(void)
{
	struct mallinfo2 info = mallinfo2();

	return info.arena + info.hblkhd;
}

void pool_report(const struct pool *p)
{
	stress_live(p->s, p->live_bytes, pool_obtained());
}
