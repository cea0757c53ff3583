// SPDX-License-Identifier: MIT
#include "harness/scenario/limit.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#define TEXT_MAX 256

static json_t *bytes_value(const char *text)
{
	char decimal[UNITS_TEXT_MAX];
	uint64_t bytes;
	double percent;

	if (!strcmp(text, "max"))
		return json_string(text);
	if (percent_parse(text, &percent) == 0 && percent <= 100)
		return json_string(text);
	if (size_parse(text, &bytes) < 0)
		return NULL;
	snprintf(decimal, sizeof(decimal), "%llu", (unsigned long long)bytes);
	return json_string(decimal);
}

static json_t *number_value(const char *text, bool or_max)
{
	int64_t number;

	if ((or_max && !strcmp(text, "max")) || (int_parse(text, &number) == 0 && number >= 0))
		return json_string(text);
	return NULL;
}

json_t *limit_value(const char *text, enum cgroup_value kind, const char **ret_allowed)
{
	static const char *const allowed[] = { [CGROUP_ANY] = LIMIT_BYTES_ALLOWED ", or a whole number",
					       [CGROUP_BYTES] = LIMIT_BYTES_ALLOWED,
					       [CGROUP_COUNT] = "a whole number, or max",
					       [CGROUP_NUMBER] = "a whole number",
					       [CGROUP_TEXT] = "one line of text" };
	json_t *value = NULL;

	*ret_allowed = allowed[kind];
	if (strlen(text) > TEXT_MAX || strpbrk(text, "\n\r")) {
		*ret_allowed = allowed[CGROUP_TEXT];
		return NULL;
	}
	if (kind == CGROUP_TEXT)
		return json_string(text);
	if (kind == CGROUP_BYTES || kind == CGROUP_ANY)
		value = bytes_value(text);
	if (!value && kind != CGROUP_BYTES)
		value = number_value(text, kind != CGROUP_NUMBER);
	return value;
}
