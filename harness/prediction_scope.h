/* SPDX-License-Identifier: MIT */
/* What the constraint of a trial's kill leaves: how much memory counts, and who is no candidate. */
#ifndef OOMLAB_HARNESS_PREDICTION_SCOPE_H
#define OOMLAB_HARNESS_PREDICTION_SCOPE_H

#include "harness/oracle/badness.h"
#include "harness/record.h"

/* "/oomlab/app/x" of the log as "app/x" of the scenario; "" for the trial's own group and above; NULL: elsewhere. */
const char *scope_group(const struct record *r, const char *logged);

/*
 * As mem_cgroup_get_max() and constrained_alloc() have it; how large the nodes of a cpuset or mempolicy are the report
 * says (NULL: there is none). limit_group: whose limit it was, by scope_group().
 */
struct oom_scope scope_of_kill(const struct record *r, const json_t *kill, const struct oom_report *report,
			       const char *limit_group);

/* Does the constraint leave a process of the spec out? oom_unkillable_task() and oom_cpuset_eligible(). */
bool scope_excludes(const struct record *r, const json_t *kill, const json_t *process,
		    const struct oom_report *report, const char *limit_group);

#endif
