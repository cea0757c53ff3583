// SPDX-License-Identifier: MIT
/* What oomlab record exits with and says, from hand-written results. */
#include "harness/recording_end.h"

#include "harness/verbs.h"
#include "tests/unit/trial_box.h"

#define PROGRAM(members) "'processes': [{'name': 'program', " members "}], 'verdict': 'pass', 'reason': null"
#define ENDED            "'sealed': 'all processes ended'"
#define METRICS                                                                                              \
	"'metrics': {'program.rss_peak': 10485760, 'program.rss_last': 5242880, 'program.swap_peak': 0,"     \
	" 'cgroup.app.peak': 20971520, 'cgroup.app.psi_some': 1500000000, 'cgroup.app.psi_full': 0,"         \
	" 'cgroup.app.oom_kills': 0}"

static const char made[] = "{'event': 'cgroup', 'cgroup': 'app', 'path': 'oomlab.7.1/app'},"
			   "{'event': 'set', 'cgroup': 'app', 'key': 'memory.max', 'got': '67108864'}";
#define KILL(process, where)                                                                                 \
	"{'event': 'oom-kill', 'process': " process ", 'pid': 9, 'comm': 'hog', 'constraint': 'memcg',"      \
	" 'oom_memcg': '/box/oomlab.7.1/app', 'task_memcg': '" where "', 'anon_rss': 52428800,"              \
	" 'file_rss': 1048576, 'shmem_rss': 0}"

static void status(void **state)
{
	static const struct {
		const char *result;
		int want;
	} rows[] = {
		{ "{" ENDED ", " PROGRAM("'exit_code': 0, 'signal': null") "}", 0 },
		{ "{" ENDED ", " PROGRAM("'exit_code': 7") "}", 7 },
		{ "{" ENDED ", " PROGRAM("'exit_code': null, 'signal': 15") "}", 143 },
		{ "{'sealed': 'timeout', " PROGRAM("'signal': 9") "}", 137 },
		{ "{'sealed': 'setup failed: exec', " PROGRAM("'exit_code': 127") "}", EXIT_BROKEN },
		{ "{'sealed': null, " PROGRAM("'exit_code': null") "}", EXIT_BROKEN },
		{ "{'verdict': 'skip', 'processes': []}", EXIT_SKIP },
		{ "{'verdict': 'broken', 'processes': []}", EXIT_BROKEN },
		/* the witnesses disagree: of the program all is known that a caller wants */
		{ "{" ENDED ", 'verdict': 'broken', 'processes': [{'exit_code': 4}]}", 4 },
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		json_t *result = json_of(rows[i].result);

		assert_int_equal(recording_status(result), rows[i].want);
		json_decref(result);
	}
}

static char *said(const char *result_text, const char *events_text, bool quiet, bool hard)
{
	json_t *result = json_of(result_text), *events = json_of(events_text);
	json_t *spec = json_of("{'stop': {'timeout': 2000000000}}");
	struct recording_end end = { spec, result, events, hard, quiet, "results/x" };
	char *text = NULL;
	size_t len;
	FILE *to = open_memstream(&text, &len);

	recording_say(to, &end);
	fclose(to);
	json_decref(result);
	json_decref(events);
	json_decref(spec);
	return text;
}

static void says(const char *result, const char *events, bool quiet, bool hard, const char *want)
{
	AUTO_FREE char *list = NULL, *got = NULL;

	assert_true(asprintf(&list, "[%s]", events) > 0);
	got = said(result, list, quiet, hard);
	assert_string_equal(got, want);
}

#define P "oomlab record: "

static void ended_by_itself(void **state)
{
	static const char result[] =
		"{" ENDED ", " METRICS ", " PROGRAM("'outcome': 'exited', 'exit_code': 0") "}";

	(void)state;
	says(result, made, false, false,
	     P "memory: peak RSS 10M, last 5120K, peak swap 0B; all of its group: peak 20M\n" P
	       "pressure: waited for memory: some 1.5s, full 0ns\n" P "victim: none\n" P
	       "record: results/x\n");
	says(result, made, true, false, "");
}

static void killed(void **state)
{
	static const char result[] =
		"{" ENDED ", " METRICS ", " PROGRAM("'outcome': 'oom-killed', 'signal': 9") "}";
	AUTO_FREE char *events = NULL;

	(void)state;
	assert_true(asprintf(&events, "%s,%s", made, KILL("'program'", "/box/oomlab.7.1/app")) > 0);
	says(result, events, false, false,
	     P
	     "memory: peak RSS 51M, last 51M, peak swap 0B; all of its group: peak 20M\n" P
	     "pressure: waited for memory: some 1.5s, full 0ns\n" P
	     "victim: hog (pid 9) was killed by the OOM killer: its group reached memory.max = 64M; it had 51M "
	     "resident, 50M of it anonymous\n" P "record: results/x\n");
	says(result, events, true, false,
	     P
	     "victim: hog (pid 9) was killed by the OOM killer: its group reached memory.max = 64M; it had 51M "
	     "resident, 50M of it anonymous\n");
	says(result, made, true, false,
	     P
	     "victim: the program was killed by the OOM killer, as its group's counter says; the kernel log does "
	     "not\n");
}

/* Of kills elsewhere on the machine nothing is said: there may be many. */
static void child_killed(void **state)
{
	static const char result[] =
		"{" ENDED ", " METRICS ", " PROGRAM("'outcome': 'exited', 'exit_code': 5") "}";
	AUTO_FREE char *own = NULL, *other = NULL;

	(void)state;
	assert_true(asprintf(&own, "%s,%s", made, KILL("null", "/box/oomlab.7.1/app/below")) > 0);
	assert_true(asprintf(&other, "%s,%s", made, KILL("null", "/oomlab.7.1/apple")) > 0);
	says(result, own, true, false,
	     P "victim: hog (pid 9), a child of the program, was killed by the OOM killer: its group reached "
	       "memory.max = 64M; it had 51M resident, 50M of it anonymous\n" P
	       "the program itself was not killed: exit status 5 is its own\n");
	says(result, other, true, false, "");
}

static void other_ends(void **state)
{
	static const char killed_by_others[] =
		"{" ENDED ", " PROGRAM("'outcome': 'signalled', 'signal': 9") "}";
	static const char timeout[] =
		"{'sealed': 'timeout', " PROGRAM("'outcome': 'timeout', 'signal': 9") "}";
	static const char skip[] = "{'verdict': 'skip', 'reason': 'no such limit here', 'processes': []}";

	(void)state;
	says(killed_by_others, made, true, false,
	     P "the program was ended by SIGKILL, which was not the OOM killer's\n");
	says(killed_by_others, made, true, true, P "ended by SIGKILL after a second SIGINT\n");
	says(timeout, made, true, false, P "ended by SIGKILL after --timeout 2.0s\n");
	says(skip, made, false, false, P "no such limit here\n" P "record: results/x\n");
	says(killed_by_others, made, false, true,
	     P
	     "ended by SIGKILL after a second SIGINT\n" P
	     "memory: peak RSS and swap unknown (it ended before it was sampled); all of its group: peak unknown\n" P
	     "pressure: unknown, for this kernel does not measure it for a group\n" P "victim: none\n" P
	     "record: results/x\n");
	says(killed_by_others, "{'event': 'exit', 'output_dropped': 2048}", true, true,
	     P "ended by SIGKILL after a second SIGINT\n" P
	       "output: 2048B of it did not fit into the record and are lost\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(status),       cmocka_unit_test(ended_by_itself), cmocka_unit_test(killed),
		cmocka_unit_test(child_killed), cmocka_unit_test(other_ends),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("recording_end", tests, NULL, NULL);
}
