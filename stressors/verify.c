// SPDX-License-Identifier: MIT
/*
 * How memory is written, and read back with --verify. A word then holds what
 * follows from its own address, so that a page which comes back in another
 * one's place is found as well, and nothing has to be kept but where was
 * written. Ranges that touch are one; the table of them grows by mremap(2), so
 * malloc's heap is the stressor's alone.
 */
#include "stressors/runtime.h"

#include "lib/hash.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#define STEP_BYTES  ((size_t)1 << 20)
#define TABLE_BYTES ((size_t)64 << 10)
#define PLAIN       0x5a

struct range {
	unsigned char *start;
	size_t len;
};

struct verify {
	size_t table_bytes; /* of the mapping that begins with this struct */
	size_t count;
	uint64_t lost_bytes; /* there was no memory to remember them */
	struct range ranges[];
};

int verify_open(struct stress *s, struct err *e)
{
	void *map = mmap(NULL, TABLE_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (map == MAP_FAILED)
		return err_errno(e, errno, "--verify: mmap of its table");
	s->verify = map;
	s->verify->table_bytes = TABLE_BYTES;
	return 0;
}

/* False when there is no memory for another range. */
static bool room_for_one(struct stress *s)
{
	struct verify *v = s->verify;
	void *map;

	if (sizeof(*v) + (v->count + 1) * sizeof(v->ranges[0]) <= v->table_bytes)
		return true;
	map = mremap(v, v->table_bytes, v->table_bytes * 2, MREMAP_MAYMOVE);
	if (map == MAP_FAILED)
		return false;
	s->verify = map;
	s->verify->table_bytes *= 2;
	return true;
}

static void remember(struct stress *s, unsigned char *start, size_t len)
{
	struct range *last = s->verify->count ? &s->verify->ranges[s->verify->count - 1] : NULL;

	if (last && last->start + last->len == start) {
		last->len += len;
	} else if (last && start + len == last->start) {
		last->start = start;
		last->len += len;
	} else if (room_for_one(s)) {
		s->verify->ranges[s->verify->count++] = (struct range){ start, len };
	} else {
		s->verify->lost_bytes += len;
	}
}

/* The word at an address that is a multiple of 8. */
static uint64_t word_of(uintptr_t address)
{
	return hash_mix((uint64_t)address + 1);
}

/* The byte at any address, for the ends of a range. */
static unsigned char byte_of(const unsigned char *p)
{
	uint64_t word = word_of((uintptr_t)p & ~(uintptr_t)7);
	unsigned char bytes[8];

	memcpy(bytes, &word, 8);
	return bytes[(uintptr_t)p & 7];
}

static void write_pattern(unsigned char *p, size_t len)
{
	unsigned char *end = p + len;

	for (; p < end && (uintptr_t)p & 7; p++)
		*p = byte_of(p);
	for (; end - p >= 8; p += 8)
		*(uint64_t *)(void *)p = word_of((uintptr_t)p);
	for (; p < end; p++)
		*p = byte_of(p);
}

static void compare_byte(struct stress *s, const unsigned char *p)
{
	unsigned char expected = byte_of(p);

	stress_compare(s, (uintptr_t)p, &expected, p, 1);
}

static void compare_pattern(struct stress *s, const unsigned char *p, size_t len)
{
	const unsigned char *end = p + len;

	for (; p < end && (uintptr_t)p & 7; p++)
		compare_byte(s, p);
	for (; end - p >= 8; p += 8) {
		uint64_t expected = word_of((uintptr_t)p);

		if (*(const uint64_t *)(const void *)p != expected)
			stress_compare(s, (uintptr_t)p, &expected, p, 8);
	}
	for (; p < end; p++)
		compare_byte(s, p);
}

bool stress_write(struct stress *s, void *start, size_t len)
{
	unsigned char *p = start;

	while (len) {
		size_t step = len < STEP_BYTES ? len : STEP_BYTES;

		if (s->verify)
			write_pattern(p, step);
		else
			memset(p, PLAIN, step);
		__asm__ volatile("" : : "r"(p) : "memory");
		stress_touched(s, step);
		if (!stress_going(s))
			return false;
		p += step;
		len -= step;
	}
	return true;
}

bool stress_fill(struct stress *s, void *start, size_t len)
{
	bool going = stress_write(s, start, len);

	if (s->verify && going)
		remember(s, start, len);
	return going;
}

static bool check(struct stress *s, const unsigned char *p, size_t len, bool last)
{
	while (len) {
		size_t step = len < STEP_BYTES ? len : STEP_BYTES;

		__asm__ volatile("" : : "r"(p) : "memory");
		compare_pattern(s, p, step);
		stress_read(s, step);
		if (!stress_going(s) && (s->stopped_by || !last))
			return false;
		p += step;
		len -= step;
	}
	return true;
}

bool stress_check(struct stress *s, const void *start, size_t len)
{
	return s->verify ? check(s, start, len, false) : stress_going(s);
}

/* What was written before --time was up is still read back; a signal ends it. */
void verify_all(struct stress *s)
{
	size_t i;

	for (i = 0; i < s->verify->count; i++)
		if (!check(s, s->verify->ranges[i].start, s->verify->ranges[i].len, true))
			return;
	if (s->verify->lost_bytes && !s->page->note[0])
		snprintf(s->page->note, sizeof(s->page->note),
			 "--verify had no memory to remember %llu bytes",
			 (unsigned long long)s->verify->lost_bytes);
}
