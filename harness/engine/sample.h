/* SPDX-License-Identifier: MIT */
/*
 * The numbers of one tick. Every file is opened once and read with pread(2);
 * nothing is allocated after the *_open() calls. Values are in base units and
 * follow the columns that sample_*_columns() announced.
 */
#ifndef OOMLAB_ENGINE_SAMPLE_H
#define OOMLAB_ENGINE_SAMPLE_H

#include "harness/engine/recorder.h"
#include "lib/err.h"
#include "lib/fields.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define SYSTEM_COLUMNS_MAX 640
#define SYSTEM_FILES_MAX   16
#define PROCESS_FIELDS     10
#define SIGNS_BYTES_MAX    256 /* 10 numbers of at most 20 digits */

/* What of a process is sampled. The first PROCESS_FIELDS are lines of /proc/PID/status. */
enum process_column {
	P_VSIZE_PEAK,
	P_VSIZE,
	P_LOCKED,
	P_RSS_PEAK,
	P_RSS,
	P_RSS_ANON,
	P_RSS_FILE,
	P_RSS_SHMEM,
	P_PGTABLES,
	P_SWAP,
	P_RSS_OOM, /* of /proc/PID/stat from here on */
	P_MINOR_FAULTS,
	P_MAJOR_FAULTS,
	P_OOM_SCORE,
	P_ALLOCATED,
	P_TOUCHED,
	P_LIVE,
	P_OBTAINED,
	P_COLUMNS,
};

extern const char *const process_columns[P_COLUMNS];

/* How a file of the system's becomes columns. */
enum system_kind {
	EVERY_LINE, /* one column a line: meminfo, vmstat, a node's meminfo */
	PRESSURE,   /* some and full totals */
};

struct system_file {
	int fd;
	enum system_kind kind;
	int64_t scale;
	size_t first, count; /* its columns */
};

struct system_sampler {
	struct system_file files[SYSTEM_FILES_MAX];
	size_t file_count;
	size_t columns;
	char *names[SYSTEM_COLUMNS_MAX];
	int64_t values[SYSTEM_COLUMNS_MAX];
};

/* Opens what there is below root ("" is the machine; a fixture tree in tests). */
int system_sampler_open(const char *root, struct system_sampler *s, struct err *e);
void system_sampler_read(struct system_sampler *s);
void system_sampler_close(struct system_sampler *s);

struct process_sampler {
	int status, stat, oom_score, schedstat, statm; /* status -1: none is open */
	int children; /* whom its first thread has forked (CONFIG_PROC_CHILDREN); for who wants to know */
	struct field fields[PROCESS_FIELDS + 1]; /* and Threads */
	int64_t threads;                         /* when status was last read */
	size_t signs_len;                        /* 0: the next reading is a whole one */
	char signs[SIGNS_BYTES_MAX];             /* schedstat and statm as they were just before that */
	int64_t values[P_COLUMNS];
};

/* -errno when the process is already gone; then nothing is left open. */
int process_sampler_open(const char *root, pid_t pid, struct process_sampler *s);
/*
 * Everything but P_ALLOCATED and what follows it, which come from the shared page.
 * Unless whole, a process that has not run since the last reading keeps its
 * values, with a fresh oom_score: then the return is false.
 */
bool process_sampler_read(struct process_sampler *s, bool whole);
void process_sampler_close(struct process_sampler *s);

#endif
