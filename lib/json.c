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

int json_read(const char *path, size_t bytes_max, json_t **ret, struct err *e)
{
	AUTO_FREE char *text = NULL;
	json_error_t why;
	size_t len;
	json_t *value;
	char *p;
	int r;

	r = file_read(path, bytes_max, &text, &len, e);
	if (r < 0)
		return r;
	value = json_loadb(text, len, 0, &why);
	for (p = why.text; !value && *p; p++) /* it quotes what it read */
		if ((unsigned char)*p < 0x20 || (unsigned char)*p > 0x7e)
			*p = '?';
	if (!value)
		return err_set(e, EINVAL, "%s:%d:%d: no whole JSON: %s", path, why.line, why.column,
			       why.text);
	if (!json_is_object(value)) {
		json_decref(value);
		return err_set(e, EINVAL, "%s: not a JSON object", path);
	}
	*ret = value;
	return 0;
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
