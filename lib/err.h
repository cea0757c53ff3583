/* SPDX-License-Identifier: MIT */
/*
 * One error on its way up: library code fills it, the verb at the top prints
 * it once. Functions that take a struct err return 0 or a negative errno.
 */
#ifndef OOMLAB_LIB_ERR_H
#define OOMLAB_LIB_ERR_H

#define ERR_TEXT_MAX 2048

struct err {
	int code; /* positive errno value, 0 while nothing went wrong */
	char text[ERR_TEXT_MAX];
};

#define ERR_INIT                                                                                             \
	{                                                                                                    \
		0, ""                                                                                        \
	}

/* Stores code (a positive errno) and the message; returns -code. e may be NULL. */
int err_set(struct err *e, int code, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* As err_set(), with ": " and errno's text for code appended. */
int err_errno(struct err *e, int code, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* Puts "prefix: " before the message that e already holds; returns -e->code. */
int err_prefix(struct err *e, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#endif
