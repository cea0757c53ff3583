// SPDX-License-Identifier: MIT
/* The whole machine: meminfo, vmstat, pressure and every node's meminfo, all lines of each. */
#include "harness/engine/sample.h"

#include "lib/files.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define TEXT_MAX  16384
#define NODES_MAX 8

static int add_name(struct system_sampler *s, const char *prefix, const char *name, int len)
{
	char text[128];

	if (s->columns == SYSTEM_COLUMNS_MAX)
		return -E2BIG;
	snprintf(text, sizeof(text), "%s%.*s", prefix, len, name);
	s->names[s->columns] = strdup(text);
	if (!s->names[s->columns])
		return -ENOMEM;
	s->columns++;
	return 0;
}

/*
 * Names of the lines of "MemFree:  12 kB", "nr_free_pages 12" or, with skip
 * words before the name, "Node 0 MemFree: 12 kB".
 */
static int name_lines(struct system_sampler *s, const char *prefix, const char *text, int skip)
{
	const char *line = text, *nl;
	int r = 0;

	for (; r == 0 && (nl = strchr(line, '\n')); line = nl + 1) {
		const char *p = line;
		int i;

		for (i = 0; i < skip && p < nl; i++)
			p += strcspn(p, " ") + 1;
		r = add_name(s, prefix, p, (int)strcspn(p, ": \n"));
	}
	return r;
}

static int name_pressure(struct system_sampler *s, const char *prefix, const char *text)
{
	int r = add_name(s, prefix, "some", 4);

	return r == 0 && strstr(text, "full ") ? add_name(s, prefix, "full", 4) : r;
}

/* A file that is not there, or has nothing to read, gives no columns. */
static int add_file(struct system_sampler *s, const char *root, const char *path, const char *prefix,
		    enum system_kind kind, int64_t scale, int skip)
{
	struct system_file *f = &s->files[s->file_count];
	char full[PATH_LEN_MAX], text[TEXT_MAX];
	ssize_t n;
	int r;

	if (path_format(full, "%s%s", root, path) < 0 || s->file_count == SYSTEM_FILES_MAX)
		return -E2BIG;
	f->fd = open(full, O_RDONLY | O_CLOEXEC);
	if (f->fd < 0)
		return 0;
	n = pread(f->fd, text, sizeof(text) - 1, 0);
	if (n <= 0) { /* EOPNOTSUPP: pressure compiled in but off */
		close(f->fd);
		return 0;
	}
	text[n] = 0;
	f->kind = kind;
	f->scale = scale;
	f->first = s->columns;
	r = kind == PRESSURE ? name_pressure(s, prefix, text) : name_lines(s, prefix, text, skip);
	f->count = s->columns - f->first;
	s->file_count++;
	return r;
}

int system_sampler_open(const char *root, struct system_sampler *s, struct err *e)
{
	static const char *const pressure[] = { "memory", "io", "cpu" };
	char path[64], prefix[64];
	int r, i;

	memset(s, 0, sizeof(*s));
	r = add_file(s, root, "/proc/meminfo", "meminfo.", EVERY_LINE, 1024, 0);
	if (r == 0)
		r = add_file(s, root, "/proc/vmstat", "vmstat.", EVERY_LINE, 1, 0);
	for (i = 0; r == 0 && i < 3; i++) {
		snprintf(path, sizeof(path), "/proc/pressure/%s", pressure[i]);
		snprintf(prefix, sizeof(prefix), "psi.%s.", pressure[i]);
		r = add_file(s, root, path, prefix, PRESSURE, 1000, 0);
	}
	for (i = 0; r == 0 && i < NODES_MAX; i++) {
		snprintf(path, sizeof(path), "/sys/devices/system/node/node%d/meminfo", i);
		snprintf(prefix, sizeof(prefix), "node%d.", i);
		r = add_file(s, root, path, prefix, EVERY_LINE, 1024, 2);
	}
	if (r < 0) {
		system_sampler_close(s);
		return err_errno(e, -r, "sampling the system: too many counters");
	}
	return 0;
}

/*
 * The number that ends at end, read backwards in one go: a line's last number
 * lies behind a name of any length. One that may not fit is left to digits().
 */
static int64_t number_before(const char *start, const char *end)
{
	uint64_t value = 0, unit = 1;
	const char *p = end, *stop;

	for (; p > start && p[-1] >= '0' && p[-1] <= '9'; p--, unit *= 10)
		value += (uint64_t)(p[-1] - '0') * unit;
	if (end - p > 18)
		return digits(p, end, &stop);
	return p < end ? (int64_t)value : BB_MISSING;
}

/* The last number of "MemFree:  12 kB", "nr_free_pages 12", "Node 0 MemFree: 12 kB" in each line. */
static void read_lines(const struct system_file *f, const char *text, size_t len, int64_t *values)
{
	const char *line = text, *end = text + len;
	size_t i;

	for (i = 0; i < f->count && line < end; i++) {
		const char *nl = memchr(line, '\n', (size_t)(end - line));
		const char *p = nl ? nl : end;
		bool kb = p - line > 3 && p[-1] == 'B' && p[-2] == 'k';
		int64_t value = number_before(line, kb ? p - 3 : p);

		if (kb && value != BB_MISSING && __builtin_mul_overflow(value, f->scale, &value))
			value = INT64_MAX;
		values[i] = value;
		line = p + 1;
	}
}

/* some avg10=0.00 avg60=0.00 avg300=0.00 total=12 (microseconds) */
static void read_pressure(const struct system_file *f, const char *text, int64_t *values)
{
	const char *end = text + strlen(text), *p = text;
	size_t i;

	for (i = 0; i < f->count; i++) {
		p = p ? strstr(p, "total=") : NULL;
		values[i] = p ? scaled(digits(p + 6, end, &p), f->scale) : BB_MISSING;
	}
}

void system_sampler_read(struct system_sampler *s)
{
	char text[TEXT_MAX];
	size_t i, j;

	for (i = 0; i < s->file_count; i++) {
		const struct system_file *f = &s->files[i];
		int64_t *values = &s->values[f->first];
		ssize_t n = pread(f->fd, text, sizeof(text) - 1, 0);

		for (j = 0; j < f->count; j++)
			values[j] = BB_MISSING;
		if (n <= 0)
			continue;
		text[n] = 0;
		if (f->kind == PRESSURE)
			read_pressure(f, text, values);
		else
			read_lines(f, text, (size_t)n, values);
	}
}

void system_sampler_close(struct system_sampler *s)
{
	size_t i;

	for (i = 0; i < s->file_count; i++)
		close(s->files[i].fd);
	for (i = 0; i < s->columns; i++)
		free(s->names[i]);
	memset(s, 0, sizeof(*s));
}
