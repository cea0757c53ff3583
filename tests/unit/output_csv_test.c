// SPDX-License-Identifier: MIT
#include "harness/output/output.h"

#include "lib/files.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

struct box_fixture {
	char dir[64];
	char path[128];
	struct blackbox box;
	json_t *spec;
	struct err e;
};

static int make_box(void **state)
{
	struct box_fixture *f = calloc(1, sizeof(*f));

	*state = f;
	strcpy(f->dir, "/tmp/oomlab-output.XXXXXX");
	if (!mkdtemp(f->dir))
		return -1;
	snprintf(f->path, sizeof(f->path), "%s/box", f->dir);
	f->spec = json_pack("{s:[{s:s}, {s:s}], s:[{s:s}]}", "processes", "name", "hog", "name", "a,\"b",
			    "cgroups", "path", "app");
	return bb_create(f->path, BB_BYTES_MIN, "{}", 2, &f->box, &f->e);
}

static int drop_box(void **state)
{
	struct box_fixture *f = *state;
	int r;

	bb_close(&f->box);
	json_decref(f->spec);
	r = tree_remove(f->dir, NULL);
	free(f);
	return r;
}

static void is_file(struct box_fixture *f, const char *name, const char *wanted)
{
	AUTO_FREE char *text = NULL;
	char path[160];

	snprintf(path, sizeof(path), "%s/%s", f->dir, name);
	assert_int_equal(file_read(path, 1 << 20, &text, NULL, &f->e), 0);
	assert_string_equal(text, wanted);
}

static void append(struct box_fixture *f, enum bb_type type, uint64_t t_ns, const char *text)
{
	assert_true(bb_append(&f->box, type, t_ns, text, strlen(text)));
}

static void csv_files(void **state)
{
	static const int64_t one[] = { 1, BB_MISSING, -3 }, two[] = { 4, 5 };
	struct box_fixture *f = *state;

	append(f, BB_COLUMNS, 0, "{\"of\": \"system\", \"names\": [\"mem_free\", \"zone,a\", \"x\"]}");
	append(f, BB_COLUMNS, 0, "{\"of\": \"process\", \"names\": [\"rss\", \"swap\", \"score\"]}");
	append(f, BB_COLUMNS, 0, "{\"of\": \"cgroup\", \"names\": [\"current\", \"peak\"]}");
	append(f, BB_EVENT, 5, "{\"event\": \"start\", \"pid\": 7}");
	bb_append_sample(&f->box, BB_SYSTEM, 10, 0, one, 3);
	bb_append_sample(&f->box, BB_PROCESS, 10, 0, one, 3);
	bb_append_sample(&f->box, BB_PROCESS, 10, 1, two, 2); /* fewer than columns */
	bb_append_sample(&f->box, BB_CGROUP, 10, 0, two, 2);
	bb_append_sample(&f->box, BB_CGROUP, 10, 1, two, 2); /* the processes' that name no group */
	bb_append_sample(&f->box, BB_CGROUP, 10, 2, two, 2); /* nobody's */
	append(f, BB_KMSG, 11, "6,1,2,-;a line\n KEY=value\n");
	append(f, BB_KMSG, 12, "6,2,3,-;no newline");
	append(f, BB_EVENT, 20, "no JSON");
	append(f, BB_EVENT, 20, "[1]");
	append(f, BB_EVENT, 21, "{}");
	bb_append_sample(&f->box, BB_SYSTEM, 22, 0, one, 3);
	assert_int_equal(output_csv(&f->box, f->spec, f->dir, &f->e), 0);
	is_file(f, "system.csv", "t_ns,mem_free,\"zone,a\",x\n10,1,,-3\n22,1,,-3\n");
	is_file(f, "processes.csv", "t_ns,process,rss,swap,score\n10,hog,1,,-3\n10,\"a,\"\"b\",4,5,\n");
	is_file(f, "cgroups.csv", "t_ns,cgroup,current,peak\n10,app,4,5\n10,@procs,4,5\n10,,4,5\n");
	is_file(f, "events.jsonl", "{\"t_ns\":5,\"event\":\"start\",\"pid\":7}\n{\"t_ns\":21}\n");
	is_file(f, "kmsg.log", "6,1,2,-;a line\n KEY=value\n6,2,3,-;no newline\n");
}

/* Behind the processes come children of theirs, each called by whose it is, from the event on that says so. */
static void csv_of_children(void **state)
{
	static const int64_t rss[] = { 7 };
	struct box_fixture *f = *state;

	append(f, BB_COLUMNS, 0, "{\"of\": \"process\", \"names\": [\"rss\"]}");
	assert_true(bb_append_sample(&f->box, BB_PROCESS, 1, 65, rss, 1));
	append(f, BB_EVENT, 1, "{\"event\":\"child\",\"process\":\"hog\",\"pid\":81,\"row\":65}");
	assert_true(bb_append_sample(&f->box, BB_PROCESS, 2, 0, rss, 1));
	assert_true(bb_append_sample(&f->box, BB_PROCESS, 2, 65, rss, 1));
	append(f, BB_EVENT, 3, "{\"event\":\"child\",\"process\":\"hog\",\"pid\":82,\"row\":65}");
	assert_true(bb_append_sample(&f->box, BB_PROCESS, 4, 65, rss, 1));
	assert_int_equal(output_csv(&f->box, f->spec, f->dir, &f->e), 0);
	is_file(f, "processes.csv", "t_ns,process,rss\n1,,7\n2,hog,7\n2,hog/81,7\n4,hog/82,7\n");
}

/* A box that ended early, or with numbers that make no sense, still gives files. */
static void csv_of_a_damaged_box(void **state)
{
	static const int64_t one[] = { 1 };
	static const struct bb_sample liar = { 9, 1000000 };
	struct box_fixture *f = *state;

	bb_append_sample(&f->box, BB_PROCESS, 10, 77, one, 1); /* no columns, no such process */
	bb_append(&f->box, BB_SYSTEM, 11, &liar, sizeof(liar));
	bb_append(&f->box, BB_SYSTEM, 12, "x", 1);
	append(f, BB_COLUMNS, 13, "{\"of\": \"cgroup\", \"names\": 3}");
	append(f, BB_COLUMNS, 13, "nonsense");
	assert_int_equal(output_csv(&f->box, f->spec, f->dir, &f->e), 0);
	is_file(f, "system.csv", "t_ns\n");
	is_file(f, "processes.csv", "t_ns,process\n10,\n");
	is_file(f, "cgroups.csv", "t_ns,cgroup\n");
	is_file(f, "events.jsonl", "");
}

static void csv_on_a_full_disk(void **state)
{
	struct box_fixture *f = *state;
	char path[160];

	append(f, BB_KMSG, 11, "6,1,2,-;a line\n");
	snprintf(path, sizeof(path), "%s/kmsg.log", f->dir);
	assert_int_equal(symlink("/dev/full", path), 0);
	assert_int_equal(output_csv(&f->box, f->spec, f->dir, &f->e), -ENOSPC);
	assert_non_null(strstr(f->e.text, path));
	assert_int_equal(output_csv(&f->box, f->spec, "/nonexistent", &f->e), -ENOENT);
	assert_non_null(strstr(f->e.text, "/nonexistent/"));
}

#define WITH_BOX(test) cmocka_unit_test_setup_teardown(test, make_box, drop_box)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_BOX(csv_files),
		WITH_BOX(csv_of_children),
		WITH_BOX(csv_of_a_damaged_box),
		WITH_BOX(csv_on_a_full_disk),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("output_csv", tests, NULL, NULL);
}
