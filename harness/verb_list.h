/* SPDX-License-Identifier: MIT */
/* Of oomlab list: the catalogue, and what it proves. */
#ifndef OOMLAB_HARNESS_VERB_LIST_H
#define OOMLAB_HARNESS_VERB_LIST_H

#include "lib/err.h"

#include <jansson.h>

/* {name, about} of everything, and of scenarios place, source, cells, rows, needs and path. */
int list_scenarios(json_t *list, struct err *e);

/* {name, about, scenarios} of each row: what proves it. */
int list_coverage(json_t *list, struct err *e);

/* That list as docs/coverage.md. */
void coverage_print(const json_t *list);

#endif
