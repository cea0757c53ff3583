/* SPDX-License-Identifier: MIT */
/*
 * Memory that the kernel holds for a process in pipes or sockets: what is
 * written into one end and read from the other by nobody. It is in no RSS.
 */
#ifndef OOMLAB_STRESSORS_CHANNEL_H
#define OOMLAB_STRESSORS_CHANNEL_H

#include "stressors/stressor.h"

/* A pair of descriptors, [0] to read and [1] to write without waiting. PHASE_DONE, or how it was refused. */
typedef enum phase channel_open(struct stress *s, int ret_fd[2]);

/* Fills one channel after the other until --size bytes are in them, then --hold; --verify reads them out of there. */
enum phase channels_run(struct stress *s, channel_open *open);

/* Rows for tables of options and values. */
#define CHANNEL_SIZE                                                                                         \
	{                                                                                                    \
		.name = "size", .kind = OPTION_SIZE, .fallback = "32M", .min = 1, .total = true,             \
		.help = "written into all of them together"                                                  \
	}
#define CHANNEL_VALUES                                                                                       \
	{                                                                                                    \
		"channels", "count", "how many it took; two descriptors each"                                \
	}

#endif
