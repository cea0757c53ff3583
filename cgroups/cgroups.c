// SPDX-License-Identifier: MIT
#include "cgroups/cgroups.h"

#include "lib/files.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <libcgroup.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* A group with a dying process is busy until the process is reaped: how often, how long to try. */
#define REMOVE_TRIES   200
#define REMOVE_WAIT_MS 25
#define GROUPS_MAX     128
#define CG_PATH_MAX    512

static int from_libcgroup(int code, struct err *e, const char *what, const char *path)
{
	int errnum = code == ECGOTHER ? cgroup_get_last_errno() : 0;

	if (errnum)
		return err_errno(e, errnum, "cgroup %s: %s", path, what);
	return err_set(e, EIO, "cgroup %s: %s: %s", path, what, cgroup_strerror(code));
}

/* Debian's libcgroup prints to stderr by default; errors travel through struct err here. */
static void silent(void *userdata, int level, const char *fmt, va_list ap)
{
	(void)userdata;
	(void)level;
	(void)fmt;
	(void)ap;
}

static void mount_of(const char *controller, char ret[CG_MOUNT_MAX])
{
	char *mount = NULL;

	ret[0] = 0;
	if (cgroup_get_subsys_mount_point(controller, &mount) == 0 && strlen(mount) < CG_MOUNT_MAX)
		snprintf(ret, CG_MOUNT_MAX, "%s", mount);
	free(mount);
}

int cg_init(struct cg_system *ret, struct err *e)
{
	char path[PATH_LEN_MAX];
	int r;

	cgroup_set_logger(silent, CGROUP_LOG_ERROR, NULL);
	r = cgroup_init();
	if (r != 0)
		return err_set(e, EOPNOTSUPP, "no cgroups here: %s", cgroup_strerror(r));
	mount_of("memory", ret->memory);
	mount_of("pids", ret->pids);
	if (!ret->memory[0])
		return err_set(e, EOPNOTSUPP, "no cgroup hierarchy with the memory controller is mounted");
	/* Every v2 group has cgroup.controllers, no v1 group does. */
	r = path_format(path, "%s/cgroup.controllers", ret->memory);
	ret->version = r == 0 && access(path, F_OK) == 0 ? 2 : 1;
	return 0;
}

/*
 * A v2 group other than the root cannot both hold processes and hand its
 * controllers to children (cgroup-v2.rst, "No Internal Process Constraint").
 */
static bool holds_processes(const struct cg_system *sys, const char *parent)
{
	AUTO_FREE char *procs = NULL, *handed = NULL;
	char path[PATH_LEN_MAX];

	if (sys->version == 1 || !parent[0])
		return false;
	if (path_format(path, "%s/%s/cgroup.subtree_control", sys->memory, parent) == 0 &&
	    file_read(path, 4096, &handed, NULL, NULL) == 0 && strstr(handed, "memory"))
		return false;
	return path_format(path, "%s/%s/cgroup.procs", sys->memory, parent) == 0 &&
	       file_read(path, 1 << 20, &procs, NULL, NULL) == 0 && procs[0];
}

int cg_may_make(const struct cg_system *sys, const char *parent, struct err *e)
{
	char path[PATH_LEN_MAX];
	int r;

	r = path_format(path, "%s/%s", sys->memory, parent);
	if (r < 0 || access(path, F_OK) < 0)
		return err_set(e, EOPNOTSUPP, "cgroup parent %s/%s does not exist", sys->memory, parent);
	if (access(path, W_OK) < 0)
		return err_set(
			e, EOPNOTSUPP,
			"cgroup parent %s is not writable for uid %u; delegate a group or use --place guest",
			path, (unsigned int)geteuid());
	if (holds_processes(sys, parent))
		return err_set(
			e, EOPNOTSUPP,
			"cgroup parent %s holds processes, so it cannot have limited groups below it; give an empty one with --cgroup-parent",
			path);
	return 0;
}

/* /proc/self/cgroup: "4:memory:/user.slice/x" on v1, "0::/user.slice/x" on v2. */
static int own_group(const struct cg_system *sys, char ret_path[], size_t room)
{
	AUTO_FREE char *text = NULL;
	char *line, *save = NULL;

	if (file_read("/proc/self/cgroup", 1 << 16, &text, NULL, NULL) < 0)
		return -ENOENT;
	for (line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		char *controllers = strchr(line, ':');
		char *path = controllers ? strchr(controllers + 1, ':') : NULL;

		if (!path)
			continue;
		*path++ = 0;
		if (strcmp(controllers + 1, sys->version == 2 ? "" : "memory") != 0)
			continue;
		while (*path == '/')
			path++;
		return snprintf(ret_path, room, "%s", path) < (int)room ? 0 : -ENAMETOOLONG;
	}
	return -ENOENT;
}

int cg_default_parent(const struct cg_system *sys, char ret_path[], size_t room, struct err *e)
{
	ret_path[0] = 0;
	if (geteuid() == 0)
		return 0;
	if (own_group(sys, ret_path, room) < 0)
		return err_set(e, EOPNOTSUPP,
			       "the caller's own cgroup is not to be found in /proc/self/cgroup");
	return cg_may_make(sys, ret_path, e);
}

static struct cgroup *group(const struct cg_system *sys, const char *path)
{
	struct cgroup *cg = cgroup_new_cgroup(path);

	if (cg &&
	    (!cgroup_add_controller(cg, "memory") || (sys->pids[0] && !cgroup_add_controller(cg, "pids"))))
		cgroup_free(&cg);
	return cg;
}

int cg_make(const struct cg_system *sys, const char *path, struct err *e)
{
	struct cgroup *cg = group(sys, path);
	int r;

	if (!cg)
		return err_set(e, ENOMEM, "cgroup %s: out of memory", path);
	r = cgroup_create_cgroup(cg, 1);
	cgroup_free(&cg);
	return r ? from_libcgroup(r, e, "create", path) : 0;
}

/* Is it one of the words of cgroup.controllers? */
static bool has_controller(const struct cg_system *sys, const char *path, const char *controller)
{
	AUTO_FREE char *text = NULL;
	char full[PATH_LEN_MAX], *word, *save = NULL;

	if (path_format(full, "%s/%s/cgroup.controllers", sys->memory, path) < 0 ||
	    file_read(full, 4096, &text, NULL, NULL) < 0)
		return false;
	for (word = strtok_r(text, " \n", &save); word; word = strtok_r(NULL, " \n", &save))
		if (!strcmp(word, controller))
			return true;
	return false;
}

/* libcgroup enables a group's controllers in the group above when it makes it, and may make it again. */
static int hand_down_to(const struct cg_system *sys, const char *path, const char *controller, struct err *e)
{
	struct err why = ERR_INIT;
	struct cgroup *cg;
	int r;

	if (has_controller(sys, path, controller))
		return 0;
	cg = cgroup_new_cgroup(path);
	r = cg && cgroup_add_controller(cg, controller) ? cgroup_create_cgroup(cg, 1) : ECGFAIL;
	cgroup_free(&cg);
	if (r == 0 && has_controller(sys, path, controller))
		return 0;
	from_libcgroup(r ? r : ECGFAIL, &why, "create", path);
	return err_set(e, EOPNOTSUPP, "the %s controller is not to be had here: %s", controller, why.text);
}

int cg_hand_down(const struct cg_system *sys, const char *path, const char *controller, struct err *e)
{
	char part[CG_PATH_MAX];
	size_t len = 0;
	int r = 0;

	if (sys->version != 2)
		return err_set(e, EOPNOTSUPP, "cgroup v1 has %s in a hierarchy of its own", controller);
	while (r == 0 && path[len]) {
		len += strspn(path + len, "/");
		len += strcspn(path + len, "/");
		if (snprintf(part, sizeof(part), "%.*s", (int)len, path) >= CG_PATH_MAX)
			return err_set(e, ENAMETOOLONG, "cgroup %s: path too long", path);
		r = hand_down_to(sys, part, controller, e);
	}
	return r;
}

int cg_attach(const struct cg_system *sys, const char *path, pid_t pid, struct err *e)
{
	struct cgroup *cg = group(sys, path);
	int r;

	if (!cg)
		return err_set(e, ENOMEM, "cgroup %s: out of memory", path);
	r = cgroup_attach_task_pid(cg, pid);
	cgroup_free(&cg);
	return r ? from_libcgroup(r, e, "attach", path) : 0;
}

/* The groups of one tree, children before parents; paths relative to the mount. */
struct tree {
	const char *mount;
	char paths[GROUPS_MAX][CG_PATH_MAX];
	size_t count;
	bool cut;
};

static __thread struct tree *walking; /* nftw() hands no pointer through */

static int note_group(const char *path, const struct stat *st, int kind, struct FTW *where)
{
	const char *relative = path + strlen(walking->mount) + 1;

	(void)st;
	(void)where;
	if (kind != FTW_DP)
		return 0;
	if (walking->count == GROUPS_MAX || strlen(relative) >= CG_PATH_MAX) {
		walking->cut = true;
		return 1;
	}
	strcpy(walking->paths[walking->count++], relative);
	return 0;
}

static int tree_read(struct tree *t, const char *mount, const char *path)
{
	char full[PATH_LEN_MAX];

	t->mount = mount;
	t->count = 0;
	t->cut = false;
	if (!mount[0] || path_format(full, "%s/%s", mount, path) < 0 || access(full, F_OK) < 0)
		return 0;
	walking = t;
	nftw(full, note_group, 16, FTW_DEPTH | FTW_PHYS | FTW_MOUNT);
	return t->cut ? -E2BIG : 0;
}

static void kill_all_in(char *path, char *controller)
{
	pid_t *pids = NULL;
	int count = 0, i;

	if (cgroup_get_procs(path, controller, &pids, &count) == 0)
		for (i = 0; i < count; i++)
			if (pids[i] > 0 && pids[i] != getpid()) /* 0: of another pid namespace */
				kill(pids[i], SIGKILL);
	free(pids);
}

/*
 * One pass over one hierarchy: kills what runs there and removes what is empty.
 * Never asks libcgroup to remove a group that has processes: it would move
 * them to the parent, out of their limit. Returns the groups that are left.
 */
static size_t sweep(char *controller, const struct tree *t)
{
	size_t left = 0, i;

	for (i = 0; i < t->count; i++) {
		char path[CG_PATH_MAX], full[PATH_LEN_MAX];
		struct cgroup *cg;

		strcpy(path, t->paths[i]);
		kill_all_in(path, controller);
		cg = cgroup_new_cgroup(path);
		if (cg && cgroup_add_controller(cg, controller))
			cgroup_delete_cgroup_ext(cg, CGFLAG_DELETE_EMPTY_ONLY);
		cgroup_free(&cg);
		/* With that flag libcgroup 2.0 returns 0 for a group that is busy, too. */
		if (path_format(full, "%s/%s", t->mount, path) == 0 && access(full, F_OK) == 0)
			left++;
	}
	return left;
}

int cg_remove(const struct cg_system *sys, const char *path, struct err *e)
{
	AUTO_FREE struct tree *t = malloc(sizeof(*t));
	size_t left = 0;
	int try, r;

	if (!t)
		return err_set(e, ENOMEM, "cgroup %s: out of memory", path);
	if (!path[0])
		return err_set(e, EINVAL, "cgroup: the root is not removed");
	for (try = 0; try < REMOVE_TRIES; try++) {
		r = tree_read(t, sys->memory, path);
		left = r < 0 ? 1 : sweep("memory", t);
		if (sys->version == 1 && tree_read(t, sys->pids, path) == 0)
			left += sweep("pids", t);
		if (r < 0)
			return err_set(e, E2BIG, "cgroup %s: more than %d groups below it", path, GROUPS_MAX);
		if (left == 0)
			return 0;
		poll(NULL, 0, REMOVE_WAIT_MS); /* no event tells that a v1 group is empty */
	}
	return err_set(
		e, EBUSY,
		"cgroup %s: %zu groups could not be removed within %d s; a process in them does not die",
		path, left, REMOVE_TRIES * REMOVE_WAIT_MS / 1000);
}

int cg_open(const struct cg_system *sys, const char *path, const char *file)
{
	char full[PATH_LEN_MAX];
	int fd;

	if (path_format(full, "%s/%s/%s", sys->memory, path, file) < 0)
		return -ENAMETOOLONG;
	fd = open(full, O_RDONLY | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}
