// SPDX-License-Identifier: MIT
#include "harness/engine/settings.h"

#include "lib/json.h"
#include "lib/units.h"

#include <errno.h>
#include <grp.h>
#include <inttypes.h>
#include <numaif.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#define LIST_TEXT 256

struct rlimit_row {
	const char *name;  /* in the spec */
	const char *which; /* in complaints */
	int resource;
};

static const struct rlimit_row rows[SETTINGS_RLIMITS] = {
	{ "as", "rlimits.as", RLIMIT_AS },
	{ "data", "rlimits.data", RLIMIT_DATA },
	{ "stack", "rlimits.stack", RLIMIT_STACK },
	{ "memlock", "rlimits.memlock", RLIMIT_MEMLOCK },
};

static int parse_rlimits(const json_t *process, struct settings *ret)
{
	const json_t *rlimits = json_object_get(process, "rlimits");
	size_t i;

	for (i = 0; i < SETTINGS_RLIMITS; i++) {
		const json_t *value = json_object_get(rlimits, rows[i].name);

		ret->rlimits[i] = -1;
		if (json_is_integer(value) && json_integer_value(value) >= 0)
			ret->rlimits[i] = json_integer_value(value);
		else if (json_is_string(value) && !strcmp(json_string_value(value), "unlimited"))
			ret->rlimits[i] = SETTINGS_UNLIMITED;
		else if (value && !json_is_null(value))
			return -EINVAL;
	}
	return 0;
}

static const struct {
	const char *name; /* in the spec */
	int policy;
} policies[] = { { "bind", MPOL_BIND }, { "interleave", MPOL_INTERLEAVE }, { "preferred", MPOL_PREFERRED } };

static int parse_numa(const json_t *numa, struct settings *ret)
{
	const char *policy = json_text(numa, "policy", "");
	size_t i;

	ret->policy = MPOL_DEFAULT;
	if (!numa || json_is_null(numa))
		return 0;
	for (i = 0; i < sizeof(policies) / sizeof(policies[0]); i++)
		if (!strcmp(policies[i].name, policy))
			ret->policy = policies[i].policy;
	return ret->policy == MPOL_DEFAULT ? -EINVAL
					   : idlist_parse(json_text(numa, "nodes", ""), &ret->nodes);
}

int settings_parse(const json_t *process, struct settings *ret, struct err *e)
{
	const json_t *nice = json_object_get(process, "nice");
	const char *cpus = json_text(process, "cpus", NULL);

	memset(ret, 0, sizeof(*ret));
	ret->nice_set = json_is_integer(nice);
	ret->nice = (int)json_number(process, "nice", 0);
	ret->uid = json_number(process, "user", -1);
	ret->gid = json_number(process, "group", ret->uid);
	ret->cpus_set = cpus;
	if (cpus && idlist_parse(cpus, &ret->cpus) < 0)
		return err_set(e, EINVAL, "trial spec: cpus that are no list of numbers");
	if (parse_numa(json_object_get(process, "numa"), ret) < 0)
		return err_set(e, EINVAL, "trial spec: no NUMA policy with its nodes");
	if (parse_rlimits(process, ret) < 0)
		return err_set(e, EINVAL, "trial spec: a resource limit that is no number");
	return 0;
}

/* All of them, else ERANGE: the kernel leaves out what is not there as long as one is. */
static int set_cpus(const struct idlist *wanted)
{
	cpu_set_t set;
	unsigned int id;

	CPU_ZERO(&set);
	for (id = 0; id < CPU_SETSIZE; id++)
		if (idlist_has(wanted, id))
			CPU_SET(id, &set);
	if (sched_setaffinity(0, sizeof(set), &set) < 0 || sched_getaffinity(0, sizeof(set), &set) < 0)
		return -1;
	for (id = 0; id < CPU_SETSIZE; id++) {
		if (idlist_has(wanted, id) && !CPU_ISSET(id, &set)) {
			errno = ERANGE;
			return -1;
		}
	}
	return 0;
}

/* Likewise all of them, with the memory that they have: get_mempolicy(2). */
static int set_policy(int policy, const struct idlist *wanted)
{
	struct idlist set;
	int got;

	if (set_mempolicy(policy, wanted->words, IDLIST_MAX) < 0 ||
	    get_mempolicy(&got, set.words, IDLIST_MAX, NULL, 0) < 0)
		return -1;
	if (got == policy && !memcmp(&set, wanted, sizeof(set)))
		return 0;
	errno = ERANGE;
	return -1;
}

const char *settings_apply(const struct settings *s)
{
	size_t i;

	if (s->cpus_set && set_cpus(&s->cpus) < 0)
		return "cpus";
	if (s->policy != MPOL_DEFAULT && set_policy(s->policy, &s->nodes) < 0)
		return "numa.nodes";
	if (s->nice_set && setpriority(PRIO_PROCESS, 0, s->nice) < 0)
		return "nice";
	for (i = 0; i < SETTINGS_RLIMITS; i++) {
		bool unlimited = s->rlimits[i] == SETTINGS_UNLIMITED;
		rlim_t value = unlimited ? RLIM_INFINITY : (rlim_t)s->rlimits[i];
		struct rlimit limit = { value, value };

		if (s->rlimits[i] >= 0 && setrlimit(rows[i].resource, &limit) < 0)
			return rows[i].which;
	}
	return NULL;
}

const char *settings_become(const struct settings *s)
{
	if (s->gid >= 0 && (setgroups(0, NULL) < 0 || setgid((gid_t)s->gid) < 0))
		return "group";
	if (s->uid >= 0 && setuid((uid_t)s->uid) < 0)
		return "user";
	return NULL;
}

static const char *wanted_text(const struct settings *s, const char *which, char *buf, size_t room)
{
	size_t i;

	buf[0] = 0;
	if (!strcmp(which, "cpus"))
		return idlist_format(&s->cpus, buf, room);
	if (!strcmp(which, "numa.nodes"))
		return idlist_format(&s->nodes, buf, room);
	if (!strcmp(which, "nice"))
		snprintf(buf, room, "%d", s->nice);
	else if (!strcmp(which, "user"))
		snprintf(buf, room, "%" PRId64, s->uid);
	else if (!strcmp(which, "group"))
		snprintf(buf, room, "%" PRId64, s->gid);
	for (i = 0; i < SETTINGS_RLIMITS; i++) {
		char size[UNITS_TEXT_MAX];

		if (!strcmp(which, rows[i].which))
			snprintf(buf, room, "%s",
				 s->rlimits[i] == SETTINGS_UNLIMITED
					 ? "unlimited"
					 : size_format(size, (uint64_t)s->rlimits[i]));
	}
	return buf;
}

int settings_refused(const struct settings *s, const char *which, int code, struct err *e)
{
	char wanted[LIST_TEXT];

	wanted_text(s, which, wanted, sizeof(wanted));
	if (code == EPERM || code == EACCES)
		return err_set(e, EOPNOTSUPP, "%s %s is more than this machine allows", which, wanted);
	if ((!strcmp(which, "cpus") || !strcmp(which, "numa.nodes")) && (code == EINVAL || code == ERANGE))
		return err_set(e, EOPNOTSUPP, "%s %s: this machine does not have all of them", which, wanted);
	if (!strcmp(which, "numa.nodes") && code == ENOSYS)
		return err_set(e, EOPNOTSUPP, "%s %s: this kernel has no NUMA policies", which, wanted);
	return err_errno(e, code, "%s %s", which, wanted);
}
