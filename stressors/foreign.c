// SPDX-License-Identifier: MIT
/* Whose malloc it is. oomlab-stress is static and has the C library's; in oomlab-stress-malloc one may be preloaded. */
#include "stressors/runtime.h"

#include "lib/sharedpage.h"

#include <dlfcn.h>
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

int64_t stress_anon(void)
{
	int64_t ram = stress_own("RssAnon"), swap = stress_own("VmSwap");

	return ram == SHARED_UNKNOWN || swap == SHARED_UNKNOWN ? SHARED_UNKNOWN : ram + swap;
}

bool stress_foreign_malloc(const struct stress *s)
{
	return s->anon_start >= 0;
}

/* False as well where there are no libraries. */
static bool is_foreign(void)
{
	Dl_info of_malloc, of_libc;

	return dladdr((void *)(uintptr_t)malloc, &of_malloc) && dladdr((void *)(uintptr_t)getpid, &of_libc) &&
	       of_malloc.dli_fbase != of_libc.dli_fbase;
}

/* What cannot be preloaded the loader only mentions, and goes on with the C library's. */
int foreign_open(struct stress *s, struct err *e)
{
	const char *wanted = getenv(SHARED_MALLOC_ENV);

	s->anon_start = -1;
	if (is_foreign())
		s->anon_start = stress_anon();
	if (wanted && s->anon_start < 0)
		return err_set(e, ENOENT, "%s could not be preloaded: malloc is the C library's", wanted);
	return 0;
}
