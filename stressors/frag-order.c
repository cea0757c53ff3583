// SPDX-License-Identifier: MIT
/* Row B1, interleaved frees: what stays pins the heap around it, and hardly any goes back to the system. */
#include "stressors/frag.h"

static enum phase run(struct stress *s)
{
	return frag_run(s, true);
}

const struct stressor stressor_frag_order = {
	.name = "frag-order",
	.about = "frees blocks between others that stay, so that hardly any memory goes back to the system",
	.options = frag_options,
	.values = frag_values,
	.check = frag_check,
	.run = run,
};
