// SPDX-License-Identifier: MIT
#include "lib/blackbox.h"

#include "lib/files.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static uint64_t align8(uint64_t n)
{
	return (n + 7) & ~7ULL;
}

static uint64_t records_start(const struct bb_header *h)
{
	return BB_HEADER_BYTES + align8(h->spec_len);
}

static int map_fd(int fd, size_t size, bool writable, struct blackbox *ret)
{
	void *map = mmap(NULL, size, PROT_READ | (writable ? PROT_WRITE : 0), MAP_SHARED, fd, 0);

	if (map == MAP_FAILED)
		return -errno;
	ret->header = map;
	ret->size = size;
	ret->mapped = true;
	return 0;
}

static int write_header(const struct blackbox *bb, const char *spec, size_t spec_len, struct err *e)
{
	struct bb_header *h = bb->header;

	if (spec_len > bb->size / 4)
		return err_set(e, EMSGSIZE, "black box of %zu bytes: a spec of %zu bytes does not fit",
			       bb->size, spec_len);
	memcpy((char *)h + BB_HEADER_BYTES, spec, spec_len);
	h->version = BB_VERSION;
	h->size = bb->size;
	h->spec_len = spec_len;
	h->used = records_start(h);
	memcpy(h->magic, BB_MAGIC, sizeof(h->magic));
	return 0;
}

int bb_create(const char *path, size_t bytes, const char *spec, size_t spec_len, struct blackbox *ret,
	      struct err *e)
{
	AUTO_CLOSE int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	struct blackbox bb = { 0 };
	int r;

	if (fd < 0)
		return err_errno(e, errno, "%s: create", path);
	r = -posix_fallocate(fd, 0, (off_t)bytes);
	if (r == 0)
		r = map_fd(fd, bytes, true, &bb);
	if (r < 0)
		err_errno(e, -r, "%s: allocate %zu bytes", path, bytes);
	else
		r = write_header(&bb, spec, spec_len, e);
	if (r < 0) {
		bb_close(&bb);
		unlink(path);
		return r;
	}
	*ret = bb;
	return 0;
}

/* Maps a file whatever is in it. */
static int map_path(const char *path, bool writable, struct blackbox *ret, struct err *e)
{
	AUTO_CLOSE int fd = open(path, (writable ? O_RDWR : O_RDONLY) | O_CLOEXEC);
	struct stat st;
	int r;

	if (fd < 0 || fstat(fd, &st) < 0)
		return err_errno(e, errno, "%s: open", path);
	if (st.st_size < BB_HEADER_BYTES)
		return err_set(e, EBADMSG, "%s: not a black box: %lld bytes", path, (long long)st.st_size);
	r = map_fd(fd, (size_t)st.st_size, writable, ret);
	return r < 0 ? err_errno(e, -r, "%s: mmap", path) : 0;
}

int bb_blank(const char *path, struct err *e)
{
	struct blackbox bb = { 0 }, whole;
	int r;

	r = map_path(path, true, &bb, e);
	if (r < 0)
		return r;
	/* One that makes no sense may hold anything anywhere. */
	memset(bb.header, 0, bb_attach(bb.header, bb.size, &whole, NULL) == 0 ? bb.header->used : bb.size);
	bb_close(&bb);
	return 0;
}

void bb_park(void *map)
{
	struct bb_header *h = map;

	memcpy(h->magic, BB_MAGIC_PARKED, sizeof(h->magic));
}

bool bb_is_parked(const char *path)
{
	struct blackbox bb = { 0 };
	bool is;

	if (map_path(path, false, &bb, NULL) < 0)
		return false;
	is = memcmp(bb.header->magic, BB_MAGIC_PARKED, sizeof(bb.header->magic)) == 0;
	bb_close(&bb);
	return is;
}

int bb_format(const char *path, const char *spec, size_t spec_len, struct err *e)
{
	struct blackbox bb = { 0 };
	int r;

	r = map_path(path, true, &bb, e);
	if (r < 0)
		return r;
	r = write_header(&bb, spec, spec_len, e);
	bb_close(&bb);
	if (r < 0)
		err_prefix(e, "%s", path);
	return r;
}

int bb_attach(void *map, size_t size, struct blackbox *ret, struct err *e)
{
	struct bb_header *h = map;

	if (size < BB_HEADER_BYTES || memcmp(h->magic, BB_MAGIC, sizeof(h->magic)) != 0)
		return err_set(e, EBADMSG, "not a black box: the magic is missing");
	if (h->version != BB_VERSION)
		return err_set(e, EBADMSG, "black box of version %u; this program reads %d", h->version,
			       BB_VERSION);
	if (h->size > size || h->spec_len > h->size || records_start(h) > h->size || h->used > h->size ||
	    h->used < records_start(h))
		return err_set(e, EBADMSG, "black box: sizes in the header do not fit together");
	ret->header = h;
	ret->size = h->size;
	ret->mapped = false;
	return 0;
}

int bb_open(const char *path, bool writable, struct blackbox *ret, struct err *e)
{
	struct blackbox raw = { 0 };
	int r;

	r = map_path(path, writable, &raw, e);
	if (r < 0)
		return r;
	r = bb_attach(raw.header, raw.size, ret, e);
	if (r < 0) {
		bb_close(&raw);
		err_prefix(e, "%s", path);
		return r;
	}
	ret->size = raw.size;
	ret->mapped = true;
	return 0;
}

void bb_populate(const struct blackbox *bb)
{
#ifdef MADV_POPULATE_WRITE
	madvise(bb->header, bb->size, MADV_POPULATE_WRITE);
#else
	(void)bb;
#endif
}

void bb_close(struct blackbox *bb)
{
	if (bb->header && bb->mapped)
		munmap(bb->header, bb->size);
	bb->header = NULL;
}

const char *bb_spec(const struct blackbox *bb, size_t *ret_len)
{
	*ret_len = bb->header->spec_len;
	return (const char *)bb->header + BB_HEADER_BYTES;
}

/* Room for one record with len bytes of payload, or NULL; commit() makes it count. */
static struct bb_record *reserve(struct blackbox *bb, size_t len, uint64_t keep_free)
{
	struct bb_header *h = bb->header;
	uint64_t end = h->used + sizeof(struct bb_record) + align8(len);

	if (end + keep_free > h->size)
		return NULL;
	return (struct bb_record *)((char *)h + h->used);
}

static void commit(struct blackbox *bb, struct bb_record *rec, enum bb_type type, uint64_t t_ns, size_t len)
{
	rec->len = (uint32_t)len;
	rec->type = type;
	rec->t_ns = t_ns;
	__atomic_store_n(&bb->header->used, bb->header->used + sizeof(*rec) + align8(len), __ATOMIC_RELEASE);
}

bool bb_append(struct blackbox *bb, enum bb_type type, uint64_t t_ns, const void *data, size_t len)
{
	bool text = type == BB_KMSG || type == BB_STDOUT || type == BB_STDERR;
	struct bb_record *rec = reserve(bb, len, text ? bb->header->size / 16 : 0);

	if (!rec)
		return false;
	memcpy(rec->payload, data, len);
	commit(bb, rec, type, t_ns, len);
	return true;
}

bool bb_append_sample(struct blackbox *bb, enum bb_type type, uint64_t t_ns, uint32_t index,
		      const int64_t *values, uint32_t count)
{
	size_t len = sizeof(struct bb_sample) + count * sizeof(*values);
	struct bb_record *rec = reserve(bb, len, bb->header->size / 8);
	struct bb_sample *s;

	if (!rec) {
		bb->header->samples_dropped++;
		return false;
	}
	s = (struct bb_sample *)rec->payload;
	s->index = index;
	s->count = count;
	memcpy(s->values, values, count * sizeof(*values));
	commit(bb, rec, type, t_ns, len);
	return true;
}

uint64_t bb_stride(const struct blackbox *bb)
{
	uint64_t all = bb->header->size - bb->header->size / 8;
	uint64_t used = bb->header->used, half = all / 2;

	if (used < half)
		return 1;
	return 2ULL << (used - half) / (half / 16);
}

void bb_ask_signal(struct blackbox *bb, int number)
{
	__atomic_fetch_or(&bb->header->signals, 1u << number, __ATOMIC_SEQ_CST);
}

uint32_t bb_take_signals(struct blackbox *bb)
{
	/* In a guest the box is a device's memory: not written to where there is nothing to take. */
	if (!__atomic_load_n(&bb->header->signals, __ATOMIC_SEQ_CST))
		return 0;
	return __atomic_exchange_n(&bb->header->signals, 0, __ATOMIC_SEQ_CST);
}

void bb_seal(struct blackbox *bb, const char *reason)
{
	snprintf(bb->header->seal, sizeof(bb->header->seal), "%s", reason);
	__atomic_store_n(&bb->header->sealed, 1, __ATOMIC_RELEASE);
}

const struct bb_record *bb_next(const struct blackbox *bb, const struct bb_record *prev)
{
	const struct bb_header *h = bb->header;
	uint64_t used = __atomic_load_n(&h->used, __ATOMIC_ACQUIRE);
	uint64_t at = records_start(h);
	const struct bb_record *rec;

	if (used > bb->size)
		return NULL;
	if (prev)
		at = (uint64_t)((const char *)prev - (const char *)h) + sizeof(*prev) + align8(prev->len);
	if (at + sizeof(*rec) > used)
		return NULL;
	rec = (const struct bb_record *)((const char *)h + at);
	if (at + sizeof(*rec) + align8(rec->len) > used)
		return NULL;
	return rec;
}
