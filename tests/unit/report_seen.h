/* SPDX-License-Identifier: MIT */
/* What the function of an oom_log saw, for tests of it. */
#ifndef OOMLAB_TESTS_REPORT_SEEN_H
#define OOMLAB_TESTS_REPORT_SEEN_H

#include "harness/oracle/explain.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
// clang-format off
#include <cmocka.h>
// clang-format on

#define KB       1024LL
#define SEEN_MAX 8

/* Reports with their tasks, as the log's function saw them. */
struct seen {
	struct oom_report reports[SEEN_MAX];
	struct oom_explanation explained[SEEN_MAX];
	size_t count;
};

static inline void keep(void *user, const struct oom_report *r)
{
	struct seen *s = user;
	struct oom_report *to;

	assert_true(s->count < SEEN_MAX);
	to = &s->reports[s->count];
	*to = *r;
	to->tasks = calloc(r->task_count + 1, sizeof(*to->tasks));
	assert_non_null(to->tasks);
	if (r->task_count)
		memcpy(to->tasks, r->tasks, r->task_count * sizeof(*to->tasks));
	assert_int_equal(oom_explain(to, &s->explained[s->count]), 0);
	s->count++;
}

/* Each line alone in memory, so that ASan sees a step over its end. */
static inline void feed(struct oom_log *log, const char *text, size_t len)
{
	while (len) {
		const char *nl = memchr(text, '\n', len);
		size_t n = nl ? (size_t)(nl - text) : len;
		char *line = malloc(n ? n : 1);

		assert_non_null(line);
		memcpy(line, text, n);
		assert_int_equal(oom_log_line(log, line, n), 0);
		free(line);
		n += nl ? 1 : 0;
		text += n;
		len -= n;
	}
}

static inline void read_text(struct seen *s, const char *text, size_t len)
{
	struct oom_log *log;

	memset(s, 0, sizeof(*s));
	log = oom_log_new(keep, s);
	assert_non_null(log);
	feed(log, text, len);
	oom_log_end(log);
	oom_log_free(log);
}

static inline void forget(struct seen *s)
{
	while (s->count) {
		free(s->reports[--s->count].tasks);
		oom_explanation_free(&s->explained[s->count]);
	}
}

static inline bool has_note(const struct seen *s, const char *id)
{
	const struct oom_explanation *e = &s->explained[0];
	size_t i;

	for (i = 0; i < e->note_count; i++)
		if (strcmp(e->notes[i].id, id) == 0)
			return true;
	return false;
}

static inline void assert_says(const char *text, const char *words)
{
	if (!strstr(text, words))
		fail_msg("said: %s\nwanted: %s", text, words);
}

static inline const struct oom_report *only_text(struct seen *s, const char *text)
{
	read_text(s, text, strlen(text));
	assert_int_equal(s->count, 1);
	return &s->reports[0];
}

#endif
