// SPDX-License-Identifier: MIT
#include "lib/blackbox.h"

#include "lib/files.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#define SPEC      "{\"spec\":1}"
#define BOX_BYTES BB_BYTES_MIN

struct fixture {
	char dir[64];
	char path[80];
	struct blackbox box;
	struct err e;
};

static int make_box(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	*state = f;
	strcpy(f->dir, "/tmp/oomlab-blackbox.XXXXXX");
	if (!mkdtemp(f->dir))
		return -1;
	snprintf(f->path, sizeof(f->path), "%s/box", f->dir);
	return bb_create(f->path, BOX_BYTES, SPEC, strlen(SPEC), &f->box, &f->e);
}

static int drop_box(void **state)
{
	struct fixture *f = *state;
	int r;

	bb_close(&f->box);
	r = tree_remove(f->dir, NULL);
	free(f);
	return r;
}

static size_t records(const struct blackbox *box)
{
	const struct bb_record *rec = NULL;
	size_t n = 0;

	while ((rec = bb_next(box, rec)))
		n++;
	return n;
}

static void spec_and_header(void **state)
{
	struct fixture *f = *state;
	struct blackbox again;
	const char *spec;
	size_t len;

	assert_int_equal(bb_open(f->path, false, &again, &f->e), 0);
	spec = bb_spec(&again, &len);
	assert_int_equal(len, strlen(SPEC));
	assert_memory_equal(spec, SPEC, len);
	assert_null(bb_next(&again, NULL));
	assert_int_equal(again.header->sealed, 0);
	assert_int_equal(bb_stride(&again), 1);
	bb_close(&again);
	bb_close(&again); /* twice does no harm */
}

static void spec_of_every_length(void **state)
{
	struct fixture *f = *state;
	char path[96], spec[40];
	struct blackbox box, again;
	const struct bb_record *rec;
	size_t len, got;

	memset(spec, 'x', sizeof(spec));
	for (len = 0; len < sizeof(spec); len++) {
		snprintf(path, sizeof(path), "%s/%zu", f->dir, len);
		assert_int_equal(bb_create(path, BOX_BYTES, spec, len, &box, &f->e), 0);
		assert_true(bb_append(&box, BB_EVENT, 7, "{}", 2));
		assert_int_equal(bb_open(path, false, &again, &f->e), 0);
		assert_memory_equal(bb_spec(&again, &got), spec, len);
		assert_int_equal(got, len);
		rec = bb_next(&again, NULL);
		assert_non_null(rec);
		assert_memory_equal(rec->payload, "{}", 2);
		bb_close(&again);
		bb_close(&box);
	}
}

static void records_come_back(void **state)
{
	struct fixture *f = *state;
	const int64_t values[] = { 1, BB_MISSING, -3 };
	const struct bb_record *rec;
	const struct bb_sample *s;
	struct blackbox again;

	assert_true(bb_append(&f->box, BB_EVENT, 10, "{\"event\":\"a\"}", 13));
	assert_true(bb_append_sample(&f->box, BB_PROCESS, 20, 2, values, 3));
	assert_true(bb_append(&f->box, BB_KMSG, 30, "", 0));
	bb_seal(&f->box, "all processes ended");
	assert_int_equal(bb_open(f->path, true, &again, &f->e), 0);
	rec = bb_next(&again, NULL);
	assert_int_equal(rec->type, BB_EVENT);
	assert_int_equal(rec->t_ns, 10);
	assert_int_equal(rec->len, 13);
	assert_memory_equal(rec->payload, "{\"event\":\"a\"}", 13);
	rec = bb_next(&again, rec);
	assert_int_equal(rec->type, BB_PROCESS);
	s = (const struct bb_sample *)rec->payload;
	assert_int_equal(s->index, 2);
	assert_int_equal(s->count, 3);
	assert_memory_equal(s->values, values, sizeof(values));
	rec = bb_next(&again, rec);
	assert_int_equal(rec->type, BB_KMSG);
	assert_int_equal(rec->len, 0);
	assert_null(bb_next(&again, rec));
	assert_int_equal(again.header->sealed, 1);
	assert_string_equal(again.header->seal, "all processes ended");
	/* The first mapping's reader sees what the second one's writer adds. */
	assert_true(bb_append(&again, BB_EVENT, 40, "{}", 2));
	assert_int_equal(records(&f->box), 4);
	bb_close(&again);
}

static void long_seal_is_cut(void **state)
{
	struct fixture *f = *state;
	char reason[1000];

	memset(reason, 'r', sizeof(reason) - 1);
	reason[sizeof(reason) - 1] = 0;
	bb_seal(&f->box, reason);
	assert_int_equal(strlen(f->box.header->seal), sizeof(f->box.header->seal) - 1);
}

/* The last eighth is for events, and a full box stays as it is. */
static void full(void **state)
{
	struct fixture *f = *state;
	int64_t values[100] = { 0 };
	struct bb_header *h = f->box.header;
	size_t samples = 0, events = 0;
	uint64_t used;
	char text[100];

	memset(text, 'e', sizeof(text));
	while (bb_append_sample(&f->box, BB_SYSTEM, samples, 0, values, 100))
		samples++;
	assert_int_equal(h->samples_dropped, 1);
	assert_true(h->used <= BOX_BYTES - BOX_BYTES / 8 && h->used > BOX_BYTES - BOX_BYTES / 8 - 1000);
	while (bb_append(&f->box, BB_EVENT, 0, text, sizeof(text)))
		events++;
	assert_true(events > 1000);
	assert_true(h->used <= BOX_BYTES && h->used > BOX_BYTES - 200);
	used = h->used;
	assert_false(bb_append(&f->box, BB_EVENT, 0, text, sizeof(text)));
	assert_false(bb_append_sample(&f->box, BB_SYSTEM, 0, 0, values, 1));
	assert_int_equal(h->samples_dropped, 2);
	assert_int_equal(h->used, used);
	assert_int_equal(records(&f->box), samples + events);
}

static void payload_up_to_the_last_byte(void **state)
{
	struct fixture *f = *state;
	size_t left = (size_t)(BOX_BYTES - f->box.header->used) - sizeof(struct bb_record);
	char *text = calloc(1, left + 1);

	assert_false(bb_append(&f->box, BB_EVENT, 0, text, left + 1));
	assert_true(bb_append(&f->box, BB_EVENT, 0, text, left));
	assert_int_equal(f->box.header->used, BOX_BYTES);
	assert_int_equal(records(&f->box), 1);
	free(text);
}

/* A recorder that obeys the stride never loses a sample, however long it runs, and never starves. */
static void stride(void **state)
{
	struct fixture *f = *state;
	int64_t values[50] = { 0 };
	uint64_t tick, before = 1, now = 1;

	for (tick = 0; tick < 100000; tick++) {
		now = bb_stride(&f->box);
		assert_true(now == before || now == 2 * before);
		before = now;
		if (tick % now == 0)
			assert_true(bb_append_sample(&f->box, BB_SYSTEM, tick, 0, values, 50));
	}
	assert_true(now >= 64);
	assert_int_equal(f->box.header->samples_dropped, 0);
	assert_true(records(&f->box) > 1000);
}

static int attach(void *map, size_t size)
{
	struct blackbox box = { 0 };
	struct err e = ERR_INIT;
	int r = bb_attach(map, size, &box, &e);

	assert_true(r == 0 || e.text[0]);
	if (r < 0)
		assert_null(box.header);
	return r;
}

static void damaged_header(void **state)
{
	struct fixture *f = *state;
	struct bb_header *h = f->box.header, good = *h;
	size_t i;

	assert_int_equal(attach(h, BOX_BYTES), 0);
	assert_int_equal(attach(h, BOX_BYTES - 1), -EBADMSG);
	assert_int_equal(attach(h, BB_HEADER_BYTES - 1), -EBADMSG);
	assert_int_equal(attach(h, 0), -EBADMSG);
	for (i = 0; i < 8; i++) {
		h->magic[i] ^= 1;
		assert_int_equal(attach(h, BOX_BYTES), -EBADMSG);
		h->magic[i] ^= 1;
	}
	h->version++;
	assert_int_equal(attach(h, BOX_BYTES), -EBADMSG);
	*h = good;
	for (i = 0; i < 64; i++) {
		h->spec_len = good.spec_len ^ (1ULL << i);
		if (i >= 12)
			assert_int_equal(attach(h, BOX_BYTES), -EBADMSG);
		*h = good;
		h->used = good.used ^ (1ULL << i);
		if (h->used > BOX_BYTES || h->used < good.used)
			assert_int_equal(attach(h, BOX_BYTES), -EBADMSG);
		*h = good;
		h->size = 1ULL << i;
		if (h->size > BOX_BYTES || h->size < good.used)
			assert_int_equal(attach(h, BOX_BYTES), -EBADMSG);
		*h = good;
	}
	h->spec_len = UINT64_MAX; /* rounded up it is 0 */
	assert_int_equal(attach(h, BOX_BYTES), -EBADMSG);
	*h = good;
	h->spec_len = h->size;
	h->used = h->size;
	assert_int_equal(attach(h, BOX_BYTES), -EBADMSG);
	*h = good;
}

/* Whatever a record claims to be, reading ends inside of what is used. */
static void damaged_records(void **state)
{
	struct fixture *f = *state;
	struct bb_header *h = f->box.header;
	struct bb_record *first;
	uint64_t used;
	uint32_t len;

	assert_true(bb_append(&f->box, BB_EVENT, 1, "{\"event\":\"first\"}", 17));
	assert_true(bb_append(&f->box, BB_EVENT, 2, "{\"event\":\"second\"}", 18));
	used = h->used;
	first = (struct bb_record *)(uintptr_t)bb_next(&f->box, NULL);
	for (len = 1; len; len <<= 1) {
		const struct bb_record *rec = NULL;
		size_t n = 0;

		first->len = len;
		while ((rec = bb_next(&f->box, rec))) {
			assert_true((char *)rec + sizeof(*rec) + rec->len <= (char *)h + used);
			assert_true(++n < 100);
		}
	}
	first->len = UINT32_MAX;
	assert_null(bb_next(&f->box, NULL));
	first->len = 17;
	assert_int_equal(records(&f->box), 2);
	/* Cut off in the middle of the second record: it does not count. */
	for (h->used = used - 1; h->used > used - 40; h->used--)
		assert_int_equal(records(&f->box), 1);
	/* used changed under the reader's feet after it was checked */
	h->used = UINT64_MAX;
	assert_null(bb_next(&f->box, NULL));
	h->used = used;
}

static void cut_file(void **state)
{
	struct fixture *f = *state;
	struct blackbox again;

	assert_int_equal(truncate(f->path, BB_HEADER_BYTES + 100), 0);
	assert_int_equal(bb_open(f->path, false, &again, &f->e), -EBADMSG);
	assert_non_null(strstr(f->e.text, f->path));
	assert_int_equal(truncate(f->path, 10), 0);
	assert_int_equal(bb_open(f->path, false, &again, &f->e), -EBADMSG);
	assert_non_null(strstr(f->e.text, f->path));
	assert_int_equal(truncate(f->path, 0), 0);
	assert_int_equal(bb_open(f->path, false, &again, &f->e), -EBADMSG);
}

static void not_there_and_there_already(void **state)
{
	struct fixture *f = *state;
	struct blackbox again;
	char path[96];

	snprintf(path, sizeof(path), "%s/none", f->dir);
	assert_int_equal(bb_open(path, false, &again, &f->e), -ENOENT);
	assert_int_equal(bb_create(f->path, BOX_BYTES, "", 0, &again, &f->e), -EEXIST);
	assert_int_equal(bb_create(path, BOX_BYTES, "", BOX_BYTES, &again, &f->e), -EMSGSIZE);
	assert_int_equal(access(path, F_OK), -1);
}

/* Space is taken at once: a store into a hole of a full disk would be a SIGBUS. */
static void no_holes(void **state)
{
	struct fixture *f = *state;
	struct stat st;

	assert_int_equal(stat(f->path, &st), 0);
	assert_true((uint64_t)st.st_blocks * 512 >= BOX_BYTES);
}

#define WITH_BOX(test) cmocka_unit_test_setup_teardown(test, make_box, drop_box)

/* A guest boots with a blank box, marks it, and gets its spec later. */
static void blank_parked_and_formatted_again(void **state)
{
	struct fixture *f = *state;
	const char *other = "{\"spec\":22}";
	struct blackbox box;
	size_t len;
	char *bytes;

	assert_true(bb_append(&f->box, BB_EVENT, 1, "{}", 2));
	bb_seal(&f->box, "the end");
	assert_int_equal(bb_blank(f->path, &f->e), 0);
	assert_int_equal(bb_open(f->path, false, &box, NULL), -EBADMSG);
	assert_int_equal(file_read(f->path, BOX_BYTES, &bytes, &len, NULL), 0);
	while (len && !bytes[len - 1])
		len--;
	assert_int_equal(len, 0);
	free(bytes);

	assert_false(bb_is_parked(f->path));
	bb_park(f->box.header);
	assert_true(bb_is_parked(f->path));
	assert_int_equal(bb_open(f->path, false, &box, NULL), -EBADMSG);
	assert_int_equal(bb_format(f->path, other, strlen(other), &f->e), 0);
	assert_false(bb_is_parked(f->path));
	assert_int_equal(bb_open(f->path, false, &box, &f->e), 0);
	assert_int_equal(strncmp(bb_spec(&box, &len), other, strlen(other)), 0);
	assert_int_equal(len, strlen(other));
	assert_null(bb_next(&box, NULL));
	assert_false(box.header->sealed);
	bb_close(&box);
}

/* The reader asks through a mapping of its own; what was asked for is there once. */
static void signals(void **state)
{
	struct fixture *f = *state;
	struct blackbox reader;

	assert_int_equal(bb_take_signals(&f->box), 0);
	assert_int_equal(bb_open(f->path, true, &reader, &f->e), 0);
	bb_ask_signal(&reader, 2);
	bb_ask_signal(&reader, 15);
	bb_ask_signal(&reader, 2);
	bb_ask_signal(&reader, 31);
	assert_int_equal(bb_take_signals(&f->box), 1u << 2 | 1u << 15 | 1u << 31);
	assert_int_equal(bb_take_signals(&f->box), 0);
	bb_close(&reader);
}

/* What processes print leaves room for what happened to them. */
static void output_leaves_room(void **state)
{
	static const char bytes[65536];
	struct fixture *f = *state;

	while (bb_append(&f->box, BB_STDOUT, 1, bytes, sizeof(bytes)))
		;
	while (bb_append(&f->box, BB_STDERR, 1, bytes, 1))
		;
	assert_in_range(f->box.header->used, BOX_BYTES - BOX_BYTES / 16 - 64, BOX_BYTES - BOX_BYTES / 16);
	assert_true(bb_append(&f->box, BB_EVENT, 2, bytes, 1000));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_BOX(spec_and_header),
		WITH_BOX(spec_of_every_length),
		WITH_BOX(records_come_back),
		WITH_BOX(long_seal_is_cut),
		WITH_BOX(full),
		WITH_BOX(payload_up_to_the_last_byte),
		WITH_BOX(stride),
		WITH_BOX(damaged_header),
		WITH_BOX(damaged_records),
		WITH_BOX(cut_file),
		WITH_BOX(not_there_and_there_already),
		WITH_BOX(no_holes),
		WITH_BOX(blank_parked_and_formatted_again),
		WITH_BOX(signals),
		WITH_BOX(output_leaves_room),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("blackbox", tests, NULL, NULL);
}
