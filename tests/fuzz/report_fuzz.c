// SPDX-License-Identifier: MIT
/* Whole reports out of any text, and what is said of them: tests/fuzz/run report */
#include "harness/oracle/explain.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool holds)
{
	if (!holds)
		abort();
}

static void check_text(const char *text, size_t size)
{
	check(memchr(text, '\0', size) != NULL);
}

static void check_report(void *user, const struct oom_report *r)
{
	struct oom_explanation e;
	size_t i;

	(void)user;
	check(r->line > 0 && r->killed_count <= OOM_KILLED_MAX && r->zone_count <= OOM_ZONES_MAX);
	check(r->page_bytes >= 4096 && r->slab_count <= OOM_SLABS_MAX);
	check_text(r->when, sizeof(r->when));
	check_text(r->release, sizeof(r->release));
	check_text(r->mems_allowed, sizeof(r->mems_allowed));
	for (i = 0; i < r->task_count; i++) {
		check(r->tasks[i].pid > 0 && r->tasks[i].rss_pages >= -1);
		check_text(r->tasks[i].comm, sizeof(r->tasks[i].comm));
	}
	check(oom_explain(r, &e) == 0);
	check(e.candidates <= r->task_count && e.note_count <= OOM_NOTES_MAX && e.who[0] && e.why[0]);
	for (i = 1; i < e.candidates; i++)
		check(e.ranks[i - 1].points >= e.ranks[i].points);
	oom_explanation_free(&e);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct oom_log *log = oom_log_new(check_report, NULL);

	check(log != NULL);
	while (size) {
		const uint8_t *nl = memchr(data, '\n', size);
		size_t len = nl ? (size_t)(nl - data) : size;
		char *line = malloc(len ? len : 1); /* alone, so that ASan sees its end */

		check(line != NULL);
		memcpy(line, data, len);
		check(oom_log_line(log, line, len) == 0);
		free(line);
		len += nl ? 1 : 0;
		data += len;
		size -= len;
	}
	oom_log_end(log);
	oom_log_free(log);
	return 0;
}
