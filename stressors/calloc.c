// SPDX-License-Identifier: MIT
/* Row A3: calloc() need not zero what comes fresh from the kernel, so large blocks stay untouched. */
#include "stressors/stressor.h"

#include <stdlib.h>

static void *get(size_t bytes)
{
	return calloc(1, bytes);
}

static enum phase run(struct stress *s)
{
	return blocks_run(s, "calloc", get, false);
}

const struct stressor stressor_calloc = {
	.name = "calloc",
	.about = "allocates zeroed blocks and never writes them",
	.options = block_options,
	.check = blocks_check,
	.run = run,
};
