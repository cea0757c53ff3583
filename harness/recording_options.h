/* SPDX-License-Identifier: MIT */
/* The command line of oomlab record. */
#ifndef OOMLAB_HARNESS_RECORDING_OPTIONS_H
#define OOMLAB_HARNESS_RECORDING_OPTIONS_H

#include "harness/places/place.h"
#include "harness/recording.h"

/* What of it is not about the trial itself. */
struct recording_options {
	struct place_options place;
	const char *out; /* NULL: the default */
	bool quiet, keep_box;
};

/* 0: go on; else *ret_status is what to exit with, and why has been said. */
int recording_parse(struct recording *wish, struct recording_options *o, int argc, char **argv,
		    int *ret_status);

#endif
