/* SPDX-License-Identifier: MIT */
/* The end of a run, and of a merge: verdicts counted, what to exit with, run.json and what is printed. */
#ifndef OOMLAB_HARNESS_REPORT_H
#define OOMLAB_HARNESS_REPORT_H

#include "harness/output/output.h"
#include "harness/plan.h"
#include "harness/rundir.h"
#include "harness/runner.h"
#include "harness/shard.h"
#include "harness/verbs.h"

/* The worst of the results' verdicts decides; a skip, or no result, only where there is nothing else. */
enum exit_status report_status(const json_t *results);

/*
 * {"run": run.json, "results": [...]}, as output/ takes it: run with its
 * verdicts, exit and results added. where: the results' directories. All but
 * the status are taken over.
 */
json_t *report_tree(json_t *run, json_t *results, json_t *where, enum exit_status status);

/* The same of a run that has ended, with all the facts of run.json; share.count 0: it was all of the plan. */
json_t *report_run(const struct rundir *d, int argc, char **argv, const struct plan *plan, struct shard share,
		   const struct runner *runner, enum exit_status *ret_status);

/* To standard output. 0 or an exit status, said by the verb. */
int report_print(const char *verb, const struct output *format, const struct rundir *dir, const json_t *tree);

/* What an error of the run directory comes to: the user's to mend, or broken. */
enum exit_status report_error(int r);

#endif
