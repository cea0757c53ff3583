// SPDX-License-Identifier: MIT
#include "guest/kconfig.h"

#include "lib/files.h"
#include "lib/paths.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CONFIG_BYTES_MAX  (4u << 20)
#define IMAGE_BYTES_MAX   (256u << 20)
#define VMLINUX_BYTES_MAX (512u << 20)
#define OPTIONS_BYTES_MAX (256u << 10)
#define PREFIX            "CONFIG_"
#define NOT_SET           " is not set"

static const char name_chars[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_";

/*
 * CONFIG_MEMCG=y
 * CONFIG_HZ=250
 * CONFIG_DEFAULT_HOSTNAME="(none)"
 * # CONFIG_MEMCG_V1 is not set
 */
static bool parse_line(char *line, struct kconfig_item *ret)
{
	bool comment = strncmp(line, "# ", 2) == 0;
	char *name = line + (comment ? 2 : 0), *end;

	if (strncmp(name, PREFIX, strlen(PREFIX)) != 0)
		return false;
	name += strlen(PREFIX);
	end = name + strspn(name, name_chars);
	if (end == name || (comment ? strcmp(end, NOT_SET) != 0 : *end != '='))
		return false;
	*end = 0;
	*ret = (struct kconfig_item){ .name = name, .value = comment ? "n" : end + 1 };
	return true;
}

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct kconfig_item *)a)->name, ((const struct kconfig_item *)b)->name);
}

static size_t count_lines(const char *text)
{
	size_t n = 1;

	while ((text = strchr(text, '\n'))) {
		text++;
		n++;
	}
	return n;
}

int kconfig_parse(const char *text, const char *path, struct kconfig *ret, struct err *e)
{
	struct kconfig c = { .text = strdup(text) };
	char *rest = c.text, *line;

	c.items = calloc(count_lines(text), sizeof(*c.items));
	if (!c.text || !c.items) {
		kconfig_free(&c);
		return err_errno(e, ENOMEM, "%s", path);
	}
	while ((line = strsep(&rest, "\n")))
		c.count += parse_line(line, &c.items[c.count]);
	if (c.count == 0) {
		kconfig_free(&c);
		return err_set(e, EBADMSG, "%s: not a kernel's configuration: no line CONFIG_...=", path);
	}
	qsort(c.items, c.count, sizeof(*c.items), by_name);
	*ret = c;
	return 0;
}

int kconfig_read(const char *path, struct kconfig *ret, struct err *e)
{
	AUTO_FREE char *text = NULL;
	int r = file_read(path, CONFIG_BYTES_MAX, &text, NULL, e);

	return r < 0 ? r : kconfig_parse(text, path, ret, e);
}

const char *kconfig_value(const struct kconfig *c, const char *name)
{
	struct kconfig_item key = { .name = name }, *found = NULL;

	if (c->count)
		found = bsearch(&key, c->items, c->count, sizeof(key), by_name);
	return found ? found->value : NULL;
}

void kconfig_free(struct kconfig *c)
{
	free(c->text);
	free(c->items);
	*c = (struct kconfig){ 0 };
}

struct bytes {
	char *data;
	size_t len;
};

/* All that can be had; 0 or, with what came before it, the error of the first bad block. */
static int read_entry(struct archive *a, struct bytes *ret)
{
	size_t room = 0;

	for (;;) {
		la_ssize_t n;

		if (ret->len == room) {
			size_t more = room ? room * 2 : 64u << 10;
			char *data = more > VMLINUX_BYTES_MAX ? NULL : realloc(ret->data, more);

			if (!data)
				return -ENOMEM;
			ret->data = data;
			room = more;
		}
		n = archive_read_data(a, ret->data + ret->len, room - ret->len);
		if (n <= 0)
			return n < 0 ? -EBADMSG : 0;
		ret->len += (size_t)n;
	}
}

/* Undoes whatever compression libarchive knows; plain bytes come out as they are. */
static int decompress(const char *data, size_t len, struct bytes *ret)
{
	struct archive *a = archive_read_new();
	struct archive_entry *entry;
	int r = -EBADMSG;

	if (!a)
		return -ENOMEM;
	archive_read_support_filter_all(a);
	archive_read_support_format_raw(a);
	if (archive_read_open_memory(a, data, len) == ARCHIVE_OK &&
	    archive_read_next_header(a, &entry) == ARCHIVE_OK)
		r = read_entry(a, ret);
	archive_read_free(a);
	return r;
}

static uint32_t le32(const char *p)
{
	const unsigned char *u = (const unsigned char *)p;

	return u[0] | (uint32_t)u[1] << 8 | (uint32_t)u[2] << 16 | (uint32_t)u[3] << 24;
}

/*
 * Documentation/arch/x86/boot.rst: the compressed kernel is payload_length
 * (0x24c) bytes at payload_offset (0x248) of the protected-mode code, which
 * follows setup_sects (0x1f1) + 1 sectors; both since protocol 2.08 (0x206).
 * Its last four bytes are its size unpacked, part of the format with gzip alone.
 */
static int find_payload(const char *image, size_t len, const char **ret, size_t *ret_len)
{
	uint64_t at, payload_len;

	if (len < 0x250 || memcmp(image + 0x202, "HdrS", 4) != 0 || (le32(image + 0x206) & 0xffff) < 0x208)
		return -ENOEXEC;
	at = ((image[0x1f1] ? (unsigned char)image[0x1f1] : 4u) + 1) * 512ull + le32(image + 0x248);
	payload_len = le32(image + 0x24c);
	if (payload_len < 8 || at > len || payload_len > len - at)
		return -EBADMSG;
	*ret = image + at;
	*ret_len = payload_len - (memcmp(*ret, "\x1f\x8b", 2) == 0 ? 0 : 4);
	return 0;
}

/* kernel/configs.c: "IKCFG_ST", the configuration as gzip makes it, "IKCFG_ED". */
static int find_config(const struct bytes *vmlinux, struct bytes *ret)
{
	const char *p = vmlinux->data, *end = p ? p + vmlinux->len : NULL, *last;

	while (p && (p = memmem(p, (size_t)(end - p), "IKCFG_ST", 8))) {
		p += 8;
		if (end - p < 2 || memcmp(p, "\x1f\x8b", 2) != 0)
			continue;
		last = memmem(p, (size_t)(end - p), "IKCFG_ED", 8);
		return decompress(p, (size_t)((last ? last : end) - p), ret);
	}
	return -ENODATA;
}

static int text_in_image(const char *image, size_t len, struct bytes *ret_text)
{
	struct bytes vmlinux = { 0 };
	const char *payload;
	size_t payload_len;
	int r, unpacked;

	r = find_payload(image, len, &payload, &payload_len);
	if (r < 0)
		return r;
	unpacked = decompress(payload, payload_len, &vmlinux);
	/* A compression that is not known comes out as it went in. */
	if (vmlinux.len < 4 || memcmp(vmlinux.data, "\177ELF", 4) != 0)
		unpacked = unpacked < 0 ? unpacked : -EBADMSG;
	r = find_config(&vmlinux, ret_text);
	free(vmlinux.data);
	/* What was not unpacked may have held it. */
	return r == -ENODATA && unpacked < 0 ? unpacked : r;
}

int kconfig_read_image(const char *path, struct kconfig *ret, struct err *e)
{
	AUTO_FREE char *image = NULL;
	AUTO_FREE char *text = NULL;
	struct bytes found = { 0 };
	size_t len;
	int r;

	r = file_read(path, IMAGE_BYTES_MAX, &image, &len, e);
	if (r < 0)
		return r;
	r = text_in_image(image, len, &found);
	if (r == 0) {
		text = strndup(found.data, found.len);
		r = text ? 0 : -ENOMEM;
	}
	free(found.data);
	if (r == -ENODATA)
		return err_set(e, ENODATA,
			       "%s: carries no configuration (it was built without CONFIG_IKCONFIG)", path);
	if (r == -ENOEXEC)
		return err_set(e, ENOEXEC, "%s: not a bzImage of boot protocol 2.08 or later", path);
	if (r == -EBADMSG)
		return err_set(e, EBADMSG, "%s: the kernel in it cannot be decompressed", path);
	return r < 0 ? err_errno(e, -r, "%s", path) : kconfig_parse(text, path, ret, e);
}

/* One row, added unless it is wrong; what is wrong with it, or NULL. */
static const char *add_row(struct kconfig_options *o, char *line)
{
	char *about = strchr(line, '\t');
	size_t i;

	if (!about || about[1] == 0 || strspn(line, name_chars) != (size_t)(about - line) ||
	    strncmp(line, PREFIX, strlen(PREFIX)) == 0)
		return "not an option without CONFIG_, a tab and what it changes";
	*about++ = 0;
	for (i = 0; i < o->count; i++)
		if (strcmp(o->rows[i].name, line) == 0)
			return "a second row of that name";
	if (o->count == KCONFIG_OPTIONS_MAX)
		return "too many options";
	o->rows[o->count++] = (struct kconfig_item){ .name = line, .value = about };
	return NULL;
}

int kconfig_options_parse(const char *text, const char *path, struct kconfig_options *ret, struct err *e)
{
	struct kconfig_options o = { .text = strdup(text) };
	char *rest = o.text, *line;
	const char *wrong = NULL;
	unsigned int n = 0;
	int r = 0;

	if (!o.text)
		return err_errno(e, ENOMEM, "%s", path);
	while (!wrong && (line = strsep(&rest, "\n"))) {
		n++;
		if (line[0] != 0 && line[0] != '#')
			wrong = add_row(&o, line);
	}
	if (wrong) {
		r = err_set(e, EINVAL, "%s:%u: %s: %s", path, n, line, wrong);
		kconfig_options_free(&o);
	} else {
		*ret = o;
	}
	return r;
}

int kconfig_options_load(struct kconfig_options *ret, struct err *e)
{
	AUTO_FREE char *text = NULL;
	char path[PATH_LEN_MAX];
	int r;

	r = paths_data("kernels/options.tsv", path);
	if (r < 0)
		return err_errno(e, -r, "kernels/options.tsv, the options that matter to memory");
	r = file_read(path, OPTIONS_BYTES_MAX, &text, NULL, e);
	return r < 0 ? r : kconfig_options_parse(text, path, ret, e);
}

void kconfig_options_free(struct kconfig_options *o)
{
	free(o->text);
	*o = (struct kconfig_options){ 0 };
}
