/* SPDX-License-Identifier: MIT */
/* What a process of a scenario is given before it begins: CPUs, NUMA nodes, priority, resource limits, whose it is. */
#ifndef OOMLAB_ENGINE_SETTINGS_H
#define OOMLAB_ENGINE_SETTINGS_H

#include "lib/err.h"
#include "lib/idlist.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

/* as, data, stack, memlock: getrlimit(2) */
#define SETTINGS_RLIMITS   4
#define SETTINGS_UNLIMITED INT64_MAX

struct settings {
	bool nice_set, cpus_set;
	int nice;
	struct idlist cpus;
	int policy; /* MPOL_BIND, ...; MPOL_DEFAULT: left as it is */
	struct idlist nodes;
	int64_t rlimits[SETTINGS_RLIMITS]; /* bytes; -1: left as it is */
	int64_t uid, gid;                  /* -1: the engine's */
};

/* From a process of the spec; -EINVAL names what is wrong. */
int settings_parse(const json_t *process, struct settings *ret, struct err *e);

/* All but whose it is: applied by the process to itself. NULL, or which could not be, with errno. */
const char *settings_apply(const struct settings *s);

/* From here on it is its user's. NULL, or which could not be, with errno. */
const char *settings_become(const struct settings *s);

/* -EOPNOTSUPP where this machine does not allow it, else -code: what settings_apply() or _become() returned. */
int settings_refused(const struct settings *s, const char *which, int code, struct err *e);

#endif
