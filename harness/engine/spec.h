/* SPDX-License-Identifier: MIT */
/* The trial spec (docs/records.md) as the engine uses it. */
#ifndef OOMLAB_ENGINE_SPEC_H
#define OOMLAB_ENGINE_SPEC_H

#include "harness/engine/settings.h"
#include "harness/engine/triggers.h"
#include "lib/clock.h"
#include "lib/err.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#define SPEC_VERSION       1
#define SPEC_PROCESSES_MAX 65 /* 64 of the scenario's and a killer */
#define SPEC_CHILDREN_MAX                                                                                    \
	64 /* of theirs that are sampled at a time; their samples come behind those of the processes */
#define SPEC_CGROUPS_MAX 32
#define SPEC_READY_NS                                                                                        \
	(60 * NS_PER_S) /* a killer has to say that it is ready: Python under an emulator, and its imports */
#define SPEC_CHANGES_MAX 256

/* Where what a process prints goes, and where its standard input comes from. */
enum spec_streams {
	STREAMS_EVENTS, /* both outputs become events, bounded */
	STREAMS_KEPT,   /* each is kept byte for byte, bounded */
	STREAMS_CALLER, /* it has those of who called oomlab, with words, environment and process group */
};

struct spec_process {
	const char *name;
	char **argv;            /* NULL-terminated: stressor and its options, or the words of exec */
	bool stressor;          /* it has a page and a bell */
	const char *program;    /* of exec, or a stressor's own; NULL: the engine's stressors */
	char **env;             /* of program: "NAME=VALUE", NULL-terminated */
	const char *stdin_text; /* of exec; NULL: none, or the file */
	const char *stdin_file;
	enum spec_streams streams;
	const char *killer; /* what it is called, if it is the trial's killer; else NULL */
	const char *ready;  /* what it prints when it is ready */
	int group;          /* index into cgroups, -1: the trial's own group */
	bool adj_set;
	int adj;
	bool old_adj; /* adj is an oom_adj, -17 to 15 */
	struct settings settings;
	struct trigger start; /* TRIGGER_NONE: with the others */
	struct trigger stop;
};

struct spec_cgroup {
	const char *path; /* relative to the trial's group */
};

/* One value to set: a limit of a group, or a sysctl where group is NULL. */
struct spec_change {
	uint64_t at_ns; /* since the processes started; 0 for what is set before */
	int group;      /* index into cgroups, -1: sysctl */
	const char *key;
	const char *value;
};

struct spec {
	json_t *json; /* owns every text below */
	struct spec_process processes[SPEC_PROCESSES_MAX];
	unsigned int process_count;
	struct spec_cgroup cgroups[SPEC_CGROUPS_MAX];
	unsigned int cgroup_count;
	struct spec_change setup[SPEC_CHANGES_MAX]; /* limits, then sysctls */
	unsigned int setup_count;
	struct spec_change faults[SPEC_CHANGES_MAX]; /* by time */
	unsigned int fault_count;
	uint64_t swap_bytes;
	uint64_t timeout_ns;
	uint64_t settle_ns;
	uint64_t every_ns;
};

/* Reads a spec; -EINVAL names what is wrong with it. */
int spec_parse(const char *text, size_t len, struct spec *ret, struct err *e);

void spec_free(struct spec *s);

#endif
