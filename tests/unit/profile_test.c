// SPDX-License-Identifier: MIT
/* Limit profiles: what their files may say, and what a scenario makes of them. */
#include "harness/scenario/profile.h"
#include "harness/scenario/scenario.h"

#include "lib/files.h"
#include "lib/json.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <cmocka.h>

#include "tests/unit/scenario_known.h"

#define HOG "processes: {hog: {run: [memset], cgroup: pod/app}}\n"

static const char good[] = "profile: p\nabout: a\nsource: s\n"
			   "parameters: {low: 8M, high: 16M}\n"
			   "cgroups:\n"
			   "  .: {memory.max: low + high + 4K}\n"
			   "  app: {memory.max: 0.5 * low + 0.25 * high - 1M, pids.max: 7}\n"
			   "  app/in: {memory.swap.max: max}\n";

static void values(void **state)
{
	static const char *const cases[][2] = {
		{ "max", "max" },
		{ "0", "0" },
		{ "17", "17" },
		{ "a", "4096" }, /* cut to pages */
		{ "4097B", "4096" },
		{ "64M", "67108864" },
		{ "b", "65536" },
		{ "b + 1M", "1114112" },
		{ "2 * b - b", "65536" },
		{ "0.1 * b + 0.9 * b", "65536" }, /* 65535.99... as a double */
		{ "0.5 * b + 0.5 * 8K", "36864" },
		{ "b - b", "0" },
		{ "a - b", NULL }, /* less than nothing */
		{ "", NULL },
		{ "c", NULL },
		{ "b +", NULL },
		{ "+ b", NULL },
		{ "b b", NULL },
		{ "b * 2", NULL },
		{ "2 * 3 * b", NULL },
		{ "2 *", NULL },
		{ "-1", NULL },
		{ "-1 * b", NULL },
		{ "nan * b", NULL },
		{ "1e30 * b", NULL },
	};
	json_t *parameters = json_pack("{s:i, s:i}", "a", 5000, "b", 65536);
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		json_t *value = profile_value(cases[i][0], parameters);
		const char *got = value ? json_string_value(value) : "none";
		const char *want = cases[i][1] ? cases[i][1] : "none";
		if (strcmp(got, want) != 0)
			fail_msg("\"%s\": %s, not %s", cases[i][0], got, want);
		json_decref(value);
	}
	json_decref(parameters);
}

/* A folder of its own with that text as p.yaml; what reading it came to, e in case it did not. */
static int read_text(const char *text, json_t **ret, struct err *e)
{
	char dir[] = "/tmp/oomlab-profiles.XXXXXX", path[64], other[64];
	int r;

	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/p.yaml", dir);
	snprintf(other, sizeof(other), "%s/README", dir);
	write_file(path, text, strlen(text));
	write_file(other, "no profile", 10);
	r = profiles_read(dir, known_cgroup_keys, ret, e);
	unlink(path);
	unlink(other);
	rmdir(dir);
	return r;
}

static void files(void **state)
{
	static const char *const bad[][2] = {
		{ "profile: [", "p.yaml:2:1: flow sequence" },
		{ "profile: q\nabout: a\nsource: s\ncgroups: {.: {memory.max: 1M}}\n", "profile: must be p" },
		{ "profile: p\nsource: s\ncgroups: {.: {memory.max: 1M}}\n", "about and source" },
		{ "profile: p\nabout: a\nsource: s\n", "no cgroups" },
		{ "profile: p\nabout: a\nsource: s\nparameters: {x: 10}\ncgroups: {.: {}}\n",
		  "parameter x: allowed: " },
		{ "profile: p\nabout: a\nsource: s\ncgroups: {.: {memory.maxx: 1M}}\n",
		  "cgroups..: memory.maxx is no limit" },
		{ "profile: p\nabout: a\nsource: s\ncgroups: {app: {memory.max: x}}\n",
		  "cgroups.app: memory.max: allowed: " },
	};
	struct err e = ERR_INIT;
	json_t *all = NULL, *one;
	size_t i;

	(void)state;
	assert_int_equal(read_text(good, &all, &e), 0);
	assert_int_equal(json_object_size(all), 1);
	one = json_object_get(all, "p");
	assert_int_equal(json_number(json_object_get(one, "parameters"), "high", 0), 16 << 20);
	assert_string_equal(json_text(json_object_get(json_object_get(one, "cgroups"), ""), "memory.max", ""),
			    "low + high + 4K");
	json_decref(all);
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		all = NULL;
		assert_int_equal(read_text(bad[i][0], &all, &e), -EINVAL);
		assert_null(all);
		if (!strstr(e.text, bad[i][1]) || !strstr(e.text, "p.yaml"))
			fail_msg("%s: %s", bad[i][0], e.text);
	}
	assert_int_equal(profiles_read("/tmp/oomlab-profiles.none", known_cgroup_keys, &all, &e), -ENOENT);
}

static void use(const char *text)
{
	struct err e = ERR_INIT;
	json_t *all = NULL;

	assert_int_equal(read_text(text, &all, &e), 0);
	known.profiles = all;
}

static void drop(void)
{
	json_decref((json_t *)known.profiles);
	known.profiles = NULL;
}

/* Groups of the first cell's spec: "path key=value ...; path ...". */
static void groups_are(const char *text, const struct scenario_options *o, const char *want)
{
	struct attempt a = try_text(text, o);
	char got[1024] = "";
	const char *key;
	json_t *group, *value;
	size_t i, len = 0;

	assert_string_equal(a.said, "");
	json_array_foreach (json_object_get(scenario_spec(a.s, 0), "cgroups"), i, group) {
		len += (size_t)snprintf(got + len, sizeof(got) - len, "%s%s", i ? "; " : "",
					json_text(group, "path", ""));
		json_object_foreach (json_object_get(group, "set"), key, value)
			len += (size_t)snprintf(got + len, sizeof(got) - len, " %s=%s", key,
						json_string_value(value));
	}
	if (strcmp(got, want) != 0)
		fail_msg("%s: %s, not %s", text, got, want);
	attempt_free(&a);
}

static void laid_over(void **state)
{
	static const char *const sets[] = { "cgroups.pod.high=32M", "cgroups.pod.pids.max=3" };
	const struct scenario_options o = { .sets = sets, .set_count = 2 };

	(void)state;
	use(good);
	groups_are(
		"scenario: s\ncgroups: {pod: {profile: p}}\n" HOG, NULL,
		"pod memory.max=25169920; pod/app memory.max=7340032 pids.max=7; pod/app/in memory.swap.max=max");
	/* Parameters, and the scenario's own limits, win. */
	groups_are(
		"scenario: s\ncgroups: {pod: {profile: p, low: 2M, memory.max: 64M}, pod/app: {pids.max: 9}}\n" HOG,
		NULL,
		"pod memory.max=67108864; pod/app pids.max=9 memory.max=4194304; pod/app/in memory.swap.max=max");
	groups_are("scenario: s\ncgroups: {pod: {profile: p}}\n" HOG, &o,
		   "pod pids.max=3 memory.max=41947136; pod/app memory.max=11534336 pids.max=7; pod/app/in "
		   "memory.swap.max=max");
	/* Two of the same, one below another group. */
	groups_are(
		"scenario: s\ncgroups: {pod: {profile: p}, a/b: {profile: p, low: 0}}\n" HOG, NULL,
		"pod memory.max=25169920; a; a/b memory.max=16781312; pod/app memory.max=7340032 pids.max=7; pod/app/in "
		"memory.swap.max=max; a/b/app memory.max=3145728 pids.max=7; a/b/app/in memory.swap.max=max");
	drop();
}

/* Faults, metrics and processes may name the groups of a profile. */
static void its_groups_have_names(void **state)
{
	struct attempt a;

	(void)state;
	use(good);
	a = try_text("scenario: s\ncgroups: {pod: {profile: p}}\n"
		     "processes: {hog: {run: [memset], cgroup: pod/app/in}}\n"
		     "faults: [{at: 1s, set: {cgroups.pod/app.memory.max: 1M}}]\n"
		     "matrix: {cgroups.pod.low: [4M, 8M]}\n"
		     "expect: [{that: cgroup.pod/app.peak, max: 8M, where: {cgroups.pod.low: 8M}}]\n",
		     NULL);
	assert_string_equal(a.said, "");
	assert_int_equal(scenario_cells(a.s), 2);
	assert_string_equal(scenario_cell(a.s, 0), "low=4M");
	attempt_free(&a);
	drop();
}

static void complaints(void **state)
{
	static const char *const cases[][2] = {
		{ "{pod: {profile: q}}", "F:2:26: cgroups.pod.profile: no profile 'q'; there is: p\n" },
		{ "{pod: {profile: p, hihg: 1M}}",
		  "F:2:29: cgroups.pod: unknown cgroup key 'hihg'; allowed: memory.max, memory.swap.max, pids.max, "
		  "memory.oom.group, cpuset.mems; or high, of a profile\n" },
		{ "{pod: {profile: p, high: 10}}",
		  "F:2:35: cgroups.pod.high: '10' is no value of a parameter; allowed: a number with B" },
		{ "{pod: {high: 1M}}",
		  "F:2:23: cgroups.pod.high: is a parameter, and no profile is named; allowed: `profile: NAME` beside it\n" },
		{ "{pod: {profile: [p]}}", "F:2:27: cgroups.pod.profile: is a list; " },
		{ "{x: {profile: p}}",
		  "F:3:42: processes.hog.cgroup: no cgroup 'pod/app'; there is: x, x/app, x/app/in\n" },
	};
	char text[512];
	struct attempt a;
	size_t i;

	(void)state;
	use(good);
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		snprintf(text, sizeof(text), "scenario: s\ncgroups: %s\n" HOG, cases[i][0]);
		a = try_text(text, NULL);
		if (strncmp(a.said, cases[i][1], strlen(cases[i][1])) != 0)
			fail_msg("%s: said: %s", cases[i][0], a.said);
		attempt_free(&a);
	}
	/* A change may set a limit, but no parameter. */
	a = try_text("scenario: s\ncgroups: {pod: {profile: p}}\n" HOG
		     "faults: [{at: 1s, set: {cgroups.pod.high: 1M}}]\n",
		     NULL);
	assert_non_null(strstr(a.said, "unknown cgroup key 'high'"));
	attempt_free(&a);
	drop();
	/* Without any profile the words are as unknown as others. */
	a = try_text("scenario: s\ncgroups: {pod: {profile: p}}\n" HOG, NULL);
	assert_non_null(strstr(a.said, "unknown cgroup key 'profile'"));
	attempt_free(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(values),     cmocka_unit_test(files),
		cmocka_unit_test(laid_over),  cmocka_unit_test(its_groups_have_names),
		cmocka_unit_test(complaints),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("profile", tests, NULL, NULL);
}
