/* SPDX-License-Identifier: MIT */
/*
 * A stressor is one file with one descriptor and one line in list.h. The
 * descriptor says what it is called, what it needs and which options it takes;
 * main.c makes the command line of it, runtime.c the bookkeeping.
 */
#ifndef OOMLAB_STRESSORS_STRESSOR_H
#define OOMLAB_STRESSORS_STRESSOR_H

#include "lib/err.h"
#include "lib/sharedpage.h"

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define OPTIONS_MAX 24
#define SIZES_MAX   64
#define FOREVER     UINT64_MAX
/* Beyond what any process can map: 47 bits, or 32. So a size fits a size_t; a total need not. */
#define SIZE_LIMIT  ((uint64_t)1 << (sizeof(void *) == 8 ? 47 : 32))
#define TOTAL_LIMIT ((uint64_t)1 << 47)

enum option_kind {
	OPTION_SIZE,     /* bytes; 4K, 1.5G, 120% of the cgroup's limit, 50%ram */
	OPTION_SIZES,    /* a list of them, 24B,100B,4K: option_sizes() */
	OPTION_IDS,      /* numbers of nodes, 0-1,3, or all: option_ids() */
	OPTION_DURATION, /* nanoseconds; 10ms, 2s */
	OPTION_COUNT,    /* a whole number */
	OPTION_FLAG,     /* takes no value: 1 where it is given */
	OPTION_CHOICE,   /* one of choices; its index */
};

struct option_info {
	const char *name; /* without dashes; NULL ends the table */
	enum option_kind kind;
	const char *fallback;       /* the default, as a user would write it; not for flags */
	uint64_t min;               /* base units */
	uint64_t max;               /* base units; 0: the limit less 1 for sizes, INT64_MAX for others */
	bool total;                 /* a size that is asked for in pieces: its limit is TOTAL_LIMIT */
	const char *const *choices; /* ended by NULL */
	bool forever;               /* a duration that may also be "forever": FOREVER */
	const char *help;           /* one line */
};

/* What it measures besides what every stressor does; at most SHARED_VALUES_MAX. */
struct value_info {
	const char *name;  /* as PROCESS.NAME in expectations; NULL ends the table */
	const char *unit;  /* "bytes", "ns" or "count" */
	const char *about; /* one line */
};

struct stress;
struct idlist;

struct stressor {
	const char *name;
	const char *about;                 /* one line */
	const char *const *needs;          /* ended by NULL; NULL: nothing special */
	const struct option_info *options; /* besides the common ones */
	const struct value_info *values;   /* NULL: none */
	bool verifies;                     /* it works as with --verify, always */
	/* Rules between options, NULL if there are none: -EINVAL with one line in e. */
	int (*check)(const struct stress *s, struct err *e);
	/* Works until an end and returns it: PHASE_DONE, _ENOMEM, _SIGNAL, _ERROR or _UNMET. */
	enum phase (*run)(struct stress *s);
};

/* One stressor at work. All fields belong to the runtime. */
struct stress {
	const struct stressor *self;
	uint64_t values[OPTIONS_MAX];
	bool checking;            /* only its arguments are looked at, maybe on another machine */
	bool relative;            /* while checking: a size is a percentage */
	struct shared_page *page; /* the engine's, or one of its own */
	int bell;                 /* -1 by hand */
	sigset_t stops;           /* the signals that end it, kept blocked */
	int stopped_by;           /* the one that came, 0 while none did */
	uint64_t until_ns;        /* --time on the monotonic clock; FOREVER */
	bool time_up;             /* it has come */
	uint64_t look_bytes;      /* done since the last look for both, */
	unsigned int look_calls;  /* and calls */
	struct verify *verify;    /* what --verify reads back at the end; NULL without */
	int64_t anon_start; /* stress_anon() at the start, with another malloc than the C library's; -1 */
};

/* Value of an option in base units. The name must be in the stressor's table or one of common_options. */
uint64_t option(const struct stress *s, const char *name);

/* The list of an OPTION_SIZES in bytes: how many, at most SIZES_MAX. */
size_t option_sizes(const struct stress *s, const char *name, uint64_t ret_bytes[SIZES_MAX]);

/* The numbers of an OPTION_IDS; false: all there are. */
bool option_ids(const struct stress *s, const char *name, struct idlist *ret);

/* --hold, --time, --verify: every stressor has them. */
extern const struct option_info common_options[];

void stress_phase(struct stress *s, enum phase phase);

/* Bytes that an allocator granted; bytes that were written for the first time. */
void stress_allocated(struct stress *s, uint64_t bytes);
void stress_touched(struct stress *s, uint64_t bytes);

/* What an allocator has handed out and not got back, and what it has from the system for it. */
void stress_live(struct stress *s, uint64_t live_bytes, uint64_t obtained_bytes);

/* A metric of its own (struct value_info), in base units; may be set again and again. */
void stress_value(struct stress *s, const char *name, int64_t value);

/* Bytes that were read back. */
void stress_read(struct stress *s, uint64_t bytes);

/*
 * Counts the bytes that are not as expected, and says in the note where the first
 * such one was: its address, or its offset in a file. It then ends as an error.
 */
void stress_compare(struct stress *s, uint64_t where, const void *expected, const void *found, size_t len);

/* False once a signal asked the stressor to end, or --time has come; then return PHASE_SIGNAL. Cheap. */
bool stress_going(struct stress *s);

/* The same for threads and children of the stressor: looks at what its main thread has seen. */
bool stress_ended(const struct stress *s);

/*
 * What a thread or a child works with: it counts on the same page, but fetches no signals and looks at no
 * clock, and so never ends by itself. Only stress_write() and stress_check(): not remembered for the end.
 */
struct stress stress_part(const struct stress *s);

/* stress_going() after ns nanoseconds, at once when a signal comes. */
bool stress_wait(struct stress *s, uint64_t ns);

/*
 * Writes all of len bytes, counting them as touched megabyte by megabyte; else as
 * stress_going(). With --verify the runtime reads them back when run() has
 * returned, so they must stay: for memory that is given back before, there are
 * stress_write(), which does not remember it, and stress_check().
 */
bool stress_fill(struct stress *s, void *start, size_t len);
bool stress_write(struct stress *s, void *start, size_t len);

/* With --verify: reads back what stress_write() wrote there and counts what is wrong; else as stress_going(). */
bool stress_check(struct stress *s, const void *start, size_t len);

/* The amount is reached: keeps it for --hold. PHASE_DONE or PHASE_SIGNAL. */
enum phase stress_hold(struct stress *s);

/* This machine lacks what it needs, which the words say: PHASE_UNMET, in a trial a skip with that reason. */
enum phase stress_unmet(struct stress *s, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/*
 * What the kernel says that this process has: a kB value of /proc/self/status, such as VmRSS, in bytes; and what that
 * has risen by since. SHARED_UNKNOWN: it does not say.
 */
int64_t stress_own(const char *key);
int64_t stress_rise(const char *key, int64_t before);

/* Its anonymous memory in RAM and in swap, in bytes; SHARED_UNKNOWN: the kernel does not say (before Linux 4.5). */
int64_t stress_anon(void);

/*
 * Whether malloc is another than the C library's: then mallinfo(3), mallopt(3) and the like say nothing of it. A
 * stressor that is about glibc's is unmet.
 */
bool stress_foreign_malloc(const struct stress *s);

/*
 * Whether the stack may grow by so much from here on, else false and ENOMEM. Writing past its end would be
 * SIGSEGV; a system call that is made to write there fails instead, by the same expand_stack() of mm/mmap.c.
 */
bool stress_stack(size_t bytes);

/* The next of a sequence that depends on *state alone: splitmix64. */
uint64_t stress_random(uint64_t *state);

/* The call that was refused bytes bytes, errno still set. PHASE_ENOMEM, or PHASE_ERROR for another errno. */
enum phase stress_refused(struct stress *s, const char *call, uint64_t bytes);

/* What went wrong otherwise; code is an errno. PHASE_ERROR. */
enum phase stress_error(struct stress *s, int code, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/*
 * The block loop: blocks of --block bytes from get() (named call) up to --limit, written
 * when fill is set, --pause after each, then --hold. Blocks are never freed,
 * and no pointer to them is kept: their pages stay as get() left them.
 */
extern const struct option_info block_options[];
int blocks_check(const struct stress *s, struct err *e);
enum phase blocks_run(struct stress *s, const char *call, void *(*get)(size_t bytes), bool fill);

#endif
