// SPDX-License-Identifier: MIT
#include "guest/tune.h"

#include "lib/files.h"
#include "lib/json.h"
#include "lib/jsonw.h"
#include "lib/units.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MM              "/sys/kernel/mm/"
#define ZSWAP           "/sys/module/zswap/parameters/"
#define NODES           "/sys/devices/system/node/"
#define VALUE_MAX       96
#define SETTINGS_MAX    16 /* 7 files and 9 of 8 nodes */
#define CRYPTO_MAX      (256u << 10)
#define HUGE_PAGE_BYTES (2 << 20)

enum rule {
	WRITTEN,  /* written, and must read back the same */
	AT_LEAST, /* a number, of which there may be more */
	LOOKED_AT /* made by QEMU: only read */
};

struct setting {
	char key[48];     /* below machine */
	const char *what; /* the part of a kernel that it is of */
	char path[96];
	char wanted[VALUE_MAX];
	char was[VALUE_MAX], got[VALUE_MAX];
	enum rule rule;
	bool without; /* what a kernel that has no such file comes to */
	bool absent;
};

struct settings {
	struct setting of[SETTINGS_MAX];
	size_t count;
};

static struct setting *add(struct settings *s, enum rule rule, const char *what, const char *key,
			   const char *path, const char *wanted)
{
	struct setting *one = &s->of[s->count++];

	memset(one, 0, sizeof(*one));
	one->rule = rule;
	one->what = what;
	snprintf(one->key, sizeof(one->key), "%s", key);
	snprintf(one->path, sizeof(one->path), "%s", path);
	snprintf(one->wanted, sizeof(one->wanted), "%s", wanted);
	return one;
}

/* The parameters before the switch: newer kernels look at them when it is first turned on. */
static void list_zswap(struct settings *s, const json_t *zswap)
{
	const char *compressor = json_text(zswap, "compressor", NULL);
	int64_t percent = json_number(zswap, "max_pool_percent", 0);
	bool enabled = json_flag(zswap, "enabled", true);
	char number[24];

	if (!json_is_object(zswap))
		return;
	snprintf(number, sizeof(number), "%lld", (long long)percent);
	if (percent > 0)
		add(s, WRITTEN, "zswap", "zswap.max_pool_percent", ZSWAP "max_pool_percent", number);
	if (compressor)
		add(s, WRITTEN, "zswap", "zswap.compressor", ZSWAP "compressor", compressor);
	add(s, WRITTEN, "zswap", "zswap.enabled", ZSWAP "enabled", enabled ? "Y" : "N")->without = !enabled;
}

/* In the order in which they are set: huge pages while most memory is free. */
static void list_kernel(struct settings *s, const json_t *machine)
{
	const json_t *mglru = json_object_get(machine, "mglru");
	const json_t *ksm = json_object_get(machine, "ksm");
	const char *thp = json_text(machine, "thp", NULL);
	int64_t huge = json_number(machine, "hugepages", 0);
	char number[24];

	snprintf(number, sizeof(number), "%lld", (long long)(huge / HUGE_PAGE_BYTES));
	if (huge)
		add(s, AT_LEAST, "huge pages of 2M", "hugepages",
		    MM "hugepages/hugepages-2048kB/nr_hugepages", number);
	if (thp)
		add(s, WRITTEN, "transparent huge pages", "thp", MM "transparent_hugepage/enabled", thp)
			->without = !strcmp(thp, "never");
	if (json_is_boolean(mglru))
		add(s, WRITTEN, "MGLRU", "mglru", MM "lru_gen/enabled", json_is_true(mglru) ? "y" : "n")
			->without = json_is_false(mglru);
	if (json_is_boolean(ksm))
		add(s, WRITTEN, "KSM", "ksm", MM "ksm/run", json_is_true(ksm) ? "1" : "0")->without =
			json_is_false(ksm);
	list_zswap(s, json_object_get(machine, "zswap"));
}

/* online: "0-1"; node0/distance: "10 20" */
static void list_nodes(struct settings *s, const json_t *machine)
{
	const json_t *row, *one;
	size_t nodes = json_array_size(json_object_get(machine, "nodes")), i, k;
	char key[48], path[64], wanted[VALUE_MAX];

	if (nodes < 2)
		return;
	snprintf(wanted, sizeof(wanted), "0-%zu", nodes - 1);
	add(s, LOOKED_AT, "NUMA", "nodes", NODES "online", wanted);
	json_array_foreach (json_object_get(machine, "distances"), i, row) {
		size_t len = 0;

		wanted[0] = 0;
		json_array_foreach (row, k, one)
			len += (size_t)snprintf(wanted + len, sizeof(wanted) - len, "%s%lld", k ? " " : "",
						(long long)json_integer_value(one));
		snprintf(key, sizeof(key), "distances.%zu", i);
		snprintf(path, sizeof(path), NODES "node%zu/distance", i);
		add(s, LOOKED_AT, "NUMA", key, path, wanted);
	}
}

/*
 * "always [madvise] never": the word in brackets. "0x0007", MGLRU's switches, of
 * which bit 0 is MGLRU itself: y or n. Everything else as it stands.
 */
static void normalise(char *text, char ret[VALUE_MAX])
{
	char *open = strchr(text, '['), *p = text;

	if (open)
		p = open + 1;
	p[strcspn(p, open ? "]" : "\n")] = 0;
	if (strncmp(p, "0x", 2) == 0)
		p = strtoul(p, NULL, 16) & 1 ? "y" : "n";
	snprintf(ret, VALUE_MAX, "%s", p);
}

/* A file that is not there is as well where the kernel does without what is wanted. */
static int read_setting(const char *root, struct setting *s, char ret[VALUE_MAX], struct err *e)
{
	AUTO_FREE char *text = NULL;
	char path[PATH_LEN_MAX];
	struct err why = ERR_INIT;
	int r;

	path_format(path, "%s%s", root, s->path);
	r = file_read(path, 4096, &text, NULL, &why);
	if (r == -ENOENT && s->without) {
		s->absent = true;
		return 0;
	}
	if (r == -ENOENT)
		return err_set(e, EOPNOTSUPP, "machine.%s: this kernel has no %s (no %s)", s->key, s->what,
			       s->path);
	if (r < 0)
		return err_set(e, EOPNOTSUPP, "machine.%s: %s", s->key, why.text);
	normalise(text, ret);
	return 0;
}

/*
 * Compressors that are built in or loaded, in /proc/crypto:
 *
 *     name         : lzo
 *     ...
 *     type         : compression     (scomp or acomp on newer kernels)
 */
static void list_compressors(const char *root, char *ret, size_t room)
{
	AUTO_FREE char *text = NULL;
	char path[PATH_LEN_MAX], word[64], name[64] = "", last[64] = "";
	char *rest, *line;
	size_t len = 0;

	ret[0] = 0;
	path_format(path, "%s/proc/crypto", root);
	if (file_read(path, CRYPTO_MAX, &text, NULL, NULL) < 0)
		return;
	for (rest = text; (line = strsep(&rest, "\n"));) {
		bool lists;

		if (sscanf(line, "name : %63s", name) == 1 || sscanf(line, "type : %63s", word) != 1)
			continue;
		lists = !strcmp(word, "compression") || !strcmp(word, "scomp") || !strcmp(word, "acomp");
		/* One algorithm has several implementations, one after the other. */
		if (!lists || !strcmp(name, last) || len >= room)
			continue;
		len += (size_t)snprintf(ret + len, room - len, "%s%s", len ? ", " : "", name);
		strcpy(last, name);
	}
}

static int refused(const char *root, const struct setting *s, const char *said, struct err *e)
{
	char names[256] = "";

	if (!strcmp(s->key, "zswap.compressor"))
		list_compressors(root, names, sizeof(names));
	return err_set(e, EOPNOTSUPP, "machine.%s: this kernel does not take %s (%s)%s%s", s->key, s->wanted,
		       said, names[0] ? "; built in or loaded are: " : "", names);
}

static int set(const char *root, struct setting *s, struct err *e)
{
	char path[PATH_LEN_MAX];
	int r;

	r = read_setting(root, s, s->was, e);
	if (r < 0 || s->absent || s->rule == LOOKED_AT || !strcmp(s->was, s->wanted))
		return r;
	path_format(path, "%s%s", root, s->path);
	r = file_put(path, s->wanted, NULL);
	return r < 0 ? refused(root, s, strerror(-r), e) : 0;
}

static void record(struct blackbox *bb, const struct setting *s)
{
	struct jsonw w;
	char text[512];

	jsonw_begin(&w, text, sizeof(text));
	jsonw_str(&w, "event", "machine");
	jsonw_str(&w, "key", s->key);
	jsonw_str(&w, "wanted", s->wanted);
	jsonw_str(&w, "was", s->was);
	jsonw_str(&w, "got", s->got);
	bb_append(bb, BB_EVENT, 0, text, jsonw_end(&w));
}

static bool is_so(const struct setting *s)
{
	if (s->rule == AT_LEAST)
		return strtoull(s->got, NULL, 10) >= strtoull(s->wanted, NULL, 10);
	return strcmp(s->got, s->wanted) == 0;
}

/* Memory is the scenario's to give: that it does not suffice is a mistake in it, not a lack of the kernel's. */
static int too_few(const struct setting *s, struct err *e)
{
	char want[UNITS_TEXT_MAX], have[UNITS_TEXT_MAX];

	return err_set(e, ENOMEM,
		       "machine.%s: of %s only %s could be had, for want of free memory in blocks of 2M: "
		       "ask for less, or give it more machine.memory",
		       s->key, size_format(want, strtoull(s->wanted, NULL, 10) * HUGE_PAGE_BYTES),
		       size_format(have, strtoull(s->got, NULL, 10) * HUGE_PAGE_BYTES));
}

static int check(const char *root, struct setting *s, struct blackbox *bb, struct err *e)
{
	char said[VALUE_MAX + 32];
	int r;

	r = read_setting(root, s, s->got, e);
	if (r < 0 || s->absent)
		return r;
	record(bb, s);
	if (is_so(s))
		return 0;
	if (s->rule == AT_LEAST)
		return too_few(s, e);
	if (s->rule == LOOKED_AT)
		return err_set(e, EOPNOTSUPP, "machine.%s: this kernel sees %s, not %s", s->key, s->got,
			       s->wanted);
	snprintf(said, sizeof(said), "it is %s", s->got);
	return refused(root, s, said, e);
}

/*
 * Everything is set before anything is checked: a compressor that does not exist
 * may be found out, and silently replaced, only when zswap is turned on.
 */
int tune_machine(const char *root, const json_t *machine, struct blackbox *bb, struct err *e)
{
	struct settings s = { .count = 0 };
	size_t i;
	int r = 0;

	list_kernel(&s, machine);
	list_nodes(&s, machine);
	for (i = 0; r == 0 && i < s.count; i++)
		r = set(root, &s.of[i], e);
	for (i = 0; r == 0 && i < s.count; i++)
		r = check(root, &s.of[i], bb, e);
	return r;
}

int tune_met(const char *root, const json_t *machine, struct err *why)
{
	struct settings s = { .count = 0 };
	size_t i;
	int r = 0;

	list_kernel(&s, machine);
	for (i = 0; r == 0 && i < s.count; i++) {
		r = read_setting(root, &s.of[i], s.of[i].got, why);
		if (r == 0 && !s.of[i].absent && !is_so(&s.of[i]))
			r = err_set(
				why, EOPNOTSUPP,
				"machine.%s: this machine has %s, the scenario wants %s: use --place guest",
				s.of[i].key, s.of[i].got, s.of[i].wanted);
	}
	return r;
}
