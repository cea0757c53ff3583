/* SPDX-License-Identifier: MIT */
/* Short reads of a JSON tree with a default for what is absent or of another type. */
#ifndef OOMLAB_LIB_JSON_H
#define OOMLAB_LIB_JSON_H

#include "lib/err.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

const char *json_text(const json_t *object, const char *key, const char *fallback);
int64_t json_number(const json_t *object, const char *key, int64_t fallback);
bool json_flag(const json_t *object, const char *key, bool fallback);

/* A whole object from a file of at most bytes_max; the error says line and column. The caller's to free. */
int json_read(const char *path, size_t bytes_max, json_t **ret, struct err *e);

/* Pretty JSON with keys in the order they were set and a final newline, whole or not at all. */
int json_write(const char *path, const json_t *value, struct err *e);

#endif
