// SPDX-License-Identifier: MIT
#include "guest/killers/minfree.h"

#include "lib/units.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ADJ_MAX 1000
#define ALLOWED "up to 6 of SIZE:ADJ, both rising, ADJ -1000 to 1000, e.g. 6M:0,64M:705"

/* "6M:0" */
static bool parse_level(const char *text, size_t len, int64_t page_bytes, struct minfree_level *ret)
{
	const char *colon = memchr(text, ':', len);
	char size[32], adj[16];
	uint64_t bytes;
	int64_t value;

	if (!colon || (size_t)(colon - text) >= sizeof(size) || text + len - colon > (int)sizeof(adj))
		return false;
	snprintf(size, sizeof(size), "%.*s", (int)(colon - text), text);
	snprintf(adj, sizeof(adj), "%.*s", (int)(text + len - colon - 1), colon + 1);
	if (size_parse(size, &bytes) < 0 || int_parse(adj, &value) < 0 || value < -ADJ_MAX || value > ADJ_MAX)
		return false;
	*ret = (struct minfree_level){ (int64_t)bytes / page_bytes, (int)value };
	return true;
}

int minfree_parse(const char *text, int64_t page_bytes, struct minfree *ret, struct err *e)
{
	const char *at = text;
	bool more = true;

	ret->count = 0;
	while (more) {
		size_t len = strcspn(at, ",");
		struct minfree_level *level = &ret->levels[ret->count];

		if (ret->count == MINFREE_LEVELS_MAX || !parse_level(at, len, page_bytes, level) ||
		    (ret->count && (level->pages <= level[-1].pages || level->adj < level[-1].adj)))
			return err_set(e, EINVAL, "\"%.*s\" of --minfree=%.100s; allowed: " ALLOWED,
				       (int)(len < 40 ? len : 40), at, text);
		ret->count++;
		more = at[len] == ',';
		at += len + more;
	}
	return 0;
}

const struct minfree_level *minfree_level(const struct minfree *m, int64_t free_pages, int64_t file_pages)
{
	size_t i;

	for (i = 0; i < m->count; i++)
		if (free_pages < m->levels[i].pages && file_pages < m->levels[i].pages)
			return &m->levels[i];
	return NULL;
}

/* "Cached:   123 kB" at the start of a line; -1: there is none. */
static int64_t pages_of(const char *meminfo, const char *name, int64_t page_bytes)
{
	size_t len = strlen(name);
	const char *at = meminfo;

	while (at && (strncmp(at, name, len) != 0 || at[len] != ':'))
		at = strchr(at, '\n') ? strchr(at, '\n') + 1 : NULL;
	return at ? strtoll(at + len + 1, NULL, 10) * 1024 / page_bytes : -1;
}

struct minfree_state minfree_state(const char *meminfo, int64_t page_bytes)
{
	/* NR_FILE_PAGES is Cached, Buffers and SwapCached together (fs/proc/meminfo.c); the driver takes the last out again. */
	static const struct {
		const char *name;
		int sign;
	} parts[] = { { "Cached", 1 }, { "Buffers", 1 }, { "Shmem", -1 }, { "Unevictable", -1 } };
	struct minfree_state s = { pages_of(meminfo, "MemFree", page_bytes), 0 };
	size_t i;

	for (i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
		int64_t pages = pages_of(meminfo, parts[i].name, page_bytes);

		if (pages < 0)
			return (struct minfree_state){ -1, -1 };
		s.file_pages += parts[i].sign * pages;
	}
	/* What is locked may be no file's; the driver's number goes below 0 as well, which is below every level. */
	return s;
}

/* The largest of "        protection: (0, 1945, 1945)" */
static int64_t largest(const char *line)
{
	int64_t most = 0;
	char *end;

	for (line = strchr(line, '(') ? strchr(line, '(') + 1 : line;
	     *line && *line != ')' && *line != '\n';) {
		int64_t value = strtoll(line, &end, 10);

		most = value > most ? value : most;
		line = end > line ? end : line + 1;
	}
	return most;
}

/* One zone's share: its high watermark and the largest of its lowmem reserves, at most all of it. */
struct zone {
	int64_t high, managed, protection;
};

static int64_t share(const struct zone *z)
{
	int64_t pages = z->high + z->protection;

	return pages < z->managed ? pages : z->managed;
}

int64_t minfree_reserve(const char *zoneinfo)
{
	struct zone z = { 0 };
	int64_t total = 0;
	const char *line;

	for (line = zoneinfo; line && *line; line = strchr(line, '\n') ? strchr(line, '\n') + 1 : NULL) {
		const char *word = line + strspn(line, " ");

		if (!strncmp(line, "Node ", 5)) {
			total += share(&z);
			z = (struct zone){ 0 };
		} else if (!strncmp(word, "high ", 5) && !z.managed) {
			/* Those of the per-CPU lists, "high: 0", come later and with a colon. */
			z.high = strtoll(word + 5, NULL, 10);
		} else if (!strncmp(word, "managed ", 8)) {
			z.managed = strtoll(word + 8, NULL, 10);
		} else if (!strncmp(word, "protection: ", 12)) {
			z.protection = largest(word);
		}
	}
	return total + share(&z);
}

bool minfree_rather(const struct minfree_task *a, const struct minfree_task *b)
{
	if (a->rss_pages <= 0)
		return false;
	return !b->pid || a->adj > b->adj || (a->adj == b->adj && a->rss_pages > b->rss_pages);
}
