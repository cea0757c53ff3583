// SPDX-License-Identifier: MIT
#include "harness/recording_end.h"

#include "harness/recording.h"
#include "harness/verbs.h"
#include "lib/json.h"
#include "lib/units.h"

#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#define KILLS_SHOWN_MAX 4
#define UNKNOWN         "unknown"
#define NOT_SAMPLED     "unknown (it ended before it was sampled)"

static const json_t *program_of(const json_t *result)
{
	return json_array_get(json_object_get(result, "processes"), 0);
}

static bool has(const json_t *object, const char *key)
{
	return json_is_integer(json_object_get(object, key));
}

int recording_status(const json_t *result)
{
	const json_t *program = program_of(result);

	if (!strcmp(json_text(result, "verdict", ""), "skip"))
		return EXIT_SKIP;
	/* What broke then is the judging, or the machine's end; the program has had its own. */
	if (!strcmp(json_text(result, "sealed", ""), "all processes ended") ||
	    !strcmp(json_text(result, "sealed", ""), "timeout")) {
		if (has(program, "exit_code"))
			return (int)json_number(program, "exit_code", 0);
		if (has(program, "signal"))
			return 128 + (int)json_number(program, "signal", 0);
	}
	return EXIT_BROKEN;
}

static void line(FILE *to, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static void line(FILE *to, const char *fmt, ...)
{
	va_list ap;

	fputs("oomlab record: ", to);
	va_start(ap, fmt);
	vfprintf(to, fmt, ap);
	va_end(ap);
	fputc('\n', to);
}

static const char *size_or_unknown(char buf[UNITS_TEXT_MAX], const json_t *object, const char *key)
{
	return has(object, key) ? size_format(buf, (uint64_t)json_number(object, key, 0)) : UNKNOWN;
}

/* The group's own path, "oomlab.12.1/app". */
static const char *group_path(const json_t *events)
{
	const json_t *one;
	size_t i;

	json_array_foreach ((json_t *)events, i, one)
		if (!strcmp(json_text(one, "event", ""), "cgroup") &&
		    !strcmp(json_text(one, "cgroup", ""), RECORDING_GROUP))
			return json_text(one, "path", NULL);
	return NULL;
}

/* In a container the log's path ("/docker/ab/oomlab.12.1/app/x") begins with what ours does not show. */
static bool is_at(const char *logged, const char *path, bool or_below)
{
	size_t len = path ? strlen(path) : 0;

	for (; len && (logged = strchr(logged, '/')); logged++)
		if (!strncmp(logged + 1, path, len) &&
		    (!logged[len + 1] || (or_below && logged[len + 1] == '/')))
			return true;
	return false;
}

/* Of the program itself, or of what it has started. Members of a group that dies as one are not told their group. */
static bool is_ours(const struct recording_end *end, const json_t *event)
{
	const char *where = json_text(event, "task_memcg", "");

	if (strcmp(json_text(event, "event", ""), "oom-kill") != 0)
		return false;
	return json_text(event, "process", NULL) || is_at(where, group_path(end->events), true) ||
	       (!where[0] && json_flag(event, "group_kill", false));
}

/* "memory.max", as the kernel took it; "": it was not set. */
static void limit_text(const json_t *events, const char *key, char ret[UNITS_TEXT_MAX])
{
	const json_t *one;
	int64_t bytes;
	size_t i;

	ret[0] = 0;
	json_array_foreach ((json_t *)events, i, one) {
		const char *got = json_text(one, "got", "");

		if (strcmp(json_text(one, "event", ""), "set") != 0 ||
		    strcmp(json_text(one, "key", ""), key) != 0)
			continue;
		if (int_parse(got, &bytes) == 0)
			size_format(ret, (uint64_t)bytes);
		else
			snprintf(ret, UNITS_TEXT_MAX, "%s", got);
	}
}

/* Which limit it was. */
static void cause(const struct recording_end *end, const json_t *kill, char ret[256])
{
	const char *constraint = json_text(kill, "constraint", UNKNOWN);
	const char *at = json_text(kill, "oom_memcg", "");
	char max[UNITS_TEXT_MAX], swap[UNITS_TEXT_MAX];

	limit_text(end->events, "memory.max", max);
	limit_text(end->events, "memory.swap.max", swap);
	if (!strcmp(constraint, "memcg") && max[0] && is_at(at, group_path(end->events), false))
		snprintf(ret, 256, "its group reached memory.max = %s%s%s", max,
			 swap[0] ? ", memory.swap.max = " : "", swap);
	else if (!strcmp(constraint, "memcg"))
		snprintf(ret, 256, "the group %.160s reached its limit", at[0] ? at : "it was in");
	else if (!strcmp(constraint, "none"))
		snprintf(ret, 256, "the whole machine was out of memory");
	else
		snprintf(ret, 256, "the kernel's constraint was %.100s", constraint);
}

static int64_t resident(const json_t *kill)
{
	return json_number(kill, "anon_rss", 0) + json_number(kill, "file_rss", 0) +
	       json_number(kill, "shmem_rss", 0);
}

static void say_kill(FILE *to, const struct recording_end *end, const json_t *kill)
{
	char rss[UNITS_TEXT_MAX], anon[UNITS_TEXT_MAX], why[256];
	bool own = json_text(kill, "process", NULL);

	cause(end, kill, why);
	line(to,
	     "victim: %s (pid %lld)%s was killed by the OOM killer: %s; it had %s resident, %s of it anonymous",
	     json_text(kill, "comm", UNKNOWN), (long long)json_number(kill, "pid", 0),
	     own ? "" : ", a child of the program,", why, size_format(rss, (uint64_t)resident(kill)),
	     size_or_unknown(anon, kill, "anon_rss"));
}

/* Whom the kernel log names; how many they are. */
static size_t say_kills(FILE *to, const struct recording_end *end)
{
	const json_t *one;
	size_t i, n = 0;

	json_array_foreach ((json_t *)end->events, i, one)
		if (is_ours(end, one) && n++ < KILLS_SHOWN_MAX)
			say_kill(to, end, one);
	if (n > KILLS_SHOWN_MAX)
		line(to, "victim: and %zu more", n - KILLS_SHOWN_MAX);
	return n;
}

/* Who was killed; without a log that can be read the group's counter knows how many. */
static void say_victims(FILE *to, const struct recording_end *end)
{
	const json_t *metrics = json_object_get(end->result, "metrics");
	const json_t *program = program_of(end->result);
	bool own = !strcmp(json_text(program, "outcome", ""), "oom-killed");
	int64_t counted = json_number(metrics, "cgroup." RECORDING_GROUP ".oom_kills", 0);
	size_t named = say_kills(to, end);

	if (named == 0 && (own || counted > 0))
		line(to, "victim: %s by the OOM killer, as its group's counter says; the kernel log does not",
		     own ? "the program was killed" : "a child was killed");
	else if (named == 0 && !end->quiet)
		line(to, "victim: none");
	if ((named || counted) && !own && recording_status(end->result) != EXIT_BROKEN)
		line(to, "the program itself was not killed: exit status %d is its own",
		     recording_status(end->result));
}

/* The last that was seen of the program, which may have been its end. */
static const json_t *own_kill(const struct recording_end *end)
{
	const json_t *one;
	size_t i;

	json_array_foreach ((json_t *)end->events, i, one)
		if (!strcmp(json_text(one, "event", ""), "oom-kill") && json_text(one, "process", NULL))
			return one;
	return NULL;
}

static const char *larger(char buf[UNITS_TEXT_MAX], const json_t *metrics, const char *key,
			  const json_t *kill)
{
	int64_t bytes = json_number(metrics, key, -1);

	if (kill && resident(kill) > bytes)
		bytes = resident(kill);
	return bytes < 0 ? UNKNOWN : size_format(buf, (uint64_t)bytes);
}

static void say_memory(FILE *to, const struct recording_end *end)
{
	const json_t *metrics = json_object_get(end->result, "metrics"), *kill = own_kill(end);
	char peak[UNITS_TEXT_MAX], last[UNITS_TEXT_MAX], swap[UNITS_TEXT_MAX], group[UNITS_TEXT_MAX];
	const char *key = "cgroup." RECORDING_GROUP ".peak";

	if (!has(metrics, key)) /* before 5.19 v2 has none */
		key = "cgroup." RECORDING_GROUP ".current_peak";
	if (!kill && !has(metrics, RECORDING_PROCESS ".rss_peak")) {
		line(to, "memory: peak RSS and swap " NOT_SAMPLED "; all of its group: peak %s",
		     size_or_unknown(group, metrics, key));
		return;
	}
	line(to, "memory: peak RSS %s, last %s, peak swap %s; all of its group: peak %s",
	     larger(peak, metrics, RECORDING_PROCESS ".rss_peak", kill),
	     kill ? size_format(last, (uint64_t)resident(kill))
		  : size_or_unknown(last, metrics, RECORDING_PROCESS ".rss_last"),
	     size_or_unknown(swap, metrics, RECORDING_PROCESS ".swap_peak"),
	     size_or_unknown(group, metrics, key));
}

static void say_pressure(FILE *to, const struct recording_end *end)
{
	const json_t *metrics = json_object_get(end->result, "metrics");
	const char *some = "cgroup." RECORDING_GROUP ".psi_some",
		   *full = "cgroup." RECORDING_GROUP ".psi_full";
	char one[UNITS_TEXT_MAX], all[UNITS_TEXT_MAX];

	if (!has(metrics, some) || !has(metrics, full))
		line(to, "pressure: unknown, for this kernel does not measure it for a group");
	else
		line(to, "pressure: waited for memory: some %s, full %s",
		     duration_format(one, (uint64_t)json_number(metrics, some, 0)),
		     duration_format(all, (uint64_t)json_number(metrics, full, 0)));
}

/* Bytes that were printed in a guest and never got out of it. */
static uint64_t dropped(const json_t *events)
{
	const json_t *one;
	size_t i;

	json_array_foreach ((json_t *)events, i, one)
		if (json_number(one, "output_dropped", 0) > 0)
			return (uint64_t)json_number(one, "output_dropped", 0);
	return 0;
}

/* Statuses that a kill by the OOM killer has as well. */
static void say_end(FILE *to, const struct recording_end *end)
{
	const json_t *program = program_of(end->result);
	const char *outcome = json_text(program, "outcome", "");
	char at[UNITS_TEXT_MAX];

	if (end->ended_hard)
		line(to, "ended by SIGKILL after a second SIGINT");
	else if (!strcmp(outcome, "timeout"))
		line(to, "ended by SIGKILL after --timeout %s",
		     duration_format(
			     at, (uint64_t)json_number(json_object_get(end->spec, "stop"), "timeout", 0)));
	else if (!strcmp(outcome, "signalled") && json_number(program, "signal", 0) == SIGKILL)
		line(to, "the program was ended by SIGKILL, which was not the OOM killer's");
	if (dropped(end->events))
		line(to, "output: %s of it did not fit into the record and are lost",
		     size_format(at, dropped(end->events)));
	if (json_text(end->result, "reason", NULL))
		line(to, "%s", json_text(end->result, "reason", ""));
}

void recording_say(FILE *to, const struct recording_end *end)
{
	bool took_place = program_of(end->result) && json_object_get(end->result, "sealed");

	say_end(to, end);
	if (took_place && !end->quiet) {
		say_memory(to, end);
		say_pressure(to, end);
	}
	if (took_place)
		say_victims(to, end);
	if (!end->quiet)
		line(to, "record: %s", end->dir);
}
