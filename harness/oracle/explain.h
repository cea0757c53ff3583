/* SPDX-License-Identifier: MIT */
/* What a report means, in sentences: who was killed, why, what would have saved it, and what else is worth knowing. */
#ifndef OOMLAB_ORACLE_EXPLAIN_H
#define OOMLAB_ORACLE_EXPLAIN_H

#include "harness/oracle/badness.h"

#define OOM_SENTENCE_MAX 1536 /* two paths of groups, each up to OOM_GROUP_MAX */
#define OOM_NOTES_MAX    16

struct oom_note {
	const char *id; /* for machines: "page-tables", "swap-full", ... */
	char text[OOM_SENTENCE_MAX];
};

/* How the scores of the table and the kernel's choice go together. */
enum oom_agreement {
	OOM_NOT_COMPARED, /* there is no table, or no choice */
	OOM_AGREES,
	OOM_BY_RULE, /* another rule than the scores chose; the reason says which */
	OOM_DISAGREES,
};

struct oom_explanation {
	enum oom_model model;
	struct oom_scope scope;
	struct oom_rank *ranks; /* of the report's tasks, worst first; NULL: there are none */
	size_t candidates;      /* of them not exempt: the first ones */
	enum oom_agreement agreement;
	char reason[OOM_SENTENCE_MAX]; /* with OOM_BY_RULE and OOM_DISAGREES */
	char who[OOM_SENTENCE_MAX];
	char why[OOM_SENTENCE_MAX];
	char score[OOM_SENTENCE_MAX]; /* "": not known */
	char saved[OOM_SENTENCE_MAX]; /* "": nothing sensible */
	struct oom_note notes[OOM_NOTES_MAX];
	size_t note_count;
};

/* -ENOMEM. Give it to oom_explanation_free(). */
int oom_explain(const struct oom_report *r, struct oom_explanation *ret);

void oom_explanation_free(struct oom_explanation *e);

#endif
