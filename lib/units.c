// SPDX-License-Identifier: MIT
#include "lib/units.h"

#include <ctype.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct unit {
	const char *name;
	uint64_t factor;
};

static const struct unit size_units[] = {
	{ "B", 1 },
	{ "K", 1ULL << 10 },
	{ "M", 1ULL << 20 },
	{ "G", 1ULL << 30 },
	{ "T", 1ULL << 40 },
	{ "KiB", 1ULL << 10 },
	{ "MiB", 1ULL << 20 },
	{ "GiB", 1ULL << 30 },
	{ "TiB", 1ULL << 40 },
	{ NULL, 0 },
};

static const struct unit duration_units[] = {
	{ "ns", 1 },
	{ "us", 1000 },
	{ "ms", 1000000 },
	{ "s", 1000000000ULL },
	{ "m", 60 * 1000000000ULL },
	{ "h", 3600 * 1000000000ULL },
	{ NULL, 0 },
};

/* Splits "12.5K" at the end of its number; NULL where there is no plain decimal number. */
static const char *number_end(const char *s)
{
	const char *p = s;

	while (isdigit((unsigned char)*p))
		p++;
	if (p == s)
		return NULL;
	if (*p == '.') {
		const char *dot = p++;

		while (isdigit((unsigned char)*p))
			p++;
		if (p == dot + 1)
			return NULL;
	}
	return p;
}

static int quantity_parse(const char *text, const struct unit *units, uint64_t *ret)
{
	const char *end = number_end(text);
	long double value;

	if (!end)
		return -EINVAL;
	if (!strcmp(text, "0")) {
		*ret = 0;
		return 0;
	}
	for (; units->name; units++) {
		if (strcmp(end, units->name) != 0)
			continue;
		value = strtold(text, NULL) * (long double)units->factor;
		if (value > (long double)INT64_MAX)
			return -ERANGE;
		*ret = (uint64_t)value;
		return 0;
	}
	return -EINVAL;
}

int size_parse(const char *text, uint64_t *ret_bytes)
{
	return quantity_parse(text, size_units, ret_bytes);
}

int duration_parse(const char *text, uint64_t *ret_ns)
{
	return quantity_parse(text, duration_units, ret_ns);
}

int percent_parse(const char *text, double *ret_percent)
{
	const char *end = number_end(text);

	if (!end || strcmp(end, "%") != 0)
		return -EINVAL;
	*ret_percent = strtod(text, NULL);
	return 0;
}

int int_parse(const char *text, int64_t *ret_value)
{
	long long value;
	char *end;

	if (!isdigit((unsigned char)text[text[0] == '-']))
		return -EINVAL;
	errno = 0;
	value = strtoll(text, &end, 10);
	if (*end)
		return -EINVAL;
	if (errno)
		return -ERANGE;
	*ret_value = value;
	return 0;
}

const char *size_format(char buf[UNITS_TEXT_MAX], uint64_t bytes)
{
	static const char names[] = "BKMGTPE";
	uint64_t value = bytes, rest = 0;
	int unit = 0;

	while (value + (rest >= 512) >= 10000 && names[unit + 1]) {
		rest = value & 1023;
		value >>= 10;
		unit++;
	}
	if (rest >= 512)
		value++;
	snprintf(buf, UNITS_TEXT_MAX, "%llu%c", (unsigned long long)value, names[unit]);
	return buf;
}

const char *duration_format(char buf[UNITS_TEXT_MAX], uint64_t ns)
{
	/* Three digits, rounded, must not reach the next unit: "%.3g" would say 1e+03. */
	if (ns < 1000)
		snprintf(buf, UNITS_TEXT_MAX, "%lluns", (unsigned long long)ns);
	else if (ns < 999500)
		snprintf(buf, UNITS_TEXT_MAX, "%.3gus", (double)ns / 1e3);
	else if (ns < 999500000)
		snprintf(buf, UNITS_TEXT_MAX, "%.3gms", (double)ns / 1e6);
	else
		snprintf(buf, UNITS_TEXT_MAX, "%.1fs", (double)ns / 1e9);
	return buf;
}
