// SPDX-License-Identifier: MIT
#include "harness/limit_names.h"

#include "cgroups/cgroups.h"

#define LIMITS_MAX 128

const struct cgroup_key_name *limit_names(void)
{
	static const enum cgroup_value values[] = {
		[CG_BYTES] = CGROUP_BYTES,
		[CG_COUNT] = CGROUP_COUNT,
		[CG_NUMBER] = CGROUP_NUMBER,
		[CG_TEXT] = CGROUP_TEXT,
	};
	static struct cgroup_key_name names[LIMITS_MAX + 1];
	enum cg_value value;
	const char *name;
	size_t i;

	for (i = 0; i < LIMITS_MAX && (name = cg_key_name(i, &value)); i++)
		names[i] = (struct cgroup_key_name){ name, values[value] };
	return names;
}
