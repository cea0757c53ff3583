// SPDX-License-Identifier: MIT
/*
 * oomlab-lmk: the policy of Android's low memory killer as a program, for guests. The driver was called by the kernel
 * when it reclaimed; this looks every so often instead, which is the one difference. Its defaults are the driver's
 * own: 6, 8, 16 and 64 MB at the adj of 0, 1, 6 and 12 that oom_score_adj has as 0, 58, 352 and 705.
 */
#include "guest/killers/minfree.h"
#include "lib/clock.h"
#include "lib/files.h"
#include "lib/units.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define MINFREE_DEFAULT "6M:0,8M:58,16M:352,64M:705"
#define EVERY_DEFAULT   "20ms"
#define PROC_BYTES_MAX  (1u << 20)
/* lowmem_deathpending_timeout: while a victim is dying, nobody else is killed. */
#define PENDING_NS NS_PER_S
#define EXIT_USAGE 2

struct lmk {
	struct minfree m;
	int64_t page_bytes;
	int64_t reserve_pages;
	uint64_t every_ns;
	int pending; /* pid of who was killed last; 0: nobody */
	uint64_t pending_until_ns;
};

static void usage(FILE *out)
{
	fputs("usage: oomlab-lmk [--minfree=SIZE:ADJ,...] [--every=DURATION]\n"
	      "Kills as Android's low memory killer did: when free pages and pages of files are both fewer than SIZE,\n"
	      "a process with an oom_score_adj of at least ADJ, the highest first, then the largest.\n"
	      "  --minfree   levels, both rising (default " MINFREE_DEFAULT ")\n"
	      "  --every     how often it looks (default " EVERY_DEFAULT ")\n",
	      out);
}

static int64_t number_in(const char *path, int field)
{
	AUTO_FREE char *text = NULL;
	char *at;

	if (file_read(path, PROC_BYTES_MAX, &text, NULL, NULL) < 0)
		return -1;
	for (at = text; field > 0 && *at; field--)
		at += strcspn(at, " ") + 1;
	return strtoll(at, NULL, 10);
}

static struct minfree_task task_of(int pid)
{
	struct minfree_task t = { .pid = pid };
	char path[PATH_LEN_MAX];

	path_format(path, "/proc/%d/statm", pid);
	t.rss_pages = number_in(path, 1);
	path_format(path, "/proc/%d/oom_score_adj", pid);
	t.adj = (int)number_in(path, 0);
	return t;
}

/* Kernel threads have no pages, so they are never it. */
static struct minfree_task choose(int least_adj)
{
	struct minfree_task best = { 0 };
	DIR *d = opendir("/proc");
	struct dirent *one;

	while (d && (one = readdir(d))) {
		struct minfree_task t;

		if (!isdigit((unsigned char)one->d_name[0]))
			continue;
		t = task_of(atoi(one->d_name));
		if (t.pid != getpid() && t.adj >= least_adj && minfree_rather(&t, &best))
			best = t;
	}
	if (d)
		closedir(d);
	return best;
}

static void comm_of(int pid, char ret[64])
{
	AUTO_FREE char *text = NULL;
	char path[PATH_LEN_MAX];

	path_format(path, "/proc/%d/comm", pid);
	snprintf(ret, 64, "%s", file_read(path, 64, &text, NULL, NULL) == 0 ? text : "?");
	ret[strcspn(ret, "\n")] = 0;
}

static void kill_one(struct lmk *l, const struct minfree_level *level, struct minfree_state s)
{
	struct minfree_task t = choose(level->adj);
	char comm[64], size[UNITS_TEXT_MAX], most[UNITS_TEXT_MAX];

	if (!t.pid)
		return;
	comm_of(t.pid, comm);
	if (kill(t.pid, SIGKILL) < 0)
		return;
	l->pending = t.pid;
	l->pending_until_ns = clock_ns() + PENDING_NS;
	printf("killed %d (%s), adj %d, %s: free %lld pages beyond the reserve and %lld of files, both below %s, so adj %d and above may go\n",
	       t.pid, comm, t.adj, size_format(size, (uint64_t)(t.rss_pages * l->page_bytes)),
	       (long long)s.free_pages, (long long)s.file_pages,
	       size_format(most, (uint64_t)(level->pages * l->page_bytes)), level->adj);
}

static void look(struct lmk *l)
{
	AUTO_FREE char *text = NULL;
	const struct minfree_level *level;
	struct minfree_state s;

	if (l->pending && clock_ns() < l->pending_until_ns && task_of(l->pending).rss_pages > 0)
		return;
	l->pending = 0;
	if (file_read("/proc/meminfo", PROC_BYTES_MAX, &text, NULL, NULL) < 0)
		return;
	s = minfree_state(text, l->page_bytes);
	if (s.free_pages < 0)
		return;
	s.free_pages -= l->reserve_pages;
	level = minfree_level(&l->m, s.free_pages, s.file_pages);
	if (level)
		kill_one(l, level, s);
}

static int parse(int argc, char **argv, struct lmk *l, struct err *e)
{
	static const struct option options[] = { { "minfree", required_argument, NULL, 'm' },
						 { "every", required_argument, NULL, 'e' },
						 { "help", no_argument, NULL, 'h' },
						 { NULL, 0, NULL, 0 } };
	const char *minfree = MINFREE_DEFAULT, *every = EVERY_DEFAULT;
	int c;

	while ((c = getopt_long(argc, argv, "", options, NULL)) >= 0) {
		if (c == 'm') {
			minfree = optarg;
		} else if (c == 'e') {
			every = optarg;
		} else {
			usage(c == 'h' ? stdout : stderr);
			exit(c == 'h' ? EXIT_SUCCESS : EXIT_USAGE);
		}
	}
	if (optind < argc)
		return err_set(e, EINVAL, "\"%s\"; allowed: options alone", argv[optind]);
	if (duration_parse(every, &l->every_ns) < 0 || l->every_ns == 0)
		return err_set(e, EINVAL, "--every=%s; allowed: " DURATION_ALLOWED, every);
	return minfree_parse(minfree, l->page_bytes, &l->m, e);
}

int main(int argc, char **argv)
{
	struct lmk l = { .page_bytes = sysconf(_SC_PAGESIZE) };
	AUTO_FREE char *zones = NULL;
	struct err e = ERR_INIT;
	struct timespec pause;

	if (parse(argc, argv, &l, &e) < 0) {
		fprintf(stderr, "oomlab-lmk: %s\n", e.text);
		return EXIT_USAGE;
	}
	setlinebuf(stdout);
	if (file_read("/proc/zoneinfo", PROC_BYTES_MAX, &zones, NULL, &e) < 0) {
		fprintf(stderr, "oomlab-lmk: %s\n", e.text);
		return EXIT_FAILURE;
	}
	l.reserve_pages = minfree_reserve(zones);
	mlockall(MCL_CURRENT | MCL_FUTURE);
	printf("watching: %zu levels, %lld pages are the kernel's reserve\n", l.m.count,
	       (long long)l.reserve_pages);
	pause = (struct timespec){ (time_t)(l.every_ns / NS_PER_S), (long)(l.every_ns % NS_PER_S) };
	for (;;) {
		look(&l);
		nanosleep(&pause, NULL);
	}
}
