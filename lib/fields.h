/* SPDX-License-Identifier: MIT */
/*
 * Numbers out of the kernel's line-per-key files, fast enough for every tick:
 *
 *     VmPTE:	    3072 kB        (status, meminfo)
 *     pgscan_kswapd 120           (vmstat, memory.stat, memory.events)
 *     Node 0 MemFree:  123 kB     (node meminfo; the key is "Node 0 MemFree:")
 *
 * A key matches a whole word at the start of a line, never a part of one. Each
 * field remembers where it was last time: a file that keeps its layout is not
 * searched again.
 */
#ifndef OOMLAB_LIB_FIELDS_H
#define OOMLAB_LIB_FIELDS_H

#include <stddef.h>
#include <stdint.h>

struct field {
	const char *key; /* with its colon where the file has one */
	int64_t scale;   /* the file's unit in base units: 1024 for kB; 0 means 1 */
	size_t key_len;  /* filled by fields_read() */
	size_t at;       /* where the key stood last time */
};

/*
 * values[i] gets fields[i] times its scale (at most INT64_MAX), or missing. Fields
 * must come in the file's order for the search to be one pass; any order is correct.
 */
void fields_read(const char *text, size_t len, struct field *fields, size_t count, int64_t missing,
		 int64_t *values);

/* The number at p (after blanks), at most INT64_MAX, and in *ret_end what follows it; no digit: -1 and p. */
int64_t digits(const char *p, const char *end, const char **ret_end);

/* value in base units, at most INT64_MAX. */
static inline int64_t scaled(int64_t value, int64_t scale)
{
	return __builtin_mul_overflow(value, scale, &value) ? INT64_MAX : value;
}

#endif
