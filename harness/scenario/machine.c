// SPDX-License-Identifier: MIT
/* The machine: place, kernel, memory nodes, huge pages, swap. */
#include "harness/scenario/bind.h"
#include "harness/scenario/kinds.h"

#include "lib/json.h"
#include "lib/units.h"

#include <string.h>

/* mkswap(8) wants ten pages. */
#define SWAP_BYTES_MIN  (64 << 10)
#define HUGE_PAGE_BYTES (2 << 20)
/* Of a node to itself, as ACPI and the kernel have it. */
#define DISTANCE_SELF 10

static json_t *place_absent(struct binder *b, const struct key *key)
{
	(void)key;
	return json_string(b->in_guest ? "guest" : "host");
}

static json_t *scalar_place(struct binder *b, const struct key *key, const char *text, char why[WHY_MAX])
{
	return kind_choice.scalar(b, key, text, why);
}

static json_t *kernel_absent(struct binder *b, const struct key *key)
{
	(void)key;
	return b->in_guest ? json_string("debian:6.1") : json_null();
}

static json_t *scalar_kernel(struct binder *b, const struct key *key, const char *text, char why[WHY_MAX])
{
	json_t *value = kind_cmdline.scalar(b, key, text, why);

	if (value && b->known->check_kernel &&
	    b->known->check_kernel(b->known->user, text, why, WHY_MAX) < 0) {
		json_decref(value);
		return NULL;
	}
	return value;
}

/* {size, kind}, or null when there is none of it */
static json_t *bind_swap(struct binder *b, const struct key *key, struct fy_node *node)
{
	json_t *swap = bind_fixed(b, key, node);
	bool none = !strcmp(json_text(swap, "kind", ""), "none");
	int64_t size = json_number(swap, "size", none ? 0 : -1);
	bool size_given = map_pair(node, "size") != NULL;

	if (swap && size < 0 && !size_given)
		bind_complain(b, node, "'size' is missing; it must be given unless kind is none");
	if (size > 0 && size < SWAP_BYTES_MIN)
		bind_complain_key(b, node, "size", "too small for swap; allowed: 0 or at least 64K");
	if (!none && size > 0)
		return swap;
	json_decref(swap);
	return json_null();
}

static void check_nodes(struct binder *b, const json_t *machine, struct fy_node *node)
{
	const json_t *nodes = json_object_get(machine, "nodes"), *one;
	char have[UNITS_TEXT_MAX], want[UNITS_TEXT_MAX], what[128];
	int64_t sum = 0, memory = json_number(machine, "memory", 0);
	size_t i;

	json_array_foreach (nodes, i, one)
		sum += json_integer_value(one);
	if (!json_array_size(nodes) || sum == memory)
		return;
	snprintf(what, sizeof(what), "together %s; allowed: exactly machine.memory, %s",
		 size_format(have, (uint64_t)sum), size_format(want, (uint64_t)memory));
	bind_complain_key(b, node, "nodes", what);
}

/* What is wrong with row i of the distances between count nodes; false: nothing. */
static bool row_wrong(const json_t *row, size_t i, size_t count, char what[128])
{
	size_t k;

	if (json_array_size(row) != count) {
		snprintf(what, 128, "row %zu: length %zu; allowed: %zu, one to each node", i,
			 json_array_size(row), count);
		return true;
	}
	for (k = 0; k < count; k++) {
		long long value = json_integer_value(json_array_get(row, k));

		if ((k == i) == (value == DISTANCE_SELF))
			continue;
		snprintf(what, 128, "%lld from node %zu to %zu; allowed: %s", value, i, k,
			 k == i ? "10 to itself" : "11 to 255 to another");
		return true;
	}
	return false;
}

static void check_distances(struct binder *b, const json_t *machine, struct fy_node *node)
{
	const json_t *distances = json_object_get(machine, "distances"), *row;
	size_t rows = json_array_size(distances), i;
	size_t count = json_array_size(json_object_get(machine, "nodes"));
	char what[128];

	if (rows == count || rows == 0) {
		json_array_foreach (distances, i, row)
			if (row_wrong(row, i, count, what))
				break;
		if (i == rows)
			return;
	} else {
		snprintf(what, sizeof(what), "rows: %zu; allowed: as many as machine.nodes has entries, %zu",
			 rows, count);
	}
	bind_complain_key(b, node, "distances", what);
}

static void check_hugepages(struct binder *b, const json_t *machine, struct fy_node *node)
{
	int64_t bytes = json_number(machine, "hugepages", 0), memory = json_number(machine, "memory", 0);
	const char *text = node_text(map_get(node, "hugepages"));
	char quoted[SHOWN_MAX], limit[UNITS_TEXT_MAX], what[SHOWN_MAX + 80];

	if (!text || (bytes % HUGE_PAGE_BYTES == 0 && bytes < memory))
		return;
	if (bytes < memory)
		snprintf(what, sizeof(what), "%s is not a whole number of huge pages; allowed: steps of 2M",
			 shown(quoted, text));
	else
		snprintf(what, sizeof(what), "%s is all of the RAM; allowed: less than machine.memory, %s",
			 shown(quoted, text), size_format(limit, (uint64_t)memory));
	bind_complain_key(b, node, "hugepages", what);
}

static json_t *bind_machine(struct binder *b, const struct key *key, struct fy_node *node)
{
	json_t *machine;

	if (node && node_is_blank(node)) {
		bind_complain(b, node, "has no value; {} asks for all defaults");
		return NULL;
	}
	machine = bind_fixed(b, key, node);
	if (!b->failed) {
		check_nodes(b, machine, node);
		check_distances(b, machine, node);
		check_hugepages(b, machine, node);
	}
	if (!b->in_guest && json_flag(machine, "deterministic", false))
		bind_complain_key(
			b, node, "deterministic",
			"a trial on the host is never the same twice; allowed: true with place guest");
	if (!json_flag(machine, "deterministic", false) && json_number(machine, "seed", 0) != 0)
		bind_complain_key(
			b, node, "seed",
			"without deterministic: true every trial differs anyway; allowed: 0, or deterministic: true");
	return machine;
}

static json_t *machine_absent(struct binder *b, const struct key *key)
{
	return b->in_guest ? bind_machine(b, key, NULL) : json_null();
}

const struct kind kind_place = { .name = "choice", .scalar = scalar_place, .absent = place_absent };
const struct kind kind_kernel = { .name = "kernel",
				  .allowed = "a kernel name or a path",
				  .scalar = scalar_kernel,
				  .absent = kernel_absent };
const struct kind kind_machine = { .name = "mapping",
				   .shape = SHAPE_FIXED,
				   .allowed = "a mapping",
				   .bind = bind_machine,
				   .absent = machine_absent };
const struct kind kind_swap = {
	.name = "mapping", .shape = SHAPE_FIXED, .allowed = "a mapping of size and kind", .bind = bind_swap
};
