// SPDX-License-Identifier: MIT
/*
 * Row B5: free memory in pieces. Takes memory page by page and gives it back but for one page in each 2 MB of RAM: nearly
 * all of it is free then, and no block of 2 MB. The kept pages lie in pipes (vmsplice(2)), whose reference to
 * them keeps compaction from moving them, or stay ordinary memory that compaction may move.
 *
 * Where in RAM a page is says /proc/self/pagemap, to those who may know; else one is kept in each 2 MB of addresses.
 */
#include "stressors/stressor.h"

#include "lib/files.h"
#include "stressors/proc.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <unistd.h>

#define BUDDYINFO   "/proc/buddyinfo"
#define BLOCK_BYTES ((size_t)2 << 20)
#define PRESENT     ((uint64_t)1 << 63)
#define PFN_MASK    (((uint64_t)1 << 55) - 1)
#define AT_ONCE     512
#define PIPE_BYTES  (1 << 20)

static const char *const pins[] = { "pipe", "none", NULL };

static const struct option_info options[] = {
	{ .name = "size",
	  .kind = OPTION_SIZE,
	  .fallback = "64M",
	  .min = BLOCK_BYTES,
	  .help = "taken, and given back but for a page in each 2M" },
	{ .name = "pin",
	  .kind = OPTION_CHOICE,
	  .fallback = "pipe",
	  .choices = pins,
	  .help = "what holds the pages that are kept, so that the kernel cannot move them" },
	{ .name = NULL },
};

static const struct value_info values[] = {
	{ "kept", "bytes", "in the pages that are kept" },
	{ "free_before", "bytes", "free in the machine at first" },
	{ "free_after", "bytes", "free in the machine at the end" },
	{ "large_before", "bytes", "free in blocks of 2M and more at first" },
	{ "large_after", "bytes", "free in blocks of 2M and more at the end" },
	{ NULL, NULL, NULL },
};

struct buddy {
	struct stress *s;
	unsigned char *start;
	size_t pages, page_bytes;
	int pagemap;         /* -1: not to be had */
	unsigned char *seen; /* a bit for each 2 MB of RAM of which a page is kept */
	uint64_t blocks;
	int pipe; /* end of the last pipe for the pages kept; -1: none is open */
	size_t pipe_room;
	bool pins;
	size_t kept;
};

/*
 * Node 0, zone   Normal      4      5 ...
 * So many free blocks of one page, of two, four and so on.
 */
static int sum_free(size_t page_bytes, int64_t *ret_free, int64_t *ret_large)
{
	static char text[16 << 10];
	ssize_t n = proc_text(BUDDYINFO, text, sizeof(text));
	char *line, *rest = NULL, *at, *end;

	*ret_free = *ret_large = 0;
	for (line = n < 0 ? NULL : strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
		int64_t bytes = (int64_t)page_bytes;

		at = strstr(line, "zone");
		at = at ? at + strcspn(at, " ") : NULL;
		at = at ? at + strspn(at, " ") : NULL;
		at = at ? at + strcspn(at, " ") : NULL;
		for (; at; at = end, bytes *= 2) {
			int64_t count = strtoll(at, &end, 10);

			if (end == at)
				break;
			*ret_free += count * bytes;
			if (bytes >= (int64_t)BLOCK_BYTES)
				*ret_large += count * bytes;
		}
	}
	return n < 0 ? (int)n : 0;
}

static void report(const struct buddy *b, const char *free_name, const char *large_name)
{
	int64_t all, large;

	if (sum_free(b->page_bytes, &all, &large) < 0)
		return;
	stress_value(b->s, free_name, all);
	stress_value(b->s, large_name, large);
}

/* Frames of count pages from the first-th on; 0 for each where they are not told. -errno. */
static int frames(const struct buddy *b, size_t first, size_t count, uint64_t ret[AT_ONCE])
{
	size_t i, done = 0;

	memset(ret, 0, count * 8);
	while (b->pagemap >= 0 && done < count) {
		off_t at = (off_t)(((uintptr_t)b->start / b->page_bytes + first + done) * 8);
		ssize_t n = pread(b->pagemap, ret + done, (count - done) * 8, at);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 8)
			return n < 0 ? -errno : -EIO;
		done += (size_t)n / 8;
	}
	for (i = 0; i < count; i++)
		ret[i] = ret[i] & PRESENT ? ret[i] & PFN_MASK : 0;
	return 0;
}

/* How many blocks RAM has up to the last page of ours; then a bit for each. */
static enum phase survey(struct buddy *b)
{
	uint64_t frame[AT_ONCE], last = 0;
	size_t at, i;

	for (at = 0; at < b->pages; at += AT_ONCE) {
		size_t count = b->pages - at < AT_ONCE ? b->pages - at : AT_ONCE;
		int r = frames(b, at, count, frame);

		errno = -r;
		if (r < 0)
			return stress_refused(b->s, "pread of /proc/self/pagemap", count * 8);
		for (i = 0; i < count; i++)
			last = frame[i] > last ? frame[i] : last;
		if (!stress_going(b->s))
			return PHASE_SIGNAL;
	}
	b->blocks = (last ? last * b->page_bytes : b->pages * b->page_bytes) / BLOCK_BYTES + 1;
	b->seen = mmap(NULL, b->blocks / 8 + 1, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	return b->seen != MAP_FAILED ? PHASE_RUN
				     : stress_refused(b->s, "mmap of the table", b->blocks / 8 + 1);
}

/* Is it the first page of its 2 MB, of RAM or else of addresses? */
static bool first_of_block(struct buddy *b, size_t page, uint64_t frame)
{
	uint64_t block = (frame ? frame : page) * b->page_bytes / BLOCK_BYTES;
	unsigned char bit = (unsigned char)(1 << block % 8);
	bool first = !(b->seen[block / 8] & bit);

	b->seen[block / 8] |= bit;
	return first;
}

/* Another pipe, as long as may be; its reading end stays open without a name. */
static int open_pipe(struct buddy *b)
{
	int ends[2], room;

	if (pipe2(ends, O_CLOEXEC) < 0)
		return -1;
	b->pipe = ends[1];
	room = fcntl(b->pipe, F_SETPIPE_SZ, PIPE_BYTES);
	if (room < 0)
		room = fcntl(b->pipe, F_GETPIPE_SZ);
	b->pipe_room = room > 0 ? (size_t)room / b->page_bytes : 1;
	return 0;
}

static enum phase keep(struct buddy *b, void *page)
{
	struct iovec v = { page, b->page_bytes };
	ssize_t n;

	b->kept++;
	if (!b->pins)
		return PHASE_RUN;
	if (b->pipe_room == 0 && open_pipe(b) < 0)
		return stress_refused(b->s, "pipe", 0);
	do
		n = vmsplice(b->pipe, &v, 1, 0);
	while (n < 0 && errno == EINTR);
	b->pipe_room--;
	return n < 0 ? stress_refused(b->s, "vmsplice", b->page_bytes) : PHASE_RUN;
}

static void give_back(const struct buddy *b, size_t from, size_t to)
{
	if (to > from)
		(void)madvise(b->start + from * b->page_bytes, (to - from) * b->page_bytes, MADV_DONTNEED);
}

static enum phase thin_out(struct buddy *b)
{
	enum phase end = PHASE_RUN;
	uint64_t frame[AT_ONCE];
	size_t at, i, from = 0;

	for (at = 0; at < b->pages; at += AT_ONCE) {
		size_t count = b->pages - at < AT_ONCE ? b->pages - at : AT_ONCE;
		int r = frames(b, at, count, frame);

		errno = -r;
		if (r < 0)
			return stress_refused(b->s, "pread of /proc/self/pagemap", count * 8);
		for (i = 0; i < count && end == PHASE_RUN; i++) {
			if (!first_of_block(b, at + i, frame[i]))
				continue;
			give_back(b, from, at + i);
			from = at + i + 1;
			end = keep(b, b->start + (at + i) * b->page_bytes);
		}
		if (end != PHASE_RUN || !stress_going(b->s))
			return end != PHASE_RUN ? end : PHASE_SIGNAL;
	}
	give_back(b, from, b->pages);
	return PHASE_RUN;
}

static enum phase run(struct stress *s)
{
	AUTO_CLOSE int pagemap = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
	struct buddy b = { .s = s, .pipe = -1, .pagemap = pagemap, .pins = option(s, "pin") == 0 };
	const size_t size = (size_t)option(s, "size");
	enum phase end;

	b.page_bytes = (size_t)sysconf(_SC_PAGESIZE);
	b.pages = size / b.page_bytes;
	stress_phase(s, PHASE_RUN);
	report(&b, "free_before", "large_before");
	b.start = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (b.start == MAP_FAILED)
		return stress_refused(s, "mmap", size);
	(void)madvise(b.start, size, MADV_NOHUGEPAGE);
	stress_allocated(s, size);
	if (!stress_write(s, b.start, size))
		return PHASE_SIGNAL;
	end = survey(&b);
	if (end == PHASE_RUN)
		end = thin_out(&b);
	if (end != PHASE_RUN)
		return end;
	stress_value(s, "kept", (int64_t)(b.kept * b.page_bytes));
	report(&b, "free_after", "large_after");
	return stress_hold(s);
}

const struct stressor stressor_frag_buddy = {
	.name = "frag-buddy",
	.about = "leaves a page in each 2 MB of RAM, so that what is free is in small pieces",
	.options = options,
	.values = values,
	.run = run,
};
