/* SPDX-License-Identifier: MIT */
/*
 * Reads the kernel's OOM reports line by line (mm/oom_kill.c, mm/memcontrol.c).
 * Pure: text in, struct out; nothing is allocated, so it also runs inside a trial.
 */
#ifndef OOMLAB_ORACLE_OOMREPORT_H
#define OOMLAB_ORACLE_OOMREPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define OOM_COMM_MAX 64
#define OOM_GROUP_MAX 512

enum oom_constraint {
	OOM_CONSTRAINT_UNKNOWN, /* the line that says it was not seen */
	OOM_CONSTRAINT_NONE,
	OOM_CONSTRAINT_CPUSET,
	OOM_CONSTRAINT_MEMPOLICY,
	OOM_CONSTRAINT_MEMCG,
};

enum oom_event {
	OOM_NOTHING,   /* the line ends no event */
	OOM_INVOKED,   /* "X invoked oom-killer" */
	OOM_KILLED,    /* "Killed process N": parser.kill is whole */
	OOM_NO_VICTIM, /* "no killable processes" */
	OOM_PANIC,     /* "Kernel panic - not syncing" of whatever cause */
};

/* Unknown numbers are -1, unknown texts "". Sizes in bytes. */
struct oom_kill {
	enum oom_constraint constraint;
	char invoker[OOM_COMM_MAX];
	char gfp[160];
	int32_t order;
	char oom_memcg[OOM_GROUP_MAX];	/* whose limit fired; "" for a global one */
	char task_memcg[OOM_GROUP_MAX]; /* the victim's */
	int64_t pid;
	char comm[OOM_COMM_MAX];
	int64_t uid;
	int64_t total_vm_bytes;
	int64_t anon_rss_bytes;
	int64_t file_rss_bytes;
	int64_t shmem_rss_bytes;
	int64_t pgtables_bytes;
	int64_t oom_score_adj;
	bool adj_known;
	bool group_kill; /* killed because of memory.oom.group */
};

struct oom_parser {
	struct oom_kill kill; /* valid after OOM_KILLED, until the next line */
	struct oom_kill pending; /* what the lines of the report said so far */
};

void oom_parser_init(struct oom_parser *p);

/* One line of kernel log text without its /dev/kmsg or dmesg prefix; len without a newline. */
enum oom_event oom_parser_feed(struct oom_parser *p, const char *line, size_t len);

/* "none", "cpuset", "mempolicy", "memcg" or "unknown". */
const char *oom_constraint_name(enum oom_constraint c);

/*
 * The message within one line of log in a common dress: a /dev/kmsg record
 * ("6,1234,5678,-;text"), dmesg ("[ 12.34] text", also with a level "<6>" and
 * a date as of -T), a serial console. Returns its start; *ret_len shrinks.
 */
const char *oom_line_message(const char *line, size_t len, size_t *ret_len);

#endif
