/* SPDX-License-Identifier: MIT */
/*
 * The black box: a memory-mapped file that holds a trial's spec and its record.
 *
 *   header | spec (JSON) | record | record | ...
 *
 * The writer may die at any instruction: a record counts once header.used has
 * moved past it. On the host the file is mapped as it is, in a guest it is a
 * PCI BAR backed by the same file. One writer, any number of readers.
 */
#ifndef OOMLAB_LIB_BLACKBOX_H
#define OOMLAB_LIB_BLACKBOX_H

#include "lib/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define BB_MAGIC        "OOMLABBB"
#define BB_MAGIC_PARKED "OOMLABPK"
#define BB_VERSION      1
#define BB_HEADER_BYTES 4096
#define BB_BYTES_MIN    (1u << 20)
#define BB_BYTES_MAX    (256u << 20)
/* A sample's value that the kernel did not give. */
#define BB_MISSING INT64_MIN

/* The group of the processes that name none; its index is one past the scenario's groups. */
#define BB_OTHERS_GROUP "@procs"
/* And one for a user-space killer. */
#define BB_KILLER_GROUP "@killer"

enum bb_type {
	BB_COLUMNS = 1, /* JSON: {"of": "system"|"process"|"cgroup", "names": [...]} */
	BB_EVENT,       /* JSON: {"event": NAME, ...} */
	BB_KMSG,        /* one record as read from /dev/kmsg */
	BB_SYSTEM,      /* struct bb_sample */
	BB_PROCESS,     /* struct bb_sample */
	BB_CGROUP,      /* struct bb_sample */
	BB_STDOUT,      /* bytes as a process wrote them; kept for those whose spec says so */
	BB_STDERR,      /* likewise */
};

/* Payload of the three sample types; values follow the columns of their kind. */
struct bb_sample {
	uint32_t index; /* of the process or cgroup in the spec; 0 for system */
	uint32_t count;
	int64_t values[];
};

struct bb_record {
	uint32_t len; /* payload bytes; the next record is at the next multiple of 8 */
	uint32_t type;
	uint64_t t_ns; /* since the trial's start */
	uint8_t payload[];
};

/* What a person watching wants to see, overwritten at each tick. */
struct bb_live {
	uint64_t ticks;
	uint64_t t_ns;
	uint64_t rss_bytes;  /* of all processes of the scenario */
	uint64_t swap_bytes; /* likewise */
};

struct bb_header {
	char magic[8];
	uint32_t version;
	uint32_t sealed;
	uint64_t size;
	uint64_t spec_len;
	/* End of the last whole record, from the start of the file. i386 would align it to 4 only. */
	uint64_t used __attribute__((aligned(8)));
	uint64_t samples_dropped;
	struct bb_live live;
	char seal[512]; /* why the engine stopped; valid when sealed is set */
	/* The one word that the reader writes: bit N asks the engine to pass signal N on; it takes them out. */
	uint32_t signals;
};

/* A 32-bit guest's agent writes what a 64-bit harness reads. */
#define BB_AT(type, member, at)                                                                              \
	_Static_assert(offsetof(struct type, member) == (at), "the same in 32 and 64 bits")
BB_AT(bb_header, size, 16);
BB_AT(bb_header, used, 32);
BB_AT(bb_header, live, 48);
BB_AT(bb_header, seal, 80);
BB_AT(bb_header, signals, 592);
BB_AT(bb_record, payload, 16);
BB_AT(bb_sample, values, 8);
#undef BB_AT

struct blackbox {
	struct bb_header *header; /* start of the mapping */
	size_t size;
	bool mapped; /* bb_close() unmaps */
};

/*
 * Creates path, takes disk space for all of it (so that no store can fail
 * later) and writes the spec. bytes: BB_BYTES_MIN to BB_BYTES_MAX, a power of 2.
 */
int bb_create(const char *path, size_t bytes, const char *spec, size_t spec_len, struct blackbox *ret,
	      struct err *e);

/*
 * Takes header, spec and records away, so that a guest can boot with the box in
 * place before it is known what for; bb_format() then writes the spec to it.
 */
int bb_blank(const char *path, struct err *e);
/* What the guest writes to a blank box when it has booted and waits for the spec. */
void bb_park(void *map);
bool bb_is_parked(const char *path);
int bb_format(const char *path, const char *spec, size_t spec_len, struct err *e);

/* Maps a box that exists. A header that makes no sense is -EBADMSG. */
int bb_open(const char *path, bool writable, struct blackbox *ret, struct err *e);

/* The same for memory that the caller has mapped. */
int bb_attach(void *map, size_t size, struct blackbox *ret, struct err *e);

/* Takes memory for all of it now, so that no store of the trial's has to; needs Linux 5.14, else does nothing. */
void bb_populate(const struct blackbox *bb);

void bb_close(struct blackbox *bb);

/* The spec's JSON text, spec_len bytes, not NUL-terminated. */
const char *bb_spec(const struct blackbox *bb, size_t *ret_len);

/*
 * Appends one record; false when it does not fit (the box stays as it was).
 * Text of the kernel's and of processes stops at the last sixteenth of the box: events go on.
 */
bool bb_append(struct blackbox *bb, enum bb_type type, uint64_t t_ns, const void *data, size_t len);

/* As bb_append() for a sample; leaves the last eighth of the box to events. */
bool bb_append_sample(struct blackbox *bb, enum bb_type type, uint64_t t_ns, uint32_t index,
		      const int64_t *values, uint32_t count);

/*
 * Only every 1st, 2nd, 4th, ... tick is to be recorded as the box fills: every
 * one for the first half of the space for samples, then the stride doubles with
 * each 32nd of it. That lasts for 4000 times the ticks that fit at full rate.
 */
uint64_t bb_stride(const struct blackbox *bb);

/* Asks the engine to pass a signal on, 1 to 31; it must see that soon, so whoever can wakes it. */
void bb_ask_signal(struct blackbox *bb, int number);
/* What was asked for since the last call: bit N for signal N. */
uint32_t bb_take_signals(struct blackbox *bb);

/* The writer's last word. */
void bb_seal(struct blackbox *bb, const char *reason);

/* The record after prev (NULL: the first), or NULL at the end or where the box is damaged. */
const struct bb_record *bb_next(const struct blackbox *bb, const struct bb_record *prev);

#endif
