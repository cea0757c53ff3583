// SPDX-License-Identifier: MIT
/* One process: status, stat and oom_score of /proc/PID (proc_pid_status(5), proc_pid_stat(5)). */
#include "harness/engine/sample.h"

#include "lib/files.h"

#include <errno.h>
#include <fcntl.h>
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
	[P_MINOR_FAULTS] = "minor_faults",
	[P_MAJOR_FAULTS] = "major_faults",
	[P_OOM_SCORE] = "oom_score",
	[P_ALLOCATED] = "allocated",
	[P_TOUCHED] = "touched",
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
 */
static const struct field status_fields[PROCESS_FIELDS] = {
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
	memset(s, 0, sizeof(*s));
	memcpy(s->fields, status_fields, sizeof(status_fields));
	s->status = open_at(root, pid, "status");
	s->stat = open_at(root, pid, "stat");
	s->oom_score = open_at(root, pid, "oom_score");
	return s->status < 0 ? s->status : 0;
}

/*
 * 91 (a) name) R 1 91 91 0 -1 4194304 MINFLT 0 MAJFLT ...: fields 10 and 12. The
 * name may hold anything, so counting starts behind its last parenthesis.
 */
static void read_faults(const char *text, size_t len, int64_t *minor, int64_t *major)
{
	const char *end = text + len, *p = memrchr(text, ')', len);
	int field;

	for (field = 2; p && field < 10; field++) {
		p = memchr(p, ' ', (size_t)(end - p));
		p = p ? p + 1 : NULL;
	}
	if (!p)
		return;
	*minor = digits(p, end, &p);
	digits(p, end, &p);
	*major = digits(p, end, &p);
}

void process_sampler_read(struct process_sampler *s)
{
	char text[8192]; /* a user in hundreds of groups has a long line of them */
	const char *end;
	ssize_t n;
	int i;

	for (i = 0; i < P_ALLOCATED; i++)
		s->values[i] = BB_MISSING;
	n = pread(s->status, text, sizeof(text), 0);
	if (n <= 0) /* ESRCH: it is gone */
		return;
	fields_read(text, (size_t)n, s->fields, PROCESS_FIELDS, BB_MISSING, s->values);
	if (s->values[P_RSS] == BB_MISSING) /* its memory is gone: oom_score would say 0 */
		return;
	n = pread(s->stat, text, sizeof(text), 0);
	if (n > 0)
		read_faults(text, (size_t)n, &s->values[P_MINOR_FAULTS], &s->values[P_MAJOR_FAULTS]);
	n = pread(s->oom_score, text, sizeof(text), 0);
	if (n > 0)
		s->values[P_OOM_SCORE] = digits(text, text + n, &end);
}

void process_sampler_close(struct process_sampler *s)
{
	const int fds[] = { s->status, s->stat, s->oom_score };
	size_t i;

	for (i = 0; i < sizeof(fds) / sizeof(fds[0]); i++)
		if (fds[i] >= 0)
			close(fds[i]);
	s->status = s->stat = s->oom_score = -1;
}
