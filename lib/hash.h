/* SPDX-License-Identifier: MIT */
/* A number for a text, the same on every machine and in every version: shares and plans depend on it. */
#ifndef OOMLAB_LIB_HASH_H
#define OOMLAB_LIB_HASH_H

#include <stdint.h>

/* FNV-1a, 64 bits: http://www.isthe.com/chongo/tech/comp/fnv/ */
static inline uint64_t hash_text(const char *text)
{
	uint64_t h = 0xcbf29ce484222325;

	for (; *text; text++)
		h = (h ^ (unsigned char)*text) * 0x100000001b3;
	return h;
}

/* Spreads a number over all 64 bits, each way one to one: the last step of splitmix64. */
static inline uint64_t hash_mix(uint64_t h)
{
	h = (h ^ (h >> 30)) * 0xbf58476d1ce4e5b9;
	h = (h ^ (h >> 27)) * 0x94d049bb133111eb;
	return h ^ (h >> 31);
}

#endif
