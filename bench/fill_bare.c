// SPDX-License-Identifier: MIT
/* The least that takes memory: one mapping of argv[1] bytes, filled by one MADV_POPULATE_WRITE (Linux 5.14). */
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23
#endif

int main(int argc, char **argv)
{
	size_t size = argc == 2 ? strtoul(argv[1], NULL, 10) : 0;
	void *start = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (start == MAP_FAILED) {
		perror("fill_bare: mmap");
		return EXIT_FAILURE;
	}
	(void)madvise(start, size, MADV_NOHUGEPAGE);
	if (madvise(start, size, MADV_POPULATE_WRITE) < 0) {
		perror("fill_bare: MADV_POPULATE_WRITE");
		return EXIT_FAILURE;
	}
	return EXIT_SUCCESS;
}
