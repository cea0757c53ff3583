// SPDX-License-Identifier: MIT
/* Whole OOM reports out of logs (tests/fixtures/oom/), and what is said of them. Numbers are read off the logs by eye. */
#include "lib/files.h"
#include "tests/unit/report_seen.h"

static char *fixture(const char *name, size_t *ret_len)
{
	char path[256], *text;
	struct err e = ERR_INIT;

	snprintf(path, sizeof(path), "tests/fixtures/oom/%s", name);
	if (file_read(path, 1 << 20, &text, ret_len, &e) < 0)
		fail_msg("%s", e.text);
	return text;
}

/* The only report of a fixture. */
static const struct oom_report *only(struct seen *s, const char *name)
{
	size_t len;
	char *text = fixture(name, &len);

	read_text(s, text, len);
	free(text);
	assert_int_equal(s->count, 1);
	return &s->reports[0];
}

static void global(void **state)
{
	struct seen s;
	const struct oom_report *r = only(&s, "5.10-global.log");
	const struct oom_task *t = oom_task_find(r, 73);

	(void)state;
	assert_int_equal(r->line, 1);
	assert_string_equal(r->when, "[    6.812171]");
	assert_string_equal(r->release, "5.10.0-32-cloud-amd64");
	assert_string_equal(r->invoker, "feeder");
	assert_int_equal(r->invoker_pid, 74);
	assert_true(r->invoker_adj_known && r->invoker_adj == -900);
	assert_int_equal(r->order, 0);
	assert_int_equal(r->constraint, OOM_CONSTRAINT_NONE);
	assert_string_equal(r->nodemask, "(null)");
	assert_string_equal(r->cpuset, "/");
	assert_string_equal(r->mems_allowed, "0");
	assert_int_equal(r->amounts[OOM_INACTIVE_ANON], 26517 * 4 * KB);
	assert_int_equal(r->amounts[OOM_SLAB_UNRECLAIMABLE], 1038 * 4 * KB);
	assert_int_equal(r->amounts[OOM_PAGETABLES], 97 * 4 * KB);
	assert_int_equal(r->zone_count, 2);
	assert_string_equal(r->zones[1].name, "DMA32");
	assert_int_equal(r->zones[1].free_bytes, 1188 * KB);
	assert_int_equal(r->zones[1].min_bytes, 1188 * KB);
	assert_int_equal(r->zones[1].high_bytes, 1780 * KB);
	assert_int_equal(r->zones[0].blocks[1], 2);
	assert_int_equal(r->zones[1].blocks[8], 0);
	assert_int_equal(r->swap_total_bytes, 0);
	assert_int_equal(r->ram_pages, 40830);
	assert_int_equal(r->reserved_pages, 9187);
	assert_int_equal(r->task_count, 5);
	assert_non_null(t);
	assert_int_equal(t->uid, 1000);
	assert_int_equal(t->rss_pages, 11621);
	assert_int_equal(t->pgtables_bytes, 135168);
	assert_int_equal(t->oom_score_adj, 300);
	assert_int_equal(t->rss_anon_pages, -1);
	assert_int_equal(r->killed_count, 1);
	assert_int_equal(r->killed[0].pid, 73);
	assert_int_equal(r->reaped_left_bytes, 3072 * KB);
	assert_says(s.explained[0].who, "hog (pid 73, uid 1000) was killed.");
	assert_says(s.explained[0].why,
		    "The machine was out of memory: 1764K were free, and there is no swap.");
	assert_true(has_note(&s, "swap-absent") && has_note(&s, "asker") && has_note(&s, "reaper"));
	assert_false(has_note(&s, "no-table"));
	forget(&s);
}

/* A record of /dev/kmsg may have several lines. */
static void records(void **state)
{
	struct seen s;
	const struct oom_report *r = only(&s, "6.1-global-kmsg.log");

	(void)state;
	assert_int_equal(r->amounts[OOM_INACTIVE_ANON], 23326 * 4 * KB);
	assert_true(r->amounts[OOM_SLAB_UNRECLAIMABLE] > 0 && r->amounts[OOM_FREE] > 0);
	forget(&s);
}

static void group(void **state)
{
	struct seen s;
	const struct oom_report *r = only(&s, "7.3-memcg.log");

	(void)state;
	assert_int_equal(r->constraint, OOM_CONSTRAINT_MEMCG);
	assert_string_equal(r->oom_memcg, "/a");
	assert_string_equal(r->task_memcg, "/a/b");
	assert_int_equal(r->memory.limit_bytes, 32768 * KB);
	assert_int_equal(r->memory.failcnt, 19);
	assert_int_equal(r->amounts[OOM_ANON], 31371264);
	assert_int_equal(r->amounts[OOM_SHMEM], 2097152);
	assert_int_equal(r->amounts[OOM_SLAB_UNRECLAIMABLE], 6208);
	assert_int_equal(r->zone_count, 0);
	assert_says(s.explained[0].why,
		    "The limit of cgroup /a was reached: 32M of 32M; it was in /a/b, below that.");
	assert_says(s.explained[0].saved, "a higher limit of /a");
	assert_true(has_note(&s, "parent-limit"));
	assert_false(has_note(&s, "asker"));
	forget(&s);

	r = only(&s, "6.1-group.log");
	assert_int_equal(r->killed_count, 3);
	assert_true(r->group_kill && has_note(&s, "group-kill"));
	assert_says(s.explained[0].who,
		    "leader (pid 81, uid 1000) was killed, and 2 more of its group with it.");
	forget(&s);
}

/* Linux 6.8 has columns between; they go by the header. */
static void columns(void **state)
{
	struct seen s;
	const struct oom_report *r = only(&s, "6.18-global.log");
	const struct oom_task *t = oom_task_find(r, 121);

	(void)state;
	assert_non_null(t);
	assert_int_equal(t->rss_anon_pages, 10752);
	assert_int_equal(t->rss_shmem_pages, 881);
	assert_int_equal(t->pgtables_bytes, 131072);
	assert_int_equal(t->swap_pages, 0);
	forget(&s);
}

static void nobody(void **state)
{
	struct seen s;
	const struct oom_report *r = only(&s, "6.1-panic.log");

	(void)state;
	assert_true(r->no_victim && r->panic && !r->killed_count);
	assert_int_equal(s.explained[0].candidates, 0);
	assert_true(has_note(&s, "all-protected"));
	assert_says(s.explained[0].who, "the kernel panicked, since there was nobody");
	forget(&s);
	r = only(&s, "6.1-panic-on-oom.log");
	assert_true(r->panic && !r->no_victim && has_note(&s, "panic"));
	forget(&s);
}

static void old_kernels(void **state)
{
	struct seen s;
	const struct oom_report *r = only(&s, "typed-2.6.32.log");
	const struct oom_task *t = oom_task_find(r, 2210);

	(void)state;
	assert_string_equal(r->when, "Feb  3 04:05:06 db1 kernel:");
	assert_string_equal(r->release, "2.6.32-5-amd64");
	assert_true(t && t->has_adj && !t->has_score_adj && t->oom_adj == 2 && t->swap_pages == -1);
	assert_int_equal(r->chosen_pid, 2208);
	assert_int_equal(r->chosen_score, 89371);
	assert_int_equal(r->killed[0].pid, 2210);
	assert_true(has_note(&s, "child") && has_note(&s, "swap-full"));
	assert_int_equal(s.explained[0].model, OOM_2_6);
	assert_int_equal(s.explained[0].agreement, OOM_NOT_COMPARED);
	forget(&s);

	r = only(&s, "typed-3.10-memcg.log");
	assert_int_equal(r->constraint, OOM_CONSTRAINT_MEMCG);
	assert_string_equal(r->oom_memcg, "/system.slice/docker-5f0c.scope");
	assert_int_equal(r->memsw.limit_bytes, 1048576 * KB);
	assert_int_equal(r->amounts[OOM_ANON], 524168 * KB);
	assert_int_equal(oom_task_find(r, 3031)->pgtables_bytes, 310 * 4096);
	assert_int_equal(s.explained[0].agreement, OOM_AGREES);
	/* What the kernel says of it, per mille: 130042 + 310 + 256 pages of 1 GiB. */
	assert_int_equal(r->chosen_score, 498);
	assert_int_equal(s.explained[0].ranks[0].points * 1000 / s.explained[0].scope.total_pages, 498);
	forget(&s);

	r = only(&s, "typed-4.4-global.log");
	assert_int_equal(oom_task_find(r, 1300)->pgtables_bytes, (1201 + 9) * 4096);
	assert_int_equal(s.explained[0].agreement, OOM_AGREES);
	assert_int_equal(r->reaped_left_bytes, 0);
	forget(&s);
}

/* Row D10: one line of a log is enough to see what is odd. */
static void sparse(void **state)
{
	struct seen s;
	const struct oom_report *r = only(&s, "typed-page-tables.log");

	(void)state;
	assert_false(r->table || r->invoked);
	assert_says(s.explained[0].notes[0].text, "Page tables are 50 % of what it counts for");
	assert_says(s.explained[0].notes[0].text, "sparse mapping");
	assert_true(has_note(&s, "no-table") && has_note(&s, "begin-lost"));
	forget(&s);
}

/* From the table in the kernel's own report the scores are exact: they name the victim. */
static void scores_name_the_victim(void **state)
{
	static const char *const names[] = { "5.10-global.log",     "5.10-memcg.log",  "6.1-global.log",
					     "6.1-global-kmsg.log", "6.1-memcg.log",   "6.1-memcg-kmsg.log",
					     "6.1-group.log",       "6.18-global.log", "6.18-memcg.log",
					     "7.3-global.log",      "7.3-memcg.log" };
	struct seen s;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		const struct oom_report *r = only(&s, names[i]);

		if (s.explained[0].agreement != OOM_AGREES)
			fail_msg("%s: %s", names[i], s.explained[0].reason);
		assert_int_equal(r->tasks[s.explained[0].ranks[0].task].pid, r->killed[0].pid);
		forget(&s);
	}
}

/* The end of the first is lost, and the beginning of the third; between them nothing is mixed up. */
static void several(void **state)
{
	size_t len[3], cut;
	char *first = fixture("5.10-global.log", &len[0]), *second = fixture("6.1-memcg.log", &len[1]);
	char *third = fixture("7.3-global.log", &len[2]), *all, *at;
	struct seen s;

	(void)state;
	at = strstr(first, "Tasks state");
	assert_non_null(at);
	cut = (size_t)(at - first);
	at = strstr(third, "Tasks state");
	assert_non_null(at);
	all = malloc(cut + len[1] + len[2] + 2);
	assert_non_null(all);
	memcpy(all, first, cut);
	all[cut] = '\n';
	memcpy(all + cut + 1, second, len[1]);
	memcpy(all + cut + 1 + len[1], at, len[2] - (size_t)(at - third));
	read_text(&s, all, cut + 1 + len[1] + len[2] - (size_t)(at - third));
	assert_int_equal(s.count, 3);
	assert_string_equal(s.reports[0].release, "5.10.0-32-cloud-amd64");
	assert_int_equal(s.reports[0].killed_count, 0);
	assert_says(s.explained[0].who, "does not say who was killed");
	assert_int_equal(s.reports[1].killed[0].pid, 79);
	assert_int_equal(s.reports[1].task_count, 2);
	assert_int_equal(s.reports[2].killed[0].pid, 95);
	forget(&s);
	free(all);
	free(first);
	free(second);
	free(third);
}

/* The killed line of a report that waits, after another has begun: the table knows whose it is. */
static void waiting(void **state)
{
	size_t len[2];
	char *first = fixture("5.10-global.log", &len[0]), *second = fixture("7.3-global.log", &len[1]), *all,
	     *end;
	struct seen s;
	size_t head;

	(void)state;
	end = strstr(first, "oom-kill:constraint");
	assert_non_null(end);
	head = (size_t)(end - first) - strlen("[    6.832308] ");
	all = malloc(len[0] + len[1]);
	assert_non_null(all);
	memcpy(all, first, head);
	end = strstr(second, "Tasks state");
	assert_non_null(end);
	memcpy(all + head, second, (size_t)(end - second));
	memcpy(all + head + (end - second), "\n", 1);
	memcpy(all + head + (end - second) + 1, first + head, len[0] - head);
	read_text(&s, all, len[0] + (size_t)(end - second) + 1);
	assert_int_equal(s.count, 2);
	assert_int_equal(s.reports[0].killed_count, 1);
	assert_int_equal(s.reports[0].killed[0].pid, 73);
	assert_int_equal(s.reports[1].killed_count, 0);
	forget(&s);
	free(all);
	free(first);
	free(second);
}

/* Whatever line is missing: no other victim, no number that is not there. */
static void any_line_may_be_lost(void **state)
{
	static const char *const names[] = { "5.10-global.log", "6.1-group.log", "typed-3.10-memcg.log" };
	struct seen s;
	size_t len, i;
	char *text, *at, *end, *less;

	(void)state;
	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		text = fixture(names[i], &len);
		less = malloc(len);
		assert_non_null(less);
		for (at = text; at < text + len; at = end) {
			end = memchr(at, '\n', (size_t)(text + len - at));
			end = end ? end + 1 : text + len;
			memcpy(less, text, (size_t)(at - text));
			memcpy(less + (at - text), end, (size_t)(text + len - end));
			read_text(&s, less, len - (size_t)(end - at));
			assert_true(s.count >= 1);
			if (s.reports[0].killed_count)
				assert_true(s.reports[0].killed[0].pid == 73 ||
					    s.reports[0].killed[0].pid == 3031 ||
					    (s.reports[0].killed[0].pid >= 79 &&
					     s.reports[0].killed[0].pid <= 81));
			forget(&s);
		}
		free(less);
		free(text);
	}
}

static void cut_anywhere(void **state)
{
	struct seen s;
	size_t len, cut;
	char *text = fixture("6.1-global.log", &len);

	(void)state;
	for (cut = 0; cut < len; cut += 7) {
		read_text(&s, text, cut);
		forget(&s);
	}
	free(text);
}

static void no_event(void **state)
{
	/* A NUL among the heads of a table ended in a loop without an end once. */
	static const char table[] =
		"a invoked oom-killer: gfp_mask=0x0, order=0\n[ pid ] uid \0 tgid rss name\n";
	static const char text[] = "[    1.0] oom_reaper: started\n[    2.0] Out of luck\n\n\xff\xfe\x00\n"
				   "systemd-oomd: Killed /a/b\nKilled process -1 (x)\n[   79]  1000 1 1\n";
	struct seen s;

	(void)state;
	read_text(&s, text, sizeof(text) - 1);
	assert_int_equal(s.count, 0);
	read_text(&s, table, sizeof(table) - 1);
	assert_int_equal(s.count, 1);
	forget(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(global),
		cmocka_unit_test(records),
		cmocka_unit_test(group),
		cmocka_unit_test(columns),
		cmocka_unit_test(nobody),
		cmocka_unit_test(old_kernels),
		cmocka_unit_test(sparse),
		cmocka_unit_test(scores_name_the_victim),
		cmocka_unit_test(several),
		cmocka_unit_test(waiting),
		cmocka_unit_test(any_line_may_be_lost),
		cmocka_unit_test(cut_anywhere),
		cmocka_unit_test(no_event),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("report", tests, NULL, NULL);
}
