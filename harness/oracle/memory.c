// SPDX-License-Identifier: MIT
/*
 * What a report says of memory: __show_mem() of mm/show_mem.c (mm/page_alloc.c before), of a group
 * mem_cgroup_print_oom_meminfo() of mm/memcontrol.c.
 *
 *   active_anon:25 inactive_anon:26517 isolated_anon:0                     pages
 *   Node 0 DMA32 free:1188kB min:1188kB low:1484kB high:1780kB ... present:130920kB managed:106300kB ...
 *   Node 0 DMA32: 1*4kB (U) 0*8kB 0*16kB 1*32kB (U) ... 0*4096kB = 1188kB
 *   Free swap  = 0kB
 *   40830 pages RAM
 *   memory: usage 32768kB, limit 32768kB, failcnt 19                       memory+swap:, swap:, kmem: alike
 *   Memory cgroup stats for /a: cache:0KB rss:32768KB ... inactive_anon:0KB    v1, one line
 */
#include "harness/oracle/parts.h"

#define KIB_MAX (INT64_MAX >> 20)

const char *const oom_amount_names[OOM_AMOUNTS] = {
	[OOM_ACTIVE_ANON] = "active_anon",
	[OOM_INACTIVE_ANON] = "inactive_anon",
	[OOM_ACTIVE_FILE] = "active_file",
	[OOM_INACTIVE_FILE] = "inactive_file",
	[OOM_UNEVICTABLE] = "unevictable",
	[OOM_SLAB_RECLAIMABLE] = "slab_reclaimable",
	[OOM_SLAB_UNRECLAIMABLE] = "slab_unreclaimable",
	[OOM_SHMEM] = "shmem",
	[OOM_PAGETABLES] = "pagetables",
	[OOM_FREE] = "free",
	[OOM_ANON] = "anon",
	[OOM_FILE] = "file",
	[OOM_KERNEL_STACK] = "kernel_stack",
	[OOM_SOCK] = "sock",
};

static bool number_kb(struct span *s, int64_t *ret_bytes)
{
	int64_t kb;

	if (!span_int(s, &kb) || kb < 0 || kb > KIB_MAX || (!span_skip(s, "kB") && !span_skip(s, "KB")))
		return false;
	*ret_bytes = kb * 1024;
	return true;
}

static int64_t kb_after(struct span s, const char *key)
{
	int64_t bytes;

	s.at = span_find(s, key);
	if (!s.at)
		return -1;
	s.at += strlen(key);
	return number_kb(&s, &bytes) ? bytes : -1;
}

static int amount_of(const char *word, size_t len)
{
	int i;

	for (i = 0; i < OOM_AMOUNTS; i++)
		if (strlen(oom_amount_names[i]) == len && !memcmp(oom_amount_names[i], word, len))
			return i;
	/* v1's names */
	if (len == 3 && !memcmp(word, "rss", 3))
		return OOM_ANON;
	if (len == 5 && !memcmp(word, "cache", 5))
		return OOM_FILE;
	return -1;
}

/* A word up to one of these characters; its length. */
static size_t word_len(struct span s, const char *ends)
{
	size_t len = 0;

	while (s.at + len < s.end && !span_is_one(s.at[len], ends))
		len++;
	return len;
}

/* "active_anon:25" or "rss:12KB", with blanks in front; in_pages says which. */
static bool pair(struct span *s, struct span *ret_name, int64_t *ret, bool *ret_in_pages)
{
	size_t len;

	span_skip_spaces(s);
	len = word_len(*s, ": ");
	*ret_name = (struct span){ s->at, s->at + len };
	s->at += len;
	if (!len || !span_skip(s, ":") || !span_int(s, ret) || *ret < 0 || *ret > KIB_MAX)
		return false;
	*ret_in_pages = !span_skip(s, "KB");
	return s->at == s->end || *s->at == ' ';
}

/* "active_anon:25 inactive_anon:26517 isolated_anon:0", two at least and nothing else; false: it is no such line. */
static bool pairs(struct oom_report *r, struct span s, bool add)
{
	struct span t = s, name;
	size_t count = 0;
	bool in_pages;
	int64_t v;

	while (t.at < t.end && pair(&t, &name, &v, &in_pages))
		count++;
	if (t.at < t.end || count < 2)
		return false;
	while (s.at < s.end && pair(&s, &name, &v, &in_pages)) {
		int which = amount_of(name.at, span_len(name));

		if (in_pages)
			r->amounts_in_pages = true;
		else
			v *= 1024;
		if (which >= 0)
			r->amounts[which] = (add && r->amounts[which] >= 0 ? r->amounts[which] : 0) + v;
	}
	return true;
}

static struct oom_zone *zone(struct oom_report *r, int64_t node, const char *name, size_t len)
{
	struct oom_zone *z;
	size_t i;

	if (!len || len >= sizeof(z->name))
		return NULL;
	for (i = 0; i < r->zone_count; i++) {
		z = &r->zones[i];
		if (z->node == node && strlen(z->name) == len && !memcmp(z->name, name, len))
			return z;
	}
	if (r->zone_count == OOM_ZONES_MAX)
		return NULL;
	z = &r->zones[r->zone_count++];
	*z = (struct oom_zone){ node, "", -1, -1, -1, -1, -1, -1, { 0 } };
	memcpy(z->name, name, len);
	for (i = 0; i < OOM_ORDERS; i++)
		z->blocks[i] = -1;
	return z;
}

/* "0*4kB 2*8kB (UM) 1*16kB (M) ... = 576kB" */
static void blocks(struct oom_zone *z, struct span s)
{
	int64_t count, bytes;
	size_t order;

	for (order = 0; order < OOM_ORDERS; order++) {
		span_skip_spaces(&s);
		if (span_skip(&s, "(")) {
			s.at = span_find(s, ")");
			if (!s.at)
				return;
			s.at++;
			span_skip_spaces(&s);
		}
		if (!span_int(&s, &count) || count < 0 || !span_skip(&s, "*") || !number_kb(&s, &bytes))
			return;
		z->blocks[order] = count;
	}
}

/* "[Node 0 ]DMA32 free:..." and "[Node 0 ]DMA32: 0*4kB ..." */
static bool zone_line(struct oom_report *r, struct span s)
{
	struct oom_zone *z;
	int64_t node = -1;
	const char *name;
	size_t len;

	if (span_skip(&s, "Node ") && (!span_int(&s, &node) || !span_skip(&s, " ")))
		return false;
	name = s.at;
	len = word_len(s, ": ");
	s.at += len;
	if (!len || len > 12)
		return false;
	if (span_skip(&s, ": ")) {
		if (s.at == s.end || !span_is_digit(*s.at) || !span_find(s, "*"))
			return false;
		z = zone(r, node, name, len);
		if (z)
			blocks(z, s);
		return z != NULL;
	}
	if (!span_skip(&s, " free:"))
		return false;
	s.at -= strlen(" free:");
	z = zone(r, node, name, len);
	if (!z)
		return false;
	z->free_bytes = kb_after(s, " free:");
	z->min_bytes = kb_after(s, " min:");
	z->low_bytes = kb_after(s, " low:");
	z->high_bytes = kb_after(s, " high:");
	z->present_bytes = kb_after(s, " present:");
	z->managed_bytes = kb_after(s, " managed:");
	return true;
}

static bool usage_line(struct oom_report *r, struct span s)
{
	static const char *const names[] = { "memory: ", "memory+swap: ", "swap: ", "kmem: " };
	struct oom_usage *const to[] = { &r->memory, &r->memsw, &r->swap, &r->kmem };
	struct span tail;
	size_t i;

	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (!span_skip(&s, names[i]))
			continue;
		if (!span_skip(&s, "usage ") || !number_kb(&s, &to[i]->usage_bytes))
			return false;
		to[i]->limit_bytes = kb_after(s, ", limit ");
		tail = s;
		tail.at = span_find(s, ", failcnt ");
		if (tail.at) {
			tail.at += strlen(", failcnt ");
			if (!span_int(&tail, &to[i]->failcnt))
				to[i]->failcnt = -1;
		}
		return true;
	}
	return false;
}

/* "40830 pages RAM", "0 pages HighMem/MovableOnly", "9187 pages reserved" */
static bool pages_line(struct oom_report *r, struct span s)
{
	int64_t pages;

	if (!span_int(&s, &pages) || pages < 0 || pages > KIB_MAX || !span_skip(&s, " pages "))
		return false;
	if (span_skip(&s, "RAM"))
		r->ram_pages = pages;
	else if (span_skip(&s, "reserved"))
		r->reserved_pages = pages;
	else
		return span_find(s, "agecache") || span_skip(&s, "HighMem") || span_skip(&s, "in swap cache");
	return true;
}

/* "Free swap  = 0kB" */
static bool swap_line(struct span s, const char *key, int64_t *ret_bytes)
{
	if (!span_skip(&s, key))
		return false;
	span_skip_spaces(&s);
	return span_skip(&s, "= ") && number_kb(&s, ret_bytes);
}

bool memory_line(struct oom_report *r, struct span s)
{
	const char *stats;

	if (usage_line(r, s) || pages_line(r, s) || swap_line(s, "Free swap", &r->swap_free_bytes) ||
	    swap_line(s, "Total swap", &r->swap_total_bytes))
		return true;
	/* Of v1 a line for each group below as well, each with its own. */
	if (span_skip(&s, "Memory cgroup stats for ")) {
		stats = span_find(s, ": ");
		if (!stats)
			return true;
		s.at = stats + 2;
		return pairs(r, s, true);
	}
	return zone_line(r, s) || pairs(r, s, false);
}

bool memory_stat(struct oom_report *r, struct span s)
{
	size_t len = word_len(s, " ");
	const char *word = s.at;
	int64_t v;
	int which;

	s.at += len;
	if (!len || !span_skip(&s, " ") || !span_int(&s, &v) || s.at != s.end || v < 0)
		return false;
	which = amount_of(word, len);
	if (which >= 0)
		r->amounts[which] = v;
	return true;
}

bool memory_slab(struct oom_report *r, struct span s)
{
	struct oom_slab one = { "", -1 }, swap;
	size_t len, i;
	int64_t used;

	span_skip_spaces(&s);
	len = word_len(s, " ");
	if (!len || len >= sizeof(one.name))
		return false;
	memcpy(one.name, s.at, len);
	s.at += len;
	span_skip_spaces(&s);
	if (!number_kb(&s, &used))
		return span_skip(&s, "Used");
	span_skip_spaces(&s);
	if (!number_kb(&s, &one.total_bytes))
		return false;
	for (i = 0; i < OOM_SLABS_MAX; i++) {
		if (i == r->slab_count) {
			r->slabs[r->slab_count++] = one;
			break;
		}
		if (one.total_bytes > r->slabs[i].total_bytes) {
			swap = r->slabs[i];
			r->slabs[i] = one;
			one = swap;
		}
	}
	return true;
}

void memory_complete(struct oom_report *r)
{
	int64_t present = 0, pages;
	size_t i;

	/* Before 3.9 a group's report has the machine's amounts. */
	for (i = 0; r->amounts_in_pages && r->constraint == OOM_CONSTRAINT_MEMCG && i < OOM_AMOUNTS; i++)
		r->amounts[i] = -1;
	for (i = 0; i < r->zone_count; i++)
		present += r->zones[i].present_bytes > 0 ? r->zones[i].present_bytes : 0;
	/* Zones are in kB and RAM in pages, so the size of a page is there: 4K, 16K or 64K. */
	pages = r->ram_pages > 0 ? present / r->ram_pages : 0;
	r->page_bytes = pages > 32768 ? 65536 : pages > 10000 ? 16384 : 4096;
	for (i = 0; r->amounts_in_pages && i < OOM_AMOUNTS; i++)
		if (r->amounts[i] > 0)
			r->amounts[i] *= r->page_bytes;
	r->amounts_in_pages = false;
}
