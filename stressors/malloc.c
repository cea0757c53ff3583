// SPDX-License-Identifier: MIT
/* Row A1: memory that is asked for but never written costs address space and page tables, hardly any RAM. */
#include "stressors/stressor.h"

#include <stdlib.h>

static enum phase run(struct stress *s)
{
	return blocks_run(s, "malloc", malloc, false);
}

const struct stressor stressor_malloc = {
	.name = "malloc",
	.about = "allocates blocks and never writes them",
	.options = block_options,
	.check = blocks_check,
	.run = run,
};
