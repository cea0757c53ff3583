// SPDX-License-Identifier: MIT
/* All that comes before the gates open: protection, witnesses, groups, limits, sysctls, processes. */
#include "harness/engine/killer.h"
#include "harness/engine/trial.h"

#include "lib/files.h"
#include "lib/units.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/utsname.h>
#include <unistd.h>

#ifndef MCL_ONFAULT
#define MCL_ONFAULT 4
#endif

static void record_start(struct trial_run *t)
{
	struct jsonw *w = event_begin(&t->rec, "start");
	struct utsname u;

	uname(&u);
	jsonw_str(w, "kernel", u.release);
	jsonw_str(w, "machine", u.machine);
	jsonw_int(w, "page_size", sysconf(_SC_PAGESIZE));
	jsonw_int(w, "cgroup_version", t->cgroups.version);
	event_end(&t->rec);
}

/*
 * The engine must outlive what it watches. On fault, since the box is a large
 * sparse mapping of which only what is written should be held in memory.
 */
static void protect(struct trial_run *t)
{
	int locked = mlockall(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT) == 0 ? 0 : errno;
	struct err e = ERR_INIT;
	struct jsonw *w;

	file_put("/proc/self/oom_score_adj", "-1000", &e);
	w = event_begin(&t->rec, "protect");
	jsonw_bool(w, "mlockall", locked == 0);
	jsonw_bool(w, "oom_score_adj", e.code == 0);
	event_end(&t->rec);
}

int trial_own_group(struct trial_run *t, const char *name, char *ret_path, size_t room, struct err *e)
{
	const char *parent = t->setup->cgroup_parent;
	struct jsonw *w;
	int r;

	if (snprintf(ret_path, room, "%s%s%s/%s", parent, parent[0] ? "/" : "", t->setup->group_name, name) >=
	    (int)room)
		return err_set(e, ENAMETOOLONG, "cgroup %s: path too long", name);
	r = cg_make(&t->cgroups, ret_path, e);
	if (r < 0)
		return r;
	w = event_begin(&t->rec, "cgroup");
	jsonw_str(w, "cgroup", name);
	jsonw_str(w, "path", ret_path);
	event_end(&t->rec);
	return 0;
}

static int make_group(struct trial_run *t, const char *name, struct err *e)
{
	struct trial_group *g = &t->groups[t->group_count];
	int r;

	g->bell = -1;
	r = trial_own_group(t, name, g->path, sizeof(g->path), e);
	if (r == 0)
		r = cg_sampler_open(&t->cgroups, g->path, &g->sampler, e);
	if (r == 0)
		t->group_count++;
	return r;
}

/* The trial's own group must be there, made by the place; only what is below it is the engine's. */
static int make_groups(struct trial_run *t, struct err *e)
{
	unsigned int i;
	int r = 0;

	for (i = 0; r == 0 && i < t->spec.cgroup_count; i++)
		r = make_group(t, t->spec.cgroups[i].path, e);
	return r == 0 ? make_group(t, BB_OTHERS_GROUP, e) : r;
}

/* "50%" is of the RAM of the machine that the trial runs on. */
static int resolve(const char *value, char ret[32], struct err *e)
{
	uint64_t ram = (uint64_t)sysconf(_SC_PHYS_PAGES) * (uint64_t)sysconf(_SC_PAGESIZE);
	double percent;

	if (percent_parse(value, &percent) == 0)
		snprintf(ret, 32, "%" PRIu64, (uint64_t)((double)ram * percent / 100) / 4096 * 4096);
	else if (snprintf(ret, 32, "%s", value) >= 32)
		return err_set(e, EINVAL, "value \"%s\" is too long for a limit", value);
	return 0;
}

static void record_change(struct trial_run *t, const char *event, const char *group, const char *key,
			  const char *wanted, const char *was, const char *got)
{
	struct jsonw *w = event_begin(&t->rec, event);

	if (group)
		jsonw_str(w, "cgroup", group);
	jsonw_str(w, group ? "key" : "sysctl", key);
	jsonw_str(w, "wanted", wanted);
	if (was)
		jsonw_str(w, "was", was);
	jsonw_str(w, "got", got);
	event_end(&t->rec);
}

int trial_change(struct trial_run *t, const struct spec_change *c, const char *event, struct err *e)
{
	char was[128] = "", got[128] = "", value[32];
	int r;

	if (c->group < 0) {
		if (!t->setup->may_change_machine)
			return err_set(e, EOPNOTSUPP,
				       "sysctl %s: this machine's settings are not to be changed", c->key);
		r = undo_sysctl(&t->undo, c->key, c->value, was, got, e);
		record_change(t, event, NULL, c->key, c->value, was, got);
		return r;
	}
	r = resolve(c->value, value, e);
	if (r == 0)
		r = cg_set(&t->cgroups, t->groups[c->group].path, c->key, value, got, e);
	record_change(t, event, t->spec.cgroups[c->group].path, c->key, value, NULL, got);
	return r;
}

void trial_note_settings(struct trial_run *t)
{
	static const char *const names[] = { "overcommit_memory", "overcommit_ratio", "overcommit_kbytes",
					     "user_reserve_kbytes" };
	size_t i;

	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		char path[PATH_LEN_MAX];
		struct jsonw *w;
		uint64_t value;

		path_format(path, "/proc/sys/vm/%s", names[i]);
		if (file_read_u64(path, &value) < 0)
			continue;
		w = event_begin(&t->rec, "setting");
		jsonw_str(w, "setting", names[i]);
		jsonw_uint(w, "value", value);
		event_end(&t->rec);
	}
}

static int swap_on(struct trial_run *t, struct err *e)
{
	bool is_file = t->setup->swap_path && strncmp(t->setup->swap_path, "/dev/", 5) != 0;
	struct jsonw *w;
	int r;

	if (!t->spec.swap_bytes)
		return 0;
	if (!t->setup->swap_path || !t->setup->may_change_machine)
		return err_set(e, EOPNOTSUPP, "this machine's swap is not to be changed");
	r = undo_swap_on(&t->undo, t->setup->swap_path, is_file ? t->spec.swap_bytes : 0, e);
	w = event_begin(&t->rec, "swap");
	jsonw_uint(w, "size", t->spec.swap_bytes);
	event_end(&t->rec);
	return r;
}

/* The child has the engine's value by inheritance; a process that names none gets 0. */
static int set_adj(const struct process *p, struct err *e)
{
	const char *file = p->spec->old_adj ? "oom_adj" : "oom_score_adj";
	char path[PATH_LEN_MAX], text[16];
	struct err why = ERR_INIT;
	int r;

	path_format(path, "/proc/%d/%s", (int)p->pid, file);
	snprintf(text, sizeof(text), "%d", p->spec->adj);
	r = file_put(path, text, &why);
	if (r == -EACCES)
		return err_set(e, EOPNOTSUPP,
			       "process %s: %s %d is lower than this machine allows (CAP_SYS_RESOURCE)",
			       p->spec->name, file, p->spec->adj);
	return r < 0 && p->spec->adj_set ? err_set(e, -r, "process %s: %s", p->spec->name, why.text) : 0;
}

/* As the kernel has it now: it rounds what came by oom_adj. */
static void note_adj(const struct process *p, struct jsonw *w)
{
	char path[PATH_LEN_MAX];
	char *text = NULL;

	path_format(path, "/proc/%d/oom_score_adj", (int)p->pid);
	if (file_read(path, 32, &text, NULL, NULL) == 0)
		jsonw_int(w, "oom_score_adj", atoi(text));
	free(text);
}

static int fork_one(struct trial_run *t, unsigned int i, struct err *e)
{
	struct process *p = &t->processes[i];
	unsigned int group;
	struct jsonw *w;
	int r;

	r = process_fork(p, &t->spec.processes[i], t->setup, e);
	if (r < 0)
		return r;
	t->process_count = i + 1;
	group = p->spec->group < 0 ? t->group_count - 1 : (unsigned int)p->spec->group;
	r = cg_attach(&t->cgroups, p->spec->killer ? t->killer_group : t->groups[group].path, p->pid, e);
	if (r == 0)
		r = set_adj(p, e);
	if (r == 0 && process_sampler_open("", p->pid, &p->sampler) < 0)
		r = err_set(e, ESRCH, "process %s: gone before it was started", p->spec->name);
	if (r < 0)
		return r;
	w = event_begin(&t->rec, "spawn");
	jsonw_str(w, "process", p->spec->name);
	jsonw_int(w, "pid", p->pid);
	note_adj(p, w);
	event_end(&t->rec);
	return 0;
}

static void open_kmsg(struct trial_run *t)
{
	int r = kmsg_open(&t->kmsg);
	struct jsonw *w;

	if (r == 0) {
		if (t->setup->may_change_machine)
			kmsg_mark(&t->kmsg, &t->rec);
		return;
	}
	w = event_begin(&t->rec, "no-kernel-log");
	jsonw_str(w, "reason", strerror(-r));
	event_end(&t->rec);
}

/* What cannot happen later is a reason not to begin. */
static int faults_possible(struct trial_run *t, struct err *e)
{
	unsigned int i;
	int r = 0;

	for (i = 0; r == 0 && i < t->spec.fault_count; i++)
		if (t->spec.faults[i].group >= 0)
			r = cg_key_there(&t->cgroups, t->groups[t->spec.faults[i].group].path,
					 t->spec.faults[i].key, e);
	return r;
}

int trial_setup(struct trial_run *t, struct err *e)
{
	unsigned int i;
	int r;

	r = cg_init(&t->cgroups, e);
	if (r < 0)
		return r;
	record_start(t);
	protect(t);
	open_kmsg(t);
	r = system_sampler_open("", &t->system, e);
	if (r < 0)
		return r;
	trial_announce(t);
	r = make_groups(t, e);
	if (r == 0)
		r = killer_setup(t, e);
	if (r == 0)
		r = faults_possible(t, e);
	if (r == 0)
		r = swap_on(t, e);
	for (i = 0; r == 0 && i < t->spec.setup_count; i++)
		r = trial_change(t, &t->spec.setup[i], "set", e);
	if (r < 0)
		return r;
	trial_note_settings(t);
	trial_tick(t, true); /* the machine before the processes: what it had promised by then, for one */
	for (i = 0; r == 0 && i < t->spec.process_count; i++)
		r = fork_one(t, i, e);
	return r;
}
