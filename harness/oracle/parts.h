/* SPDX-License-Identifier: MIT */
/* What log.c puts a report together of. Private to it and its parts. */
#ifndef OOMLAB_ORACLE_PARTS_H
#define OOMLAB_ORACLE_PARTS_H

#include "harness/oracle/report.h"
#include "harness/oracle/span.h"

#define OOM_COLUMNS_MAX 16

enum oom_column {
	COLUMN_OTHER, /* one that nobody needs */
	COLUMN_PID,
	COLUMN_UID,
	COLUMN_TGID,
	COLUMN_TOTAL_VM,
	COLUMN_RSS,
	COLUMN_RSS_ANON,
	COLUMN_RSS_FILE,
	COLUMN_RSS_SHMEM,
	COLUMN_PGTABLES_BYTES,
	COLUMN_PTES, /* nr_ptes, nr_pmds, nr_puds: pages */
	COLUMN_SWAP,
	COLUMN_OOM_ADJ,
	COLUMN_OOM_SCORE_ADJ,
	COLUMN_NAME,
};

/* lines.c: one line each; false: it is another. The parser has read it before. */
void invoked_line(struct oom_report *r, const struct oom_parser *p, struct span s);
bool cpu_line(struct oom_report *r, struct span s);
bool summary_line(struct oom_report *r, const struct oom_parser *p, struct span s);
bool task_in_line(struct oom_report *r, const struct oom_parser *p, struct span s);
bool chosen_line(struct oom_report *r, struct span s);
void boot_line(char ret[OOM_RELEASE_MAX], struct span s);

/* nodes.c: before 4.20 a report says of its constraint only which nodes there were. */
bool cpuset_line(struct oom_report *r, struct span s);
void constraint_of_nodes(struct oom_report *r);

/* The columns of a table by its header, left to right. */
struct oom_columns {
	enum oom_column of[OOM_COLUMNS_MAX];
	size_t count;
};

/* "[ pid ]   uid  tgid total_vm      rss nr_ptes swapents oom_score_adj name" */
bool table_header(struct span s, struct oom_columns *ret);

/* "[   79]  1000    79     7418 ... 0 hog": false when it is no row, or one that is cut. */
bool table_row(struct span s, const struct oom_columns *columns, struct oom_task *ret);

/* What follows from several lines: the size of a page, amounts in bytes. After the last line, once. */
void memory_complete(struct oom_report *r);

/* wrapped.c: a line of a report whose rest may be in the next ones; of len 0 there is none. */
struct wrapped {
	char text[1024]; /* with what stands in front of the message */
	size_t len;
	size_t number; /* of the log */
};

/* Does the message of a line lack its end? table: of the block that it is in, or NULL. */
bool wrapped_is_cut(struct span line, struct span message, const struct oom_columns *table);

/* Keeps it, unless it is longer than any line of a report. */
void wrapped_hold(struct wrapped *w, struct span line, size_t number);

/* Adds the next line to the one that is kept; false: it is blank or too long. */
bool wrapped_add(struct wrapped *w, struct span rest);

/* Any line of Mem-Info, of the zones or of a group's usage; false when it is none. */
bool memory_line(struct oom_report *r, struct span s);

/* "anon 31346688", which only follows "Memory cgroup stats for /a:"; false when it is none. */
bool memory_stat(struct oom_report *r, struct span s);

/* "kmalloc-4k            1024KB       1024KB", which only follows "Unreclaimable slab info:"; false: none. */
bool memory_slab(struct oom_report *r, struct span s);

#endif
