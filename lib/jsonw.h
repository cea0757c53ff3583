/* SPDX-License-Identifier: MIT */
/*
 * JSON into a buffer of the caller's: no allocation, for use while a trial
 * runs. A text that does not fit is cut where it still is valid JSON.
 */
#ifndef OOMLAB_LIB_JSONW_H
#define OOMLAB_LIB_JSONW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct jsonw {
	char *buf;
	size_t room;
	size_t len;
	unsigned int depth;
	bool comma;
	bool cut; /* something did not fit and was left out */
	char close[8];
};

/* Starts a text in buf[room]; the outermost value is an object, already open. */
void jsonw_begin(struct jsonw *w, char *buf, size_t room);

/* key NULL: an element of an array. */
void jsonw_str(struct jsonw *w, const char *key, const char *value);
void jsonw_int(struct jsonw *w, const char *key, int64_t value);
void jsonw_uint(struct jsonw *w, const char *key, uint64_t value);
void jsonw_bool(struct jsonw *w, const char *key, bool value);
void jsonw_null(struct jsonw *w, const char *key);
void jsonw_object(struct jsonw *w, const char *key);
void jsonw_array(struct jsonw *w, const char *key);
/* Closes the innermost object or array that is open. */
void jsonw_close(struct jsonw *w);

/* Closes all that is open and NUL-terminates; returns the length without the NUL. */
size_t jsonw_end(struct jsonw *w);

#endif
