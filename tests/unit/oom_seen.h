/* SPDX-License-Identifier: MIT */
/* What the tests of the OOM report parser share: a log fed line by line, and what came out of it. */
#ifndef OOMLAB_TESTS_OOM_SEEN_H
#define OOMLAB_TESTS_OOM_SEEN_H

#include "harness/oracle/oomreport.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
// clang-format off
#include <cmocka.h>
// clang-format on

#define KB        1024
#define KILLS_MAX 8

struct seen {
	struct oom_parser parser;
	struct oom_kill kills[KILLS_MAX];
	int kills_n;
	int invoked;
	int no_victim;
	int panics;
};

/* Feeds what is between newlines, a last line without one too. Each line lies alone in memory, so that ASan
 * sees a step over its end. */
static inline void feed_text(struct seen *s, const char *text, size_t len)
{
	while (len) {
		const char *nl = memchr(text, '\n', len);
		size_t line_len = nl ? (size_t)(nl - text) : len, msg_len;
		char *line = malloc(line_len ? line_len : 1);
		const char *msg;

		assert_non_null(line);
		memcpy(line, text, line_len);
		msg = oom_line_message(line, line_len, &msg_len);
		assert_true(msg >= line && msg + msg_len <= line + line_len);
		switch (oom_parser_feed(&s->parser, msg, msg_len)) {
		case OOM_INVOKED:
			s->invoked++;
			break;
		case OOM_KILLED:
			assert_in_range(s->kills_n, 0, KILLS_MAX - 1);
			s->kills[s->kills_n++] = s->parser.kill;
			break;
		case OOM_NO_VICTIM:
			s->no_victim++;
			break;
		case OOM_PANIC:
			s->panics++;
			break;
		case OOM_NOTHING:
			break;
		}
		free(line);
		len -= line_len + (nl ? 1 : 0);
		text += line_len + (nl ? 1 : 0);
	}
}

static inline void start(struct seen *s)
{
	memset(s, 0, sizeof(*s));
	oom_parser_init(&s->parser);
}

static inline struct seen see(const char *text)
{
	struct seen s;

	start(&s);
	feed_text(&s, text, strlen(text));
	return s;
}

static inline void assert_kill(const struct oom_kill *got, const struct oom_kill *want)
{
	assert_int_equal(got->constraint, want->constraint);
	assert_string_equal(got->invoker, want->invoker);
	assert_string_equal(got->gfp, want->gfp);
	assert_int_equal(got->order, want->order);
	assert_string_equal(got->oom_memcg, want->oom_memcg);
	assert_string_equal(got->task_memcg, want->task_memcg);
	assert_int_equal(got->pid, want->pid);
	assert_string_equal(got->comm, want->comm);
	assert_int_equal(got->uid, want->uid);
	assert_int_equal(got->total_vm_bytes, want->total_vm_bytes);
	assert_int_equal(got->anon_rss_bytes, want->anon_rss_bytes);
	assert_int_equal(got->file_rss_bytes, want->file_rss_bytes);
	assert_int_equal(got->shmem_rss_bytes, want->shmem_rss_bytes);
	assert_int_equal(got->pgtables_bytes, want->pgtables_bytes);
	assert_int_equal(got->oom_score_adj, want->oom_score_adj);
	assert_int_equal(got->adj_known, want->adj_known);
	assert_int_equal(got->group_kill, want->group_kill);
}

#endif
