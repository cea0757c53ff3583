// SPDX-License-Identifier: MIT
/* Row B1,  hardly any of it goes back to the system:interleaved frees: what stays pins the pages around it (mallopt(3), M_TRIM_THRESHOLD). */
#include "stressors/frag.h"

static enum phase run(struct stress *s)
{
	return frag_run(s, true);
}

const struct stressor stressor_frag_order = {
	.name = "frag-order",
	.about = "frees blocks between others that stay",
	.options = frag_options,
	.values = frag_values,
	.check = frag_check,
	.run = run,
};
