// SPDX-License-Identifier: MIT
/* What a scenario may name, gathered from those who know: stressors, metrics, cgroups, kernels. */
#include "harness/verbs.h"

#include "guest/kernels.h"
#include "guest/killers.h"
#include "harness/allocators.h"
#include "harness/limit_names.h"
#include "harness/metrics.h"
#include "harness/outcome.h"
#include "harness/scenario/profile.h"
#include "harness/stressors.h"
#include "lib/json.h"
#include "lib/paths.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define NAMES_MAX 128

#define VALUES_MAX  512
#define KILLERS_MAX 16

static struct stressor_name stressor_names[NAMES_MAX + 1];
static struct metric_name value_names[VALUES_MAX];
static struct killer_name killer_names[KILLERS_MAX + 1];
static struct metric_name metric_names[METRIC_SCOPES][NAMES_MAX + 1];

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

static enum metric_unit unit_of(const char *text)
{
	return !strcmp(text, "bytes") ? METRIC_BYTES : !strcmp(text, "ns") ? METRIC_NS : METRIC_COUNT;
}

/* The stressors, and the metrics that each has of its own: lists in value_names, one behind the other. */
static void gather_stressors(const json_t *stressors)
{
	size_t count = 0, i, j;
	json_t *one, *value;

	for (i = 0; i < NAMES_MAX && (one = json_array_get(stressors, i)); i++) {
		json_t *values = json_object_get(one, "values");

		stressor_names[i].name = json_text(one, "name", "");
		if (!json_array_size(values) || count + json_array_size(values) >= VALUES_MAX)
			continue;
		stressor_names[i].values = &value_names[count];
		json_array_foreach (values, j, value)
			value_names[count++] = (struct metric_name){ json_text(value, "name", ""),
								     unit_of(json_text(value, "unit", "")) };
		count++;
	}
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

static void gather_killers(void)
{
	static char paths[KILLERS_MAX][PATH_LEN_MAX];
	const struct killer *all = killers();
	size_t i;

	for (i = 0; i < KILLERS_MAX && all[i].name; i++) {
		const char *ours = all[i].helper[0]     ? all[i].helper
				   : all[i].packages[0] ? ""
							: all[i].program;

		/* Who needs one that is not there is told when it is to start. */
		if (ours[0] && paths_helper(ours, paths[i]) < 0)
			path_format(paths[i], "%s", ours);
		killer_names[i] = (struct killer_name){ all[i].name,
							all[i].packages[0] ? all[i].program : paths[i],
							all[i].helper[0] ? paths[i] : NULL,
							all[i].ready,
							all[i].arguments,
							all[i].packages[0] };
	}
}

static int read_profiles(json_t **ret, struct err *e)
{
	char dir[PATH_LEN_MAX];

	if (paths_data("cgroups/profiles", dir) < 0)
		return err_set(e, ENOENT, "the folder cgroups/profiles is not there");
	return profiles_read(dir, limit_names(), ret, e);
}

int known_names(const struct names **ret, struct err *e)
{
	static struct names names;
	static json_t *stressors, *profiles; /* own the names' texts */
	static char malloc_program[PATH_LEN_MAX];
	int r;

	if (!stressors) {
		r = stressors_list(&stressors, e);
		if (r < 0)
			return r;
	}
	gather_stressors(stressors);
	gather_metrics();
	if (!profiles) {
		r = read_profiles(&profiles, e);
		if (r < 0)
			return r;
	}
	gather_killers();
	/* Who needs it and has it not is told when it is to start. */
	if (paths_helper("oomlab-stress-malloc", malloc_program) < 0)
		path_format(malloc_program, "oomlab-stress-malloc");
	names = (struct names){
		.stressors = stressor_names,
		.outcomes = outcome_names,
		.process_metrics = metric_names[METRIC_PROCESS],
		.cgroup_metrics = metric_names[METRIC_CGROUP],
		.system_metrics = metric_names[METRIC_SYSTEM],
		.trial_metrics = metric_names[METRIC_TRIAL],
		.cgroup_keys = limit_names(),
		.allocators = allocators(),
		.killers = killer_names,
		.malloc_program = malloc_program,
		.profiles = profiles,
		.check_run = check_run,
		.check_kernel = check_kernel,
	};
	*ret = &names;
	return 0;
}
