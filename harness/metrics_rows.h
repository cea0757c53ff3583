/* SPDX-License-Identifier: MIT */
/* The tables of metrics, a row each: what it is called, and what it is made of. Private to metrics.c. */
#ifndef OOMLAB_HARNESS_METRICS_ROWS_H
#define OOMLAB_HARNESS_METRICS_ROWS_H

#include "harness/metrics.h"

/* How a column's series becomes one number. */
enum reduce {
	FIRST,
	LAST,
	MIN,
	MAX,
	RISE,              /* last - first */
	BEFORE_SWAP,       /* the last before the first page was swapped out, missing if none was */
	BEFORE_SWAP_TENTH, /* likewise before a tenth of swap was in use */
	BEFORE_KILL,       /* and before the first OOM kill */
	RISE_OF_ALL,       /* the sum over every column that begins so */
	USED_MAX,          /* largest of column - column2, taken as max of the one less min of the other */
	FROM_END, /* not from samples: a member of the process's last event, else the column's last value */
	SPECIAL,  /* computed by a function of its own below */
};

struct row {
	struct metric metric;
	enum reduce reduce;
	const char *column;
	const char *column2; /* USED_MAX: the other column; else what older kernels call the first */
};

struct row_table {
	const struct row *rows;
	size_t count;
};

extern const struct row_table metric_tables[METRIC_SCOPES];

#endif
