// SPDX-License-Identifier: MIT
#include "harness/recording.h"

#include "cgroups/cgroups.h"
#include "harness/limit_names.h"
#include "harness/places/executable.h"
#include "harness/scenario/limit.h"
#include "harness/scenario/names.h"
#include "harness/scenario/programs.h"
#include "lib/idlist.h"
#include "lib/json.h"
#include "lib/paths.h"
#include "lib/units.h"

#include <ctype.h>
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define NAME_MAX_LEN 64

int recording_limit(struct recording *r, const char *key, const char *value, struct err *e)
{
	const struct cgroup_key_name *names = limit_names(), *limit = name_find(key, names, sizeof(*names));
	char hint[96], list[512];
	const char *allowed;
	json_t *parsed;

	if (!limit)
		return err_set(e, EINVAL, "no such limit%s; allowed: %s",
			       name_hint(hint, key, names, sizeof(*names)),
			       name_list(list, sizeof(list), names, sizeof(*names)));
	parsed = limit_value(value, limit->value, &allowed);
	if (!parsed)
		return err_set(e, EINVAL, "allowed: %s", allowed);
	if (!r->limits)
		r->limits = json_object();
	return json_object_set_new(r->limits, key, parsed) < 0 ? err_errno(e, ENOMEM, "limits") : 0;
}

int recording_env(struct recording *r, const char *text, struct err *e)
{
	const char *equals = strchr(text, '='), *value = equals ? equals + 1 : getenv(text), *p;
	AUTO_FREE char *name = equals ? strndup(text, (size_t)(equals - text)) : strdup(text);
	json_t *as_text;

	for (p = name; p && (isalnum((unsigned char)*p) || *p == '_'); p++)
		;
	if (!p || p == name || *p)
		return err_set(
			e, EINVAL,
			"no name of a variable; allowed: NAME or NAME=VALUE, NAME of letters, digits, '_'");
	if (!value)
		return err_set(e, EINVAL, "is not in the environment; allowed: one that is, or NAME=VALUE");
	as_text = json_string(value);
	if (!as_text)
		return err_set(e, EINVAL, "is no UTF-8; allowed: text");
	if (!r->env)
		r->env = json_object();
	return json_object_set_new(r->env, name, as_text) < 0 ? err_errno(e, ENOMEM, "env") : 0;
}

/* Absolute, without links but maybe for its last part: a program may ask what it was called. */
static int absolute(const char *path, char ret[PATH_LEN_MAX])
{
	const char *name = strrchr(path, '/');
	AUTO_FREE char *dir = NULL;
	char folder[PATH_LEN_MAX];
	int r = path_format(folder, "%.*s/", (int)(name - path), path);

	if (r < 0)
		return r;
	dir = realpath(folder, NULL);
	return dir ? path_format(ret, "%s%s", strcmp(dir, "/") != 0 ? dir : "", name) : -errno;
}

/* A script is only as good as what interprets it. */
static int check_interpreter(const char *path, struct err *e)
{
	struct executable x;

	if (executable_read(path, &x, NULL) == 0 && x.script && access(x.interpreter, X_OK) < 0)
		return err_errno(e, errno, "%s: its interpreter %s", path, x.interpreter);
	return 0;
}

static const char *path_list(const struct recording *r)
{
	const char *own = r->guest ? NULL : getenv("PATH");

	return json_text(r->env, "PATH", own ? own : PROGRAM_PATH);
}

int recording_find(struct recording *r, struct err *e)
{
	const char *word = r->argv[0];
	char found[PATH_LEN_MAX];
	int ret;

	if (!word[0])
		return err_set(e, ENOENT, "\"\": the program has no name");
	if (!strchr(word, '/')) {
		if (paths_search(path_list(r), word, found) < 0)
			return err_set(e, ENOENT,
				       "%s: there is no such program in %.500s; give one of there, or a path",
				       word, path_list(r));
	} else if (path_format(found, "%s", word) < 0) {
		return err_errno(e, ENAMETOOLONG, "%s", word);
	} else if (access(found, X_OK) < 0) {
		return err_errno(e, errno, "%s", word);
	} else if (!paths_executable(found)) {
		return err_set(e, EACCES, "%s: is no file; give a program", word);
	}
	ret = absolute(found, r->program);
	return ret < 0 ? err_errno(e, -ret, "%s", word) : check_interpreter(r->program, e);
}

int recording_cpus(int64_t count, char ret[256], struct err *e)
{
	struct idlist list = { { 0 } };
	unsigned int cpu, taken = 0;
	cpu_set_t set;

	if (sched_getaffinity(0, sizeof(set), &set) < 0)
		return err_errno(e, errno, "sched_getaffinity");
	for (cpu = 0; cpu < CPU_SETSIZE && taken < count; cpu++)
		if (CPU_ISSET(cpu, &set)) {
			idlist_add(&list, cpu);
			taken++;
		}
	if (taken < count)
		return err_set(
			e, EOPNOTSUPP,
			"--cpus %lld: there are %u here to run on; --place guest has as many as you like",
			(long long)count, taken);
	idlist_format(&list, ret, 256);
	return 0;
}

char *recording_text(const char *bytes)
{
	char *text = malloc(strlen(bytes) * 3 + 1), *to = text;
	size_t len, n;

	for (; text && *bytes; bytes += n) {
		json_t *good = NULL;

		/* The longest character that is one; jansson knows UTF-8. */
		len = strnlen(bytes, 4);
		for (n = len; n > 0 && !(good = json_stringn(bytes, n)); n--)
			;
		json_decref(good);
		n = good ? n : 1;
		memcpy(to, good ? bytes : "\xef\xbf\xbd", good ? n : 3);
		to += good ? n : 3;
	}
	if (text)
		*to = 0;
	return text;
}

/* As it is told from others in results/runs: the program's name with what a folder's name should not have left out. */
static json_t *name_of(const char *program)
{
	const char *p = strrchr(program, '/') ? strrchr(program, '/') + 1 : program;
	char name[NAME_MAX_LEN + 1];
	size_t n = 0;

	for (; *p && n < NAME_MAX_LEN; p++)
		if (isalnum((unsigned char)*p) || (n > 0 && strchr("._-", *p)))
			name[n++] = *p;
	name[n] = 0;
	return json_string(n ? name : RECORDING_PROCESS);
}

static json_t *words(char *const *argv)
{
	json_t *list = json_array();
	size_t i;

	for (i = 0; argv[i]; i++) {
		AUTO_FREE char *text = recording_text(argv[i]);

		json_array_append_new(list, json_string(text ? text : "?"));
	}
	return list;
}

static json_t *process_of(const struct recording *r)
{
	json_t *env = r->guest ? json_pack("{s:s}", "PATH", PROGRAM_PATH) : json_object();
	json_t *input = r->stdin_path ? json_pack("{s:s}", "file", r->stdin_path) : json_null();
	json_t *p;

	json_object_update(env, r->env);
	p = json_pack("{s:s, s:o, s:s, s:o, s:o, s:o, s:s, s:s, s:o}", "name", RECORDING_PROCESS, "exec",
		      words(r->argv), "program", r->program, "env", env, "stdin", input, "files",
		      r->files ? json_deep_copy(r->files) : json_array(), "streams",
		      r->guest ? "kept" : "caller", "cgroup", RECORDING_GROUP, "oom_score_adj",
		      r->guest ? json_null() : json_integer(r->oom_score_adj));
	if (r->cpu_list)
		json_object_set_new(p, "cpus", json_string(r->cpu_list));
	return p;
}

/* Bytes of a limit; otherwise: what "max" and no limit come to. */
static uint64_t limit_bytes(const struct recording *r, const char *key, uint64_t machine, uint64_t otherwise)
{
	const char *text = json_text(r->limits, key, NULL);
	uint64_t bytes = otherwise;
	double percent;
	int64_t number;

	if (text && percent_parse(text, &percent) == 0)
		bytes = (uint64_t)((double)machine * percent / 100);
	else if (text && int_parse(text, &number) == 0)
		bytes = (uint64_t)number;
	else if (text)
		bytes = machine;
	return bytes;
}

static uint64_t round_up(uint64_t bytes)
{
	return (bytes + (1ULL << 20) - 1) >> 20 << 20;
}

/* Beside the group there must be room for the kernel, and for what the limit does not count. */
static uint64_t machine_memory(const struct recording *r)
{
	uint64_t wanted;

	if (r->machine_memory_bytes)
		return r->machine_memory_bytes;
	wanted = round_up(limit_bytes(r, "memory.max", 0, 0)) + RECORDING_MACHINE_MORE;
	return wanted > RECORDING_MACHINE_MIN ? wanted : RECORDING_MACHINE_MIN;
}

static json_t *machine_of(const struct recording *r)
{
	uint64_t memory = machine_memory(r);
	uint64_t swap = round_up(limit_bytes(r, "memory.swap.max", memory, 0));
	json_t *disk = swap ? json_pack("{s:I, s:s}", "size", (json_int_t)swap, "kind", "disk") : json_null();

	return json_pack("{s:s, s:I, s:I, s:[], s:[], s:o, s:n, s:n, s:i, s:n, s:n, s:n, s:s, s:s, s:b, s:i}",
			 "kernel", r->kernel ? r->kernel : RECORDING_KERNEL, "memory", (json_int_t)memory,
			 "cpus", (json_int_t)(r->cpus ? r->cpus : 1), "nodes", "distances", "swap", disk,
			 "data", "zswap", "hugepages", 0, "thp", "mglru", "ksm", "cgroup", "v2", "cmdline",
			 "", "deterministic", 0, "seed", 0);
}

json_t *recording_spec(const struct recording *r)
{
	uint64_t every = r->every_ns ? r->every_ns : RECORDING_EVERY_NS;
	uint64_t timeout = r->timeout_ns ? r->timeout_ns : RECORDING_FOREVER_NS;

	return json_pack("{s:i, s:o, s:s, s:{}, s:s, s:o, s:{}, s:[{s:s, s:o}], s:[o], s:[], s:{s:I, s:I}, "
			 "s:{s:I}, s:[]}",
			 "spec", 1, "scenario", name_of(r->program), "cell", "all", "axes", "place",
			 r->guest ? "guest" : "host", "machine", r->guest ? machine_of(r) : json_null(),
			 "sysctl", "cgroups", "path", RECORDING_GROUP, "set",
			 r->limits ? json_deep_copy(r->limits) : json_object(), "processes", process_of(r),
			 "faults", "stop", "timeout", (json_int_t)timeout, "settle", (json_int_t)200000000,
			 "record", "every", (json_int_t)every, "expect");
}
