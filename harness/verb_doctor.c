// SPDX-License-Identifier: MIT
/* oomlab doctor: what this machine can and cannot do, and the one command that mends it. */
#include "harness/janitor.h"
#include "harness/verbs.h"

#include "cgroups/cgroups.h"
#include "guest/kernels.h"
#include "harness/places/guest.h"
#include "lib/capture.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

/* One finding: mend is NULL where all is well or nothing can be done about it. */
static void finding(bool good, const char *what, const char *found, const char *mend)
{
	printf("%-4s %-22s %s\n", good ? "ok" : "no", what, found);
	if (!good && mend)
		printf("     %-22s   -> %s\n", "", mend);
}

static void look_at_cgroups(void)
{
	struct err e = ERR_INIT;
	struct cg_system sys;
	char parent[512], text[1024], path[PATH_LEN_MAX];
	bool good;

	if (cg_init(&sys, &e) < 0) {
		finding(false, "cgroups", e.text, "mount -t cgroup2 cgroup2 /sys/fs/cgroup");
		return;
	}
	snprintf(text, sizeof(text), "v%d memory controller at %s", sys.version, sys.memory);
	finding(true, "cgroups", text, NULL);
	good = cg_default_parent(&sys, parent, sizeof(parent), &e) == 0 && cg_may_make(&sys, parent, &e) == 0;
	snprintf(text, sizeof(text), "%s/%s", sys.memory, parent);
	finding(good, "own cgroups", good ? text : e.text,
		"run as root, or: systemd-run --user --scope -p Delegate=yes oomlab ...");
	if (sys.version == 1 && path_format(path, "%s/memory.memsw.limit_in_bytes", sys.memory) == 0) {
		good = access(path, F_OK) == 0;
		finding(good, "swap accounting",
			good ? "memory.swap.max works" : "memory.swap.max cannot be limited",
			"boot with swapaccount=1");
	}
}

static void look_at_file(const char *what, const char *path, const char *mend)
{
	int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	char text[512], byte;
	bool good =
		fd >= 0 && (read(fd, &byte, 1) >= 0 || errno == EAGAIN || errno == EPIPE || errno == EINVAL);

	snprintf(text, sizeof(text), "%s%s%s", path, good ? "" : ": ", good ? "" : strerror(errno));
	finding(good, what, text, mend);
	if (fd >= 0)
		close(fd);
}

/* Tried in a child that is thrown away. */
static bool child_can(int (*try)(void))
{
	int status = 1;
	pid_t pid = fork();

	if (pid == 0)
		_exit(try() != 0);
	while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	return pid > 0 && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static int lower_adj(void)
{
	return file_put("/proc/self/oom_score_adj", "-1000", NULL);
}

static int lock_memory(void)
{
	return mlockall(MCL_CURRENT);
}

static void look_at_rights(void)
{
	bool good = child_can(lower_adj);

	finding(good, "oom_score_adj below 0",
		good ? "allowed" : "not allowed here (CAP_SYS_RESOURCE); in a guest it is",
		"oomlab run --place guest ...");
	good = child_can(lock_memory);
	finding(good, "locked memory",
		good ? "the engine locks its memory" : "the engine cannot lock its memory",
		"ulimit -l unlimited");
}

static void look_at_guests(void)
{
	char text[512] = "";
	struct err e = ERR_INIT;
	bool good = guest_qemu_version(text, sizeof(text)) == 0;

	finding(good, "QEMU", good ? text : "not installed: no guests", "apt-get install qemu-system-x86");
	good = guest_kvm_offered(&e) == 0;
	finding(good, "KVM", good ? "CPU and /dev/kvm are there; a first boot decides" : e.text, NULL);
	if (!good)
		printf("     %-22s   (guests run under TCG: slower, the same results)\n", "");
}

static void look_at_kernels(void)
{
	struct kernel_table table;
	struct err e = ERR_INIT;
	size_t i;

	if (kernels_load(&table, &e) < 0) {
		finding(false, "guest kernels", e.text, NULL);
		return;
	}
	for (i = 0; i < table.count; i++) {
		struct kernel k;
		char what[64];

		snprintf(what, sizeof(what), "kernel %.40s", table.rows[i].name);
		if (kernels_find(table.rows[i].name, &k, &e) == 0)
			finding(k.cached, what,
				k.cached ? k.version : "not fetched yet (a run that needs it does)", NULL);
	}
}

static int repair(bool really)
{
	struct err e = ERR_INIT;
	char text[128];
	int n = janitor_repair(0, really, &e);

	if (n < 0) {
		finding(false, "left by killed runs", e.text, NULL);
		return EXIT_BROKEN;
	}
	snprintf(text, sizeof(text), n == 0 ? "nothing" : really ? "%d trials: undone" : "%d trials", n);
	finding(n == 0 || really, "left by killed runs", text, "oomlab doctor --repair");
	return EXIT_PASS;
}

int verb_doctor(int argc, char **argv)
{
	static const struct option options[] = { { "repair", no_argument, NULL, 'r' },
						 { "help", no_argument, NULL, 'h' },
						 { NULL, 0, NULL, 0 } };
	bool really = false;
	struct utsname u;
	char text[256];
	int c;

	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (c == 'h') {
			printf("usage: oomlab doctor [--repair]\n\n"
			       "  --repair  undo what killed runs left: cgroups, sysctls, swap, files\n");
			return EXIT_PASS;
		}
		if (c != 'r')
			return EXIT_USAGE;
		really = true;
	}
	if (optind < argc)
		return complain_and(EXIT_USAGE, "doctor", "takes no \"%s\"; --repair is all", argv[optind]);
	uname(&u);
	snprintf(text, sizeof(text), "%.100s %.50s, %ld CPUs", u.release, u.machine,
		 sysconf(_SC_NPROCESSORS_ONLN));
	finding(true, "this machine", text, NULL);
	look_at_cgroups();
	look_at_file("kernel log", "/dev/kmsg", "run as root, or: sysctl kernel.dmesg_restrict=0");
	look_at_file("pressure (PSI)", "/proc/pressure/memory", "boot with psi=1");
	look_at_rights();
	look_at_guests();
	look_at_kernels();
	return repair(really);
}
