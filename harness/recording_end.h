/* SPDX-License-Identifier: MIT */
/* The end of oomlab record: what to exit with, and what is said of it in a few lines. */
#ifndef OOMLAB_HARNESS_RECORDING_END_H
#define OOMLAB_HARNESS_RECORDING_END_H

#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>

struct recording_end {
	const json_t *spec, *result; /* spec.json, result.json */
	const json_t *events;        /* a list of what events.jsonl has */
	bool ended_hard;             /* by a second SIGINT */
	bool quiet;                  /* only what explains the exit status */
	const char *dir;             /* of the record */
};

/*
 * The program's own status, 128 and the signal that ended it, or EXIT_BROKEN or
 * EXIT_SKIP when there is none of the program's.
 */
int recording_status(const json_t *result);

/* Each line begins "oomlab record: ". */
void recording_say(FILE *to, const struct recording_end *end);

#endif
