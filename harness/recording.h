/* SPDX-License-Identifier: MIT */
/* oomlab record, without the running: its options as the spec of one trial, a program in a group. */
#ifndef OOMLAB_HARNESS_RECORDING_H
#define OOMLAB_HARNESS_RECORDING_H

#include "lib/err.h"
#include "lib/files.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

/* What they are called in the record. */
#define RECORDING_PROCESS "program"
#define RECORDING_GROUP   "app"

#define RECORDING_EVERY_NS (10 * 1000000ULL)
/* A program may run for long, but a trial has an end: ten years. */
#define RECORDING_FOREVER_NS (10 * 365 * 86400 * 1000000000ULL)
#define RECORDING_CPUS_MAX   64
#define RECORDING_KERNEL     "debian:6.1"
/*
 * A guest's RAM: at least the first, and so much more than the group may have. The first is also what one block may come
 * to: by default Linux grants no block that is larger than RAM and swap together.
 */
#define RECORDING_MACHINE_MIN  (2048ULL << 20)
#define RECORDING_MACHINE_MORE (256ULL << 20)

struct recording {
	bool guest;
	const char *kernel;            /* of the guest; NULL: the default */
	json_t *limits;                /* v2 name: value, as a spec has them */
	int64_t cpus;                  /* 0: not said */
	uint64_t machine_memory_bytes; /* of the guest; 0: as much as is sensible */
	uint64_t every_ns, timeout_ns; /* 0: the default */
	json_t *env;                   /* NAME: value, beside what there is */
	json_t *files;                 /* of the guest: absolute paths */
	char *const *argv;
	char program[PATH_LEN_MAX]; /* its file, absolute */
	const char *stdin_path;     /* of the guest; NULL: nothing */
	const char *cpu_list;       /* of the host: "0-1", where cpus says how many */
	int64_t oom_score_adj;      /* of the host: the caller's own */
};

/*
 * Takes a limit by its v2 name. -EINVAL: what is wrong and what is allowed in e,
 * to be put behind the option and its value.
 */
int recording_limit(struct recording *r, const char *key, const char *value, struct err *e);

/*
 * Takes "NAME=VALUE", or "NAME" for the caller's own value; *NAME must be a name
 * and the value text. -EINVAL likewise.
 */
int recording_env(struct recording *r, const char *text, struct err *e);

/*
 * Finds the program that the first word means: by a path, or in the PATH that it
 * will get. -ENOENT and the like with all of the reason in e.
 */
int recording_find(struct recording *r, struct err *e);

/* The first count of the CPUs that the caller may run on, "0-1"; -EOPNOTSUPP: there are fewer. */
int recording_cpus(int64_t count, char ret[256], struct err *e);

/* The trial's spec; NULL: no memory. */
json_t *recording_spec(const struct recording *r);

/* Text that JSON can hold: what is no UTF-8 is shown as U+FFFD. The caller's to free. */
char *recording_text(const char *bytes);

#endif
