// SPDX-License-Identifier: MIT
#include "stressors/pool.h"

#include <malloc.h>
#include <stdlib.h>
#include <sys/mman.h>

enum phase pool_open(struct pool *p, struct stress *s, size_t count, size_t block_bytes)
{
	size_t bytes = count * (sizeof(void *) + sizeof(uint32_t));
	/* Shared, with nobody: so it is not anonymous memory, of which pool_obtained() may ask. */
	void **map = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (map == MAP_FAILED)
		return stress_refused(s, "mmap of the table", bytes);
	*p = (struct pool){ .s = s,
			    .blocks = map,
			    .count = count,
			    .block_bytes = block_bytes,
			    .sizes = (uint32_t *)(void *)(map + count) };
	return PHASE_RUN;
}

size_t pool_bytes(const struct pool *p, size_t i)
{
	return p->block_bytes ? p->block_bytes : p->sizes[i];
}

enum phase pool_fill(struct pool *p, size_t i)
{
	size_t bytes = pool_bytes(p, i);
	void *block = malloc(bytes);

	if (!block)
		return stress_refused(p->s, "malloc", bytes);
	p->blocks[i] = block;
	p->live_bytes += bytes;
	stress_allocated(p->s, bytes);
	return stress_write(p->s, block, bytes) ? PHASE_RUN : PHASE_SIGNAL;
}

bool pool_free(struct pool *p, size_t i)
{
	bool going = stress_check(p->s, p->blocks[i], pool_bytes(p, i));

	free(p->blocks[i]);
	p->blocks[i] = NULL;
	p->live_bytes -= pool_bytes(p, i);
	return going;
}

uint64_t pool_obtained(const struct stress *s)
{
	struct mallinfo2 info;
	int64_t anon;

	if (stress_foreign_malloc(s)) {
		anon = stress_anon();
		return anon > s->anon_start ? (uint64_t)(anon - s->anon_start) : 0;
	}
	info = mallinfo2();
	return info.arena + info.hblkhd;
}

void pool_report(const struct pool *p)
{
	stress_live(p->s, p->live_bytes, pool_obtained(p->s));
}

bool pool_check(const struct pool *p)
{
	size_t i;

	for (i = 0; i < p->count; i++)
		if (p->blocks[i] && !stress_check(p->s, p->blocks[i], pool_bytes(p, i)))
			return false;
	return true;
}
