/* SPDX-License-Identifier: MIT */
/*
 * How the kernel scores a process when memory is out, version by version (mm/oom_kill.c), and whom it would choose from
 * a report's table. Pure functions over numbers.
 */
#ifndef OOMLAB_ORACLE_BADNESS_H
#define OOMLAB_ORACLE_BADNESS_H

#include "harness/oracle/report.h"

enum oom_model {
	OOM_2_6, /* VM size, half of the children's, run time, nice, superuser, raw I/O, oom_adj as a shift */
	OOM_2_6_36, /* rss and swap per mille of the memory, 30 off for root, oom_score_adj */
	OOM_2_6_39, /* and page tables */
	OOM_3_6,    /* in pages instead of per mille: the adj is what is rounded */
	OOM_3_14,   /* root: 3 % of its own use off, instead of 3 % of the memory */
	OOM_4_17,   /* nothing off for root */
	OOM_5_1,    /* no child is killed in place of its parent */
	OOM_5_9,    /* may be less than nothing, so that small ones with a negative adj are told apart */
	OOM_MODELS,
};

struct oom_model_info {
	const char *name;   /* as --all-models shows it */
	const char *commit; /* of Linux that introduced it */
	const char *about;  /* one line */
};

extern const struct oom_model_info oom_models[OOM_MODELS];

/* "5.10.0-32-cloud-amd64" or "2.6.32-431.el6.x86_64"; today's where it says nothing. */
enum oom_model oom_model_of(const char *release);

/* That of the kernel that wrote a report. */
enum oom_model oom_model_for(const struct oom_report *r);

#define OOM_EXEMPT INT64_MIN

/*
 * What a process is scored by. Unknown numbers are -1 and count as nothing; the caller knows which matter to a model.
 * Pages are those of page_bytes.
 */
struct oom_subject {
	int64_t pid;
	int64_t total_vm_pages, rss_pages, swap_pages;
	int64_t pgtables_bytes;
	int64_t adj;               /* oom_score_adj; oom_adj in OOM_2_6 */
	bool root;                 /* CAP_SYS_ADMIN */
	bool raw_io;               /* CAP_SYS_RAWIO: OOM_2_6 */
	int64_t children_vm_pages; /* OOM_2_6: of children with memory of their own */
	int64_t cpu_s, run_s;      /* OOM_2_6: CPU time, time since its start */
	bool niced;                /* OOM_2_6: nice above 0 */
};

/* Pages of memory and swap that the constraint allows: what an adj of 1000 is worth. */
struct oom_scope {
	int64_t total_pages; /* -1: unknown */
	int64_t page_bytes;
	bool swap_unknown; /* of a group: its swap limit is more than the machine has, which the report does not say */
};

/* The kernel's number, in its units: pages, or per mille up to 3.5, or those of 2.6. OOM_EXEMPT: never chosen. */
int64_t oom_badness(enum oom_model model, const struct oom_subject *s, const struct oom_scope *scope);

struct oom_rank {
	size_t task; /* of the report's table */
	int64_t points;
	const char *exempt; /* why it cannot be chosen; NULL: it can */
};

/* What the report says of that. */
struct oom_scope oom_scope_of(const struct oom_report *r);
struct oom_subject oom_subject_of(const struct oom_report *r, const struct oom_task *t, enum oom_model model);

/*
 * The tasks of a report, worst first, as the model has them: the first one is whom it would kill, if it is not
 * exempt. Caller frees *ret (task_count of them). -ENOMEM.
 */
int oom_ranking(const struct oom_report *r, enum oom_model model, struct oom_rank **ret);

#endif
