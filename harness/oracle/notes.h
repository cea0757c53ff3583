/* SPDX-License-Identifier: MIT */
/* What is worth knowing besides: one function a note. Private to explain.c. */
#ifndef OOMLAB_ORACLE_NOTES_H
#define OOMLAB_ORACLE_NOTES_H

#include "harness/oracle/explain.h"

/* Adds the notes that hold to e, whose ranks are there already. */
void oom_notes(const struct oom_report *r, struct oom_explanation *e);

#endif
