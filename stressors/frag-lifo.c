// SPDX-License-Identifier: MIT
/* Row B1, ordered frees: the heap shrinks from its top (mallopt(3), M_TRIM_THRESHOLD). */
#include "stressors/frag.h"

static enum phase run(struct stress *s)
{
	return frag_run(s, false);
}

const struct stressor stressor_frag_lifo = {
	.name = "frag-lifo",
	.about =
		"frees blocks in the opposite order of their allocation, so that all above the kept ones goes back",
	.options = frag_options,
	.values = frag_values,
	.check = frag_check,
	.run = run,
};
