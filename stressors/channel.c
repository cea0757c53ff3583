// SPDX-License-Identifier: MIT
#include "stressors/channel.h"

#include "lib/hash.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#define CHUNK 4096

struct channel {
	int from;
	uint64_t bytes; /* in it */
};

struct channels {
	struct channel *all;
	size_t count, room;
	uint64_t bytes; /* in all of them */
};

/* What the stream through all of them has at byte at, a multiple of 8. */
static void compose(uint64_t words[CHUNK / 8], uint64_t at)
{
	size_t i;

	for (i = 0; i < CHUNK / 8; i++)
		words[i] = hash_mix(at + 8 * i + 1);
}

/* The limit that is a process's own to raise. */
static void allow_descriptors(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
		limit.rlim_cur = limit.rlim_max;
		(void)setrlimit(RLIMIT_NOFILE, &limit);
	}
}

static enum phase another(struct stress *s, struct channels *c, channel_open *open, int *ret_to)
{
	struct channel *more;
	int fd[2];
	enum phase end;

	if (c->count == c->room) {
		c->room = c->room ? 2 * c->room : 64;
		more = realloc(c->all, c->room * sizeof(*more));
		if (!more)
			return stress_refused(s, "realloc", c->room * sizeof(*more));
		c->all = more;
	}
	end = open(s, fd);
	if (end != PHASE_DONE)
		return end;
	c->all[c->count++] = (struct channel){ .from = fd[0] };
	stress_value(s, "channels", (int64_t)c->count);
	*ret_to = fd[1];
	return PHASE_DONE;
}

/* PHASE_RUN: there is no more room in it. */
static enum phase fill_one(struct stress *s, struct channels *c, int to, uint64_t size)
{
	struct channel *last = &c->all[c->count - 1];
	uint64_t words[CHUNK / 8 + 1];

	while (c->bytes < size) {
		size_t skip = (size_t)(c->bytes % 8), len = CHUNK - skip;
		ssize_t n;

		compose(words, c->bytes - skip);
		if (len > size - c->bytes)
			len = (size_t)(size - c->bytes);
		n = write(to, (char *)words + skip, len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN && last->bytes)
			return PHASE_RUN;
		if (n < 0)
			return stress_refused(s, "write", len);
		last->bytes += (uint64_t)n;
		c->bytes += (uint64_t)n;
		stress_allocated(s, (uint64_t)n);
		stress_touched(s, (uint64_t)n);
		if (!stress_going(s))
			return PHASE_SIGNAL;
	}
	return PHASE_DONE;
}

/* Nothing that is missing is waited for: what is in a channel can be read at once. */
static enum phase read_out(struct stress *s, const struct channels *c)
{
	uint64_t words[CHUNK / 8 + 1], expected[CHUNK / 8 + 1], at = 0, left;
	size_t i;

	for (i = 0; i < c->count; i++) {
		for (left = c->all[i].bytes; left;) {
			size_t skip = (size_t)(at % 8),
			       len = left < CHUNK - skip ? (size_t)left : CHUNK - skip;
			ssize_t n = read(c->all[i].from, words, len);

			if (n < 0 && errno == EINTR)
				continue;
			if (n <= 0)
				return stress_error(s, n < 0 ? errno : EIO, "read of what was written");
			compose(expected, at - skip);
			stress_compare(s, at, (char *)expected + skip, words, (size_t)n);
			stress_read(s, (uint64_t)n);
			at += (uint64_t)n;
			left -= (uint64_t)n;
			if (!stress_going(s))
				return PHASE_SIGNAL;
		}
	}
	return PHASE_DONE;
}

enum phase channels_run(struct stress *s, channel_open *open)
{
	uint64_t size = option(s, "size");
	struct channels c = { .all = NULL };
	enum phase end = PHASE_RUN;
	int to = -1;

	allow_descriptors();
	stress_phase(s, PHASE_RUN);
	while (end == PHASE_RUN) {
		end = another(s, &c, open, &to);
		if (end == PHASE_DONE)
			end = fill_one(s, &c, to, size);
	}
	if (end == PHASE_DONE)
		end = stress_hold(s);
	return end == PHASE_DONE && s->verify ? read_out(s, &c) : end;
}
