// SPDX-License-Identifier: MIT
/*
 * Arena bloat: glibc gives threads heaps of their own, up to eight for each CPU, so that they do not wait for each
 * other (mallopt(3), M_ARENA_MAX). What each of them has freed but cannot give back is there as often as there are heaps.
 */
#include "stressors/pool.h"

#include "lib/clock.h"

#include <errno.h>
#include <malloc.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define THREADS_MAX 1024
#define STACK_BYTES ((size_t)128 << 10)
#define WATCH_NS    NS_PER_MS

static const struct option_info options[] = {
	{ .name = "threads",
	  .kind = OPTION_COUNT,
	  .fallback = "16",
	  .min = 1,
	  .max = THREADS_MAX,
	  .help = "that allocate at the same time" },
	{ .name = "size",
	  .kind = OPTION_SIZE,
	  .fallback = "32M",
	  .min = 64 << 10,
	  .max = (uint64_t)1 << 40,
	  .total = true,
	  .help = "allocated and written by all of them before any is freed" },
	{ .name = "block",
	  .kind = OPTION_SIZE,
	  .fallback = "2K",
	  .min = 16,
	  .max = 127 << 10,
	  .help = "size of each block" },
	{ .name = "keep",
	  .kind = OPTION_COUNT,
	  .fallback = "64",
	  .min = 1,
	  .max = 1 << 20,
	  .help = "each keeps one of so many blocks" },
	{ .name = "arenas",
	  .kind = OPTION_COUNT,
	  .fallback = "0",
	  .max = THREADS_MAX,
	  .help = "M_ARENA_MAX: heaps for all of them; 0: as glibc does" },
	{ .name = NULL },
};

static const struct value_info values[] = {
	{ "arenas", "count", "heaps that glibc made" },
	{ "live", "bytes", "in use at the end" },
	{ "obtained", "bytes", "what malloc has from the system then" },
	{ "wasted", "bytes", "obtained and not in use" },
	{ "vss_rise", "bytes", "by which the address space has grown" },
	{ NULL, NULL, NULL },
};

struct worker {
	pthread_t thread;
	const struct stress *main;
	struct stress part;
	struct pool pool;
	struct team *team;
	size_t keep;
	enum phase end;
};

struct team {
	struct worker *workers; /* in a mapping of its own */
	size_t count;
	size_t ended;           /* atomic */
	pthread_barrier_t full; /* all have all of theirs, all at the same time */
};

static int check(const struct stress *s, struct err *e)
{
	uint64_t each = option(s, "size") / option(s, "threads") / option(s, "block");

	if (each >= option(s, "keep"))
		return 0;
	if (each == 0)
		return err_set(e, EINVAL,
			       "--size: less than a block a thread; allowed: at least --threads * --block");
	return err_set(e, EINVAL, "--keep: more than a thread has blocks; allowed: 1 to %llu",
		       (unsigned long long)each);
}

static void work(struct worker *w)
{
	size_t i;

	for (i = 0; w->end == PHASE_RUN && i < w->pool.count; i++)
		w->end = stress_ended(w->main) ? PHASE_SIGNAL : pool_fill(&w->pool, i);
}

static void *worker_main(void *arg)
{
	struct worker *w = arg;
	size_t i;

	work(w);
	pthread_barrier_wait(&w->team->full);
	for (i = 0; w->end == PHASE_RUN && i < w->pool.count; i++)
		if (i % w->keep != w->keep - 1)
			pool_free(&w->pool, i);
	__atomic_fetch_add(&w->team->ended, 1, __ATOMIC_RELEASE);
	return NULL;
}

/* Where one cannot be started, the others wait for it until the process ends. */
static enum phase start(struct stress *s, struct team *team, size_t blocks)
{
	pthread_attr_t attr;
	size_t started = 0;
	int code = 0;

	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, STACK_BYTES);
	for (; !code && started < team->count; started++) {
		struct worker *w = &team->workers[started];

		w->main = s;
		w->part = stress_part(s);
		w->team = team;
		w->keep = (size_t)option(s, "keep");
		w->end = pool_open(&w->pool, &w->part, blocks, (size_t)option(s, "block"));
		if (w->end != PHASE_RUN)
			return w->end;
		code = pthread_create(&w->thread, &attr, worker_main, w);
	}
	pthread_attr_destroy(&attr);
	errno = code == EAGAIN ? ENOMEM : code; /* clone(2)'s ENOMEM comes as EAGAIN */
	return code ? stress_refused(s, "pthread_create", STACK_BYTES) : PHASE_RUN;
}

/* <heap nr="0"> ... of malloc_info(3); -1: not known. */
static int64_t arenas(void)
{
	char *text = NULL;
	size_t len = 0;
	FILE *to = open_memstream(&text, &len);
	const char *at;
	int64_t n = 0;

	if (!to)
		return -1;
	malloc_info(0, to);
	fclose(to);
	for (at = text; at && (at = strstr(at, "<heap nr=")); at++)
		n++;
	free(text);
	return n;
}

static uint64_t live_bytes(const struct team *team)
{
	uint64_t live = 0;
	size_t i;

	for (i = 0; i < team->count; i++)
		live += team->workers[i].pool.live_bytes;
	return live;
}

/* What it all comes to, again and again, until the last one has ended. */
static enum phase watch(struct stress *s, struct team *team)
{
	size_t i;

	while (__atomic_load_n(&team->ended, __ATOMIC_ACQUIRE) < team->count) {
		if (!stress_wait(s, WATCH_NS))
			return PHASE_SIGNAL;
		stress_live(s, live_bytes(team), pool_obtained(s));
	}
	for (i = 0; i < team->count; i++)
		pthread_join(team->workers[i].thread, NULL);
	for (i = 0; i < team->count; i++)
		if (team->workers[i].end != PHASE_RUN)
			return team->workers[i].end;
	return PHASE_RUN;
}

static void report(struct stress *s, const struct team *team, int64_t vss_before)
{
	uint64_t live = live_bytes(team), obtained = pool_obtained(s);
	int64_t heaps = stress_foreign_malloc(s) ? -1 : arenas();

	stress_live(s, live, obtained);
	stress_value(s, "arenas", heaps < 0 ? SHARED_UNKNOWN : heaps);
	stress_value(s, "live", (int64_t)live);
	stress_value(s, "obtained", (int64_t)obtained);
	stress_value(s, "wasted", (int64_t)(obtained > live ? obtained - live : 0));
	stress_value(s, "vss_rise", stress_rise("VmSize", vss_before));
}

static enum phase run(struct stress *s)
{
	struct team *team;
	size_t count = (size_t)option(s, "threads"), bytes = sizeof(*team) + count * sizeof(struct worker);
	size_t blocks = (size_t)(option(s, "size") / count / option(s, "block")), i;
	int64_t vss = stress_own("VmSize");
	enum phase end;

	team = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (team == MAP_FAILED)
		return stress_refused(s, "mmap of the table", bytes);
	team->workers = (struct worker *)(void *)(team + 1);
	team->count = count;
	pthread_barrier_init(&team->full, NULL, (unsigned int)count);
	if (option(s, "arenas"))
		mallopt(M_ARENA_MAX, (int)option(s, "arenas"));
	stress_phase(s, PHASE_RUN);
	end = start(s, team, blocks);
	if (end == PHASE_RUN)
		end = watch(s, team);
	if (end != PHASE_RUN)
		return end;
	report(s, team, vss);
	end = stress_hold(s);
	for (i = 0; i < count; i++)
		if (!pool_check(&team->workers[i].pool) && stress_ended(s))
			return PHASE_SIGNAL;
	return end;
}

const struct stressor stressor_threads = {
	.name = "threads",
	.about = "allocates in many threads, each of which keeps a few of its blocks",
	.options = options,
	.values = values,
	.check = check,
	.run = run,
};
