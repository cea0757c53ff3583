// SPDX-License-Identifier: MIT
/* This machine as a place: the engine runs in a child, inside a group of the harness's own. */
#include "harness/places/place.h"
#include "harness/places/programs.h"

#include "cgroups/cgroups.h"
#include "guest/tune.h"
#include "harness/engine/engine.h"
#include "harness/engine/undo.h"
#include "lib/clock.h"
#include "lib/files.h"
#include "lib/json.h"
#include "lib/paths.h"
#include "lib/units.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

/* Starting, killing and reaping 64 processes and writing their last samples takes well under this. */
#define OVERHEAD_NS (60 * NS_PER_S)

static int parent_group(const struct cg_system *sys, const struct place_options *o, char ret[], size_t room,
			struct err *why)
{
	const char *given = o->cgroup_parent;

	if (!given)
		return cg_default_parent(sys, ret, room, why);
	while (*given == '/')
		given++;
	snprintf(ret, room, "%s", given);
	return cg_may_make(sys, ret, why);
}

/* What a scenario asks of its machine must be what this one has: it is not built to order. */
static int machine_matches(const json_t *machine, const struct cg_system *sys, struct err *why)
{
	uint64_t ram = (uint64_t)sysconf(_SC_PHYS_PAGES) * (uint64_t)sysconf(_SC_PAGESIZE);
	const char *kernel = json_text(machine, "kernel", NULL);
	const char *version = kernel ? strchr(kernel, ':') : NULL;
	const char *cgroup = json_text(machine, "cgroup", NULL);
	char have[UNITS_TEXT_MAX], want[UNITS_TEXT_MAX];
	struct utsname u;

	uname(&u);
	if (kernel && (!version || strncmp(u.release, version + 1, strlen(version + 1)) != 0))
		return err_set(why, EOPNOTSUPP,
			       "this machine runs kernel %s, the scenario wants %s: use --place guest",
			       u.release, kernel);
	if ((uint64_t)json_number(machine, "memory", 0) > ram)
		return err_set(why, EOPNOTSUPP, "this machine has %s of memory, the scenario wants %s",
			       size_format(have, ram),
			       size_format(want, (uint64_t)json_number(machine, "memory", 0)));
	if (json_number(machine, "cpus", 0) > sysconf(_SC_NPROCESSORS_ONLN))
		return err_set(why, EOPNOTSUPP, "this machine has %ld CPUs, the scenario wants %lld",
			       sysconf(_SC_NPROCESSORS_ONLN), (long long)json_number(machine, "cpus", 0));
	if (json_array_size(json_object_get(machine, "nodes")) > 1)
		return err_set(why, EOPNOTSUPP, "NUMA nodes are made in a guest: use --place guest");
	if (cgroup && cgroup[0] == 'v' && atoi(cgroup + 1) != sys->version)
		return err_set(why, EOPNOTSUPP,
			       "this machine has its memory controller on cgroup v%d, the scenario wants %s",
			       sys->version, cgroup);
	return tune_met("", machine, why);
}

static int limits_exist(const json_t *spec, const struct cg_system *sys, struct err *why)
{
	json_t *one, *value;
	const char *key;
	size_t i;

	json_array_foreach (json_object_get(spec, "cgroups"), i, one)
		json_object_foreach (json_object_get(one, "set"), key, value)
			if (cg_key_here(sys->version, key, why) < 0)
				return err_prefix(why, "cgroups.%s", json_text(one, "path", ""));
	return 0;
}

static bool changes_sysctls(const json_t *spec)
{
	json_t *fault, *one;
	size_t i, j;

	if (json_object_size(json_object_get(spec, "sysctl")))
		return true;
	json_array_foreach (json_object_get(spec, "faults"), i, fault)
		json_array_foreach (json_object_get(fault, "set"), j, one)
			if (json_object_get(one, "sysctl"))
				return true;
	return false;
}

/* Tried in a child, which is thrown away: whether a process here may have that oom_score_adj. */
static bool adj_allowed(int64_t adj)
{
	int status = 1;
	pid_t pid = fork();

	if (pid == 0) {
		char text[16];

		snprintf(text, sizeof(text), "%d", (int)adj);
		_exit(file_put("/proc/self/oom_score_adj", text, NULL) < 0);
	}
	while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	return pid > 0 && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static int adjs_allowed(const json_t *spec, struct err *why)
{
	json_t *one;
	size_t i;

	json_array_foreach (json_object_get(spec, "processes"), i, one) {
		const json_t *adj = json_object_get(one, "oom_score_adj");

		if (json_is_integer(adj) && !adj_allowed(json_integer_value(adj)))
			return err_set(
				why, EOPNOTSUPP,
				"processes.%s: oom_score_adj %lld is lower than this machine allows (CAP_SYS_RESOURCE): use --place guest",
				json_text(one, "name", ""), (long long)json_integer_value(adj));
	}
	return 0;
}

static int host_can(const json_t *spec, const struct place_options *o, struct err *why)
{
	const json_t *machine = json_object_get(spec, "machine");
	struct cg_system sys;
	char parent[512];
	int r;

	if (programs_killer(spec))
		return err_set(why, EOPNOTSUPP,
			       "killer: it would kill processes of this machine: use --place guest");
	r = cg_init(&sys, why);
	if (r == 0)
		r = parent_group(&sys, o, parent, sizeof(parent), why);
	if (r == 0)
		r = machine_matches(machine, &sys, why);
	if (r == 0)
		r = limits_exist(spec, &sys, why);
	if (r == 0)
		r = adjs_allowed(spec, why);
	if (r == 0)
		r = programs_there(spec, why);
	if (r < 0)
		return -EOPNOTSUPP;
	if (!o->allow_host_changes && changes_sysctls(spec))
		return err_set(
			why, EOPNOTSUPP,
			"it changes sysctls of the whole machine: use --place guest, or --allow-host-changes");
	if (!o->allow_host_changes && json_is_object(json_object_get(machine, "swap")))
		return err_set(
			why, EOPNOTSUPP,
			"it adds swap to the whole machine: use --place guest, or --allow-host-changes");
	return 0;
}

static int host_prepare(const json_t *spec, const struct place_options *o, struct err *why)
{
	(void)spec;
	(void)o;
	(void)why;
	return 0;
}

/* The group of this trial, noted in the journal before it is made. */
static int make_group(struct trial *t, const struct cg_system *sys, char ret_group[640], struct err *e)
{
	struct undo undo = { t->journal_path };
	char parent[512], engine[704];
	int r;

	r = parent_group(sys, t->options, parent, sizeof(parent), e);
	if (r < 0)
		return r;
	snprintf(ret_group, 640, "%s%s%s", parent, parent[0] ? "/" : "", t->group_name);
	snprintf(engine, sizeof(engine), "%s/@engine", ret_group);
	r = undo_create(t->journal_path, getpid(), e);
	if (r == 0)
		r = undo_note_cgroup(&undo, ret_group, e);
	if (r == 0)
		r = cg_make(sys, ret_group, e);
	if (r == 0)
		r = cg_make(sys, engine, e);
	return r;
}

/* "" without machine.data. In the trial's directory, which is on disk where results are kept. */
static int data_path(const struct trial *t, char ret[PATH_LEN_MAX])
{
	const json_t *machine = json_object_get(t->spec, "machine");

	ret[0] = 0;
	return json_is_object(json_object_get(machine, "data")) ? path_format(ret, "%s/data", t->dir) : 0;
}

static int make_data(const struct trial *t, struct err *e)
{
	struct undo undo = { t->journal_path };
	char path[PATH_LEN_MAX];

	if (data_path(t, path) < 0)
		return err_errno(e, ENAMETOOLONG, "%s/data", t->dir);
	return path[0] ? undo_make_directory(&undo, path, e) : 0;
}

static void run_engine(const struct trial *t, const struct cg_system *sys, const char *group)
{
	char stress[PATH_LEN_MAX], swap[PATH_LEN_MAX], data[PATH_LEN_MAX], parent[640], engine[704];
	struct engine_setup setup = { .stress_path = stress,
				      .cgroup_parent = parent,
				      .group_name = t->group_name,
				      .journal_path = t->journal_path,
				      .caller = t->options->caller,
				      .swap_path = swap,
				      .may_change_machine = t->options->allow_host_changes };
	struct err e = ERR_INIT;
	int r;

	snprintf(parent, sizeof(parent), "%s", group);
	parent[strlen(group) - strlen(t->group_name)] = 0;
	if (parent[0])
		parent[strlen(parent) - 1] = 0;
	snprintf(engine, sizeof(engine), "%s/@engine", group);
	r = bb_open(t->box_path, true, &setup.box, &e);
	if (r < 0)
		_exit(1);
	bb_populate(&setup.box);
	r = path_format(swap, "%s/swap.img", t->dir);
	if (r == 0)
		r = paths_helper("oomlab-stress", stress);
	if (r < 0)
		err_set(&e, -r, "oomlab-stress: not found beside oomlab");
	else
		r = cg_attach(sys, engine, getpid(), &e);
	if (r == 0 && data_path(t, data) == 0 && data[0] && chdir(data) < 0)
		r = err_errno(&e, errno, "%s: chdir", data);
	if (r < 0) {
		char seal[ERR_TEXT_MAX + 32];

		snprintf(seal, sizeof(seal), "%s%s", SEAL_FAILED, e.text);
		bb_seal(&setup.box, seal);
		_exit(1);
	}
	_exit(engine_run(&setup, &e) < 0);
}

static int host_start(struct trial *t, struct err *e)
{
	pid_t harness = getpid();
	struct cg_system sys;
	char group[640];
	int r;

	r = cg_init(&sys, e);
	if (r == 0)
		r = make_group(t, &sys, group, e);
	if (r == 0)
		r = make_data(t, e);
	if (r < 0) {
		undo_replay(t->journal_path, NULL);
		return r;
	}
	t->pid = fork();
	if (t->pid < 0)
		r = err_errno(e, errno, "fork");
	if (t->pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (getppid() != harness)
			_exit(1);
		run_engine(t, &sys, group);
	}
	return r;
}

static uint64_t host_deadline(const json_t *spec)
{
	const json_t *stop = json_object_get(spec, "stop");

	return (uint64_t)json_number(stop, "timeout", 0) + (uint64_t)json_number(stop, "settle", 0) +
	       OVERHEAD_NS;
}

static int host_finish(struct trial *t, int status, bool timed_out, struct err *why)
{
	int r;

	r = undo_replay(t->journal_path, why);
	if (r < 0)
		return err_prefix(
			why, "what the trial changed could not all be undone (try `oomlab doctor --repair`)");
	r = place_sealed(t->box_path, why);
	if (r != -EAGAIN)
		return r;
	if (timed_out)
		return err_set(why, ETIMEDOUT, "the engine did not end in time");
	if (WIFSIGNALED(status))
		return err_set(why, EIO, "the engine was killed by signal %d (%s)", WTERMSIG(status),
			       strsignal(WTERMSIG(status)));
	return err_set(why, EIO, "the engine ended with status %d without a last word", WEXITSTATUS(status));
}

const struct place place_host = {
	.name = "host",
	.about = "this machine, in a cgroup of its own",
	.can = host_can,
	.prepare = host_prepare,
	.start = host_start,
	.deadline_ns = host_deadline,
	.finish = host_finish,
};
