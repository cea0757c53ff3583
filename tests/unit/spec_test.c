// SPDX-License-Identifier: MIT
#include "harness/engine/spec.h"

#include "lib/sharedpage.h"

#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

/* The example of docs/records.md, with a second process and two more faults. */
static const char golden[] =
	"{'spec': 1, 'scenario': 's', 'cell': 'all', 'axes': {},"
	" 'machine': {'kernel': 'debian:6.1', 'memory': 268435456, 'cpus': 1, 'nodes': [],"
	"   'swap': {'size': 931135488, 'kind': 'disk'}, 'cgroup': 'v2', 'cmdline': ''},"
	" 'sysctl': {'vm.overcommit_memory': '0', 'vm.swappiness': '60'},"
	" 'cgroups': [{'path': 'app', 'set': {'memory.swap.max': 'max', 'memory.max': '536870912'}},"
	"   {'path': 'app/x', 'set': {'memory.high': '50%'}}],"
	" 'processes': [{'name': 'hog', 'run': ['memset', '--block=1M'], 'cgroup': 'app/x', 'oom_score_adj': -5},"
	"   {'name': 'free', 'run': ['malloc'], 'cgroup': '', 'oom_score_adj': null}],"
	" 'faults': [{'at': 0, 'set': [{'cgroup': 'app', 'key': 'memory.max', 'value': '268435456'},"
	"   {'sysctl': 'vm.swappiness', 'value': '10'}]},"
	"   {'at': 2000000000, 'set': [{'sysctl': 'vm.swappiness', 'value': ''}]}],"
	" 'stop': {'timeout': 60000000000, 'settle': 200000000}, 'record': {'every': 10000000},"
	" 'expect': [{'that': 'hog.outcome', 'is': 'oom-killed', 'at': 'f.yaml:21'}]}";

/* The least there can be; each test replaces a member of it. */
static const char least[] = "{'spec': 1, 'processes': [{'name': 'p', 'run': ['x']}], 'stop': {'timeout': 1},"
			    " 'record': {'every': 1}}";

/* JSON with ' for ". */
static json_t *json(const char *text)
{
	char *copy = strdup(text), *p;
	json_t *value;

	for (p = copy; *p; p++)
		if (*p == '\'')
			*p = '"';
	value = json_loads(copy, JSON_DECODE_ANY, NULL);
	free(copy);
	assert_non_null(value);
	return value;
}

static int parse(json_t *value, struct spec *ret, struct err *e)
{
	char *text = json_dumps(value, 0);
	int r = spec_parse(text, strlen(text), ret, e);

	free(text);
	json_decref(value);
	return r;
}

static void change(const struct spec_change *c, uint64_t at, int group, const char *key, const char *value)
{
	assert_int_equal(c->at_ns, at);
	assert_int_equal(c->group, group);
	assert_string_equal(c->key, key);
	assert_string_equal(c->value, value);
}

static void program(void **state)
{
	static const char *const bad[] = {
		"[{'name': 'p', 'exec': ['a']}]",
		"[{'name': 'p', 'exec': [], 'program': '/a'}]",
		"[{'name': 'p', 'exec': [1], 'program': '/a'}]",
		"[{'name': 'p', 'exec': ['a'], 'program': '/a', 'env': {'A': 1}}]",
		"[{'name': 'p', 'exec': ['a'], 'program': '/a', 'streams': 'mine'}]",
		"[{'name': 'p', 'exec': ['a'], 'program': '/a', 'killer': {'name': 'a'}}]",
		"[{'name': 'p', 'exec': ['a'], 'program': '/a', 'killer': {'ready': 'a'}}]",
	};
	json_t *value = json(least);
	struct spec s;
	size_t i;

	(void)state;
	json_object_set_new(
		value, "processes",
		json("[{'name': 'p', 'exec': ['a', '-b'], 'program': '/bin/a', 'env': {'B': '1', 'A': ''},"
		     " 'stdin': {'text': 'x'}}, {'name': 'q', 'exec': ['./a'], 'program': '/bin/a',"
		     " 'stdin': {'file': '/f'}, 'files': ['/f']}]"));
	assert_int_equal(parse(value, &s, NULL), 0);
	assert_string_equal(s.processes[0].program, "/bin/a");
	assert_string_equal(s.processes[0].argv[0], "a");
	assert_string_equal(s.processes[0].argv[1], "-b");
	assert_string_equal(s.processes[1].argv[0], "/bin/a");
	assert_string_equal(s.processes[0].env[0], "B=1");
	assert_string_equal(s.processes[0].env[1], "A=");
	assert_null(s.processes[0].env[2]);
	assert_string_equal(s.processes[0].stdin_text, "x");
	assert_null(s.processes[0].stdin_file);
	assert_null(s.processes[1].env[0]);
	assert_null(s.processes[1].stdin_text);
	assert_string_equal(s.processes[1].stdin_file, "/f");
	spec_free(&s);
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		value = json(least);
		json_object_set_new(value, "processes", json(bad[i]));
		assert_int_equal(parse(value, &s, NULL), -EINVAL);
	}
}

static void settings(void **state)
{
	static const char *const bad[] = {
		"[{'name': 'p', 'run': ['a'], 'rlimits': {'as': -1}}]",
		"[{'name': 'p', 'run': ['a'], 'rlimits': {'as': 'much'}}]",
		"[{'name': 'p', 'run': ['a'], 'cpus': 'all'}]",
		"[{'name': 'p', 'run': ['a'], 'numa': {'policy': 'bind'}}]",
		"[{'name': 'p', 'run': ['a'], 'numa': {'policy': 'near', 'nodes': '0'}}]",
	};
	json_t *value = json(least);
	struct spec s;
	size_t i;

	(void)state;
	json_object_set_new(
		value, "processes",
		json("[{'name': 'p', 'run': ['a'], 'oom_adj': -17, 'nice': 0, 'cpus': '1', 'user': 7,"
		     " 'rlimits': {'data': 0, 'memlock': 'unlimited', 'stack': null}}, {'name': 'q', 'run': ['a']},"
		     " {'name': 'r', 'run': ['a'], 'user': 7, 'group': 8}]"));
	assert_int_equal(parse(value, &s, NULL), 0);
	assert_true(s.processes[0].adj_set && s.processes[0].old_adj && s.processes[0].settings.nice_set);
	assert_int_equal(s.processes[0].adj, -17);
	assert_true(s.processes[0].settings.cpus_set && idlist_has(&s.processes[0].settings.cpus, 1));
	assert_int_equal(s.processes[0].settings.rlimits[0], -1);
	assert_int_equal(s.processes[0].settings.rlimits[1], 0);
	assert_int_equal(s.processes[0].settings.rlimits[2], -1);
	assert_int_equal(s.processes[0].settings.rlimits[3], SETTINGS_UNLIMITED);
	assert_int_equal(s.processes[0].settings.gid, 7);
	assert_false(s.processes[1].settings.nice_set || s.processes[1].settings.cpus_set ||
		     s.processes[1].old_adj);
	assert_int_equal(s.processes[1].settings.uid, -1);
	assert_int_equal(s.processes[1].settings.gid, -1);
	assert_int_equal(s.processes[2].settings.gid, 8);
	spec_free(&s);
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		value = json(least);
		json_object_set_new(value, "processes", json(bad[i]));
		assert_int_equal(parse(value, &s, NULL), -EINVAL);
	}
}

static void triggers(void **state)
{
	static const char *const bad[] = {
		"[{'name': 'p', 'run': ['a'], 'start': {'at': -1}}]",
		"[{'name': 'p', 'run': ['a'], 'start': {'after': 'q', 'rss': 1}}]",
		"[{'name': 'p', 'run': ['a'], 'start': {'after': 'p'}}]",
		"[{'name': 'p', 'run': ['a'], 'stop': {'at': 1, 'signal': 'SEGV'}}]",
	};
	json_t *value = json(least);
	struct spec s;
	size_t i;

	(void)state;
	json_object_set_new(
		value, "processes",
		json("[{'name': 'p', 'run': ['a'], 'start': {'at': 5, 'after': 'q', 'phase': 'hold'}, 'stop': {'at': 7}},"
		     " {'name': 'q', 'run': ['a'], 'start': null, 'stop': {'after': 'p', 'phase': 'ended', 'signal': 'KILL'}},"
		     " {'name': 'r', 'run': ['a'], 'start': {'after': 'q', 'touched': 9}}]"));
	assert_int_equal(parse(value, &s, NULL), 0);
	assert_int_equal(s.processes[0].start.kind, TRIGGER_PHASE);
	assert_int_equal(s.processes[0].start.after, 1);
	assert_int_equal(s.processes[0].start.amount, PHASE_HOLD);
	assert_int_equal(s.processes[0].start.at_ns, 5);
	assert_int_equal(s.processes[0].stop.kind, TRIGGER_TIME);
	assert_int_equal(s.processes[0].stop.at_ns, 7);
	assert_int_equal(s.processes[0].stop.signal, SIGTERM);
	assert_int_equal(s.processes[1].start.kind, TRIGGER_NONE);
	assert_int_equal(s.processes[1].stop.kind, TRIGGER_ENDED);
	assert_int_equal(s.processes[1].stop.signal, SIGKILL);
	assert_int_equal(s.processes[2].start.kind, TRIGGER_TOUCHED);
	assert_int_equal(s.processes[2].start.amount, 9);
	assert_int_equal(s.processes[2].stop.kind, TRIGGER_NONE);
	spec_free(&s);
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		value = json(least);
		json_object_set_new(value, "processes", json(bad[i]));
		assert_int_equal(parse(value, &s, NULL), -EINVAL);
	}
}

static void golden_spec(void **state)
{
	struct spec s;

	(void)state;
	assert_int_equal(parse(json(golden), &s, NULL), 0);
	assert_int_equal(s.process_count, 2);
	assert_string_equal(s.processes[0].name, "hog");
	assert_string_equal(s.processes[0].argv[0], "memset");
	assert_string_equal(s.processes[0].argv[1], "--block=1M");
	assert_null(s.processes[0].argv[2]);
	assert_int_equal(s.processes[0].group, 1);
	assert_true(s.processes[0].adj_set);
	assert_int_equal(s.processes[0].adj, -5);
	assert_int_equal(s.processes[1].group, -1);
	assert_false(s.processes[1].adj_set);
	assert_int_equal(s.cgroup_count, 2);
	assert_string_equal(s.cgroups[0].path, "app");
	assert_string_equal(s.cgroups[1].path, "app/x");
	assert_int_equal(s.setup_count, 5); /* limits, memory.max before the others, then sysctls */
	change(&s.setup[0], 0, 0, "memory.max", "536870912");
	change(&s.setup[1], 0, 0, "memory.swap.max", "max");
	change(&s.setup[2], 0, 1, "memory.high", "50%");
	change(&s.setup[3], 0, -1, "vm.overcommit_memory", "0");
	change(&s.setup[4], 0, -1, "vm.swappiness", "60");
	assert_int_equal(s.fault_count, 3);
	change(&s.faults[0], 0, 0, "memory.max", "268435456");
	change(&s.faults[1], 0, -1, "vm.swappiness", "10");
	change(&s.faults[2], 2000000000, -1, "vm.swappiness", "");
	assert_int_equal(s.swap_bytes, 931135488);
	assert_int_equal(s.timeout_ns, 60000000000);
	assert_int_equal(s.settle_ns, 200000000);
	assert_int_equal(s.every_ns, 10000000);
	spec_free(&s);
	spec_free(&s);
}

static void least_spec(void **state)
{
	struct spec s;
	json_t *value = json(least);

	(void)state;
	json_object_set_new(value, "machine", json_null());
	assert_int_equal(parse(value, &s, NULL), 0);
	assert_int_equal(s.process_count, 1);
	assert_int_equal(s.cgroup_count + s.setup_count + s.fault_count, 0);
	assert_int_equal(s.swap_bytes + s.settle_ns, 0);
	spec_free(&s);
	value = json(least);
	json_object_set_new(value, "machine", json("{'swap': null}"));
	assert_int_equal(parse(value, &s, NULL), 0);
	assert_int_equal(s.swap_bytes, 0);
	spec_free(&s);
}

static void malformed(void **state)
{
	static const struct {
		const char *key, *value, *why;
	} bad[] = {
		{ "spec", "2", "version" },
		{ "spec", "'1'", "version" },
		{ "stop", "{}", "stop.timeout" },
		{ "stop", "{'timeout': 0}", "stop.timeout" },
		{ "stop", "{'timeout': -1}", "stop.timeout" },
		{ "stop", "{'timeout': '1s'}", "stop.timeout" },
		{ "stop", "{'timeout': 1, 'settle': -1}", "stop.settle" },
		{ "record", "null", "record.every" },
		{ "record", "{'every': 0}", "record.every" },
		{ "record", "{'every': -1}", "record.every" },
		{ "machine", "{'swap': {'size': -1}}", "swap" },
		{ "processes", "[]", "processes" },
		{ "processes", "{}", "processes" },
		{ "processes", "[1]", "name" },
		{ "processes", "[{'run': ['x']}]", "name" },
		{ "processes", "[{'name': 1, 'run': ['x']}]", "name" },
		{ "processes", "[{'name': 'p'}]", "command" },
		{ "processes", "[{'name': 'p', 'run': []}]", "command" },
		{ "processes", "[{'name': 'p', 'run': 'x'}]", "command" },
		{ "processes", "[{'name': 'p', 'run': ['x', 1]}]", "command" },
		{ "processes", "[{'name': 'p', 'run': ['x'], 'cgroup': 'none'}]", "unknown cgroup" },
		{ "processes", "[{'name': 'p', 'run': ['x'], 'cgroup': 1}]", "unknown cgroup" },
		{ "processes", "[{'name': 'p', 'run': ['x'], 'oom_score_adj': '5'}]", "oom_score_adj" },
		{ "cgroups", "[{'set': {}}]", "path" },
		{ "cgroups", "[{'path': 3}]", "path" },
		{ "cgroups", "[{'path': 'a', 'set': {'memory.max': 5}}]", "text" },
		{ "sysctl", "{'vm.swappiness': 5}", "text" },
		{ "faults", "[{'at': 1, 'set': [{'cgroup': 'a', 'key': 'memory.max', 'value': '1'}]}]",
		  "cgroup" },
		{ "faults", "[{'at': 1, 'set': [{'value': '1'}]}]", "name" },
		{ "faults", "[{'at': 1, 'set': [{'sysctl': 'vm.swappiness'}]}]", "text" },
		{ "faults", "[{'at': -1, 'set': [{'sysctl': 'vm.swappiness', 'value': '1'}]}]", "time" },
		{ "faults",
		  "[{'at': 2, 'set': [{'sysctl': 'a', 'value': ''}]}, {'at': 1, 'set': [{'sysctl': 'a', 'value': ''}]}]",
		  "time" },
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct err e = ERR_INIT;
		json_t *value = json(least);
		struct spec s;

		json_object_set_new(value, bad[i].key, json(bad[i].value));
		if (parse(value, &s, &e) != -EINVAL || !strstr(e.text, bad[i].why) ||
		    strncmp(e.text, "trial spec: ", 12) != 0)
			fail_msg("%s: %s: \"%s\"", bad[i].key, bad[i].value, e.text);
		assert_null(s.json);
		spec_free(&s);
	}
}

static void no_json(void **state)
{
	static const char *const texts[] = { "", "{", "[]", "7", "\x01\xff", "{\"spec\": 1}x" };
	struct spec s;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		struct err e = ERR_INIT;

		assert_int_equal(spec_parse(texts[i], strlen(texts[i]), &s, &e), -EINVAL);
		assert_int_equal(strncmp(e.text, "trial spec: ", 12), 0);
	}
}

/* least with `count` of one member's elements. */
static int with_many(const char *key, const char *element, unsigned int count, struct spec *s, struct err *e)
{
	json_t *value = json(least), *list = json_array();

	while (count-- > 0)
		json_array_append_new(list, json(element));
	json_object_set_new(value, key, list);
	return parse(value, s, e);
}

static void streams(void **state)
{
	struct spec s;
	struct err e = ERR_INIT;
	json_t *value = json(least);

	(void)state;
	json_object_set_new(value, "processes",
			    json("[{'name': 'p', 'exec': ['a'], 'program': '/a'},"
				 " {'name': 'q', 'exec': ['a'], 'program': '/a', 'streams': 'kept'},"
				 " {'name': 'r', 'exec': ['a'], 'program': '/a', 'streams': 'caller'},"
				 " {'name': 's', 'run': ['a']}]"));
	assert_int_equal(parse(value, &s, &e), 0);
	assert_int_equal(s.processes[0].streams, STREAMS_EVENTS);
	assert_int_equal(s.processes[1].streams, STREAMS_KEPT);
	assert_int_equal(s.processes[2].streams, STREAMS_CALLER);
	assert_int_equal(s.processes[3].streams, STREAMS_EVENTS);
	spec_free(&s);
}

static void limits(void **state)
{
	static const struct {
		const char *key, *element;
		unsigned int max;
		const char *why;
	} rows[] = {
		{ "processes", "{'name': 'p', 'run': ['x']}", 65, "65 processes" },
		{ "cgroups", "{'path': 'a', 'set': {}}", 32, "32 cgroups" },
		{ "faults", "{'at': 1, 'set': [{'sysctl': 'a', 'value': ''}]}", 256, "256 values" },
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct err e = ERR_INIT;
		struct spec s;

		assert_int_equal(with_many(rows[i].key, rows[i].element, rows[i].max, &s, &e), 0);
		assert_true(s.process_count == rows[i].max || s.cgroup_count == rows[i].max ||
			    s.fault_count == rows[i].max);
		spec_free(&s);
		assert_int_equal(with_many(rows[i].key, rows[i].element, rows[i].max + 1, &s, &e), -EINVAL);
		assert_non_null(strstr(e.text, rows[i].why));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(golden_spec), cmocka_unit_test(program),    cmocka_unit_test(settings),
		cmocka_unit_test(triggers),    cmocka_unit_test(least_spec), cmocka_unit_test(malformed),
		cmocka_unit_test(no_json),     cmocka_unit_test(limits),     cmocka_unit_test(streams),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("spec", tests, NULL, NULL);
}
