// SPDX-License-Identifier: MIT
#include "harness/scenario/keys.h"

#include "harness/scenario/kinds.h"
#include "lib/units.h"

#include <string.h>

#define M    (1LL << 20)
#define T    (1LL << 40)
#define MS   1000000LL
#define HOUR (3600000 * MS)

static const struct key root = { "", &kind_fixed, NULL, 0, 0, NULL, "" };

/* Rows stand in the order in which values are checked: cgroups before the processes that name them. */
static const struct key keys[] = {
	{ "scenario", &kind_name, NULL, 1, 64, NULL, "its name, also that of the run directory" },
	{ "about", &kind_text, "\"\"", 0, 1000, NULL, "what it shows, in a sentence" },
	{ "source", &kind_text, "\"\"", 0, 1000, NULL, "where the claim comes from" },
	{ "place", &kind_place, "(guest with machine, else host)", 0, 0, "host|guest", "where a trial runs" },
	{ "machine", &kind_machine, "(as {} in a guest, else null)", 0, 0, NULL,
	  "guest: built so; host: must be met, else the trial is skipped" },
	{ "machine.kernel", &kind_kernel, "(debian:6.1 in a guest, else any)", 1, 4096, NULL,
	  "a name of `oomlab list kernels`, or the path of a bzImage" },
	{ "machine.memory", &kind_size, "256M", 16 * M, T, NULL, "RAM" },
	{ "machine.cpus", &kind_int, "1", 1, 64, NULL, "number of CPUs" },
	{ "machine.nodes", &kind_list, "[]", 0, 8, NULL, "NUMA nodes: RAM of each; together machine.memory" },
	{ "machine.nodes.[]", &kind_size, NULL, 16 * M, T, NULL, "RAM of one node" },
	{ "machine.distances", &kind_list, "[]", 0, 8, NULL,
	  "NUMA distances, a row a node, each from that node to all; 10 to itself; []: 10 and 20" },
	{ "machine.distances.[]", &kind_list, NULL, 1, 8, NULL, "distances from one node" },
	{ "machine.distances.[].[]", &kind_int, NULL, 10, 255, NULL, "one distance; 255: unreachable" },
	{ "machine.swap", &kind_swap, "null", 0, 0, NULL, "swap space; null: none" },
	{ "machine.swap.size", &kind_size, "(none with kind: none, else must be given)", 0, T, NULL,
	  "its size; 0: no swap" },
	{ "machine.swap.kind", &kind_choice, "disk", 0, 0, "disk|pmem|zram|none",
	  "what it lies on: a disk, memory of the host's (pmem, steps of 2M), compressed RAM (zram)" },
	{ "machine.data", &kind_fixed, "null", 0, 0, NULL,
	  "a file system on which the processes' working directory is, empty; null: none" },
	{ "machine.data.size", &kind_size, NULL, 4 * M, T, NULL, "its size, with what it needs for itself" },
	{ "machine.data.kind", &kind_choice, "disk", 0, 0, "disk|pmem",
	  "what it lies on: a disk, memory of the host's (pmem, steps of 2M)" },
	{ "machine.zswap", &kind_fixed, "null", 0, 0, NULL,
	  "pages on their way to swap are compressed in RAM first; null: as the kernel has it" },
	{ "machine.zswap.enabled", &kind_bool, "true", 0, 0, "false|true", "on or off" },
	{ "machine.zswap.compressor", &kind_name, "null", 1, 64, NULL,
	  "lzo, lz4, zstd, ...; null: the kernel's default" },
	{ "machine.zswap.max_pool_percent", &kind_int, "null", 1, 100, NULL,
	  "most of RAM that it takes; null: the kernel's default" },
	{ "machine.hugepages", &kind_size, "0", 0, T, NULL,
	  "RAM reserved in huge pages of 2M before anything runs, steps of 2M" },
	{ "machine.thp", &kind_choice, "null", 0, 0, "always|madvise|never",
	  "transparent huge pages; null: as the kernel has them" },
	{ "machine.mglru", &kind_bool, "null", 0, 0, "false|true",
	  "multi-generational LRU; null: as the kernel has it" },
	{ "machine.ksm", &kind_bool, "null", 0, 0, "false|true",
	  "identical pages that were offered are merged; null: as the kernel has it, which is not" },
	{ "machine.cgroup", &kind_choice, "v2", 0, 0, "v1|v2",
	  "version of the hierarchy that has the memory controller" },
	{ "machine.cmdline", &kind_cmdline, "\"\"", 0, 512, NULL, "appended to the kernel's command line" },
	{ "machine.deterministic", &kind_bool, "false", 0, 0, "false|true",
	  "guest: the same bytes in every run, in 2 to 4 times the time; not with KVM or swap on disk" },
	{ "machine.seed", &kind_int, "0", 0, UINT32_MAX, NULL,
	  "deterministic guests: shifts the start of the trial, so that other seeds explore other interleavings" },
	{ "sysctl", &kind_open, "{}", 0, 64, NULL, "kernel settings, set before the processes start" },
	{ "sysctl.*", &kind_sysctl, NULL, 1, 256, NULL, "value of that setting" },
	{ "cgroups", &kind_cgroups, "{}", 0, 32, NULL,
	  "groups to make, by path below the trial's own group" },
	{ "cgroups.*", &kind_cgroup, NULL, 0, 16, NULL,
	  "limits of one group, in cgroup v2 names; parents are made too" },
	{ "cgroups.*.*", &kind_cgroup_value, NULL, 1, 256, NULL,
	  "value of that limit; or `profile: NAME` (`oomlab list profiles`) and parameters of it" },
	{ "processes", &kind_processes, NULL, 1, 64, NULL, "who uses memory, by name" },
	{ "processes.*", &kind_process, NULL, 0, 0, NULL, "one process" },
	{ "processes.*.run", &kind_run, "(exec is given)", 1, 64, NULL, "a stressor and its arguments" },
	{ "processes.*.run.[]", &kind_word, NULL, 0, 4096, NULL, "one word" },
	{ "processes.*.malloc", &kind_malloc, "(glibc's, inside the program)", 0, 4096, NULL,
	  "run: the malloc library that the stressor is preloaded with" },
	{ "processes.*.exec", &kind_exec, "(run is given)", 1, 250, NULL,
	  "a program of this machine's and its arguments" },
	{ "processes.*.exec.[]", &kind_word, NULL, 0, 32768, NULL, "one word" },
	{ "processes.*.env", &kind_open, "(PATH alone)", 0, 64, NULL,
	  "exec, malloc: variables of its environment, beside PATH" },
	{ "processes.*.env.*", &kind_env_value, NULL, 0, 32768, NULL, "value of that variable" },
	{ "processes.*.stdin", &kind_stdin, "(nothing)", 0, 65536, NULL, "exec: its standard input" },
	{ "processes.*.stdin.file", &kind_path, NULL, 1, 4096, NULL, "a file instead" },
	{ "processes.*.files", &kind_list, "(none)", 0, 256, NULL,
	  "exec: files and folders that it needs in a guest" },
	{ "processes.*.files.[]", &kind_path, NULL, 1, 4096, NULL,
	  "one of them, relative to this file's folder" },
	{ "processes.*.cgroup", &kind_cgroup_ref, "\"\"", 0, 255, NULL,
	  "the group it starts in; \"\": the trial's own, which has no limits" },
	{ "processes.*.oom_score_adj", &kind_int, "null", -1000, 1000, NULL, "null: not set" },
	{ "processes.*.oom_adj", &kind_int, "(not set)", -17, 15, NULL,
	  "in place of oom_score_adj, by the file that kernels before 2.6.36 had" },
	{ "processes.*.count", &kind_int, "(one, NAME itself)", 1, 64, NULL,
	  "so many of it, NAME-1, NAME-2, ...; together 64 processes" },
	{ "processes.*.rlimits", &kind_fixed, "(as the machine has them)", 0, 0, NULL,
	  "resource limits, soft and hard: getrlimit(2)" },
	{ "processes.*.rlimits.as", &kind_rlimit, "(not set)", 0, 1024 * T, NULL, "address space" },
	{ "processes.*.rlimits.data", &kind_rlimit, "(not set)", 0, 1024 * T, NULL,
	  "private memory that can be written" },
	{ "processes.*.rlimits.stack", &kind_rlimit, "(not set)", 0, 1024 * T, NULL, "stack" },
	{ "processes.*.rlimits.memlock", &kind_rlimit, "(not set)", 0, 1024 * T, NULL, "locked memory" },
	{ "processes.*.user", &kind_user, "(oomlab's own, in a guest root)", 0, UINT32_MAX - 1LL, NULL,
	  "whose process it is" },
	{ "processes.*.group", &kind_group, "(the user's)", 0, UINT32_MAX - 1LL, NULL, "its group" },
	{ "processes.*.nice", &kind_int, "(not set)", -20, 19, NULL, "priority: nice(2)" },
	{ "processes.*.cpus", &kind_idlist, "(all)", 0, 0, NULL, "CPUs that it may run on" },
	{ "processes.*.numa", &kind_fixed, "(as the kernel has it)", 0, 0, NULL,
	  "where its memory lies, unless it asks for something else itself: set_mempolicy(2)" },
	{ "processes.*.numa.policy", &kind_choice, NULL, 0, 0, "bind|interleave|preferred",
	  "these nodes alone; these in turn; this one while it has room" },
	{ "processes.*.numa.nodes", &kind_idlist, NULL, 0, 0, NULL, "NUMA nodes; with preferred one" },
	{ "processes.*.start", &kind_trigger, "(with the others)", 0, 0, NULL,
	  "when it starts, if not with the others" },
	{ "processes.*.start.at", &kind_duration, "0s", 0, 24 * HOUR, NULL,
	  "since the processes started; with after: since that came true" },
	{ "processes.*.start.after", &kind_process_ref, "(nothing)", 0, 0, NULL,
	  "a process that must have come to one of the following first" },
	{ "processes.*.start.phase", &kind_choice, "(not asked)", 0, 0, "run|hold|ended",
	  "it works, it has its amount, it has ended" },
	{ "processes.*.start.allocated", &kind_size, "(not asked)", 1, T, NULL, "it has allocated so much" },
	{ "processes.*.start.touched", &kind_size, "(not asked)", 1, T, NULL, "it has written so much" },
	{ "processes.*.start.rss", &kind_size, "(not asked)", 1, T, NULL, "it is resident with so much" },
	{ "processes.*.stop", &kind_trigger, "(by itself)", 0, 0, NULL,
	  "when it is sent a signal, if it has not ended" },
	{ "processes.*.stop.at", &kind_duration, "0s", 0, 24 * HOUR, NULL,
	  "since the processes started; with after: since that came true" },
	{ "processes.*.stop.after", &kind_process_ref, "(nothing)", 0, 0, NULL,
	  "a process that must have come to one of the following first" },
	{ "processes.*.stop.phase", &kind_choice, "(not asked)", 0, 0, "run|hold|ended",
	  "it works, it has its amount, it has ended" },
	{ "processes.*.stop.allocated", &kind_size, "(not asked)", 1, T, NULL, "it has allocated so much" },
	{ "processes.*.stop.touched", &kind_size, "(not asked)", 1, T, NULL, "it has written so much" },
	{ "processes.*.stop.rss", &kind_size, "(not asked)", 1, T, NULL, "it is resident with so much" },
	{ "processes.*.stop.signal", &kind_choice, "TERM", 0, 0, "TERM|INT|HUP|KILL|STOP|CONT|USR1|USR2",
	  "to it and its children" },
	{ "killer", &kind_killer, "null", 0, 0, NULL,
	  "a user-space OOM killer, ready before the processes start: a name of `oomlab list killers`; none" },
	{ "killer.run", &kind_list, "(exec is given)", 1, 64, NULL,
	  "its name and arguments; without any the service's own" },
	{ "killer.run.[]", &kind_word, NULL, 0, 4096, NULL, "one word" },
	{ "killer.exec", &kind_exec, "(run is given)", 1, 250, NULL, "a killer of yours and its arguments" },
	{ "killer.exec.[]", &kind_word, NULL, 0, 32768, NULL, "one word" },
	{ "killer.ready", &kind_word, "(run is given)", 1, 100, NULL,
	  "exec: what it prints when it is ready" },
	{ "killer.env", &kind_open, "(PATH alone)", 0, 64, NULL, "exec: variables of its environment" },
	{ "killer.env.*", &kind_env_value, NULL, 0, 32768, NULL, "value of that variable" },
	{ "killer.files", &kind_list, "(none)", 0, 256, NULL, "files and folders that it needs" },
	{ "killer.files.[]", &kind_path, NULL, 1, 4096, NULL, "one of them, relative to this file's folder" },
	{ "faults", &kind_faults, "[]", 0, 64, NULL, "what changes while the trial runs" },
	{ "faults.[]", &kind_fixed, NULL, 0, 0, NULL, "one change" },
	{ "faults.[].at", &kind_duration, NULL, 0, 24 * HOUR, NULL, "since the processes started" },
	{ "faults.[].set", &kind_fault_set, NULL, 1, 16, NULL,
	  "`cgroups.PATH.KEY` or `sysctl.NAME`, and the new value" },
	{ "faults.[].set.*", &kind_word, NULL, 1, 256, NULL, "the new value, as under cgroups and sysctl" },
	{ "stop", &kind_fixed, "{}", 0, 0, NULL, "when a trial ends that does not end by itself" },
	{ "stop.timeout", &kind_duration, "60s", MS, 24 * HOUR, NULL, "processes alive by then are stopped" },
	{ "stop.settle", &kind_duration, "200ms", MS, HOUR, NULL,
	  "recorded after the last process has ended" },
	{ "record", &kind_fixed, "{}", 0, 0, NULL, "the recorder" },
	{ "record.every", &kind_duration, "10ms", MS, HOUR, NULL, "one sample of everything that often" },
	{ "matrix", &kind_matrix, "{}", 0, 8, NULL,
	  "path: list of values; a cell is a combination of them, the first path varies slowest" },
	{ "matrix.*", &kind_axis, NULL, 1, 10000, NULL, "values of one axis" },
	{ "expect", &kind_expects, "[]", 0, 256, NULL, "what must come of it" },
	{ "expect.[]", &kind_expect, NULL, 0, 0, NULL,
	  "one expectation: at least one of is, min, max, near" },
	{ "expect.[].that", &kind_metric, NULL, 1, 512, NULL, "the metric it is about" },
	{ "expect.[].is", &kind_is, LEFT_OUT, 0, 64, NULL,
	  "the value, or a list of allowed ones; `none` for no victim" },
	{ "expect.[].min", &kind_bound, LEFT_OUT, 0, 0, NULL, "at least" },
	{ "expect.[].max", &kind_bound, LEFT_OUT, 0, 0, NULL, "at most" },
	{ "expect.[].near", &kind_bound, LEFT_OUT, 0, 0, NULL, "about" },
	{ "expect.[].within", &kind_fraction, "(0.05 with near)", 0, 1, NULL,
	  "how far from near, as a part of it" },
	{ "expect.[].where", &kind_where, LEFT_OUT, 1, 8, NULL,
	  "only in cells that have these values: path: value or list, compared as text" },
	{ "expect.[].where.*", &kind_any, NULL, 0, 0, NULL, "what the path must have" },
};

#define KEYS (sizeof(keys) / sizeof(keys[0]))

const struct key *key_root(void)
{
	return &root;
}

const char *key_name(const struct key *key)
{
	const char *dot = strrchr(key->path, '.');

	return dot ? dot + 1 : key->path;
}

static bool is_below(const struct key *key, const struct key *parent)
{
	size_t len = strlen(parent->path);

	if (len == 0)
		return !strchr(key->path, '.');
	return !strncmp(key->path, parent->path, len) && key->path[len] == '.' &&
	       !strchr(key->path + len + 1, '.');
}

const struct key *key_child_nth(const struct key *parent, size_t i)
{
	size_t k;

	for (k = 0; k < KEYS; k++)
		if (is_below(&keys[k], parent) && i-- == 0)
			return &keys[k];
	return NULL;
}

const struct key *key_child(const struct key *parent, const char *name)
{
	const struct key *key;
	size_t i;

	for (i = 0; (key = key_child_nth(parent, i)); i++) {
		if (parent->kind->shape != SHAPE_FIXED)
			return key;
		if (!strcmp(key_name(key), name))
			return key;
	}
	return NULL;
}

struct unit {
	int64_t factor;
	const char *name;
};

static const struct unit size_units[] = {
	{ T, "T" }, { T >> 10, "G" }, { M, "M" }, { 1 << 10, "K" }, { 1, "" }
};
static const struct unit time_units[] = { { HOUR, "h" }, { 1000 * MS, "s" }, { MS, "ms" }, { 1, "" } };
static const struct unit no_units[] = { { 1, "" } };

/* A row's limits are round: in the largest unit that divides them, so nothing is lost. */
static void limit_format(const struct key *key, int64_t value, char buf[UNITS_TEXT_MAX])
{
	const struct unit *u = key->kind == &kind_size       ? size_units
			       : key->kind == &kind_duration ? time_units
							     : no_units;

	while (u->factor > 1 && (value == 0 || value % u->factor))
		u++;
	snprintf(buf, UNITS_TEXT_MAX, "%lld%s", (long long)(value / u->factor), u->name);
}

static const char *allowed_text(const struct key *key, bool brief, char *buf, size_t room)
{
	const struct kind *kind = key->kind;
	char low[UNITS_TEXT_MAX], high[UNITS_TEXT_MAX];
	size_t len = 0;
	const char *p;

	limit_format(key, key->min, low);
	limit_format(key, key->max, high);
	if (key->choices) {
		for (p = key->choices; *p && len + 4 < room; p++)
			len += (size_t)snprintf(buf + len, room - len, *p == '|' ? ", " : "%c", *p);
	} else if (kind == &kind_size || kind == &kind_duration || kind == &kind_int) {
		snprintf(buf, room, "%s; %s to %s", brief ? kind->name : kind->allowed, low, high);
	} else if (kind->shape == SHAPE_LIST || kind->shape == SHAPE_NAMED || kind->shape == SHAPE_OPEN) {
		snprintf(buf, room, "%s; %s to %s entries", kind->allowed, low, high);
	} else {
		snprintf(buf, room, "%s", kind->allowed);
	}
	return buf;
}

const char *key_allowed(const struct key *key, char *buf, size_t room)
{
	return allowed_text(key, false, buf, room);
}

void keys_print(FILE *to)
{
	char allowed[WHY_MAX];
	size_t i;

	fputs("| key | value | default | what it is |\n| --- | --- | --- | --- |\n", to);
	for (i = 0; i < KEYS; i++) {
		const struct key *k = &keys[i];
		bool entry = !strcmp(key_name(k), "*") || !strcmp(key_name(k), "[]");
		bool worked_out = k->fallback && k->fallback[0] == '(';

		fprintf(to, "| `%s` | %s | ", k->path, allowed_text(k, true, allowed, sizeof(allowed)));
		if (!k->fallback)
			fputs(entry ? "" : "must be given", to);
		else if (!strcmp(k->fallback, LEFT_OUT))
			fputs("not checked", to);
		else
			fprintf(to, worked_out ? "%s" : "`%s`", k->fallback);
		fprintf(to, " | %s |\n", k->help);
	}
}
