/* SPDX-License-Identifier: MIT */
/* For tests: a black box written by hand. JSON may be written with ' for ". */
#ifndef OOMLAB_TESTS_TRIAL_BOX_H
#define OOMLAB_TESTS_TRIAL_BOX_H

#include "harness/record.h"
#include "lib/files.h"
#include "lib/json.h"

#include <jansson.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#define MS_NS  1000000ULL
#define VALUES 16

struct trial_box {
	char dir[64];
	char path[96];
	struct blackbox box;
	uint64_t t_ns; /* of the next record */
	struct err e;
};

static inline char *quoted(const char *text)
{
	char *copy = strdup(text), *p;

	for (p = copy; *p; p++)
		if (*p == '\'')
			*p = '"';
	return copy;
}

static inline json_t *json_of(const char *text)
{
	AUTO_FREE char *copy = quoted(text);
	json_t *value = json_loads(copy, JSON_DECODE_ANY, NULL);

	if (!value)
		fail_msg("not JSON: %s", text);
	return value;
}

static inline int box_setup(void **state)
{
	struct trial_box *b = calloc(1, sizeof(*b));

	*state = b;
	strcpy(b->dir, "/tmp/oomlab-box.XXXXXX");
	if (!mkdtemp(b->dir))
		return -1;
	snprintf(b->path, sizeof(b->path), "%s/box", b->dir);
	return bb_create(b->path, BB_BYTES_MIN, "{}", 2, &b->box, &b->e);
}

/* An empty box in the place of what there was. */
static inline void box_again(struct trial_box *b)
{
	bb_close(&b->box);
	unlink(b->path);
	b->t_ns = 0;
	assert_int_equal(bb_create(b->path, BB_BYTES_MIN, "{}", 2, &b->box, &b->e), 0);
}

static inline int box_teardown(void **state)
{
	struct trial_box *b = *state;
	int r;

	bb_close(&b->box);
	r = tree_remove(b->dir, NULL);
	free(b);
	return r;
}

/* Records come a millisecond apart. */
static inline void box_text(struct trial_box *b, enum bb_type type, const char *text)
{
	AUTO_FREE char *copy = quoted(text);

	assert_true(bb_append(&b->box, type, b->t_ns, copy, strlen(copy)));
	b->t_ns += MS_NS;
}

static inline void box_event(struct trial_box *b, const char *text)
{
	box_text(b, BB_EVENT, text);
}

static inline void box_sample(struct trial_box *b, enum bb_type type, uint32_t index, uint32_t count,
			      const int64_t values[])
{
	assert_true(bb_append_sample(&b->box, type, b->t_ns, index, values, count));
	b->t_ns += MS_NS;
}

#define SAMPLE(b, type, index, ...)                                                                          \
	box_sample(b, type, index, sizeof((const int64_t[]){ __VA_ARGS__ }) / sizeof(int64_t),               \
		   (const int64_t[]){ __VA_ARGS__ })

static inline void box_read(struct trial_box *b, struct record *ret)
{
	struct blackbox again;

	assert_int_equal(bb_open(b->path, false, &again, &b->e), 0);
	assert_int_equal(record_read(&again, ret, &b->e), 0);
	bb_close(&again);
}

#endif
