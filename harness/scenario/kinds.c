// SPDX-License-Identifier: MIT
/* Kinds of values that know nothing of what they are for. */
#include "harness/scenario/kinds.h"

#include "harness/scenario/bind.h"
#include "lib/units.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

static json_t *refuse(const struct key *key, const char *text, const char *what, char why[WHY_MAX])
{
	char quoted[SHOWN_MAX], allowed[WHY_MAX / 2];

	snprintf(why, WHY_MAX, "%s %s; allowed: %s", shown(quoted, text), what,
		 key_allowed(key, allowed, sizeof(allowed)));
	return NULL;
}

static bool length_ok(const struct key *key, const char *text)
{
	return (int64_t)strlen(text) >= key->min && (int64_t)strlen(text) <= key->max;
}

static json_t *scalar_text(struct binder *b, const struct key *key, const char *text, char why[WHY_MAX])
{
	(void)b;
	if (length_ok(key, text))
		return json_string(text);
	snprintf(why, WHY_MAX, "has %zu bytes; allowed: %lld to %lld", strlen(text), (long long)key->min,
		 (long long)key->max);
	return NULL;
}

/* A word of a path: letters, digits, some marks, and never a leading dot. */
static json_t *scalar_name(struct binder *b, const struct key *key, const char *text, char why[WHY_MAX])
{
	const char *p;

	(void)b;
	for (p = text; isalnum((unsigned char)*p) || (p > text && *p && strchr("._-", *p)); p++)
		;
	if (*p || !length_ok(key, text))
		return refuse(key, text, "is no name", why);
	return json_string(text);
}

static json_t *scalar_line(struct binder *b, const struct key *key, const char *text, char why[WHY_MAX])
{
	const char *p;

	for (p = text; *p; p++)
		if (iscntrl((unsigned char)*p))
			return refuse(key, text, "has control characters", why);
	return scalar_text(b, key, text, why);
}

static json_t *scalar_choice(struct binder *b, const struct key *key, const char *text, char why[WHY_MAX])
{
	size_t len = strlen(text);
	const char *p = key->choices;

	(void)b;
	while (p) {
		if (!strncmp(p, text, len) && len > 0 && (p[len] == '|' || !p[len]))
			return json_string(text);
		p = strchr(p, '|');
		p = p ? p + 1 : NULL;
	}
	return refuse(key, text, "is none of the choices", why);
}

static json_t *scalar_bool(struct binder *b, const struct key *key, const char *text, char why[WHY_MAX])
{
	(void)b;
	if (!strcmp(text, "false"))
		return json_false();
	if (!strcmp(text, "true"))
		return json_true();
	return refuse(key, text, "is neither true nor false", why);
}

/* What -ERANGE and -EINVAL of lib/units.h and the row's range come to. */
static json_t *quantity(const struct key *key, const char *text, int r, uint64_t value, const char *noun,
			char why[WHY_MAX])
{
	char what[64];

	if (r == 0 && (int64_t)value >= key->min && (int64_t)value <= key->max)
		return json_integer((json_int_t)value);
	snprintf(what, sizeof(what), r == -EINVAL ? "is no %s" : "is out of range", noun);
	return refuse(key, text, what, why);
}

static json_t *scalar_size(struct binder *b, const struct key *key, const char *text, char why[WHY_MAX])
{
	uint64_t value = 0;
	int r = size_parse(text, &value);

	(void)b;
	return quantity(key, text, r, value, "size", why);
}

static json_t *scalar_duration(struct binder *b, const struct key *key, const char *text, char why[WHY_MAX])
{
	uint64_t value = 0;
	int r = duration_parse(text, &value);

	(void)b;
	return quantity(key, text, r, value, "duration", why);
}

static json_t *scalar_int(struct binder *b, const struct key *key, const char *text, char why[WHY_MAX])
{
	int64_t value = 0;
	int r = int_parse(text, &value);

	(void)b;
	return quantity(key, text, r, (uint64_t)value, "whole number", why);
}

static json_t *scalar_fraction(struct binder *b, const struct key *key, const char *text, char why[WHY_MAX])
{
	double value;
	char *end;

	(void)b;
	if (percent_parse(text, &value) == 0) {
		value /= 100;
	} else {
		value = isdigit((unsigned char)text[0]) ? strtod(text, &end) : -1;
		if (value < 0 || *end || strpbrk(text, "xXpP"))
			return refuse(key, text, "is no fraction", why);
	}
	if (value > 1)
		return refuse(key, text, "is out of range", why);
	return json_real(value);
}

/* Checked elsewhere, because it takes more than its own row. */
static json_t *bind_any(struct binder *b, const struct key *key, struct fy_node *node)
{
	(void)b, (void)key, (void)node;
	return json_true();
}

const struct kind kind_fixed = {
	.name = "mapping", .shape = SHAPE_FIXED, .allowed = "a mapping", .bind = bind_fixed
};
const struct kind kind_open = {
	.name = "names", .shape = SHAPE_OPEN, .allowed = "a mapping", .bind = bind_named
};
const struct kind kind_list = { .name = "list", .shape = SHAPE_LIST, .allowed = "a list", .bind = bind_list };
const struct kind kind_any = { .name = "value", .allowed = "a value, or a list of them", .bind = bind_any };
const struct kind kind_name = { .name = "name",
				.allowed = "1 to 64 letters, digits, '.', '_', '-', a letter or digit first",
				.scalar = scalar_name };
const struct kind kind_text = { .name = "text", .allowed = "text", .scalar = scalar_text };
const struct kind kind_cmdline = { .name = "line", .allowed = "one line of text", .scalar = scalar_line };
const struct kind kind_word = { .name = "word", .allowed = "text", .scalar = scalar_text };
const struct kind kind_choice = { .name = "choice", .scalar = scalar_choice };
const struct kind kind_bool = { .name = "boolean", .scalar = scalar_bool };
const struct kind kind_size = { .name = "size", .allowed = SIZE_ALLOWED, .scalar = scalar_size };
const struct kind kind_duration = { .name = "duration",
				    .allowed = DURATION_ALLOWED,
				    .scalar = scalar_duration };
const struct kind kind_int = { .name = "number", .allowed = "a whole number", .scalar = scalar_int };
const struct kind kind_fraction = { .name = "fraction",
				    .allowed = "a fraction, 0 to 1, e.g. 0.05 or 5%",
				    .scalar = scalar_fraction };
