/* SPDX-License-Identifier: MIT */
/* What a scenario may name: supplied by the caller, so that loading depends on neither engine nor cgroups. */
#ifndef OOMLAB_SCENARIO_NAMES_H
#define OOMLAB_SCENARIO_NAMES_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

/* What a metric counts, and so how an expectation about it is written. */
enum metric_unit {
	METRIC_ANY,     /* a size, a duration, a number or a word */
	METRIC_BYTES,   /* a size with a unit */
	METRIC_NS,      /* a duration with a unit */
	METRIC_COUNT,   /* a whole number */
	METRIC_WORD,    /* text: `is` alone makes sense */
	METRIC_OUTCOME, /* one of names.outcomes */
};

struct metric_name {
	const char *name; /* NULL ends a list */
	enum metric_unit unit;
};

/* How the value of a cgroup key is written. */
enum cgroup_value {
	CGROUP_ANY,    /* any of the below */
	CGROUP_BYTES,  /* a size, N%, max */
	CGROUP_COUNT,  /* a whole number, max */
	CGROUP_NUMBER, /* a whole number */
	CGROUP_TEXT,   /* as it is */
};

struct cgroup_key_name {
	const char *name; /* NULL ends the list */
	enum cgroup_value value;
};

/* A stressor and what it measures besides what every process has. */
struct stressor_name {
	const char *name;                 /* NULL ends the list */
	const struct metric_name *values; /* NULL: nothing */
};

/* A malloc library that a process may be given. */
struct allocator_name {
	const char *name;    /* NULL ends the list */
	const char *library; /* its file; NULL: none, or not here */
	const char *package; /* that brings it here; NULL: it is here */
};

/* A user-space killer that is known by name. */
struct killer_name {
	const char *name; /* NULL ends the list */
	const char *program,
		*helper; /* as guest/killers.def has them; a program of ours by its path; helper NULL: none */
	const char *ready;
	const char *const *arguments; /* NULL-terminated */
	bool packages;                /* its program is in packages, below a root of their own */
};

struct names {
	const struct stressor_name *stressors; /* all lists end with NULL */
	const char *const *outcomes;
	const struct metric_name *process_metrics;
	const struct metric_name *cgroup_metrics;
	const struct metric_name *system_metrics;
	const struct metric_name *trial_metrics; /* those without a dot */
	const struct cgroup_key_name *cgroup_keys;
	const struct allocator_name *allocators;
	const struct killer_name *killers;
	const char *malloc_program; /* the stressors as a program that can be given one */
	const json_t *profiles;     /* of limits, as profiles_read() gives them; NULL: there are none */
	/*
	 * Are these arguments of a stressor good? argv[0] is its name, NULL at
	 * the end. 0, or -EINVAL with what is wrong in why. Called once for each
	 * different argv. NULL: not checked.
	 */
	int (*check_run)(void *user, const char *const *argv, char *why, size_t room);
	/* The same for machine.kernel. */
	int (*check_kernel)(void *user, const char *kernel, char *why, size_t room);
	void *user;
};

/*
 * The name of a list that was most likely meant (edit distance), or NULL.
 * stride: bytes from one name's pointer to the next; the list ends with NULL.
 */
const char *name_nearest(const char *wrong, const void *names, size_t stride);

/* "; did you mean NAME" into buf, or ""; returns buf. */
const char *name_hint(char buf[96], const char *wrong, const void *names, size_t stride);

/* "a, b, c" into buf, cut with "..." where it is long; returns buf. */
const char *name_list(char *buf, size_t room, const void *names, size_t stride);

/* The list's row with that name, or NULL. */
const void *name_find(const char *name, const void *names, size_t stride);

#endif
