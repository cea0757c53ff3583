// SPDX-License-Identifier: MIT
/* A user-space killer: from YAML to the process that the spec has of it. */
#include "harness/scenario/scenario.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <cmocka.h>

#include "tests/unit/scenario_known.h"

#define BODY     "scenario: s\nmachine: {}\nprocesses:\n  hog: {run: [memset]}\n"
#define PATH_ENV "\"env\":{\"PATH\":\"/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\"}"

static struct attempt attempt_of(const char *text)
{
	char whole[1024];

	snprintf(whole, sizeof(whole), BODY "%s\n", text);
	return try_text(whole, NULL);
}

/* want NULL: there is none. */
static void comes_to(const char *text, const char *want)
{
	struct attempt a = attempt_of(text);
	json_t *one;
	char *got;

	assert_string_equal(a.said, "");
	one = json_array_get(json_object_get(scenario_spec(a.s, 0), "processes"), 1);
	got = one ? json_dumps(one, JSON_COMPACT | JSON_SORT_KEYS) : NULL;
	if (want)
		assert_string_equal(got, want);
	else
		assert_null(got);
	free(got);
	attempt_free(&a);
}

static void refused(const char *text, const char *want)
{
	struct attempt a = attempt_of(text);

	if (!strstr(a.said, want))
		fail_msg("said: %s\nwanted: %s\nof:\n%s", a.said, want, text);
	attempt_free(&a);
}

#define PROCESS(files, killer, exec, program)                                                                \
	"{\"cgroup\":\"\"," PATH_ENV ",\"exec\":[" exec "],\"files\":[" files "],\"killer\":{" killer        \
	"},\"name\":\"killer\",\"oom_score_adj\":-1000,\"program\":\"" program "\",\"stdin\":null}"
#define QUICK "\"name\":\"quick\",\"packages\":true,\"ready\":\"go\""

static void by_name(void **state)
{
	(void)state;
	comes_to("", NULL);
	comes_to("killer: none", NULL);
	comes_to("killer: null", NULL);
	comes_to("killer: quick", PROCESS("", QUICK, "\"/usr/bin/quick\",\"-r\"", "/usr/bin/quick"));
	comes_to("killer: {run: [quick]}", PROCESS("", QUICK, "\"/usr/bin/quick\",\"-r\"", "/usr/bin/quick"));
	comes_to("killer: {run: [quick, -m, 5]}",
		 PROCESS("", QUICK, "\"/usr/bin/quick\",\"-m\",\"5\"", "/usr/bin/quick"));
	comes_to("killer: {run: [quick], files: [/dev/null]}",
		 PROCESS("\"/dev/null\"", QUICK, "\"/usr/bin/quick\",\"-r\"", "/usr/bin/quick"));
	/* What starts it is given its path last. */
	comes_to("killer: {run: [helped, --x]}",
		 PROCESS("", "\"name\":\"helped\",\"packages\":true,\"ready\":\"on\"",
			 "\"/b/helper\",\"--x\",\"/lib/helped\"", "/b/helper"));
}

static void of_the_users(void **state)
{
	(void)state;
	comes_to("killer: {exec: [/usr/bin/env, x], ready: watching}",
		 PROCESS("", "\"name\":\"env\",\"packages\":false,\"ready\":\"watching\"",
			 "\"/usr/bin/env\",\"x\"", "/usr/bin/env"));
	refused("killer: {exec: [/usr/bin/env]}",
		"killer.exec: does not say when it is ready; allowed: beside it ready: TEXT");
	refused("killer: {exec: [/no/such], ready: x}", "killer.exec: '/no/such'");
	refused("killer: {exec: [/usr/bin/env], run: [quick], ready: x}",
		"killer.exec: is given beside run; allowed: run, or exec and ready");
	refused("killer: {run: [quick], ready: x}", "killer.ready: is given beside run");
}

static void bad(void **state)
{
	(void)state;
	refused("killer: quik",
		"killer: unknown killer 'quik'; did you mean quick; allowed: none, quick, helped, or {exec: ");
	refused("killer: {run: [quik]}", "killer: unknown killer 'quik'; did you mean quick");
	refused("killer: {}", "killer: neither run nor exec is given");
	refused("killer: {files: [/dev/null]}", "killer: neither run nor exec is given");
	refused("killer:", "killer: has no name; allowed: none, a name of `oomlab list killers`");
	refused("killer: [quick]", "killer: has no name; allowed: ");
	refused("killer: {run: quick}", "killer.run: ");
	refused("killer: {run: []}", "killer.run: ");
	refused("killer: {run: [quick], nice: 5}", "unknown key 'nice'");
}

/* Its own metrics may be asked for where there is the key, be it none in this cell. */
static void metrics(void **state)
{
	struct attempt a;

	(void)state;
	comes_to("killer: none\nexpect: [{that: killer.rss_peak, max: 4M}]", NULL);
	refused("expect: [{that: killer.rss_peak, max: 4M}]", "no process 'killer'");
	a = try_text("scenario: s\nmachine: {}\nprocesses:\n  killer: {run: [memset]}\n", NULL);
	assert_non_null(strstr(a.said, "'killer' is taken by the metrics"));
	attempt_free(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(by_name),
		cmocka_unit_test(of_the_users),
		cmocka_unit_test(bad),
		cmocka_unit_test(metrics),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("killer_keys", tests, NULL, NULL);
}
