// SPDX-License-Identifier: MIT
#include "guest/park.h"

#include "lib/blackbox.h"
#include "lib/files.h"
#include "lib/hash.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/io.h>
#include <termios.h>
#include <unistd.h>

/* docs/specs/pvpanic.txt of QEMU */
#define PVPANIC_PORT     0x505
#define PVPANIC_PANICKED 1
/* Of the loop in front of a trial. */
#define TURNS_MAX (1u << 20)

/* One byte to the pvpanic device's port: QEMU stops the machine within that instruction. */
static int stop_machine(struct err *e)
{
	AUTO_CLOSE int fd = -1;

	if (ioperm(PVPANIC_PORT, 1, 1) == 0) {
		outb(PVPANIC_PANICKED, PVPANIC_PORT);
		return 0;
	}
	/* Kernels without CONFIG_X86_IOPL_IOPERM */
	fd = open("/dev/port", O_WRONLY | O_CLOEXEC);
	if (fd < 0 || pwrite(fd, (char[]){ PVPANIC_PANICKED }, 1, PVPANIC_PORT) != 1)
		return err_errno(e, errno, "neither ioperm() nor /dev/port to stop the machine with");
	return 0;
}

int park_machine(void *map, struct err *e)
{
	tcdrain(STDERR_FILENO);
	bb_park(map);
	return stop_machine(e);
}

void park_turn(uint64_t seed)
{
	uint64_t turns = seed ? hash_mix(seed + 0x9e3779b97f4a7c15) % TURNS_MAX + 1 : 0;

	for (; turns; turns--)
		__asm__ volatile("" ::: "memory");
}
