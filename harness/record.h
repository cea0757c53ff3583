/* SPDX-License-Identifier: MIT */
/* A black box read back: its events in order, and per column what its samples amounted to. */
#ifndef OOMLAB_HARNESS_RECORD_H
#define OOMLAB_HARNESS_RECORD_H

#include "lib/blackbox.h"

#include <jansson.h>

enum sample_kind { SAMPLE_SYSTEM, SAMPLE_PROCESS, SAMPLE_CGROUP, SAMPLE_KINDS };

/* Turning points of a trial: the first sample in which it is so. */
enum mark {
	MARK_SWAP,       /* pages were swapped out */
	MARK_SWAP_TENTH, /* more than a tenth of swap is in use */
	MARK_KILL,       /* the OOM killer killed */
	MARKS
};

/* One value, and when it was sampled. */
struct moment {
	int64_t value;
	uint64_t t_ns;
};

#define RECENT 8

/* One column of one process, cgroup or the system; BB_MISSING while no sample had a value. */
struct series {
	int64_t first, last, min, max;
	int64_t before[MARKS]; /* the system's: its last value before each mark, or of all */
	uint64_t last_ns;      /* when last was sampled */
	struct moment recent
		[RECENT]; /* its last values before the first victim was chosen, or of all; newest first */
	size_t recents;
};

struct record {
	json_t *events;                      /* array of {"t_ns": ..., "event": ..., ...} */
	json_t *columns[SAMPLE_KINDS];       /* arrays of names */
	size_t rows[SAMPLE_KINDS];           /* how many processes, cgroups; 1 for the system */
	struct series *series[SAMPLE_KINDS]; /* rows x columns */
	size_t samples;                      /* of the system */
	bool passed[MARKS];                  /* that mark came */
	/*
	 * When the first victim was chosen: by the kernel's stamp of the line that opens its report where that is on the
	 * trial's clock, else when the log said that it was killed; UINT64_MAX: nobody was.
	 */
	uint64_t chosen_ns;
};

/* Reads what there is, sealed or not. -ENOMEM. */
int record_read(const struct blackbox *box, struct record *ret, struct err *e);

void record_free(struct record *r);

/* A series by its column's name, or NULL. */
const struct series *record_series(const struct record *r, enum sample_kind kind, size_t row,
				   const char *column);

/* The last event of that name whose member key is value (key NULL: any), or NULL. */
const json_t *record_event(const struct record *r, const char *event, const char *key, const char *value);

#endif
