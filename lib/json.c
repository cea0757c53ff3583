// SPDX-License-Identifier: MIT
#include "lib/json.h"

#include "lib/files.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

const char *json_text(const json_t *object, const char *key, const char *fallback)
{
	const json_t *value = json_object_get(object, key);

	return json_is_string(value) ? json_string_value(value) : fallback;
}

int64_t json_number(const json_t *object, const char *key, int64_t fallback)
{
	const json_t *value = json_object_get(object, key);

	return json_is_integer(value) ? json_integer_value(value) : fallback;
}

bool json_flag(const json_t *object, const char *key, bool fallback)
{
	const json_t *value = json_object_get(object, key);

	return json_is_boolean(value) ? json_is_true(value) : fallback;
}

int json_write(const char *path, const json_t *value, struct err *e)
{
	AUTO_FREE char *text = json_dumps(value, JSON_INDENT(2) | JSON_ENCODE_ANY);
	size_t len;

	if (!text)
		return err_set(e, ENOMEM, "%s: out of memory", path);
	len = strlen(text);
	text[len] = '\n'; /* over the NUL: exactly len + 1 bytes are written */
	return file_write(path, text, len + 1, e);
}
