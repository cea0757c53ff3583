// SPDX-License-Identifier: MIT
/*
 * libFuzzer target: a scenario, then options, each after a byte 0x01: what
 * begins with 'm' is a --matrix, with 'k' a --kernel, the rest a --set.
 *
 *   clang -g -O1 -fsanitize=fuzzer,address,undefined -D_GNU_SOURCE -I. -o build/scenario_fuzz \
 *     tests/fuzz/scenario_fuzz.c harness/scenario/*.c lib/*.c \
 *     -lfyaml -ljansson
 *   build/scenario_fuzz -max_total_time=120 -dict=tests/fuzz/scenario.dict build/corpus
 * tests/fixtures/scenarios
 */
#include "harness/scenario/scenario.h"

#include <stdint.h>
#include <sys/mman.h>

#include "tests/unit/scenario_known.h"

#define OPTIONS_MAX 8

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);
const char *__lsan_default_suppressions(void);
const char *__asan_default_options(void);

/* libfyaml 0.7.12 leaks the list of pieces of a quoted scalar that has very many (...), once a scalar. */
const char *__lsan_default_suppressions(void)
{
	return "leak:fy_atom_iter_chunk_next\n";
}

/* libfyaml keeps no frame pointers: without this the suppression sees no names. */
const char *__asan_default_options(void)
{
	return "fast_unwind_on_malloc=0";
}

static void take_options(char *text, const char *lists[3][OPTIONS_MAX], size_t counts[3])
{
	char *one, *rest = text;

	while ((one = strsep(&rest, "\x01"))) {
		int kind = one[0] == 'm' ? 1 : one[0] == 'k' ? 2 : 0;

		if (counts[kind] < OPTIONS_MAX)
			lists[kind][counts[kind]++] = one + (kind > 0);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	const char *lists[3][OPTIONS_MAX];
	const uint8_t *end = memchr(data, 1, len);
	size_t text_len = end ? (size_t)(end - data) : len, counts[3] = { 0 };
	char *options = strndup(end ? (const char *)end + 1 : "", end ? len - text_len - 1 : 0), path[64];
	struct scenario_options o = { .sets = lists[0], .matrices = lists[1], .kernels = lists[2] };
	struct complaints *c = complaints_new();
	struct scenario *s = NULL;
	int fd = memfd_create("scenario", 0), r;

	if (fd < 0 || write(fd, data, text_len) != (ssize_t)text_len)
		abort();
	if (end)
		take_options(options, lists, counts);
	o.set_count = counts[0];
	o.matrix_count = counts[1];
	o.kernel_count = counts[2];
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	r = scenario_load(path, &o, &known, c, &s);
	if ((r == 0) != (complaints_count(c) == 0) || (r == 0) != (s != NULL))
		abort();
	free(said_of(c, path));
	scenario_free(s);
	complaints_free(c);
	free(options);
	close(fd);
	return 0;
}
