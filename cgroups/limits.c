// SPDX-License-Identifier: MIT
/* Limits by name: the table of both versions, setting and reading back. */
#include "cgroups/cgroups.h"

#include "lib/files.h"
#include "lib/idlist.h"

#include <errno.h>
#include <inttypes.h>
#include <libcgroup.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum kind {
	BYTES,
	COUNT,
	NUMBER,
	MEMSW,
	LIST,   /* of NUMA nodes: "0-1,3" */
	ACTION, /* written, never read back */
};

struct key {
	const char *name;
	const char *file[3]; /* by version: [1], [2] */
	enum kind kind;
};

static const struct key keys[] = {
#define KEY(name_, v2_, v1_, kind_) { name_, { "", v1_, v2_ }, kind_ },
#include "cgroups/names.def"
#undef KEY
};

#define KEYS (sizeof(keys) / sizeof(keys[0]))
/* v1 writes "no limit" as the largest page-aligned long; anything near it is none. */
#define UNLIMITED_FROM (1ULL << 62)
#define UNLIMITED      UINT64_MAX

static const struct key *find(const char *name)
{
	size_t i;

	for (i = 0; i < KEYS; i++)
		if (!strcmp(keys[i].name, name))
			return &keys[i];
	return NULL;
}

const char *cg_key_name(size_t i, enum cg_value *ret_value)
{
	static const enum cg_value values[] = {
		[BYTES] = CG_BYTES,   [MEMSW] = CG_BYTES, [COUNT] = CG_COUNT,
		[NUMBER] = CG_NUMBER, [LIST] = CG_TEXT,   [ACTION] = CG_TEXT,
	};

	if (i >= KEYS)
		return NULL;
	if (ret_value)
		*ret_value = values[keys[i].kind];
	return keys[i].name;
}

bool cg_key_known(const char *name)
{
	return find(name) != NULL;
}

int cg_key_here(int version, const char *name, struct err *e)
{
	const struct key *key = find(name);

	if (!key)
		return err_set(e, EINVAL, "%s is no cgroup limit that oomlab knows", name);
	if (!key->file[version][0])
		return err_set(e, EOPNOTSUPP, "%s has no twin in cgroup v%d", name, version);
	return 0;
}

int cg_key_there(const struct cg_system *sys, const char *path, const char *name, struct err *e)
{
	const struct key *key = find(name);
	char full[PATH_LEN_MAX];
	const char *mount;
	int r;

	r = cg_key_here(sys->version, name, e);
	if (r < 0)
		return r;
	if (key->kind == LIST && (r = cg_hand_down(sys, path, "cpuset", e)) < 0)
		return r;
	mount = strncmp(name, "pids.", 5) == 0 ? sys->pids : sys->memory;
	r = path_format(full, "%s/%s/%s", mount, path, key->file[sys->version]);
	if (r == 0 && access(full, F_OK) == 0)
		return 0;
	return err_set(e, EOPNOTSUPP, "cgroup %s: this kernel has no %s in %s", path, key->file[sys->version],
		       mount);
}

static int put(const struct cg_system *sys, const char *path, const char *file, const char *value,
	       struct err *e)
{
	char controller[32];
	struct cgroup_controller *con;
	struct cgroup *cg = cgroup_new_cgroup(path);
	int r;

	snprintf(controller, sizeof(controller), "%.*s", (int)strcspn(file, "."), file);
	con = cg ? cgroup_add_controller(cg, controller) : NULL;
	r = con ? cgroup_add_value_string(con, file, value) : ECGFAIL;
	if (r == 0)
		r = cgroup_modify_cgroup(cg);
	cgroup_free(&cg);
	if (r == 0)
		return 0;
	if (r == ECGOTHER && cgroup_get_last_errno() == ENOENT)
		return err_set(e, EOPNOTSUPP, "cgroup %s: this kernel has no %s in %s", path, file,
			       sys->memory);
	if (r == ECGOTHER)
		return err_errno(e, cgroup_get_last_errno(), "cgroup %s: write \"%s\" to %s", path, value,
				 file);
	return err_set(e, EIO, "cgroup %s: write \"%s\" to %s: %s", path, value, file, cgroup_strerror(r));
}

static int get(const struct cg_system *sys, const char *path, const char *file, char ret[32])
{
	const char *mount = strncmp(file, "pids.", 5) == 0 ? sys->pids : sys->memory;
	AUTO_FREE char *text = NULL;
	char full[PATH_LEN_MAX];
	int r;

	r = path_format(full, "%s/%s/%s", mount, path, file);
	if (r == 0)
		r = file_read(full, 4096, &text, NULL, NULL);
	if (r < 0)
		return r;
	snprintf(ret, 32, "%.*s", (int)strcspn(text, "\n"), text);
	return 0;
}

static uint64_t limit_value(const char *text)
{
	uint64_t value;

	if (!strcmp(text, "max") || !strcmp(text, "-1"))
		return UNLIMITED;
	value = strtoull(text, NULL, 10);
	return value >= UNLIMITED_FROM ? UNLIMITED : value;
}

/* none: how "no limit" is written, "-1" for v1's files and "max" for people. */
static void limit_text(uint64_t value, const char *none, char ret[32])
{
	if (value == UNLIMITED)
		snprintf(ret, 32, "%s", none);
	else
		snprintf(ret, 32, "%" PRIu64, value);
}

static int check(const struct key *key, const char *wanted, const char *got, struct err *e)
{
	uint64_t w = limit_value(wanted), g = limit_value(got);
	uint64_t slack = key->kind == BYTES || key->kind == MEMSW ? (uint64_t)sysconf(_SC_PAGESIZE) : 1;

	if (w == g || (w != UNLIMITED && g != UNLIMITED && (w > g ? w - g : g - w) < slack))
		return 0;
	return err_set(e, EIO, "%s: asked for %s, the kernel made it %s", key->name, wanted, got);
}

/*
 * v1 counts memory and swap together: the file's value is memory.max plus
 * memory.swap.max, and it may never be below memory.max on the way.
 */
static int set_v1_memory(const struct cg_system *sys, const char *path, uint64_t memory, uint64_t swap,
			 struct err *e)
{
	static const char limit[] = "memory.limit_in_bytes", memsw[] = "memory.memsw.limit_in_bytes";
	char old[32], text[32], both[32];
	bool grows;
	int r;

	r = get(sys, path, limit, old);
	if (r < 0)
		return err_errno(e, -r, "cgroup %s: read %s", path, limit);
	grows = memory > limit_value(old);
	limit_text(memory, "-1", text);
	limit_text(memory == UNLIMITED || swap == UNLIMITED ? UNLIMITED : memory + swap, "-1", both);
	r = grows ? put(sys, path, memsw, both, e) : put(sys, path, limit, text, e);
	if (r == 0)
		r = grows ? put(sys, path, limit, text, e) : put(sys, path, memsw, both, e);
	return r;
}

/* What v1's pair of files amounts to as a limit of swap alone. */
static uint64_t v1_swap(uint64_t memory, uint64_t memsw)
{
	if (memsw == UNLIMITED)
		return UNLIMITED;
	return memsw > memory ? memsw - memory : 0;
}

static int set_v1_pair(const struct cg_system *sys, const struct key *key, const char *path,
		       const char *value, char ret_got[32], struct err *e)
{
	uint64_t memory, memsw;
	char text[32];
	int r;

	r = get(sys, path, "memory.limit_in_bytes", text);
	memory = r == 0 ? limit_value(text) : UNLIMITED;
	r = get(sys, path, "memory.memsw.limit_in_bytes", text);
	if (r < 0 && key->kind == MEMSW)
		return err_set(e, EOPNOTSUPP,
			       "%s: this kernel does not account swap to cgroups (boot with swapaccount=1)",
			       key->name);
	memsw = r == 0 ? limit_value(text) : UNLIMITED;
	if (key->kind == MEMSW && memory == UNLIMITED && limit_value(value) != UNLIMITED)
		return err_set(e, EOPNOTSUPP,
			       "%s: cgroup v1 limits swap only together with memory; set memory.max as well",
			       key->name);
	if (r < 0) /* no swap accounting: the limit stands alone */
		r = put(sys, path, key->file[1], limit_value(value) == UNLIMITED ? "-1" : value, e);
	else if (key->kind == MEMSW)
		r = set_v1_memory(sys, path, memory, limit_value(value), e);
	else
		r = set_v1_memory(sys, path, limit_value(value), v1_swap(memory, memsw), e);
	if (r == 0)
		r = get(sys, path, key->file[1], text);
	if (r < 0)
		return r;
	memsw = limit_value(text);
	limit_text(key->kind == MEMSW ? v1_swap(memory, memsw) : memsw, "max", ret_got);
	return check(key, value, ret_got, e);
}

/* memory.reclaim: "if less bytes are reclaimed than the specified amount, -EAGAIN is returned" (cgroup-v2.rst) */
static int act(const struct cg_system *sys, const char *path, const char *file, const char *value,
	       char ret_got[32], struct err *e)
{
	struct err why = ERR_INIT;
	int r = put(sys, path, file, value, &why);

	if (r < 0 && r != -EAGAIN)
		return err_set(e, -r, "%s", why.text);
	snprintf(ret_got, 32, "%s", r < 0 ? "less" : value);
	return 0;
}

/* The kernel writes a list its own way: "0,1" is "0-1". */
static int set_list(const struct cg_system *sys, const struct key *key, const char *path, const char *value,
		    char ret_got[32], struct err *e)
{
	const char *file = key->file[sys->version];
	struct idlist wanted, got;
	int r;

	if (idlist_parse(value, &wanted) < 0)
		return err_set(e, EINVAL, "%s: '%s' is no list; allowed: " IDLIST_ALLOWED, key->name, value);
	r = cg_hand_down(sys, path, "cpuset", e);
	if (r == 0)
		r = put(sys, path, file, value, e);
	if (r < 0)
		return r;
	r = get(sys, path, file, ret_got);
	if (r < 0)
		return err_errno(e, -r, "cgroup %s: read %s back", path, file);
	if (idlist_parse(ret_got, &got) < 0 || memcmp(&got, &wanted, sizeof(got)) != 0)
		return err_set(e, EIO, "%s: asked for %s, the kernel made it %s", key->name, value, ret_got);
	return 0;
}

int cg_set(const struct cg_system *sys, const char *path, const char *name, const char *value,
	   char ret_got[32], struct err *e)
{
	const struct key *key = find(name);
	int r;

	r = cg_key_here(sys->version, name, e);
	if (r < 0)
		return r;
	if (key->kind == LIST)
		return set_list(sys, key, path, value, ret_got, e);
	if (sys->version == 1 && (key->kind == MEMSW || !strcmp(name, "memory.max")))
		return set_v1_pair(sys, key, path, value, ret_got, e);
	if (sys->version == 1 && key->kind == BYTES && !strcmp(value, "max"))
		value = "-1";
	if (key->kind == ACTION)
		return act(sys, path, key->file[sys->version], value, ret_got, e);
	r = put(sys, path, key->file[sys->version], value, e);
	if (r < 0)
		return r;
	r = get(sys, path, key->file[sys->version], ret_got);
	if (r < 0)
		return err_errno(e, -r, "cgroup %s: read %s back", path, key->file[sys->version]);
	if (key->kind == BYTES && limit_value(ret_got) == UNLIMITED)
		snprintf(ret_got, 32, "max");
	return check(key, value, ret_got, e);
}
