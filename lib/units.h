/* SPDX-License-Identifier: MIT */
/* Sizes and durations as people write them, and back. Base units: bytes and nanoseconds. */
#ifndef OOMLAB_LIB_UNITS_H
#define OOMLAB_LIB_UNITS_H

#include <stddef.h>
#include <stdint.h>

#define SIZE_ALLOWED     "a number with B, K, M, G or T (powers of 1024), e.g. 512K, 1.5G"
#define DURATION_ALLOWED "a number with ns, us, ms, s, m or h, e.g. 10ms, 2s"

/*
 * "4K", "1.5G", "888MiB", "0" -> bytes. A unit is required except for "0".
 * Returns 0, -EINVAL (no number, no or unknown unit) or -ERANGE (over 2^63-1).
 */
int size_parse(const char *text, uint64_t *ret_bytes);

/* "50%" -> 50.0 in *ret_percent; 0 or -EINVAL. */
int percent_parse(const char *text, double *ret_percent);

/* "10ms", "1.5s", "0" -> nanoseconds. Errors as size_parse(). */
int duration_parse(const char *text, uint64_t *ret_ns);

/* A whole decimal number without sign tricks or trailing text; 0, -EINVAL or -ERANGE. */
int int_parse(const char *text, int64_t *ret_value);

#define UNITS_TEXT_MAX 24

/* 1134559232 -> "1082M": at most four digits before the unit; returns buf. */
const char *size_format(char buf[UNITS_TEXT_MAX], uint64_t bytes);

/* 1500000000 -> "1.5s"; returns buf. */
const char *duration_format(char buf[UNITS_TEXT_MAX], uint64_t ns);

#endif
