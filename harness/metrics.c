// SPDX-License-Identifier: MIT
#include "harness/metrics.h"

#include "harness/metrics_trial.h"
#include "harness/overcommit.h"
#include "lib/json.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* How a column's series becomes one number. */
enum reduce {
	FIRST,
	LAST,
	MIN,
	MAX,
	RISE,              /* last - first */
	BEFORE_SWAP,       /* the last before the first page was swapped out, missing if none was */
	BEFORE_SWAP_TENTH, /* likewise before a tenth of swap was in use */
	BEFORE_KILL,       /* and before the first OOM kill */
	RISE_OF_ALL,       /* the sum over every column that begins so */
	USED_MAX,          /* largest of column - column2, taken as max of the one less min of the other */
	FROM_END, /* not from samples: a member of the process's last event, else the column's last value */
	SPECIAL,  /* computed by a function of its own below */
};

struct row {
	struct metric metric;
	enum reduce reduce;
	const char *column;
	const char *column2; /* USED_MAX: the other column; else what older kernels call the first */
};

static const struct row process_rows[] = {
	{ { "outcome", METRIC_OUTCOME, "how it ended" }, SPECIAL, NULL, NULL },
	{ { "exit_code", METRIC_COUNT, "its exit status, if it exited" }, SPECIAL, NULL, NULL },
	{ { "signal", METRIC_COUNT, "the signal that ended it, if one did" }, SPECIAL, NULL, NULL },
	{ { "phase", METRIC_WORD, "what it said it was doing last" }, SPECIAL, NULL, NULL },
	{ { "duration", METRIC_NS, "from the start of the processes to its end" }, SPECIAL, NULL, NULL },
	{ { "allocated", METRIC_BYTES, "asked for and granted" }, FROM_END, "allocated", NULL },
	{ { "touched", METRIC_BYTES, "written at least once" }, FROM_END, "touched", NULL },
	{ { "read", METRIC_BYTES, "read back, every time counted" }, FROM_END, NULL, NULL },
	{ { "check_errors", METRIC_COUNT, "bytes that did not read back as written" }, FROM_END, NULL, NULL },
	{ { "rss_peak", METRIC_BYTES, "highest resident size (VmHWM)" }, MAX, "rss_peak", NULL },
	{ { "rss_last", METRIC_BYTES, "resident size at its last sample" }, LAST, "rss", NULL },
	{ { "swap_peak", METRIC_BYTES, "highest VmSwap" }, MAX, "swap", NULL },
	{ { "vsize_peak", METRIC_BYTES, "highest VmSize" }, MAX, "vsize_peak", NULL },
	{ { "pgtables_peak", METRIC_BYTES, "highest VmPTE" }, MAX, "pgtables", NULL },
	{ { "live_last", METRIC_BYTES, "what its allocator had handed out at its last sample" },
	  LAST,
	  "live",
	  NULL },
	{ { "live_peak", METRIC_BYTES, "most that its allocator had handed out" }, MAX, "live", NULL },
	{ { "obtained_last", METRIC_BYTES, "what its allocator had from the system at its last sample" },
	  LAST,
	  "obtained",
	  NULL },
	{ { "obtained_peak", METRIC_BYTES, "most that its allocator had from the system" },
	  MAX,
	  "obtained",
	  NULL },
	{ { "minor_faults", METRIC_COUNT, "minor page faults" }, FROM_END, "minor_faults", NULL },
	{ { "major_faults", METRIC_COUNT, "major page faults" }, FROM_END, "major_faults", NULL },
	{ { "oom_score_adj", METRIC_COUNT, "what the kernel made of it before the start" },
	  SPECIAL,
	  NULL,
	  NULL },
	{ { "vmas", METRIC_COUNT, "mappings it had when it ended by itself" }, SPECIAL, NULL, NULL },
	{ { "overhead", METRIC_BYTES,
	    "private memory it had beyond what it allocated when it ended by itself: the program, malloc's headers" },
	  SPECIAL,
	  NULL,
	  NULL },
	{ { "user_reserve", METRIC_BYTES,
	    "what vm.overcommit_memory=2 leaves of the commit limit because of it: VmPeak / 32, at most "
	    "vm.user_reserve_kbytes" },
	  SPECIAL,
	  NULL,
	  NULL },
	{ { "oom_score_last", METRIC_COUNT, "oom_score at its last sample" }, LAST, "oom_score", NULL },
};

static const struct row cgroup_rows[] = {
	{ { "current_peak", METRIC_BYTES, "highest memory.current that was sampled" }, MAX, "current", NULL },
	{ { "current_last", METRIC_BYTES, "memory.current at the end, when its processes are gone" },
	  LAST,
	  "current",
	  NULL },
	{ { "peak", METRIC_BYTES, "memory.peak" }, LAST, "peak", NULL },
	{ { "swap_peak", METRIC_BYTES, "highest memory.swap.current" }, MAX, "swap", NULL },
	{ { "anon_peak", METRIC_BYTES, "highest anonymous memory" }, MAX, "anon", NULL },
	{ { "file_peak", METRIC_BYTES, "highest page cache" }, MAX, "file", NULL },
	{ { "shmem_peak", METRIC_BYTES, "highest part of it that is shared memory and tmpfs" },
	  MAX,
	  "shmem",
	  NULL },
	{ { "oom_kills", METRIC_COUNT, "processes killed in it" }, RISE, "oom_kills", NULL },
	{ { "oom_group_kills", METRIC_COUNT,
	    "times all of it was killed together (memory.oom.group, Linux 5.17)" },
	  RISE,
	  "oom_group_kills",
	  NULL },
	{ { "oom_events", METRIC_COUNT, "times its limit could not be kept" }, RISE, "oom_events", NULL },
	{ { "max_events", METRIC_COUNT, "times memory.max was hit" }, RISE, "max_events", NULL },
	{ { "high_events", METRIC_COUNT, "times memory.high throttled" }, RISE, "high_events", NULL },
	{ { "low_events", METRIC_COUNT, "times memory was taken from it although it was below memory.low" },
	  RISE,
	  "low_events",
	  NULL },
	{ { "pgscan", METRIC_COUNT, "pages scanned for reclaim" }, RISE, "pgscan", NULL },
	{ { "pgsteal", METRIC_COUNT, "pages reclaimed" }, RISE, "pgsteal", NULL },
	{ { "psi_some", METRIC_NS, "time in which a process of it waited for memory (memory.pressure)" },
	  RISE,
	  "psi_some",
	  NULL },
	{ { "psi_full", METRIC_NS, "time in which all of them did" }, RISE, "psi_full", NULL },
};

static const struct row system_rows[] = {
	{ { "mem_total", METRIC_BYTES, "MemTotal" }, LAST, "meminfo.MemTotal", NULL },
	{ { "mem_available_min", METRIC_BYTES, "lowest MemAvailable" }, MIN, "meminfo.MemAvailable", NULL },
	{ { "mem_free_min", METRIC_BYTES, "lowest MemFree" }, MIN, "meminfo.MemFree", NULL },
	{ { "swap_total", METRIC_BYTES, "SwapTotal" }, LAST, "meminfo.SwapTotal", NULL },
	{ { "swap_used_peak", METRIC_BYTES, "most swap in use" },
	  USED_MAX,
	  "meminfo.SwapTotal",
	  "meminfo.SwapFree" },
	{ { "commit_limit", METRIC_BYTES, "CommitLimit" }, LAST, "meminfo.CommitLimit", NULL },
	{ { "commit_predicted", METRIC_BYTES,
	    "what CommitLimit must be: (MemTotal - Hugetlb) * vm.overcommit_ratio / 100, or "
	    "vm.overcommit_kbytes, and SwapTotal" },
	  SPECIAL,
	  NULL,
	  NULL },
	{ { "committed_start", METRIC_BYTES, "Committed_AS before there were any processes" },
	  FIRST,
	  "meminfo.Committed_AS",
	  NULL },
	{ { "committed_peak", METRIC_BYTES, "highest Committed_AS" }, MAX, "meminfo.Committed_AS", NULL },
	{ { "hugepages_total", METRIC_COUNT, "HugePages_Total" }, LAST, "meminfo.HugePages_Total", NULL },
	{ { "anon_hugepages_peak", METRIC_BYTES, "highest AnonHugePages" },
	  MAX,
	  "meminfo.AnonHugePages",
	  NULL },
	{ { "zswapped_peak", METRIC_BYTES, "most that zswap held (Zswapped, Linux 5.19)" },
	  MAX,
	  "meminfo.Zswapped",
	  NULL },
	{ { "zswap_peak", METRIC_BYTES, "most RAM that zswap took for it (Zswap)" },
	  MAX,
	  "meminfo.Zswap",
	  NULL },
	{ { "zswpout", METRIC_COUNT, "pages that zswap took" }, RISE, "vmstat.zswpout", NULL },
	{ { "zswpin", METRIC_COUNT, "pages that zswap gave back" }, RISE, "vmstat.zswpin", NULL },
	{ { "oom_kills", METRIC_COUNT, "rise of vmstat's oom_kill" }, RISE, "vmstat.oom_kill", NULL },
	{ { "pgscan_kswapd", METRIC_COUNT, "pages scanned by kswapd" }, RISE, "vmstat.pgscan_kswapd", NULL },
	{ { "pgscan_direct", METRIC_COUNT, "pages scanned in direct reclaim" },
	  RISE,
	  "vmstat.pgscan_direct",
	  NULL },
	{ { "pgsteal_kswapd", METRIC_COUNT, "pages reclaimed by kswapd" },
	  RISE,
	  "vmstat.pgsteal_kswapd",
	  NULL },
	{ { "pgsteal_direct", METRIC_COUNT, "pages reclaimed in direct reclaim" },
	  RISE,
	  "vmstat.pgsteal_direct",
	  NULL },
	{ { "pgsteal_file", METRIC_COUNT, "pages of files reclaimed" }, RISE, "vmstat.pgsteal_file", NULL },
	{ { "pgsteal_anon", METRIC_COUNT, "anonymous pages reclaimed" }, RISE, "vmstat.pgsteal_anon", NULL },
	{ { "refault_file", METRIC_COUNT, "pages of files read again after they had been reclaimed" },
	  RISE,
	  "vmstat.workingset_refault_file",
	  "vmstat.workingset_refault" },
	{ { "refault_anon", METRIC_COUNT, "anonymous pages read again after they had been reclaimed" },
	  RISE,
	  "vmstat.workingset_refault_anon",
	  NULL },
	{ { "pswpout", METRIC_COUNT, "pages swapped out" }, RISE, "vmstat.pswpout", NULL },
	{ { "pswpin", METRIC_COUNT, "pages swapped in" }, RISE, "vmstat.pswpin", NULL },
	{ { "cached_peak", METRIC_BYTES, "highest Cached" }, MAX, "meminfo.Cached", NULL },
	{ { "cached_before_swap", METRIC_BYTES,
	    "Cached at the last sample before a page was swapped out; null: none was" },
	  BEFORE_SWAP,
	  "meminfo.Cached",
	  NULL },
	{ { "cached_before_swap_tenth", METRIC_BYTES,
	    "Cached at the last sample before a tenth of swap was in use" },
	  BEFORE_SWAP_TENTH,
	  "meminfo.Cached",
	  NULL },
	{ { "sreclaimable_before_swap_tenth", METRIC_BYTES,
	    "SReclaimable at the last sample before a tenth of swap was in use" },
	  BEFORE_SWAP_TENTH,
	  "meminfo.SReclaimable",
	  NULL },
	{ { "cached_before_kill", METRIC_BYTES, "Cached at the last sample before the first OOM kill" },
	  BEFORE_KILL,
	  "meminfo.Cached",
	  NULL },
	{ { "swap_free_before_kill", METRIC_BYTES, "SwapFree at the last sample before the first OOM kill" },
	  BEFORE_KILL,
	  "meminfo.SwapFree",
	  NULL },
	{ { "mem_free_last", METRIC_BYTES, "MemFree at the end" }, LAST, "meminfo.MemFree", NULL },
	{ { "buffers_peak", METRIC_BYTES, "highest Buffers" }, MAX, "meminfo.Buffers", NULL },
	{ { "cached_last", METRIC_BYTES, "Cached at the end" }, LAST, "meminfo.Cached", NULL },
	{ { "swap_cached_peak", METRIC_BYTES, "highest SwapCached" }, MAX, "meminfo.SwapCached", NULL },
	{ { "anon_peak", METRIC_BYTES, "highest AnonPages" }, MAX, "meminfo.AnonPages", NULL },
	{ { "mapped_peak", METRIC_BYTES, "highest Mapped" }, MAX, "meminfo.Mapped", NULL },
	{ { "shmem_peak", METRIC_BYTES, "highest Shmem" }, MAX, "meminfo.Shmem", NULL },
	{ { "dirty_peak", METRIC_BYTES, "highest Dirty" }, MAX, "meminfo.Dirty", NULL },
	{ { "writeback_peak", METRIC_BYTES, "highest Writeback" }, MAX, "meminfo.Writeback", NULL },
	{ { "mlocked_peak", METRIC_BYTES, "highest Mlocked" }, MAX, "meminfo.Mlocked", NULL },
	{ { "unevictable_peak", METRIC_BYTES, "highest Unevictable" }, MAX, "meminfo.Unevictable", NULL },
	{ { "slab_peak", METRIC_BYTES, "highest Slab" }, MAX, "meminfo.Slab", NULL },
	{ { "sreclaimable_peak", METRIC_BYTES, "highest SReclaimable" }, MAX, "meminfo.SReclaimable", NULL },
	{ { "sreclaimable_min", METRIC_BYTES, "lowest SReclaimable" }, MIN, "meminfo.SReclaimable", NULL },
	{ { "sunreclaim_peak", METRIC_BYTES, "highest SUnreclaim" }, MAX, "meminfo.SUnreclaim", NULL },
	{ { "pgtables_peak", METRIC_BYTES, "highest PageTables" }, MAX, "meminfo.PageTables", NULL },
	{ { "hugepages_free_min", METRIC_COUNT, "lowest HugePages_Free" },
	  MIN,
	  "meminfo.HugePages_Free",
	  NULL },
	{ { "thp_fault_alloc", METRIC_COUNT, "huge pages given at a page fault" },
	  RISE,
	  "vmstat.thp_fault_alloc",
	  NULL },
	{ { "thp_fault_fallback", METRIC_COUNT, "page faults for which there was no huge page" },
	  RISE,
	  "vmstat.thp_fault_fallback",
	  NULL },
	{ { "compact_stall", METRIC_COUNT, "times an allocation had to wait for compaction" },
	  RISE,
	  "vmstat.compact_stall",
	  NULL },
	{ { "compact_success", METRIC_COUNT, "times it then found what it wanted" },
	  RISE,
	  "vmstat.compact_success",
	  NULL },
	{ { "pgpgin", METRIC_COUNT, "KiB read from block devices, swap included" },
	  RISE,
	  "vmstat.pgpgin",
	  NULL },
	{ { "pgpgout", METRIC_COUNT, "KiB written to block devices, swap included" },
	  RISE,
	  "vmstat.pgpgout",
	  NULL },
	{ { "pgfault", METRIC_COUNT, "page faults, minor and major" }, RISE, "vmstat.pgfault", NULL },
	{ { "pgmajfault", METRIC_COUNT, "major page faults" }, RISE, "vmstat.pgmajfault", NULL },
	{ { "pgfree", METRIC_COUNT, "pages freed" }, RISE, "vmstat.pgfree", NULL },
	{ { "dirtied", METRIC_COUNT, "pages of files that became dirty" }, RISE, "vmstat.nr_dirtied", NULL },
	{ { "written", METRIC_COUNT, "pages of files and of swap that were written back" },
	  RISE,
	  "vmstat.nr_written",
	  NULL },
	{ { "slabs_scanned", METRIC_COUNT, "slab objects scanned for reclaim" },
	  RISE,
	  "vmstat.slabs_scanned",
	  NULL },
	{ { "pageoutrun", METRIC_COUNT, "times kswapd went to work" }, RISE, "vmstat.pageoutrun", NULL },
	{ { "allocstall", METRIC_COUNT, "times an allocation went into direct reclaim" },
	  RISE_OF_ALL,
	  "vmstat.allocstall",
	  NULL },
};

static const struct row trial_rows[] = {
	{ { "victim", METRIC_WORD, "the process that the OOM killer chose first; null: none" },
	  SPECIAL,
	  NULL,
	  NULL },
	{ { "kills", METRIC_COUNT, "how many processes it killed" }, SPECIAL, NULL, NULL },
	{ { "constraint", METRIC_WORD, "of the first kill: none, cpuset, mempolicy, memcg" },
	  SPECIAL,
	  NULL,
	  NULL },
	{ { "limit_cgroup", METRIC_WORD, "whose limit it was (memcg); /... is outside the trial" },
	  SPECIAL,
	  NULL,
	  NULL },
	{ { "panic", METRIC_WORD, "of the kernel: none, oom, other" }, SPECIAL, NULL, NULL },
	{ { "oracle.agrees", METRIC_WORD,
	    "the first victim is whom the last samples before name: true, false, close (too close to call)" },
	  SPECIAL,
	  NULL,
	  NULL },
	{ { "oracle.exact", METRIC_WORD,
	    "it is whom the scores in the kernel's own report name: agrees, by-rule, disagrees" },
	  SPECIAL,
	  NULL,
	  NULL },
};

#define ROWS(table)                                                                                          \
	{                                                                                                    \
		table, sizeof(table) / sizeof((table)[0])                                                    \
	}

static const struct {
	const struct row *rows;
	size_t count;
} scopes[METRIC_SCOPES] = { ROWS(process_rows), ROWS(cgroup_rows), ROWS(system_rows), ROWS(trial_rows) };

const struct metric *metric_at(enum metric_scope scope, size_t i)
{
	return i < scopes[scope].count ? &scopes[scope].rows[i].metric : NULL;
}

const struct metric *metric_find(const char *full_name)
{
	const char *dot = strncmp(full_name, "oracle.", 7) ? strrchr(full_name, '.') : NULL;
	enum metric_scope scope = !dot                                ? METRIC_TRIAL
				  : !strncmp(full_name, "system.", 7) ? METRIC_SYSTEM
				  : !strncmp(full_name, "cgroup.", 7) ? METRIC_CGROUP
								      : METRIC_PROCESS;
	const char *name = dot ? dot + 1 : full_name;
	size_t i;

	for (i = 0; i < scopes[scope].count; i++)
		if (!strcmp(scopes[scope].rows[i].metric.name, name))
			return &scopes[scope].rows[i].metric;
	return NULL;
}

static int64_t rise(const struct series *s)
{
	return s->first == BB_MISSING ? BB_MISSING : s->last - s->first;
}

static int64_t rise_of_all(const struct record *r, enum sample_kind kind, size_t index, const char *prefix)
{
	size_t columns = json_array_size(r->columns[kind]), i;
	int64_t sum = BB_MISSING;

	for (i = 0; i < columns; i++) {
		const char *name = json_string_value(json_array_get(r->columns[kind], i));
		const struct series *s;

		if (strncmp(name, prefix, strlen(prefix)) != 0)
			continue;
		s = record_series(r, kind, index, name);
		if (s && s->first != BB_MISSING)
			sum = (sum == BB_MISSING ? 0 : sum) + rise(s);
	}
	return sum;
}

static int64_t before(const struct record *r, const struct series *s, enum mark mark)
{
	return r->passed[mark] ? s->before[mark] : BB_MISSING;
}

static int64_t reduce(const struct record *r, enum sample_kind kind, size_t index, const struct row *row)
{
	const struct series *s = row->column ? record_series(r, kind, index, row->column) : NULL;
	const struct series *other;

	if (row->reduce == RISE_OF_ALL)
		return rise_of_all(r, kind, index, row->column);
	if (!s && row->column2 && row->reduce != USED_MAX)
		s = record_series(r, kind, index, row->column2);
	if (!s || s->first == BB_MISSING)
		return BB_MISSING;
	switch (row->reduce) {
	case FIRST:
		return s->first;
	case LAST:
	case FROM_END:
		return s->last;
	case MIN:
		return s->min;
	case MAX:
		return s->max;
	case RISE:
		return rise(s);
	case BEFORE_SWAP:
		return before(r, s, MARK_SWAP);
	case BEFORE_SWAP_TENTH:
		return before(r, s, MARK_SWAP_TENTH);
	case BEFORE_KILL:
		return before(r, s, MARK_KILL);
	case USED_MAX:
		other = record_series(r, kind, index, row->column2);
		return other && other->min != BB_MISSING ? s->max - other->min : BB_MISSING;
	default:
		return BB_MISSING;
	}
}

static json_t *json_of(int64_t value)
{
	return value == BB_MISSING ? json_null() : json_integer(value);
}

static json_t *from_end(const struct record *r, size_t index, const char *process, const struct row *row)
{
	const struct series *s = row->column ? record_series(r, SAMPLE_PROCESS, index, row->column) : NULL;
	uint64_t sampled_ns = s && s->first != BB_MISSING ? s->last_ns : 0;
	const json_t *last = record_event(r, "exit", "process", process);

	/* Its end was not seen: then what counts is what was seen last. */
	if (!last) {
		last = record_event(r, "phase", "process", process);
		if ((uint64_t)json_number(last, "t_ns", 0) < sampled_ns)
			last = NULL;
	}
	if (json_object_get(last, row->metric.name))
		return json_incref(json_object_get(last, row->metric.name));
	return json_of(reduce(r, SAMPLE_PROCESS, index, row));
}

static json_t *duration(const struct record *r, const char *process)
{
	const json_t *exit_event = record_event(r, "exit", "process", process);
	const json_t *start = record_event(r, "release", NULL, NULL);

	if (!exit_event || !start)
		return json_null();
	return json_integer(json_number(exit_event, "t_ns", 0) - json_number(start, "t_ns", 0));
}

/* What is private of it at its end is written down while it waits to end, and so is what it allocated. */
static json_t *overhead(const struct record *r, const char *process)
{
	const json_t *maps = record_event(r, "maps", "process", process);
	const json_t *end = record_event(r, "exit", "process", process);

	if (!json_object_get(maps, "private") || !json_object_get(end, "allocated"))
		return json_null();
	return json_integer(json_number(maps, "private", 0) - json_number(end, "allocated", 0));
}

static json_t *process_value(const struct record *r, size_t index, const json_t *process,
			     const struct row *row)
{
	const char *name = json_text(process, "name", "");
	json_t *value;

	if (row->reduce == FROM_END)
		return from_end(r, index, name, row);
	if (row->reduce != SPECIAL)
		return json_of(reduce(r, SAMPLE_PROCESS, index, row));
	if (!strcmp(row->metric.name, "duration"))
		return duration(r, name);
	if (!strcmp(row->metric.name, "overhead"))
		return overhead(r, name);
	if (!strcmp(row->metric.name, "user_reserve"))
		return json_of(overcommit_user_reserve(r, index));
	if (!strcmp(row->metric.name, "oom_score_adj"))
		process = record_event(r, "spawn", "process", name);
	else if (!strcmp(row->metric.name, "vmas"))
		process = record_event(r, "maps", "process", name);
	value = json_object_get(process, row->metric.name);
	return value ? json_incref(value) : json_null();
}

/* What the stressor measured besides: the same names as in the event. */
static void add_values(json_t *to, const struct record *r, const char *process)
{
	const json_t *last = record_event(r, "exit", "process", process);
	json_t *values, *value;
	const char *name;
	char full[256];

	values = json_object_get(last ? last : record_event(r, "phase", "process", process), "values");
	json_object_foreach (values, name, value) {
		snprintf(full, sizeof(full), "%s.%s", process, name);
		json_object_set(to, full, value);
	}
}

static int64_t system_value(const struct record *r, const struct row *row)
{
	return row->reduce == SPECIAL ? overcommit_limit(r) : reduce(r, SAMPLE_SYSTEM, 0, row);
}

static void add(json_t *to, const char *prefix, const char *of, const char *name, json_t *value)
{
	char full[256];

	snprintf(full, sizeof(full), "%s%s.%s", prefix, of, name);
	json_object_set_new(to, full, value);
}

json_t *metrics_compute(const struct record *r, const json_t *spec, const json_t *processes,
			const json_t *victims)
{
	const json_t *groups = json_object_get(spec, "cgroups");
	json_t *all = json_object();
	json_t *one;
	size_t i, j;

	json_array_foreach (processes, i, one) {
		for (j = 0; j < scopes[METRIC_PROCESS].count; j++)
			add(all, "", json_text(one, "name", ""), process_rows[j].metric.name,
			    process_value(r, i, one, &process_rows[j]));
		add_values(all, r, json_text(one, "name", ""));
	}
	json_array_foreach (groups, i, one)
		for (j = 0; j < scopes[METRIC_CGROUP].count; j++)
			add(all, "cgroup.", json_text(one, "path", ""), cgroup_rows[j].metric.name,
			    json_of(reduce(r, SAMPLE_CGROUP, i, &cgroup_rows[j])));
	for (j = 0; j < scopes[METRIC_SYSTEM].count; j++)
		add(all, "system", "", system_rows[j].metric.name, json_of(system_value(r, &system_rows[j])));
	for (j = 0; j < scopes[METRIC_TRIAL].count; j++)
		json_object_set_new(all, trial_rows[j].metric.name,
				    trial_value(r, victims, trial_rows[j].metric.name));
	return all;
}
