/* SPDX-License-Identifier: MIT */
/* For tests: the names a scenario may use, and a scenario's text as a file. */
#ifndef OOMLAB_TESTS_SCENARIO_KNOWN_H
#define OOMLAB_TESTS_SCENARIO_KNOWN_H

#include "harness/scenario/scenario.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const struct metric_name known_values[] = { { "waste", METRIC_BYTES }, { NULL, METRIC_ANY } };
static const struct stressor_name known_stressors[] = {
	{ "malloc", NULL }, { "memset", NULL }, { "calloc", known_values }, { NULL, NULL }
};
static const char *const known_outcomes[] = { "exited", "enomem",  "oom-killed", "signalled", "sigbus",
					      "killer", "timeout", "stopped",    NULL };
static const struct metric_name known_process_metrics[] = {
	{ "outcome", METRIC_OUTCOME },    { "exit_code", METRIC_COUNT },
	{ "phase", METRIC_WORD },         { "allocated", METRIC_BYTES },
	{ "touched", METRIC_BYTES },      { "rss_peak", METRIC_BYTES },
	{ "minor_faults", METRIC_COUNT }, { "duration", METRIC_NS },
	{ "guess", METRIC_ANY },          { NULL, METRIC_ANY },
};
static const struct metric_name known_cgroup_metrics[] = {
	{ "peak", METRIC_BYTES },
	{ "oom_kills", METRIC_COUNT },
	{ NULL, METRIC_ANY },
};
static const struct metric_name known_system_metrics[] = {
	{ "mem_total", METRIC_BYTES },
	{ "swap_used_peak", METRIC_BYTES },
	{ NULL, METRIC_ANY },
};
static const struct metric_name known_trial_metrics[] = {
	{ "victim", METRIC_WORD },
	{ "kills", METRIC_COUNT },
	{ "constraint", METRIC_WORD },
	{ NULL, METRIC_ANY },
};
static const struct cgroup_key_name known_cgroup_keys[] = {
	{ "memory.max", CGROUP_BYTES }, { "memory.swap.max", CGROUP_BYTES },
	{ "pids.max", CGROUP_COUNT },   { "memory.oom.group", CGROUP_NUMBER },
	{ "cpuset.mems", CGROUP_TEXT }, { NULL, CGROUP_ANY },
};

static const struct allocator_name known_allocators[] = { { "glibc", NULL, NULL },
							  { "fast", "/lib/libfast.so", NULL },
							  { "gone", NULL, "libgone" },
							  { NULL, NULL, NULL } };

static const char *const known_arguments[] = { "-r", NULL };
static const char *const known_no_arguments[] = { NULL };
static const struct killer_name known_killers[] = {
	{ "quick", "/usr/bin/quick", NULL, "go", known_arguments, true },
	{ "helped", "/lib/helped", "/b/helper", "on", known_no_arguments, true },
	{ NULL, NULL, NULL, NULL, NULL, false }
};

static int runs_checked;

/* Refuses what has --bad in it. */
static int known_check_run(void *user, const char *const *argv, char *why, size_t room)
{
	size_t i;

	(void)user;
	runs_checked++;
	for (i = 1; argv[i]; i++) {
		if (strcmp(argv[i], "--bad") != 0)
			continue;
		snprintf(why, room, "%s: unknown option --bad", argv[0]);
		return -EINVAL;
	}
	return 0;
}

static int known_check_kernel(void *user, const char *kernel, char *why, size_t room)
{
	(void)user;
	if (strcmp(kernel, "debian:9") != 0)
		return 0;
	snprintf(why, room, "no kernel '%s'; allowed: debian:6.1", kernel);
	return -EINVAL;
}

static struct names known = {
	.stressors = known_stressors,
	.outcomes = known_outcomes,
	.process_metrics = known_process_metrics,
	.cgroup_metrics = known_cgroup_metrics,
	.system_metrics = known_system_metrics,
	.trial_metrics = known_trial_metrics,
	.cgroup_keys = known_cgroup_keys,
	.allocators = known_allocators,
	.killers = known_killers,
	.malloc_program = "/bin/stress-malloc",
	.check_run = known_check_run,
	.check_kernel = known_check_kernel,
};

/* A scenario written to a file of its own, and what loading it says, with F for the file's name. */
struct attempt {
	char path[64];
	struct scenario *s; /* NULL: refused */
	char *said;         /* "" when nothing was wrong */
};

static inline void write_file(const char *path, const void *text, size_t len)
{
	FILE *to = fopen(path, "w");

	if (!to || fwrite(text, 1, len, to) != len || fclose(to) != 0)
		abort();
}

/* All that was said, the path replaced by F. */
static inline char *said_of(const struct complaints *c, const char *path)
{
	char *text = complaints_text(c), *from, *to;
	size_t len = strlen(path);

	for (from = to = text; *from;) {
		if (strncmp(from, path, len) == 0) {
			*to++ = 'F';
			from += len;
		} else {
			*to++ = *from++;
		}
	}
	*to = 0;
	return text;
}

static inline struct attempt try_bytes(const void *text, size_t len, const struct scenario_options *o)
{
	struct attempt a = { .path = "/tmp/oomlab-scenario.XXXXXX" };
	struct complaints *c = complaints_new();
	int fd = mkstemp(a.path), r;

	if (fd < 0 || !c)
		abort();
	close(fd);
	write_file(a.path, text, len);
	r = scenario_load(a.path, o, &known, c, &a.s);
	a.said = said_of(c, a.path);
	/* A refusal without a word, or a word without refusal, is a bug whatever the text. */
	if ((r == 0) != (a.s != NULL) || (r == 0) != (complaints_count(c) == 0) || (r == 0) != !a.said[0])
		abort();
	complaints_free(c);
	unlink(a.path);
	return a;
}

static inline struct attempt try_text(const char *text, const struct scenario_options *o)
{
	return try_bytes(text, strlen(text), o);
}

static inline void attempt_free(struct attempt *a)
{
	scenario_free(a->s);
	free(a->said);
}

#endif
