// SPDX-License-Identifier: MIT
#include "guest/park.h"

#include "guest/initramfs.h"
#include "lib/blackbox.h"
#include "lib/clock.h"
#include "lib/files.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <sys/io.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#define COMMAND_LINE_MAX 4096
/* docs/specs/pvpanic.txt of QEMU */
#define PVPANIC_PORT     0x505
#define PVPANIC_PANICKED 1
#define SETTLE_NS        (20 * NS_PER_MS) /* two ticks of a kernel with 100 a second */

static bool on_command_line(const char *word)
{
	AUTO_FREE char *text = NULL;
	char *rest, *one;

	if (file_read("/proc/cmdline", COMMAND_LINE_MAX, &text, NULL, NULL) < 0)
		return false;
	for (rest = text; (one = strsep(&rest, " \n"));)
		if (strcmp(one, word) == 0)
			return true;
	return false;
}

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

/*
 * While QEMU comes to a halt its clock, a count of instructions, may jump to the
 * next timer interrupt or not: that depends on which of its threads is faster.
 * So we stay in user space until that interrupt is past in either case, and
 * leave at the same instruction count: 2 ns each (shift=1), five to a turn; the
 * nops make up for how far into a turn we were. Time stamps are in nanoseconds.
 */
static void rejoin(uint64_t until_ns)
{
#ifdef __x86_64__
	unsigned int tries = 100;
	uint64_t late_ns;

	do {
		until_ns += NS_PER_MS;
		__asm__ volatile("1: rdtsc\n"
				 "shl $32, %%rdx\n"
				 "or %%rdx, %%rax\n"
				 "cmp %[until], %%rax\n"
				 "jb 1b\n"
				 "sub %[until], %%rax\n"
				 "mov %%rax, %[late]\n"
				 "shr %%rax\n"
				 "and $7, %%rax\n"
				 "lea 2f(%%rip), %%rdx\n"
				 "add %%rax, %%rdx\n"
				 "jmp *%%rdx\n"
				 "2: nop; nop; nop; nop; nop; nop; nop; nop\n"
				 : [late] "=r"(late_ns)
				 : [until] "r"(until_ns)
				 : "rax", "rdx", "cc");
		/* More: an interrupt came in between. */
	} while (late_ns > 8 && --tries);
#else
	(void)until_ns; /* no deterministic guest is 32-bit */
#endif
}

/*
 * With several CPUs QEMU gives each its turn at least every 100 ms of the guest's
 * time, counted from when the machine last went on or was last idle. When it
 * went on may be on either side of the jump above, so the guest is idle once;
 * thrice, since QEMU may miss one.
 */
static void idle(void)
{
	const struct timespec briefly = { 0, 5 * NS_PER_MS };
	unsigned int i;

	for (i = 0; i < 3; i++)
		nanosleep(&briefly, NULL);
}

int park_machine(void *map, struct err *e)
{
	bool deterministic = on_command_line(INITRAMFS_DETERMINISTIC);
	uint64_t parked_ns;
	int r;

	tcdrain(STDERR_FILENO);
	bb_park(map);
	parked_ns = __builtin_ia32_rdtsc();
	r = stop_machine(e);
	if (r == 0 && deterministic) {
		rejoin(parked_ns + SETTLE_NS);
		idle();
	}
	return r;
}

void park_turn(uint64_t seed)
{
	uint64_t z = seed + 0x9e3779b97f4a7c15, turns;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
	z = (z ^ z >> 27) * 0x94d049bb133111eb;
	for (turns = seed ? (z ^ z >> 31) % (1 << 20) + 1 : 0; turns; turns--)
		__asm__ volatile("" ::: "memory");
}
