/* SPDX-License-Identifier: MIT */
/*
 * A finished run as text. Each form reads the same tree, both parts as in
 * docs/records.md: {"run": run.json, "results": [result.json, ...]}.
 */
#ifndef OOMLAB_OUTPUT_OUTPUT_H
#define OOMLAB_OUTPUT_OUTPUT_H

#include "lib/blackbox.h"
#include "lib/err.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

struct output_options {
	bool colour;         /* table: bold header, coloured verdicts */
	unsigned int width;  /* table: columns to stay within if it can be done; 0: 100 */
	const char *run_dir; /* table: where the record is; NULL: nowhere */
};

struct output {
	const char *name; /* as in --format */
	const char *about;
	/* 0 or -ENOMEM. Whether out took it all is for the caller to see (ferror, fclose). */
	int (*write)(FILE *out, const json_t *run, const struct output_options *options);
};

/* All forms, ended by NULL; and one by its name, NULL if there is none. */
extern const struct output *const outputs[];
const struct output *output_find(const char *name);

/*
 * The record of one trial as files in dir: system.csv, processes.csv,
 * cgroups.csv (a row a tick and process or group; missing values are empty),
 * events.jsonl, kmsg.log (as /dev/kmsg gave it). spec names the rows.
 */
int output_csv(const struct blackbox *box, const json_t *spec, const char *dir, struct err *e);

/* An OOM event as explain_json() has it, the number-th of a log, for people. -ENOMEM. */
int output_explained(FILE *out, const json_t *event, size_t number, const struct output_options *options);

/* The line that a person watches while trials run. */
struct live_state {
	unsigned int cell, cells; /* the latest started, of how many */
	const char *what;         /* what runs */
	uint64_t elapsed_ns;
	uint64_t rss_bytes, swap_bytes;
};

/* Overwrites the line on the terminal; it is cut to the terminal's width. */
void live_update(FILE *out, const struct live_state *state);

/* Takes the line away again, before anything else is printed and at the end. */
void live_clear(FILE *out);

#endif
