// SPDX-License-Identifier: MIT
/* The OOM report parser against reports that real kernels wrote (tests/fixtures/oom/), whole, cut and
 * damaged. */
#include "lib/files.h"
#include "tests/unit/oom_seen.h"

#define WEIRD "we(ird, na me"

static char *fixture(const char *name, size_t *ret_len)
{
	char path[256], *text;
	struct err e = ERR_INIT;

	snprintf(path, sizeof(path), "tests/fixtures/oom/%s", name);
	if (file_read(path, 1 << 20, &text, ret_len, &e) < 0)
		fail_msg("%s", e.text);
	return text;
}

#define SIZES(vm, anon, file, shmem, pt)                                                                     \
	.total_vm_bytes = (vm)*KB, .anon_rss_bytes = (anon)*KB, .file_rss_bytes = (file)*KB,                 \
	.shmem_rss_bytes = (shmem)*KB, .pgtables_bytes = (pt)*KB
#define GLOBAL                                                                                               \
	.constraint = OOM_CONSTRAINT_NONE, .invoker = "feeder", .task_memcg = "/svc", .comm = "hog",         \
	.uid = 1000, .oom_score_adj = 300, .adj_known = true
#define MEMCG                                                                                                \
	.constraint = OOM_CONSTRAINT_MEMCG, .invoker = WEIRD, .gfp = "0xcc0(GFP_KERNEL)", .oom_memcg = "/a", \
	.task_memcg = "/a/b", .comm = WEIRD, .uid = 65534, .oom_score_adj = 0, .adj_known = true
#define MEMBER .constraint = OOM_CONSTRAINT_MEMCG, .order = -1, .adj_known = true, .group_kill = true

// clang-format off
/* Read off the logs by eye. */
static const struct oom_kill kill_5_10_global = { GLOBAL, .gfp = "0x100dca(GFP_HIGHUSER_MOVABLE|__GFP_ZERO)",
						  .pid = 73, SIZES(47080, 42960, 0, 3524, 132) };
static const struct oom_kill kill_5_10_memcg = { MEMCG, .pid = 71, SIZES(29672, 26532, 0, 2452, 92) };
static const struct oom_kill kill_6_1_global = {
	GLOBAL, .gfp = "0x140dca(GFP_HIGHUSER_MOVABLE|__GFP_COMP|__GFP_ZERO)", .pid = 80,
	SIZES(47080, 42864, 0, 3524, 128)
};
static const struct oom_kill kill_6_1_memcg = { MEMCG, .pid = 79, SIZES(29672, 26468, 0, 2452, 96) };
static const struct oom_kill kill_6_18_global = {
	GLOBAL, .gfp = "0x140dca(GFP_HIGHUSER_MOVABLE|__GFP_ZERO|__GFP_COMP)", .pid = 121,
	SIZES(47088, 43008, 0, 3524, 128)
};
static const struct oom_kill kill_6_18_memcg = { MEMCG, .pid = 121, SIZES(29680, 26496, 0, 2372, 92) };
static const struct oom_kill kill_7_3_global = {
	GLOBAL, .gfp = "0x140dca(GFP_HIGHUSER_MOVABLE|__GFP_ZERO|__GFP_COMP)", .pid = 95,
	SIZES(47088, 43068, 0, 3524, 128)
};
static const struct oom_kill kill_7_3_memcg = { MEMCG, .pid = 94, SIZES(29680, 26592, 0, 2452, 92) };
static const struct oom_kill kills_group[] = {
	{ .constraint = OOM_CONSTRAINT_MEMCG,
	  .invoker = "leader",
	  .gfp = "0xcc0(GFP_KERNEL)",
	  .oom_memcg = "/a",
	  .task_memcg = "/a/b",
	  .comm = "leader",
	  .pid = 81,
	  .uid = 1000,
	  .adj_known = true,
	  SIZES(24552, 23228, 0, 404, 80) },
	{ MEMBER, .comm = "helper) x", .pid = 80, .uid = 0, .oom_score_adj = 1,
	  SIZES(4072, 2900, 0, 404, 40) },
	{ MEMBER, .comm = "database", .pid = 79, .uid = 7, .oom_score_adj = -500,
	  SIZES(5096, 3956, 0, 404, 44) },
};

static const struct {
	const char *name;
	const struct oom_kill *kills;
	int kills_n, no_victim, panics;
} fixtures[] = {
	{ "5.10-global.log", &kill_5_10_global, 1, 0, 0 },
	{ "5.10-memcg.log", &kill_5_10_memcg, 1, 0, 0 },
	{ "6.1-global.log", &kill_6_1_global, 1, 0, 0 },
	{ "6.1-global-kmsg.log", &kill_6_1_global, 1, 0, 0 },
	{ "6.1-memcg.log", &kill_6_1_memcg, 1, 0, 0 },
	{ "6.1-memcg-kmsg.log", &kill_6_1_memcg, 1, 0, 0 },
	{ "6.1-group.log", kills_group, 3, 0, 0 },
	{ "6.1-panic.log", NULL, 0, 1, 1 },
	{ "6.1-panic-on-oom.log", NULL, 0, 0, 1 },
	{ "6.18-global.log", &kill_6_18_global, 1, 0, 0 },
	{ "6.18-memcg.log", &kill_6_18_memcg, 1, 0, 0 },
	{ "7.3-global.log", &kill_7_3_global, 1, 0, 0 },
	{ "7.3-memcg.log", &kill_7_3_memcg, 1, 0, 0 },
};

// clang-format on
#define FIXTURES (sizeof(fixtures) / sizeof(fixtures[0]))

static void test_fixtures(void **state)
{
	(void)state;
	for (size_t f = 0; f < FIXTURES; f++) {
		struct seen s;
		size_t len;
		char *text = fixture(fixtures[f].name, &len);

		print_message("# %s\n", fixtures[f].name);
		start(&s);
		feed_text(&s, text, len);
		assert_int_equal(s.invoked, 1);
		assert_int_equal(s.kills_n, fixtures[f].kills_n);
		assert_int_equal(s.no_victim, fixtures[f].no_victim);
		assert_int_equal(s.panics, fixtures[f].panics);
		for (int i = 0; i < s.kills_n; i++)
			assert_kill(&s.kills[i], &fixtures[f].kills[i]);
		/* Nothing of this report is left over for the next one. */
		assert_int_equal(s.parser.pending.pid, -1);
		if (s.kills_n)
			assert_string_equal(s.parser.pending.invoker, "");
		free(text);
	}
}

static void number_unknown_or(int64_t got, int64_t want)
{
	if (got != -1)
		assert_int_equal(got, want);
}

static void text_unknown_or(const char *got, const char *want)
{
	if (got[0])
		assert_string_equal(got, want);
}

/* got may know less than want, but nothing else; adj_cut: the last number of the line may be cut short. */
static void assert_no_invention(const struct oom_kill *got, const struct oom_kill *want, bool adj_cut)
{
	char g[24], w[24];

	if (got->constraint != OOM_CONSTRAINT_UNKNOWN)
		assert_int_equal(got->constraint, want->constraint);
	text_unknown_or(got->invoker, want->invoker);
	text_unknown_or(got->gfp, want->gfp);
	number_unknown_or(got->order, want->order);
	text_unknown_or(got->oom_memcg, want->oom_memcg);
	text_unknown_or(got->task_memcg, want->task_memcg);
	assert_int_equal(got->pid, want->pid);
	text_unknown_or(got->comm, want->comm);
	number_unknown_or(got->uid, want->uid);
	number_unknown_or(got->total_vm_bytes, want->total_vm_bytes);
	number_unknown_or(got->anon_rss_bytes, want->anon_rss_bytes);
	number_unknown_or(got->file_rss_bytes, want->file_rss_bytes);
	number_unknown_or(got->shmem_rss_bytes, want->shmem_rss_bytes);
	number_unknown_or(got->pgtables_bytes, want->pgtables_bytes);
	if (!got->adj_known)
		return;
	snprintf(g, sizeof(g), "%lld", (long long)got->oom_score_adj);
	snprintf(w, sizeof(w), "%lld", (long long)want->oom_score_adj);
	if (adj_cut)
		assert_int_equal(strncmp(g, w, strlen(g)), 0);
	else
		assert_string_equal(g, w);
}

static void test_cut_at_every_byte(void **state)
{
	(void)state;
	for (size_t f = 0; f < FIXTURES; f++) {
		size_t len;
		char *text = fixture(fixtures[f].name, &len);

		for (size_t cut = 0; cut <= len; cut++) {
			struct seen s;

			start(&s);
			feed_text(&s, text, cut);
			assert_in_range(s.kills_n, 0, fixtures[f].kills_n);
			for (int i = 0; i < s.kills_n; i++)
				assert_no_invention(&s.kills[i], &fixtures[f].kills[i],
						    i == s.kills_n - 1 && cut < len && text[cut - 1] != '\n');
		}
		free(text);
	}
}

/* The same from the front, as a ring buffer loses lines. */
static void test_cut_at_front(void **state)
{
	(void)state;
	for (size_t f = 0; f < FIXTURES; f++) {
		size_t len;
		char *text = fixture(fixtures[f].name, &len);

		for (const char *at = text; (at = strchr(at, '\n')); at++) {
			struct seen s = see(at + 1);

			for (int i = 0; i < s.kills_n; i++) {
				const struct oom_kill *want = fixtures[f].kills;
				int left = fixtures[f].kills_n;

				for (; left && want->pid != s.kills[i].pid; left--)
					want++;
				assert_true(left > 0);
				/* What names the leader after "Tasks in" is its second line. */
				s.kills[i].group_kill &= want->group_kill;
				assert_no_invention(&s.kills[i], want, false);
			}
		}
		free(text);
	}
}

static char *lines_without(const char *text, size_t from, size_t to, const char *instead)
{
	char *out = malloc(strlen(text) + strlen(instead) + 1), *at = out;
	size_t n = 0;

	assert_non_null(out);
	for (const char *nl; (nl = strchr(text, '\n')); text = nl + 1, n++) {
		if (n == from)
			at = stpcpy(at, instead);
		if (n < from || n >= to)
			at = mempcpy(at, text, (size_t)(nl + 1 - text));
	}
	*at = '\0';
	return out;
}

/* Two reports in a row, any run of lines lost: with the kernel's notice nothing is mixed up, without it only
 * the invoker can be. */
static void test_lost_lines(void **state)
{
	static const char notice[] = "** 7 printk messages dropped **\n";
	struct oom_kill blind;
	size_t a_len, b_len, lines = 0;
	char *a = fixture("6.1-memcg.log", &a_len), *b = fixture("6.1-global.log", &b_len);
	char *both = malloc(a_len + b_len + 1);

	(void)state;
	assert_non_null(both);
	strcpy(stpcpy(both, a), b);
	for (const char *at = both; (at = strchr(at, '\n')); at++)
		lines++;
	for (size_t from = 0; from < lines; from++) {
		for (size_t to = from + 1; to <= lines; to++) {
			for (int told = 0; told < 2; told++) {
				char *text = lines_without(both, from, to, told ? notice : "");
				struct seen s = see(text);

				assert_in_range(s.kills_n, 0, 2);
				for (int i = 0; i < s.kills_n; i++) {
					blind = s.kills[i];
					if (!told) {
						blind.invoker[0] = blind.gfp[0] = '\0';
						blind.order = -1;
					}
					assert_no_invention(
						&blind, blind.pid == 79 ? &kill_6_1_memcg : &kill_6_1_global,
						false);
				}
				free(text);
			}
		}
	}
	free(both);
	free(a);
	free(b);
}

/* Bytes changed at random in a real report: sums must hold for what still comes out, and nothing may crash.
 */
/* The group of a report whose killed line is lost is none of the next one's. */
static void test_lost_kill(void **state)
{
	struct seen s =
		see("Task in /a/b killed as a result of limit of /a\n"
		    "oom-kill:constraint=CONSTRAINT_NONE,nodemask=(null),cpuset=/,mems_allowed=0,global_oom,"
		    "task_memcg=/svc,task=hog,pid=80,uid=0\n"
		    "Out of memory: Killed process 80 (hog) total-vm:1kB, anon-rss:1kB, file-rss:0kB\n");

	(void)state;
	assert_int_equal(s.kills_n, 1);
	assert_int_equal(s.kills[0].constraint, OOM_CONSTRAINT_NONE);
	assert_string_equal(s.kills[0].oom_memcg, "");
	assert_string_equal(s.kills[0].task_memcg, "/svc");
}

static void test_garbage(void **state)
{
	size_t len;
	char *text = fixture("6.1-group.log", &len);
	uint32_t rng = 1;

	(void)state;
	for (int round = 0; round < 3000; round++) {
		struct seen s;
		char *bad = malloc(len);

		assert_non_null(bad);
		memcpy(bad, text, len);
		for (int i = 0; i < 40; i++) {
			rng = rng * 1664525u + 1013904223u;
			bad[(rng >> 8) % len] = (char)(rng >> 24);
		}
		start(&s);
		feed_text(&s, bad, len);
		for (int i = 0; i < s.kills_n; i++) {
			assert_true(s.kills[i].pid > 0);
			assert_true(s.kills[i].total_vm_bytes >= -1 && s.kills[i].pgtables_bytes >= -1);
			assert_true(memchr(s.kills[i].comm, '\0', OOM_COMM_MAX));
		}
		free(bad);
	}
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_fixtures),     cmocka_unit_test(test_cut_at_every_byte),
		cmocka_unit_test(test_cut_at_front), cmocka_unit_test(test_lost_lines),
		cmocka_unit_test(test_lost_kill),    cmocka_unit_test(test_garbage),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
