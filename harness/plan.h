/* SPDX-License-Identifier: MIT */
/* What a run is to do: all of it, as run.json says it, and the trials of this machine's share. */
#ifndef OOMLAB_HARNESS_PLAN_H
#define OOMLAB_HARNESS_PLAN_H

#include "harness/runner.h"
#include "harness/scenario/scenario.h"
#include "harness/shard.h"

#define REPEAT_MAX 10000

struct plan {
	struct job *jobs; /* of the share, cells in the order of the command line */
	size_t count;
	/* {"trials": of each cell, "cells": {"scenario/cell": digest of its spec, ...}}; of all shares */
	json_t *whole;
};

/* The scenarios must outlive the plan, whose jobs have their specs. 0 or -ENOMEM. */
int plan_make(struct scenario *const *scenarios, size_t count, int64_t repeat, struct shard share,
	      struct plan *ret);
/* Of one trial of that spec, which must outlive it, too. */
int plan_one(json_t *spec, struct plan *ret);
void plan_free(struct plan *p);

/* {"scenario/cell": shard, ...} of the whole plan, shards from 1; NULL: no memory. */
json_t *plan_shares(const json_t *whole, unsigned int count);

/* There are several scenarios in it: then a trial's directory starts with its scenario's name. */
bool plan_is_mixed(const json_t *whole);

/* "cell/1" or "scenario/cell/1": a trial's place in the run directory, the caller's to free; NULL: no memory. */
char *plan_directory(bool mixed, const char *cell, int64_t trial);

#endif
