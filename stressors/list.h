/* SPDX-License-Identifier: MIT */
/* Every stressor, in the order they are shown: STRESSOR(x) is stressor_x, defined in x.c. */
STRESSOR(malloc)
STRESSOR(memset)
STRESSOR(calloc)
STRESSOR(file_clean)
