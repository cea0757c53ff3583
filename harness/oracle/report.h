/* SPDX-License-Identifier: MIT */
/*
 * Whole OOM reports out of a kernel log: who asked, what was left, the table of tasks, who was killed. For people who
 * have a log; a trial needs the kill alone and uses oomreport.h, which these are built on.
 *
 * A log may be cut, mixed with other lines or lack some: what is not there is unknown (-1, "", no entries).
 */
#ifndef OOMLAB_ORACLE_REPORT_H
#define OOMLAB_ORACLE_REPORT_H

#include "harness/oracle/oomreport.h"
#include "lib/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define OOM_TASKS_MAX   262144 /* more than a kernel has pids by default eight times over */
#define OOM_ZONES_MAX   64
#define OOM_ORDERS      11
#define OOM_SLABS_MAX   4
#define OOM_KILLED_MAX  64
#define OOM_RELEASE_MAX 96
#define OOM_WHEN_MAX    64

/* A row of the table. */
struct oom_task {
	int64_t pid, tgid, uid;
	int64_t total_vm_pages;
	int64_t rss_pages;
	int64_t rss_anon_pages, rss_file_pages, rss_shmem_pages; /* Linux 6.8 */
	int64_t pgtables_bytes; /* of nr_ptes, nr_pmds and nr_puds up to 4.15 */
	int64_t swap_pages;
	int64_t oom_score_adj; /* valid where the table has it */
	int64_t oom_adj;       /* the same up to 3.x */
	bool has_score_adj, has_adj;
	char comm[OOM_COMM_MAX];
};

/* "Node 0 DMA32 free:1188kB min:1188kB low:1484kB high:1780kB ... present:130920kB managed:126572kB" */
struct oom_zone {
	int64_t node; /* -1: the kernel has no NUMA */
	char name[16];
	int64_t free_bytes, min_bytes, low_bytes, high_bytes, present_bytes, managed_bytes;
	int64_t blocks[OOM_ORDERS]; /* free blocks of each order; -1 */
};

/* A usage and a limit of a group, "usage 32768kB, limit 32768kB, failcnt 19". */
struct oom_usage {
	int64_t usage_bytes, limit_bytes, failcnt;
};

/* The lines of Mem-Info and of a group's statistics that are read, in the order of oom_amount_names[]. */
enum oom_amount {
	OOM_ACTIVE_ANON,
	OOM_INACTIVE_ANON,
	OOM_ACTIVE_FILE,
	OOM_INACTIVE_FILE,
	OOM_UNEVICTABLE,
	OOM_SLAB_RECLAIMABLE,
	OOM_SLAB_UNRECLAIMABLE,
	OOM_SHMEM,
	OOM_PAGETABLES,
	OOM_FREE,
	OOM_ANON,         /* of a group */
	OOM_FILE,         /* of a group */
	OOM_KERNEL_STACK, /* of a group */
	OOM_SOCK,         /* of a group */
	OOM_AMOUNTS,
};

extern const char *const oom_amount_names[OOM_AMOUNTS];

struct oom_slab {
	char name[48];
	int64_t total_bytes;
};

struct oom_report {
	size_t line;                   /* of the log, from 1, where it begins */
	char when[OOM_WHEN_MAX];       /* what the log has before the message there: date, host */
	char release[OOM_RELEASE_MAX]; /* the kernel's, "6.1.0-50-cloud-amd64" */

	/* Who asked for what */
	bool invoked; /* that line was there, so what follows is known */
	char invoker[OOM_COMM_MAX];
	char gfp[160];
	int64_t invoker_pid;
	int64_t order; /* -1: unknown; SysRq when sysrq is set */
	bool sysrq;
	int64_t invoker_adj;
	bool invoker_adj_known;

	/* Which memory it is about */
	enum oom_constraint constraint;
	char nodemask[64], cpuset[128], mems_allowed[64];
	char oom_memcg[OOM_GROUP_MAX], task_memcg[OOM_GROUP_MAX];
	int64_t amounts[OOM_AMOUNTS]; /* bytes: of the machine, or of the group where its limit fired; -1 */
	bool amounts_in_pages;        /* while its lines come: of page_bytes each */
	struct oom_usage memory, memsw, swap, kmem; /* of the group */
	struct oom_zone zones[OOM_ZONES_MAX];
	size_t zone_count;
	int64_t swap_free_bytes, swap_total_bytes;
	int64_t ram_pages, reserved_pages;
	int64_t page_bytes;
	struct oom_slab slabs[OOM_SLABS_MAX]; /* the largest that cannot be reclaimed */
	size_t slab_count;

	/* Who there was */
	bool table; /* its header was there */
	struct oom_task *tasks;
	size_t task_count;
	size_t tasks_lost; /* rows that could not be read or kept */

	/* What came of it */
	int64_t chosen_pid;   /* of the line that names whom it chose, which need not be who is killed; -1 */
	int64_t chosen_score; /* up to 5.1 the kernel says it, per mille of the memory; -1 */
	struct oom_kill killed[OOM_KILLED_MAX];
	size_t killed_count;
	bool allocating_task; /* oom_kill_allocating_task chose */
	bool no_victim;
	bool panic;
	bool group_kill; /* memory.oom.group */
	int64_t reaped_pid;
	int64_t reaped_left_bytes; /* what the reaper could not take */
	bool dropped;              /* the kernel said that messages were lost meanwhile */
};

struct oom_log;

/* The report is gone when it returns. */
typedef void (*oom_report_fn)(void *user, const struct oom_report *report);

/* NULL: out of memory. */
struct oom_log *oom_log_new(oom_report_fn fn, void *user);

/* One line in whatever dress, without its end. Reports come as soon as the next one begins. -ENOMEM. */
int oom_log_line(struct oom_log *log, const char *line, size_t len);

/* No more lines: the reports that are still open come, in their order. */
void oom_log_end(struct oom_log *log);

void oom_log_free(struct oom_log *log);

/* A task of the report's table by its pid, or NULL. */
const struct oom_task *oom_task_find(const struct oom_report *r, int64_t pid);

#endif
