// SPDX-License-Identifier: MIT
/*
 * One process: status, stat and oom_score of /proc/PID (proc_pid_status(5),
 * proc_pid_stat(5)). Most of a tick is the kernel writing the first two (`make
 * bench`), so they are left alone while schedstat and statm stand still:
 *
 *     4011305 86713 19                  ns run, ns waited, times switched in
 *     2297 2100 50 119 0 2091 0         pages: size, resident, shared, text, 0, data, 0
 *
 * A process of one thread has to run to fault, map, lock or change its peaks, and
 * what others take from its memory or put there while it sleeps moves statm: swapped
 * out, reaped, swapped in by swapoff, written by ptrace. oom_score moves with the
 * machine, so it is always read.
 *
 * Limits. Time run is brought up to date at the CPU's clock tick and when the
 * process is switched out: one that runs right now may show what it was up to a
 * clock tick ago (1 to 10 ms; on a nohz_full CPU 1 s). Page tables that
 * khugepaged frees below a sleeper without a change of its pages, and peaks that a
 * vfork(2) child reaches in its parent's memory and gives back, show when the
 * process runs next. More threads, something in swap, no schedstat, or one without
 * switches (kernels that do not count them say 0): every reading is whole.
 */
#include "harness/engine/sample.h"

#include "lib/files.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

const char *const process_columns[P_COLUMNS] = {
	[P_VSIZE_PEAK] = "vsize_peak",
	[P_VSIZE] = "vsize",
	[P_LOCKED] = "locked",
	[P_RSS_PEAK] = "rss_peak",
	[P_RSS] = "rss",
	[P_RSS_ANON] = "rss_anon",
	[P_RSS_FILE] = "rss_file",
	[P_RSS_SHMEM] = "rss_shmem",
	[P_PGTABLES] = "pgtables",
	[P_SWAP] = "swap",
	[P_RSS_OOM] = "rss_oom",
	[P_MINOR_FAULTS] = "minor_faults",
	[P_MAJOR_FAULTS] = "major_faults",
	[P_OOM_SCORE] = "oom_score",
	[P_ALLOCATED] = "allocated",
	[P_TOUCHED] = "touched",
	[P_LIVE] = "live",
	[P_OBTAINED] = "obtained",
};

/*
 * VmPeak:	    2496 kB
 * VmSize:	    2496 kB
 * VmLck:	       0 kB
 * VmHWM:	     896 kB
 * VmRSS:	     896 kB
 * RssAnon:	      88 kB
 * RssFile:	     808 kB
 * RssShmem:	       0 kB
 * VmPTE:	      40 kB
 * VmSwap:	       0 kB
 * Threads:	1
 */
static const struct field status_fields[PROCESS_FIELDS + 1] = {
	[P_VSIZE_PEAK] = { .key = "VmPeak:", .scale = 1024 },
	[P_VSIZE] = { .key = "VmSize:", .scale = 1024 },
	[P_LOCKED] = { .key = "VmLck:", .scale = 1024 },
	[P_RSS_PEAK] = { .key = "VmHWM:", .scale = 1024 },
	[P_RSS] = { .key = "VmRSS:", .scale = 1024 },
	[P_RSS_ANON] = { .key = "RssAnon:", .scale = 1024 },
	[P_RSS_FILE] = { .key = "RssFile:", .scale = 1024 },
	[P_RSS_SHMEM] = { .key = "RssShmem:", .scale = 1024 },
	[P_PGTABLES] = { .key = "VmPTE:", .scale = 1024 },
	[P_SWAP] = { .key = "VmSwap:", .scale = 1024 },
	[PROCESS_FIELDS] = { .key = "Threads:" },
};

static int open_at(const char *root, pid_t pid, const char *name)
{
	char path[PATH_LEN_MAX];
	int fd;

	if (path_format(path, "%s/proc/%d/%s", root, (int)pid, name) < 0)
		return -ENAMETOOLONG;
	fd = open(path, O_RDONLY | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

int process_sampler_open(const char *root, pid_t pid, struct process_sampler *s)
{
	char list[48];

	memset(s, 0, sizeof(*s));
	memcpy(s->fields, status_fields, sizeof(status_fields));
	s->threads = 1;
	s->status = open_at(root, pid, "status");
	if (s->status < 0)
		return s->status;
	s->stat = open_at(root, pid, "stat");
	s->oom_score = open_at(root, pid, "oom_score");
	s->schedstat = open_at(root, pid, "schedstat");
	s->statm = open_at(root, pid, "statm");
	snprintf(list, sizeof(list), "task/%d/children", (int)pid);
	s->children = open_at(root, pid, list);
	return 0;
}

/*
 * 91 (a) name) R 1 91 91 0 -1 4194304 MINFLT 0 MAJFLT ... RSS: fields 10, 12 and 24. The
 * name may hold anything, so counting starts behind its last parenthesis.
 */
static void read_stat(const char *text, size_t len, int64_t values[P_COLUMNS])
{
	static const struct {
		int field;
		enum process_column column;
	} wanted[] = { { 10, P_MINOR_FAULTS }, { 12, P_MAJOR_FAULTS }, { 24, P_RSS_OOM } };
	const char *end = text + len, *p = memrchr(text, ')', len);
	int field = 2;
	size_t i;

	for (i = 0; p && i < sizeof(wanted) / sizeof(wanted[0]); i++) {
		for (; p && field < wanted[i].field; field++) {
			p = memchr(p, ' ', (size_t)(end - p));
			p = p ? p + 1 : NULL;
		}
		if (p)
			values[wanted[i].column] = digits(p, end, &p);
	}
	if (values[P_RSS_OOM] != BB_MISSING)
		values[P_RSS_OOM] *= sysconf(_SC_PAGESIZE);
}

/*
 * schedstat and statm, one behind the other; 0 when they say nothing. Of a process
 * that has run schedstat alone, which is enough to know: the next reading is a
 * whole one too then, and knows what statm was before it.
 */
static size_t read_signs(const struct process_sampler *s, char text[SIGNS_BYTES_MAX])
{
	ssize_t n = pread(s->schedstat, text, SIGNS_BYTES_MAX, 0), pages;

	if (n < 3 || memcmp(text + n - 3, " 0\n", 3) == 0)
		return 0;
	if ((size_t)n > s->signs_len || memcmp(text, s->signs, (size_t)n) != 0)
		return (size_t)n;
	pages = pread(s->statm, text + n, SIGNS_BYTES_MAX - (size_t)n, 0);
	return pages > 0 ? (size_t)(n + pages) : 0;
}

/* status and stat; false when the process has no memory any more. */
static bool read_memory(struct process_sampler *s)
{
	int64_t of_status[PROCESS_FIELDS + 1];
	char text[8192]; /* a user in hundreds of groups has a long line of them */
	ssize_t n;
	int i;

	for (i = 0; i < P_ALLOCATED; i++)
		s->values[i] = BB_MISSING;
	n = pread(s->status, text, sizeof(text), 0);
	if (n <= 0) /* ESRCH: it is gone */
		return false;
	fields_read(text, (size_t)n, s->fields, PROCESS_FIELDS + 1, BB_MISSING, of_status);
	memcpy(s->values, of_status, PROCESS_FIELDS * sizeof(of_status[0]));
	s->threads = of_status[PROCESS_FIELDS];
	if (s->values[P_RSS] == BB_MISSING)
		return false;
	n = pread(s->stat, text, sizeof(text), 0);
	if (n > 0)
		read_stat(text, (size_t)n, s->values);
	return true;
}

bool process_sampler_read(struct process_sampler *s, bool whole)
{
	char signs[SIGNS_BYTES_MAX], score[32];
	bool anew = false;
	/* Before status: what changes between them is a change at the next reading. */
	size_t len = s->threads == 1 ? read_signs(s, signs) : 0;
	const char *end;
	ssize_t n;

	/*
	 * Of what is in swap statm knows nothing. While pages go there it tells of each that it leaves, but for those that the
	 * process had taken and not told: its resident size would be less than nothing, and is shown as nothing.
	 */
	if (whole || s->values[P_SWAP] > 0 || len == 0 || len != s->signs_len ||
	    memcmp(signs, s->signs, len) != 0) {
		s->signs_len = 0;
		anew = true;
		if (!read_memory(s)) /* and oom_score would say 0 */
			return anew;
		if (s->threads == 1) {
			memcpy(s->signs, signs, len);
			s->signs_len = len;
		}
	}
	n = pread(s->oom_score, score, sizeof(score), 0);
	s->values[P_OOM_SCORE] = n > 0 ? digits(score, score + n, &end) : BB_MISSING;
	return anew;
}

/* A sampler that was never opened has status -1 and nothing else to go by. */
void process_sampler_close(struct process_sampler *s)
{
	const int fds[] = { s->status, s->stat, s->oom_score, s->schedstat, s->statm, s->children };
	size_t i;

	if (s->status < 0)
		return;
	for (i = 0; i < sizeof(fds) / sizeof(fds[0]); i++)
		if (fds[i] >= 0)
			close(fds[i]);
	s->status = s->stat = s->oom_score = s->schedstat = s->statm = s->children = -1;
}
