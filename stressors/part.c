// SPDX-License-Identifier: MIT
#include "stressors/stressor.h"

struct stress stress_part(const struct stress *s)
{
	struct stress part = *s;

	part.bell = -1;
	part.until_ns = FOREVER;
	sigemptyset(&part.stops);
	return part;
}
