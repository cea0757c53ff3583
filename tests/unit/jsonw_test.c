// SPDX-License-Identifier: MIT
#include "lib/jsonw.h"

#include <jansson.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#define GUARD 0x7e

/* Everything a writer can do, nested. */
static void write_all_kinds(struct jsonw *w)
{
	jsonw_str(w, "text", "two\nlines, \"quoted\", back\\slash, \xc3\xa9, \xe2\x82\xac, \xf0\x9f\x98\x80");
	jsonw_int(w, "low", INT64_MIN);
	jsonw_uint(w, "high", (uint64_t)INT64_MAX);
	jsonw_bool(w, "yes", true);
	jsonw_null(w, "nothing");
	jsonw_object(w, "object");
	jsonw_array(w, "array");
	jsonw_int(w, NULL, 1);
	jsonw_str(w, NULL, "element");
	jsonw_object(w, NULL);
	jsonw_str(w, "deep", NULL);
	jsonw_close(w);
	jsonw_array(w, NULL);
	jsonw_close(w);
	jsonw_close(w);
	jsonw_str(w, "after", "x");
	jsonw_close(w);
	jsonw_str(w, "last", "end");
	jsonw_str(
		w, "filler",
		"so that the whole needs more than three hundred bytes of the buffer that it is given, and less than 400");
}

static json_t *parse(const char *text, size_t len)
{
	json_error_t error;
	json_t *value = json_loadb(text, len, JSON_REJECT_DUPLICATES, &error);

	if (!value)
		fail_msg("%zu bytes: %s: %s", len, error.text, text);
	assert_true(json_is_object(value));
	return value;
}

static void everything(void **state)
{
	char buf[1024];
	struct jsonw w;
	json_t *value, *object, *array;
	size_t len;

	(void)state;
	jsonw_begin(&w, buf, sizeof(buf));
	write_all_kinds(&w);
	len = jsonw_end(&w);
	assert_false(w.cut);
	assert_int_equal(len, strlen(buf));
	value = parse(buf, len);
	assert_string_equal(json_string_value(json_object_get(value, "text")),
			    "two\nlines, \"quoted\", back\\slash, \xc3\xa9, \xe2\x82\xac, \xf0\x9f\x98\x80");
	assert_true(json_integer_value(json_object_get(value, "low")) == INT64_MIN);
	assert_true(json_integer_value(json_object_get(value, "high")) == INT64_MAX);
	assert_true(json_is_true(json_object_get(value, "yes")));
	assert_true(json_is_null(json_object_get(value, "nothing")));
	object = json_object_get(value, "object");
	array = json_object_get(object, "array");
	assert_int_equal(json_array_size(array), 4);
	assert_true(json_is_null(json_object_get(json_array_get(array, 2), "deep")));
	assert_string_equal(json_string_value(json_object_get(object, "after")), "x");
	assert_string_equal(json_string_value(json_object_get(value, "last")), "end");
	assert_int_equal(json_object_size(value), 8);
	json_decref(value);
}

/* However little room there is: valid JSON, within the room, and said to be cut. */
static void every_room(void **state)
{
	char buf[512], whole[1024];
	struct jsonw w;
	size_t room, all, len, i;

	(void)state;
	jsonw_begin(&w, whole, sizeof(whole));
	write_all_kinds(&w);
	all = jsonw_end(&w);
	assert_true(all > 300 && all < 400);
	for (room = 8; room <= 400; room++) {
		memset(buf, GUARD, sizeof(buf));
		jsonw_begin(&w, buf, room);
		write_all_kinds(&w);
		len = jsonw_end(&w);
		assert_true(len < room);
		assert_int_equal(buf[len], 0);
		for (i = room; i < sizeof(buf); i++)
			assert_int_equal(buf[i], GUARD);
		json_decref(parse(buf, len));
		if (room > all + 8)
			assert_false(w.cut);
		if (room <= all)
			assert_true(w.cut);
		if (!w.cut)
			assert_string_equal(buf, whole);
	}
}

/* A long value keeps its start, as much as fits, and is cut between characters. */
static void long_text_is_cut(void **state)
{
	char buf[64], text[256];
	struct jsonw w;
	json_t *value;
	const char *got;
	size_t i;

	(void)state;
	for (i = 0; i + 2 < sizeof(text); i += 2)
		memcpy(text + i, "\xc3\xa9", 3);
	jsonw_begin(&w, buf, sizeof(buf));
	jsonw_str(&w, "text", text);
	jsonw_str(&w, "next", "left out");
	value = parse(buf, jsonw_end(&w));
	assert_true(w.cut);
	got = json_string_value(json_object_get(value, "text"));
	assert_true(strlen(got) > 40 && strncmp(got, text, strlen(got)) == 0);
	assert_int_equal(json_object_size(value), 1);
	json_decref(value);
}

static void control_characters(void **state)
{
	char all[128], buf[1024];
	struct jsonw w;
	json_t *value;
	int i;

	(void)state;
	for (i = 1; i < 128; i++)
		all[i - 1] = (char)i;
	all[127] = 0;
	jsonw_begin(&w, buf, sizeof(buf));
	jsonw_str(&w, all, all);
	value = parse(buf, jsonw_end(&w));
	assert_string_equal(json_string_value(json_object_get(value, all)), all);
	assert_null(strchr(buf, '\n'));
	json_decref(value);
}

/* Bytes that are no UTF-8, each replaced by U+FFFD; what is valid around them stays. */
static void invalid_utf8(void **state)
{
	static const struct {
		const char *text;
		size_t bad;
	} table[] = {
		{ "\x80", 1 },             /* continuation alone */
		{ "\xff\xfe", 2 },         /* never valid */
		{ "\xc0\xaf", 2 },         /* overlong '/' */
		{ "\xe0\x80\xaf", 3 },     /* the same, three bytes */
		{ "\xf0\x80\x80\xaf", 4 }, /* four */
		{ "\xed\xa0\x80", 3 },     /* surrogate */
		{ "\xf4\x90\x80\x80", 4 }, /* past U+10FFFF */
		{ "\xf5\x80\x80\x80", 4 },
		{ "\xe2\x82", 2 }, /* cut short */
		{ "\xf0\x9f\x98", 3 },
		{ "\xc3", 1 },
		{ "\xc3(", 1 },
	};
	char buf[256], text[32];
	struct jsonw w;
	json_t *value;
	const char *got;
	size_t i, bad;

	(void)state;
	for (i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		snprintf(text, sizeof(text), "<%s>", table[i].text);
		jsonw_begin(&w, buf, sizeof(buf));
		jsonw_str(&w, "text", text);
		value = parse(buf, jsonw_end(&w));
		got = json_string_value(json_object_get(value, "text"));
		assert_int_equal(got[0], '<');
		assert_int_equal(got[strlen(got) - 1], '>');
		for (bad = 0; (got = strstr(got, "\xef\xbf\xbd")); got += 3)
			bad++;
		assert_int_equal(bad, table[i].bad);
		json_decref(value);
	}
}

/* Deeper than it keeps track of: the inner part is left out, the rest stands. */
static void too_deep(void **state)
{
	char buf[256];
	struct jsonw w;
	json_t *value;
	int i;

	(void)state;
	jsonw_begin(&w, buf, sizeof(buf));
	jsonw_int(&w, "before", 1);
	for (i = 0; i < 20; i++)
		jsonw_object(&w, "in");
	for (i = 0; i < 20; i++)
		jsonw_close(&w);
	jsonw_int(&w, "after", 2);
	value = parse(buf, jsonw_end(&w));
	assert_true(w.cut);
	assert_int_equal(json_integer_value(json_object_get(value, "before")), 1);
	json_decref(value);
}

static void closes_too_many(void **state)
{
	char buf[64];
	struct jsonw w;

	(void)state;
	jsonw_begin(&w, buf, sizeof(buf));
	jsonw_int(&w, "a", 1);
	jsonw_close(&w);
	jsonw_close(&w);
	assert_int_equal(jsonw_end(&w), strlen("{\"a\":1}"));
	assert_string_equal(buf, "{\"a\":1}");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(everything),       cmocka_unit_test(every_room),
		cmocka_unit_test(long_text_is_cut), cmocka_unit_test(control_characters),
		cmocka_unit_test(invalid_utf8),     cmocka_unit_test(too_deep),
		cmocka_unit_test(closes_too_many),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("jsonw", tests, NULL, NULL);
}
