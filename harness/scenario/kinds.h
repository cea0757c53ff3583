/* SPDX-License-Identifier: MIT */
/* The kinds of values that the table of keys is made of. */
#ifndef OOMLAB_SCENARIO_KINDS_H
#define OOMLAB_SCENARIO_KINDS_H

#include "harness/scenario/keys.h"

/* harness/scenario/kinds.c: plain values */
extern const struct kind kind_fixed, kind_open, kind_list, kind_any;
extern const struct kind kind_name, kind_text, kind_cmdline, kind_word, kind_choice, kind_bool;
extern const struct kind kind_size, kind_duration, kind_int, kind_fraction;

/* harness/scenario/machine.c */
extern const struct kind kind_place, kind_machine, kind_kernel, kind_swap;

/* harness/scenario/groups.c: cgroups, sysctls, and both of them over time */
extern const struct kind kind_sysctl, kind_cgroups, kind_cgroup, kind_cgroup_value, kind_cgroup_ref;
extern const struct kind kind_faults, kind_fault_set;

/* harness/scenario/processes.c */
extern const struct kind kind_processes, kind_process, kind_run;

/* harness/scenario/settings.c */
extern const struct kind kind_rlimit, kind_user, kind_group, kind_idlist;

/* harness/scenario/triggers.c */
extern const struct kind kind_trigger, kind_process_ref;

/* harness/scenario/programs.c */
extern const struct kind kind_exec, kind_env_value, kind_stdin, kind_path, kind_malloc;

/* harness/scenario/killer.c */
extern const struct kind kind_killer;

/* harness/scenario/expect.c */
extern const struct kind kind_expects, kind_expect, kind_metric, kind_is, kind_bound, kind_where;

/* harness/scenario/matrix.c */
extern const struct kind kind_matrix, kind_axis;

#endif
