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

#define OOM_COMM_MAX  64
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
	OOM_INVOKED,   /* "X invoked oom-killer": parser.pending has who and for what */
	OOM_KILLED,    /* "Killed process N": parser.kill is whole */
	OOM_NO_VICTIM, /* "no killable processes" */
	OOM_PANIC,     /* "Kernel panic - not syncing" of whatever cause */
};

/*
 * Unknown numbers are -1, unknown texts "". Sizes in bytes. What does not fit its array or is
 * cut off is unknown, never shortened; invoker, gfp, order and the groups are unknown wherever
 * the log leaves a doubt which report they belong to.
 */
struct oom_kill {
	enum oom_constraint constraint;
	char invoker[OOM_COMM_MAX];
	char gfp[160];                  /* as printed: "0xcc0(GFP_KERNEL)" */
	int32_t order;                  /* -1 also for a kill by SysRq, which the kernel prints so */
	char oom_memcg[OOM_GROUP_MAX];  /* whose limit fired; "" for a global one */
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
	bool group_kill; /* killed because of memory.oom.group, after the victim proper */
};

struct oom_parser {
	struct oom_kill kill;    /* valid after OOM_KILLED, until the next line */
	struct oom_kill pending; /* what the lines of the report said so far */
	int64_t killed_pid;      /* of the last OOM_KILLED */
	bool in_group;           /* since "Tasks in X are going to be killed" */
	bool invoker_doubtful;   /* two "invoked" lines and no oom-kill: line between */
};

void oom_parser_init(struct oom_parser *p);

/*
 * One line of kernel log text without its prefix (oom_line_message() takes that off); len without
 * a newline. Feed whole lines: a last number cut off in the middle looks like a smaller number.
 *
 * The kernel announces the victim proper of a memory.oom.group kill twice if it has not gone by
 * the time the group's turn comes; the second time is no event.
 */
enum oom_event oom_parser_feed(struct oom_parser *p, const char *line, size_t len);

/*
 * What a panic was for, by what the kernel says after "Kernel panic - not syncing: ": "oom" where it was out of
 * memory, told not to kill (vm.panic_on_oom) or left with nobody whom it may; else "other".
 */
const char *oom_panic_name(const char *cause);

/* "none", "cpuset", "mempolicy", "memcg" or "unknown". */
const char *oom_constraint_name(enum oom_constraint c);

/*
 * The message within one line of log in a common dress: a /dev/kmsg record ("6,1234,5678,-;text"),
 * dmesg ("[ 12.34] text", also with a level "<6>", "kern  :warn  :", a caller "[   T12]", a date as
 * of -T or an ISO one), journalctl -k and syslog ("Nov 22 07:44:01 host kernel: text"), a serial
 * console. Returns its start within line; *ret_len is its length without CR and LF. The length is 0
 * where the line has no kernel message: a " KEY=value" line of /dev/kmsg, another program's syslog.
 * /dev/kmsg writes bytes outside printable ASCII and the backslash as "\x5c"; they stay so.
 */
const char *oom_line_message(const char *line, size_t len, size_t *ret_len);

/* "\033[32m[    5.299323] \033[0mtext", as dmesg --color writes it, into ret (of len bytes) without the colours; how much is left. */
size_t oom_line_plain(const char *line, size_t len, char *ret);

#endif
