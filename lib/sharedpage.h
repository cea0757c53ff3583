/* SPDX-License-Identifier: MIT */
/*
 * The page that a stressor shares with the engine. The stressor alone writes
 * it; the engine reads it at any time, also after the stressor was killed.
 * Fixed-width fields, so that a 32-bit stressor and a 64-bit engine agree.
 */
#ifndef OOMLAB_LIB_SHAREDPAGE_H
#define OOMLAB_LIB_SHAREDPAGE_H

#include <stddef.h>
#include <stdint.h>

#define SHARED_MAGIC      0x4d4f4f21u
#define SHARED_PAGE_BYTES 4096
/* Environment: "PAGEFD,BELLFD". Absent when a stressor runs by hand. */
#define SHARED_ENV "OOMLAB_SHARED"
/* Environment: the malloc library that is preloaded. Absent when it is to be the C library's. */
#define SHARED_MALLOC_ENV "OOMLAB_MALLOC"
/* How long a stressor that ended waits for the engine's last sample. */
#define SHARED_ACK_TIMEOUT_MS 2000
#define SHARED_VALUES_MAX     16
#define SHARED_UNKNOWN        INT64_MIN

enum phase {
	PHASE_START,  /* options read, nothing allocated */
	PHASE_RUN,    /* working */
	PHASE_HOLD,   /* amount reached, kept for --hold */
	PHASE_DONE,   /* ended: the amount asked for was reached */
	PHASE_ENOMEM, /* ended: an allocation was refused (NULL, MAP_FAILED) */
	PHASE_SIGNAL, /* ended: a signal asked it to */
	PHASE_ERROR,  /* ended: anything else; errnum and note say what */
	PHASE_UNMET,  /* ended: this machine lacks what it needs; note says what */
	PHASE_COUNT,
};

#define PHASE_NAMES                                                                                          \
	{                                                                                                    \
		"start", "run", "hold", "done", "enomem", "signal", "error", "unmet"                         \
	}

/* Stored whole by one instruction, in 32 bits too. */
typedef uint64_t __attribute__((aligned(8))) shared_u64;
typedef int64_t __attribute__((aligned(8))) shared_i64;

/* A metric of one stressor's own, in base units; SHARED_UNKNOWN until it knows. */
struct shared_value {
	char name[24]; /* NUL-terminated; "" ends the list */
	shared_i64 value;
};

struct shared_page {
	uint32_t magic;
	uint32_t phase; /* enum phase; the bell rings at each change */
	int32_t errnum;
	uint32_t pad;
	shared_u64 allocated_bytes; /* asked for and granted */
	shared_u64 touched_bytes;   /* written at least once */
	shared_u64 check_errors;    /* bytes that did not read back as written */
	char note[160];             /* one line for people, NUL-terminated */
	shared_u64 read_bytes;      /* read back, again and again */
	shared_u64 live_bytes;      /* of an allocator: granted and not given back */
	shared_u64 obtained_bytes;  /* and what it has from the system for that */
	struct shared_value values[SHARED_VALUES_MAX];
};

_Static_assert(offsetof(struct shared_page, allocated_bytes) == 16 &&
		       offsetof(struct shared_page, values) == 224 && sizeof(struct shared_page) == 736,
	       "the same in 32 and 64 bits");

/*
 * The bell is one end of a stream socket pair. The stressor sends one byte at
 * each change of phase. After a byte for DONE, ENOMEM, SIGNAL, ERROR or UNMET it waits
 * for one byte back, so that the engine can sample it while its memory is there.
 */

#endif
