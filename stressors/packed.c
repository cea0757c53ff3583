// SPDX-License-Identifier: MIT
/*
 * Row A12: the same records packed and with their natural alignment. Packing saves the padding, and makes every access
 * to a member one that may be unaligned, and cross a cache line.
 */
#include "stressors/stressor.h"

#include "lib/clock.h"

#include <string.h>
#include <sys/mman.h>

static const struct option_info options[] = {
	{ .name = "count",
	  .kind = OPTION_COUNT,
	  .fallback = "1000000",
	  .min = 1,
	  .max = 1 << 24,
	  .help = "number of records" },
	{ .name = "passes",
	  .kind = OPTION_COUNT,
	  .fallback = "10",
	  .min = 1,
	  .help = "how often each array is gone through" },
	{ .name = NULL },
};

static const struct value_info values[] = {
	{ "packed", "bytes", "size of the packed records" },
	{ "aligned", "bytes", "size of the aligned ones" },
	{ "saved", "bytes", "what packing saves" },
	{ "packed_pass", "ns", "shortest pass over the packed records" },
	{ "aligned_pass", "ns", "shortest pass over the aligned ones" },
	{ NULL, NULL, NULL },
};

/* Alignment by hand, since 32 bits would have a 64-bit member at 4. */
struct aligned {
	uint8_t kind;
	uint32_t size __attribute__((aligned(4)));
	uint8_t flags;
	uint64_t total __attribute__((aligned(8)));
};

struct packed {
	uint8_t kind;
	uint32_t size;
	uint8_t flags;
	uint64_t total;
} __attribute__((packed));

_Static_assert(sizeof(struct aligned) == 24 && sizeof(struct packed) == 14, "what is compared");

/* What a pass leaves in record i after a number of them. */
#define KIND(i)          ((uint8_t)(i))
#define TOTAL(i, passes) ((uint64_t)(passes) * (KIND(i) + (uint32_t)(i)))

/*
 * The same text for both, so that the layout alone differs. The barrier makes the compiler take each record by itself,
 * whatever vectors could do.
 */
#define LAYOUT(type)                                                                                         \
	static void fill_##type(struct type *r, size_t from, size_t to)                                      \
	{                                                                                                    \
		size_t i;                                                                                    \
                                                                                                             \
		for (i = from; i < to; i++)                                                                  \
			r[i] = (struct type){ .kind = KIND(i), .size = (uint32_t)i };                        \
		__asm__ volatile("" : : "r"(r) : "memory");                                                  \
	}                                                                                                    \
	static void pass_##type(struct type *r, size_t from, size_t to)                                      \
	{                                                                                                    \
		size_t i;                                                                                    \
                                                                                                             \
		for (i = from; i < to; i++) {                                                                \
			r[i].total += r[i].kind + r[i].size;                                                 \
			r[i].flags++;                                                                        \
			__asm__ volatile("" : : "r"(&r[i]) : "memory");                                      \
		}                                                                                            \
	}                                                                                                    \
	static void check_##type(struct stress *s, const struct type *r, size_t count, uint64_t passes)      \
	{                                                                                                    \
		size_t i;                                                                                    \
                                                                                                             \
		for (i = 0; i < count; i++) {                                                                \
			uint64_t expected = TOTAL(i, passes), found = r[i].total;                            \
                                                                                                             \
			if (found != expected)                                                               \
				stress_compare(s, (uintptr_t)&r[i], &expected, &found, sizeof(found));       \
			stress_read(s, sizeof(*r));                                                          \
		}                                                                                            \
	}

LAYOUT(packed)
LAYOUT(aligned)

/* So many at once that a signal is seen soon. */
#define PIECE ((size_t)1 << 15)

struct records {
	size_t count;
	struct packed *packed;
	struct aligned *aligned;
};

static enum phase get(struct stress *s, size_t bytes, void **ret)
{
	void *map = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (map == MAP_FAILED)
		return stress_refused(s, "mmap", bytes);
	*ret = map;
	stress_allocated(s, bytes);
	return PHASE_DONE;
}

static bool fill(struct stress *s, const struct records *r)
{
	size_t from, to;

	for (from = 0; from < r->count; from = to) {
		to = r->count - from < PIECE ? r->count : from + PIECE;
		fill_packed(r->packed, from, to);
		fill_aligned(r->aligned, from, to);
		stress_touched(s, (to - from) * (sizeof(struct packed) + sizeof(struct aligned)));
		if (!stress_going(s))
			return false;
	}
	return true;
}

/* Both in turns; the time of a pass is that of the array as a whole. */
static bool pass(struct stress *s, const struct records *r, uint64_t *packed_ns, uint64_t *aligned_ns)
{
	uint64_t start, packed = 0, aligned = 0;
	size_t from, to;

	for (from = 0; from < r->count; from = to) {
		to = r->count - from < PIECE ? r->count : from + PIECE;
		start = clock_ns();
		pass_packed(r->packed, from, to);
		packed += clock_ns() - start;
		if (!stress_going(s))
			return false;
	}
	for (from = 0; from < r->count; from = to) {
		to = r->count - from < PIECE ? r->count : from + PIECE;
		start = clock_ns();
		pass_aligned(r->aligned, from, to);
		aligned += clock_ns() - start;
		if (!stress_going(s))
			return false;
	}
	*packed_ns = packed < *packed_ns ? packed : *packed_ns;
	*aligned_ns = aligned < *aligned_ns ? aligned : *aligned_ns;
	return true;
}

static enum phase run(struct stress *s)
{
	const uint64_t passes = option(s, "passes");
	struct records r = { .count = (size_t)option(s, "count") };
	uint64_t packed_ns = UINT64_MAX, aligned_ns = UINT64_MAX, i;
	size_t packed = r.count * sizeof(*r.packed), aligned = r.count * sizeof(*r.aligned);
	enum phase end;

	stress_phase(s, PHASE_RUN);
	end = get(s, packed, (void **)&r.packed);
	if (end == PHASE_DONE)
		end = get(s, aligned, (void **)&r.aligned);
	if (end != PHASE_DONE)
		return end;
	stress_value(s, "packed", (int64_t)packed);
	stress_value(s, "aligned", (int64_t)aligned);
	stress_value(s, "saved", (int64_t)(aligned - packed));
	if (!fill(s, &r))
		return PHASE_SIGNAL;
	for (i = 0; i < passes; i++) {
		if (!pass(s, &r, &packed_ns, &aligned_ns))
			return PHASE_SIGNAL;
		stress_value(s, "packed_pass", (int64_t)packed_ns);
		stress_value(s, "aligned_pass", (int64_t)aligned_ns);
	}
	if (option(s, "verify")) {
		check_packed(s, r.packed, r.count, passes);
		check_aligned(s, r.aligned, r.count, passes);
	}
	return stress_hold(s);
}

const struct stressor stressor_packed = {
	.name = "packed",
	.about = "goes through packed and aligned records, and times both",
	.options = options,
	.values = values,
	.run = run,
};
