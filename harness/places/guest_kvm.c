// SPDX-License-Identifier: MIT
/* Whether KVM can be had: what the CPU says, and what a boot says. */
#include "harness/places/guest.h"

#include "harness/places/guest_launch.h"
#include "harness/places/guest_machine.h"
#include "lib/blackbox.h"
#include "lib/files.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define PROBE_MS 20000

/* Whether KVM works is found once, by a boot. */
static enum { KVM_UNTRIED, KVM_WORKS, KVM_FAILS } kvm_state;
static char kvm_reason[768];

/* /proc/cpuinfo: "flags\t\t: fpu vme ... vmx ..." */
static bool cpu_virtualises(void)
{
	AUTO_FREE char *text = NULL;
	char *flags, *rest, *word;

	if (file_read("/proc/cpuinfo", 8u << 20, &text, NULL, NULL) < 0)
		return false;
	flags = strstr(text, "\nflags");
	if (!flags)
		return false;
	flags[1 + strcspn(flags + 1, "\n")] = 0;
	for (rest = flags; (word = strsep(&rest, " \t"));)
		if (strcmp(word, "vmx") == 0 || strcmp(word, "svm") == 0)
			return true;
	return false;
}

int guest_kvm_offered(struct err *why)
{
	AUTO_CLOSE int fd = -1;

	if (!cpu_virtualises())
		return err_set(why, EOPNOTSUPP, "KVM: this CPU has neither vmx nor svm");
	fd = open("/dev/kvm", O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return err_set(why, EOPNOTSUPP, "KVM: /dev/kvm: open: %s", strerror(errno));
	return 0;
}

/* Waits for the child without a signal handler; kills it when the time is over. */
static int reap_within(pid_t pid, int timeout_ms)
{
	struct pollfd p = { .fd = (int)syscall(SYS_pidfd_open, pid, 0), .events = POLLIN };
	int status = 0, n;

	do {
		n = poll(&p, 1, timeout_ms);
	} while (n < 0 && errno == EINTR);
	if (p.fd >= 0)
		close(p.fd);
	if (n <= 0)
		kill(pid, SIGKILL);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	return n > 0 ? 0 : -ETIMEDOUT;
}

/* A guest of the same kernel, asked for nothing but a sign of life. */
static int probe_in(const json_t *spec, const char *dir, struct err *why)
{
	json_t *probe = json_pack("{s:b, s:{s:O?, s:I, s:i}}", "probe", 1, "machine", "kernel",
				  json_object_get(guest_machine(spec), "kernel"), "memory",
				  (json_int_t)guest_memory(spec), "cpus", 1);
	AUTO_FREE char *text = probe ? json_dumps(probe, 0) : NULL;
	char path[PATH_LEN_MAX], log_path[PATH_LEN_MAX], log[GUEST_LOG_MAX];
	struct blackbox box = { 0 };
	pid_t pid;
	int r;

	r = path_format(path, "%s/blackbox", dir);
	if (r == 0)
		r = path_format(log_path, "%s/qemu.log", dir);
	if (!text || r < 0)
		r = err_errno(why, ENOMEM, "KVM probe");
	if (r == 0)
		r = bb_create(path, BB_BYTES_MIN, text, strlen(text), &box, why);
	if (r == 0)
		r = guest_launch(probe, dir, path, true, true, &pid, why);
	if (r == 0)
		r = reap_within(pid, PROBE_MS);
	if (r == -ETIMEDOUT)
		err_set(why, EOPNOTSUPP, "KVM: a kernel did not boot within %d s", PROBE_MS / 1000);
	else if (r == 0 && !box.header->sealed) {
		guest_qemu_log(log_path, log);
		r = err_set(why, EOPNOTSUPP, "KVM: a guest ended before its kernel had booted%s%s",
			    log[0] ? ": " : "", log);
	}
	bb_close(&box);
	json_decref(probe);
	return r;
}

int guest_kvm_works(const json_t *spec, struct err *why)
{
	const char *tmp = getenv("TMPDIR");
	char dir[PATH_LEN_MAX];
	struct err e = ERR_INIT;
	int r;

	if (kvm_state == KVM_UNTRIED) {
		r = guest_kvm_offered(&e);
		if (r == 0)
			r = path_format(dir, "%s/oomlab-kvm.XXXXXX", tmp && tmp[0] == '/' ? tmp : "/tmp");
		if (r == 0 && !mkdtemp(dir))
			r = err_errno(&e, errno, "%s", dir);
		else if (r == 0) {
			r = probe_in(spec, dir, &e);
			tree_remove(dir, NULL);
		}
		kvm_state = r < 0 ? KVM_FAILS : KVM_WORKS;
		snprintf(kvm_reason, sizeof(kvm_reason), "%.760s", e.text);
	}
	return kvm_state == KVM_WORKS ? 0 : err_set(why, EOPNOTSUPP, "%s", kvm_reason);
}
