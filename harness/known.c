// SPDX-License-Identifier: MIT
/* What a scenario may name, gathered from those who know: stressors, metrics, cgroups, kernels. */
#include "harness/verbs.h"

#include "cgroups/cgroups.h"
#include "guest/kernels.h"
#include "harness/metrics.h"
#include "harness/outcome.h"
#include "harness/stressors.h"
#include "lib/json.h"

#include <errno.h>
#include <stdio.h>

#define NAMES_MAX 128

static const char *stressor_names[NAMES_MAX + 1];
static struct metric_name metric_names[METRIC_SCOPES][NAMES_MAX + 1];
static struct cgroup_key_name cgroup_keys[NAMES_MAX + 1];

static int check_run(void *user, const char *const *argv, char *why, size_t room)
{
	(void)user;
	return stressors_check(argv, why, room);
}

static int check_kernel(void *user, const char *name, char *why, size_t room)
{
	struct err e = ERR_INIT;
	struct kernel kernel;

	(void)user;
	if (kernels_find(name, &kernel, &e) == 0)
		return 0;
	snprintf(why, room, "%s", e.text);
	return -EINVAL;
}

static void gather_metrics(void)
{
	enum metric_scope scope;
	size_t i;

	for (scope = METRIC_PROCESS; scope < METRIC_SCOPES; scope++)
		for (i = 0; i < NAMES_MAX && metric_at(scope, i); i++)
			metric_names[scope][i] =
				(struct metric_name){ metric_at(scope, i)->name, metric_at(scope, i)->unit };
}

static void gather_cgroup_keys(void)
{
	static const enum cgroup_value values[] = {
		[CG_BYTES] = CGROUP_BYTES,
		[CG_COUNT] = CGROUP_COUNT,
		[CG_NUMBER] = CGROUP_NUMBER,
		[CG_TEXT] = CGROUP_TEXT,
	};
	enum cg_value value;
	const char *name;
	size_t i;

	for (i = 0; i < NAMES_MAX && (name = cg_key_name(i, &value)); i++)
		cgroup_keys[i] = (struct cgroup_key_name){ name, values[value] };
}

int known_names(const struct names **ret, struct err *e)
{
	static struct names names;
	static json_t *stressors; /* owns the names' texts */
	size_t i;
	int r;

	if (!stressors) {
		r = stressors_list(&stressors, e);
		if (r < 0)
			return r;
	}
	for (i = 0; i < NAMES_MAX && i < json_array_size(stressors); i++)
		stressor_names[i] = json_text(json_array_get(stressors, i), "name", "");
	gather_metrics();
	gather_cgroup_keys();
	names = (struct names){
		.stressors = stressor_names,
		.outcomes = outcome_names,
		.process_metrics = metric_names[METRIC_PROCESS],
		.cgroup_metrics = metric_names[METRIC_CGROUP],
		.system_metrics = metric_names[METRIC_SYSTEM],
		.cgroup_keys = cgroup_keys,
		.check_run = check_run,
		.check_kernel = check_kernel,
	};
	*ret = &names;
	return 0;
}
