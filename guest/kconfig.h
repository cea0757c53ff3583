/* SPDX-License-Identifier: MIT */
/* A kernel's configuration, and which of its options matter to memory. */
#ifndef OOMLAB_GUEST_KCONFIG_H
#define OOMLAB_GUEST_KCONFIG_H

#include "lib/err.h"

#include <stddef.h>

#define KCONFIG_OPTIONS_MAX 256

/* One option: name without CONFIG_, value "y", "m", "n" (it is not set), a number or a quoted text. */
struct kconfig_item {
	const char *name, *value;
};

/* All options that a configuration names, by name. */
struct kconfig {
	char *text; /* what items point into */
	struct kconfig_item *items;
	size_t count;
};

/* path is for messages. -EBADMSG when the text names no option at all. */
int kconfig_parse(const char *text, const char *path, struct kconfig *ret, struct err *e);

/* A file as kbuild writes it. */
int kconfig_read(const char *path, struct kconfig *ret, struct err *e);

/*
 * The configuration inside a bzImage (CONFIG_IKCONFIG=y puts it there);
 * -ENODATA when it carries none, -EBADMSG when it cannot be decompressed.
 */
int kconfig_read_image(const char *path, struct kconfig *ret, struct err *e);

/* The option's value; NULL when the configuration does not name it. */
const char *kconfig_value(const struct kconfig *c, const char *name);

/* Frees what is in it; an empty one too. */
void kconfig_free(struct kconfig *c);

/* The options that matter to memory, in the order of their file: value is what each changes. */
struct kconfig_options {
	char *text;
	struct kconfig_item rows[KCONFIG_OPTIONS_MAX];
	size_t count;
};

/* Rows "NAME<tab>what it changes"; path is for messages, "path:line: what is wrong". */
int kconfig_options_parse(const char *text, const char *path, struct kconfig_options *ret, struct err *e);

/* The rows that belong to this program: kernels/options.tsv. */
int kconfig_options_load(struct kconfig_options *ret, struct err *e);
void kconfig_options_free(struct kconfig_options *o);

#endif
