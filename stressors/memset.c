// SPDX-License-Identifier: MIT
/* Row A2: each block is written as soon as it is there, so every byte needs RAM or swap. */
#include "stressors/stressor.h"

#include <stdlib.h>

static enum phase run(struct stress *s)
{
	return blocks_run(s, "malloc", malloc, true);
}

const struct stressor stressor_memset = {
	.name = "memset",
	.about = "allocates blocks and writes each one whole",
	.options = block_options,
	.check = blocks_check,
	.run = run,
};
