// SPDX-License-Identifier: MIT
/* What a machine asks of a kernel, on trees of files that stand for kernels. A plain file reads back as written. */
#include "guest/tune.h"

#include "lib/files.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#define THP        "/sys/kernel/mm/transparent_hugepage/enabled"
#define MGLRU      "/sys/kernel/mm/lru_gen/enabled"
#define KSM        "/sys/kernel/mm/ksm/run"
#define HUGE       "/sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages"
#define ENABLED    "/sys/module/zswap/parameters/enabled"
#define COMPRESSOR "/sys/module/zswap/parameters/compressor"
#define PERCENT    "/sys/module/zswap/parameters/max_pool_percent"
#define ONLINE     "/sys/devices/system/node/online"
#define NODE       "/sys/devices/system/node/node"

struct tree {
	char root[64];
	struct blackbox box;
	struct err e;
};

static int make_tree(void **state)
{
	struct tree *t = calloc(1, sizeof(*t));
	char path[96];

	*state = t;
	strcpy(t->root, "/tmp/oomlab-tune.XXXXXX");
	if (!mkdtemp(t->root))
		return -1;
	snprintf(path, sizeof(path), "%s/box", t->root);
	return bb_create(path, BB_BYTES_MIN, "{}", 2, &t->box, &t->e);
}

static int drop_tree(void **state)
{
	struct tree *t = *state;
	int r;

	bb_close(&t->box);
	r = tree_remove(t->root, NULL);
	free(t);
	return r;
}

static void put(struct tree *t, const char *path, const char *text)
{
	char full[PATH_LEN_MAX], *slash;

	path_format(full, "%s%s", t->root, path);
	slash = strrchr(full, '/');
	*slash = 0;
	assert_int_equal(dir_make(full, &t->e), 0);
	*slash = '/';
	assert_int_equal(file_write(full, text, strlen(text), &t->e), 0);
}

static void holds(const struct tree *t, const char *path, const char *wanted)
{
	AUTO_FREE char *text = NULL;
	char full[PATH_LEN_MAX];

	path_format(full, "%s%s", t->root, path);
	assert_int_equal(file_read(full, 4096, &text, NULL, NULL), 0);
	assert_string_equal(text, wanted);
}

/* machine in single quotes. said NULL: it is so. */
static void tunes(struct tree *t, const char *machine, int wanted, const char *said)
{
	char text[512], *p;
	json_t *m;

	snprintf(text, sizeof(text), "%s", machine);
	for (p = text; (p = strchr(p, '\''));)
		*p = '"';
	m = json_loads(text, 0, NULL);
	assert_non_null(m);
	t->e.text[0] = 0;
	assert_int_equal(tune_machine(t->root, m, &t->box, &t->e), wanted);
	assert_string_equal(t->e.text, said ? said : "");
	json_decref(m);
}

static void meets(struct tree *t, const char *machine, const char *said)
{
	json_t *m = json_loads(machine, 0, NULL);

	assert_non_null(m);
	t->e.text[0] = 0;
	assert_int_equal(tune_met(t->root, m, &t->e), said ? -EOPNOTSUPP : 0);
	assert_string_equal(t->e.text, said ? said : "");
	json_decref(m);
}

/* All events in the box, a line each. */
static void recorded(const struct tree *t, const char *wanted)
{
	const struct bb_record *r = NULL;
	char text[2048] = "";
	size_t len = 0;

	while ((r = bb_next(&t->box, r)))
		len += (size_t)snprintf(text + len, sizeof(text) - len, "%.*s\n", (int)r->len,
					(const char *)r->payload);
	assert_string_equal(text, wanted);
}

/* A kernel that has none of it, asked for what it comes to anyway. */
static void nothing_there(void **state)
{
	struct tree *t = *state;

	tunes(t, "{}", 0, NULL);
	tunes(t, "{'thp': null, 'mglru': null, 'hugepages': 0, 'zswap': null, 'nodes': [], 'distances': []}",
	      0, NULL);
	tunes(t, "{'thp': 'never', 'mglru': false, 'ksm': false, 'zswap': {'enabled': false}, 'nodes': [1]}",
	      0, NULL);
	recorded(t, "");
	tunes(t, "{'thp': 'madvise'}", -EOPNOTSUPP,
	      "machine.thp: this kernel has no transparent huge pages (no " THP ")");
	tunes(t, "{'mglru': true}", -EOPNOTSUPP, "machine.mglru: this kernel has no MGLRU (no " MGLRU ")");
	tunes(t, "{'ksm': true}", -EOPNOTSUPP, "machine.ksm: this kernel has no KSM (no " KSM ")");
	tunes(t, "{'hugepages': 2097152}", -EOPNOTSUPP,
	      "machine.hugepages: this kernel has no huge pages of 2M (no " HUGE ")");
	tunes(t, "{'zswap': {'enabled': true}}", -EOPNOTSUPP,
	      "machine.zswap.enabled: this kernel has no zswap (no " ENABLED ")");
	tunes(t, "{'nodes': [1, 1]}", -EOPNOTSUPP, "machine.nodes: this kernel has no NUMA (no " ONLINE ")");
	recorded(t, "");
}

static void all_as_wanted(void **state)
{
	struct tree *t = *state;

	put(t, HUGE, "0\n");
	put(t, MGLRU, "n\n");
	put(t, KSM, "0\n");
	put(t, ENABLED, "N\n");
	put(t, COMPRESSOR, "lzo\n");
	put(t, PERCENT, "20\n");
	tunes(t,
	      "{'hugepages': 33554432, 'mglru': true, 'ksm': true, 'zswap': {'enabled': true, 'compressor': 'lz4', 'max_pool_percent': 30}}",
	      0, NULL);
	holds(t, HUGE, "16");
	holds(t, ENABLED, "Y\n"); /* a plain file is not cut */
	holds(t, COMPRESSOR, "lz4\n");
	recorded(
		t,
		"{\"event\":\"machine\",\"key\":\"hugepages\",\"wanted\":\"16\",\"was\":\"0\",\"got\":\"16\"}\n"
		"{\"event\":\"machine\",\"key\":\"mglru\",\"wanted\":\"y\",\"was\":\"n\",\"got\":\"y\"}\n"
		"{\"event\":\"machine\",\"key\":\"ksm\",\"wanted\":\"1\",\"was\":\"0\",\"got\":\"1\"}\n"
		"{\"event\":\"machine\",\"key\":\"zswap.max_pool_percent\",\"wanted\":\"30\",\"was\":\"20\",\"got\":\"30\"}\n"
		"{\"event\":\"machine\",\"key\":\"zswap.compressor\",\"wanted\":\"lz4\",\"was\":\"lzo\",\"got\":\"lz4\"}\n"
		"{\"event\":\"machine\",\"key\":\"zswap.enabled\",\"wanted\":\"Y\",\"was\":\"N\",\"got\":\"Y\"}\n");
}

/* What is as wanted is not written again: a file that shows a choice would lose its other words here. */
static void words_and_switches(void **state)
{
	struct tree *t = *state;

	put(t, THP, "always madvise [never]\n");
	put(t, MGLRU, "0x0006\n"); /* parts of it without bit 0, MGLRU itself */
	tunes(t, "{'thp': 'never', 'mglru': false}", 0, NULL);
	holds(t, THP, "always madvise [never]\n");
	put(t, MGLRU, "0x0003\n");
	tunes(t, "{'mglru': true}", 0, NULL);
	holds(t, MGLRU, "0x0003\n");
}

/* A file of this machine's in place of the kernel's: each of these makes something else of what is written. */
static void put_link(struct tree *t, const char *path, const char *to)
{
	char full[PATH_LEN_MAX];

	put(t, path, "");
	path_format(full, "%s%s", t->root, path);
	assert_int_equal(unlink(full), 0);
	assert_int_equal(symlink(to, full), 0);
}

static void refused(void **state)
{
	struct tree *t = *state;

	put_link(t, COMPRESSOR, "/proc/self/oom_score_adj"); /* takes numbers alone */
	put(t, ENABLED, "N\n");
	put(t, "/proc/crypto",
	    "name         : crc32c\ntype         : shash\n\nname         : lzo\ndriver       : lzo-generic\n"
	    "type         : compression\n\nname         : lzo\ntype         : scomp\n\nname : zo\ntype : acomp\n");
	tunes(t, "{'zswap': {'enabled': true, 'compressor': 'zstd'}}", -EOPNOTSUPP,
	      "machine.zswap.compressor: this kernel does not take zstd (Invalid argument); "
	      "built in or loaded are: lzo, zo");
	holds(t, ENABLED, "N\n");
	recorded(t, "");
}

/* No error on writing it, and still another one: as Linux 7.2 does. */
static void replaced(void **state)
{
	struct tree *t = *state;

	put_link(t, COMPRESSOR, "/proc/self/comm"); /* keeps 15 characters */
	put(t, ENABLED, "N\n");
	tunes(t, "{'zswap': {'enabled': true, 'compressor': '0123456789abcdefgh'}}", -EOPNOTSUPP,
	      "machine.zswap.compressor: this kernel does not take 0123456789abcdefgh (it is 0123456789abcde)");
}

static void too_few_huge_pages(void **state)
{
	struct tree *t = *state;

	put_link(t, HUGE, "/proc/self/coredump_filter"); /* shows 16 as 00000010 */
	tunes(t, "{'hugepages': 33554432}", -ENOMEM,
	      "machine.hugepages: of 32M only 20M could be had, for want of free memory in blocks of 2M: "
	      "ask for less, or give it more machine.memory");
}

static void nodes(void **state)
{
	struct tree *t = *state;

	put(t, ONLINE, "0-1\n");
	put(t, NODE "0/distance", "10 20\n");
	put(t, NODE "1/distance", "20 10\n");
	tunes(t, "{'nodes': [1, 1], 'distances': [[10, 20], [20, 10]]}", 0, NULL);
	tunes(t, "{'nodes': [1, 1], 'distances': [[10, 20], [30, 10]]}", -EOPNOTSUPP,
	      "machine.distances.1: this kernel sees 20 10, not 30 10");
	holds(t, NODE "1/distance", "20 10\n");
	tunes(t, "{'nodes': [1, 1, 1]}", -EOPNOTSUPP, "machine.nodes: this kernel sees 0-1, not 0-2");
}

/* A machine that is not built to order. */
static void met_or_not(void **state)
{
	struct tree *t = *state;

	meets(t, "{\"thp\": null, \"mglru\": null, \"zswap\": null, \"hugepages\": 0}", NULL);
	meets(t, "{\"mglru\": false}", NULL);
	meets(t, "{\"mglru\": true}", "machine.mglru: this kernel has no MGLRU (no " MGLRU ")");
	put(t, THP, "always [madvise] never\n");
	put(t, HUGE, "20\n");
	put(t, ENABLED, "N\n");
	meets(t, "{\"thp\": \"madvise\", \"hugepages\": 33554432}", NULL);
	meets(t, "{\"thp\": \"always\"}",
	      "machine.thp: this machine has madvise, the scenario wants always: use --place guest");
	meets(t, "{\"hugepages\": 67108864}",
	      "machine.hugepages: this machine has 20, the scenario wants 32: use --place guest");
	meets(t, "{\"zswap\": {\"enabled\": true}}",
	      "machine.zswap.enabled: this machine has N, the scenario wants Y: use --place guest");
	holds(t, THP, "always [madvise] never\n");
	holds(t, ENABLED, "N\n");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, make_tree, drop_tree)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(nothing_there), TEST(all_as_wanted), TEST(words_and_switches),
		TEST(refused),       TEST(replaced),      TEST(too_few_huge_pages),
		TEST(nodes),         TEST(met_or_not),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("tune", tests, NULL, NULL);
}
