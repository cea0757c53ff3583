/* SPDX-License-Identifier: MIT */
/* The command line: one file a verb, and what they share. */
#ifndef OOMLAB_HARNESS_VERBS_H
#define OOMLAB_HARNESS_VERBS_H

#include "harness/scenario/names.h"
#include "lib/err.h"

enum exit_status {
	EXIT_PASS = 0,
	EXIT_FAIL = 1,
	EXIT_USAGE = 2,
	EXIT_BROKEN = 3,
	EXIT_SKIP = 4,
	EXIT_INTERRUPTED = 130,
};

/* argv[0] is the verb. Each returns an exit status. */
int verb_run(int argc, char **argv);
int verb_explain(int argc, char **argv);
int verb_record(int argc, char **argv);
int verb_merge(int argc, char **argv);
int verb_list(int argc, char **argv);
int verb_stress(int argc, char **argv);
int verb_kernels(int argc, char **argv);
int verb_doctor(int argc, char **argv);

/* Prints "oomlab VERB: text" to standard error and returns status. */
int complain_and(int status, const char *verb, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* Everything a scenario may name. Kept until the program ends. */
int known_names(const struct names **ret, struct err *e);

/*
 * Scenario files by what the user said: a file, a folder (all *.yaml below it)
 * or the name of a scenario that comes with oomlab. *ret: paths, NULL-ended,
 * in the order of the words; the list and its texts are the caller's to free.
 */
int catalogue_find(const char *word, char ***ret, struct err *e);
void catalogue_free(char **paths);

#endif
