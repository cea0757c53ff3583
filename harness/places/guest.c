// SPDX-License-Identifier: MIT
/* A throw-away QEMU machine as a place: any kernel, any size, and nothing in it can hurt this machine. */
#include "harness/places/guest.h"

#include "guest/initramfs.h"
#include "guest/kernels.h"
#include "harness/places/guest_machine.h"
#include "harness/places/qemu.h"
#include "lib/blackbox.h"
#include "lib/capture.h"
#include "lib/files.h"
#include "lib/json.h"
#include "lib/paths.h"
#include "lib/units.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define PROBE_MS     20000
#define VERSION_MS   10000
#define QEMU_LOG_MAX (64u << 10)

/* Whether KVM works is found once, by a boot. */
static enum { KVM_UNTRIED, KVM_WORKS, KVM_FAILS } kvm_state;
static char kvm_reason[768];

int guest_qemu_version(char *ret, size_t room)
{
	const char *const command[] = { QEMU_PROGRAM, "--version", NULL };
	AUTO_FREE char *text = NULL;
	int status, r;

	r = capture(command, VERSION_MS, &text, &status, NULL);
	if (r < 0)
		return r;
	snprintf(ret, room, "%.*s", (int)strcspn(text, "\n"), text);
	return status == 0 && ret[0] ? 0 : -EIO;
}

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

/* Its first process and its stressors, in the kernel's own width. Where only the 32-bit ones lack: -EOPNOTSUPP. */
static int find_programs(const struct kernel *k, char ret_agent[PATH_LEN_MAX], char ret_stress[PATH_LEN_MAX],
			 struct err *e)
{
	bool narrow = strcmp(k->arch, "i386") == 0;

	if (paths_helper(narrow ? "i386/oomlab-agent" : "oomlab-agent", ret_agent) == 0 &&
	    paths_helper(narrow ? "i386/oomlab-stress" : "oomlab-stress", ret_stress) == 0)
		return 0;
	if (narrow)
		return err_set(e, EOPNOTSUPP,
			       "%s is a 32-bit kernel, and the 32-bit oomlab-agent and oomlab-stress are not "
			       "built: run ci/deps, then make",
			       k->name);
	return err_set(e, ENOENT, "oomlab-agent, oomlab-stress: not found beside oomlab");
}

static int guest_can(const json_t *spec, const struct place_options *o, struct err *why)
{
	const json_t *machine = guest_machine(spec);
	char have[UNITS_TEXT_MAX], want[UNITS_TEXT_MAX];
	char program[PATH_LEN_MAX];
	struct kernel k;

	if (qemu_find(program, sizeof(program)) < 0)
		return err_set(why, EOPNOTSUPP,
			       QEMU_PROGRAM " is not installed: apt-get install qemu-system-x86");
	if (kernels_find(json_text(machine, "kernel", NULL), &k, why) < 0)
		return -EOPNOTSUPP;
	if (guest_memory(spec) < k.memory_min_bytes)
		return err_set(why, EOPNOTSUPP, "%s does not boot with %s of memory: at least %s", k.name,
			       size_format(have, guest_memory(spec)), size_format(want, k.memory_min_bytes));
	if (strcmp(k.arch, "i386") == 0 && guest_deterministic(spec))
		return err_set(why, EOPNOTSUPP, "machine.deterministic: not with a 32-bit kernel (%s)",
			       k.name);
	if (find_programs(&k, program, program, why) == -EOPNOTSUPP)
		return -EOPNOTSUPP;
	if (guest_machine_fits(spec, o->accel, why) < 0)
		return -EOPNOTSUPP;
	if (o->accel && strcmp(o->accel, "kvm") == 0)
		return guest_kvm_offered(why);
	return 0;
}

static int find_modules(const json_t *spec, const struct kernel *k, struct module_list *ret, struct err *e)
{
	struct guest_modules need;

	guest_modules(spec, &need);
	ret->count = 0;
	if (!k->modules_dir[0] || !need.names[0])
		return 0;
	return modules_resolve(k->modules_dir, need.names, ret, e);
}

static int guest_prepare(const json_t *spec, const struct place_options *o, struct err *why)
{
	struct module_list modules;
	struct kernel k;
	int r;

	r = kernels_find(json_text(guest_machine(spec), "kernel", NULL), &k, why);
	if (r == 0)
		r = kernels_ensure(&k, why);
	if (r == 0)
		r = find_modules(spec, &k, &modules, why);
	if (r < 0)
		return r;
	modules_free(&modules);
	if (!o->accel || strcmp(o->accel, "tcg") == 0 || guest_deterministic(spec))
		return 0;
	r = guest_kvm_works(spec, why);
	return strcmp(o->accel, "kvm") == 0 ? r : 0;
}

/*
 * Files that only QEMU is to see: in memory, or without a name in dir, so that
 * nothing is left behind however the harness ends.
 */
static int make_initramfs(const json_t *spec, const struct kernel *k, struct err *e)
{
	char agent[PATH_LEN_MAX], stress[PATH_LEN_MAX];
	struct module_list modules;
	int fd, r;

	r = find_programs(k, agent, stress, e);
	if (r == 0)
		r = find_modules(spec, k, &modules, e);
	if (r < 0)
		return r;
	fd = memfd_create("initramfs", MFD_CLOEXEC);
	if (fd < 0)
		r = err_errno(e, errno, "initramfs: memfd_create");
	else
		r = initramfs_write(fd, agent, stress, &modules, e);
	modules_free(&modules);
	if (r < 0 && fd >= 0)
		close(fd);
	return r < 0 ? r : fd;
}

static int unnamed_file(const char *dir)
{
	char path[PATH_LEN_MAX];
	int fd = open(dir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);

	if (fd >= 0)
		return fd;
	if (path_format(path, "%s/swap.XXXXXX", dir) < 0)
		return -1;
	fd = mkostemp(path, O_CLOEXEC);
	if (fd >= 0)
		unlink(path);
	return fd;
}

/* Its space is taken now: a disk that fills up later would look to the guest like a broken one. */
static int make_swap(const char *dir, uint64_t bytes, struct err *e)
{
	char size[UNITS_TEXT_MAX];
	int fd = unnamed_file(dir);
	int code = 0;

	if (fd < 0)
		return err_errno(e, errno, "swap image in %s: create", dir);
	if (fallocate(fd, 0, 0, (off_t)bytes) < 0)
		code = errno;
	if (code == EOPNOTSUPP)
		code = ftruncate(fd, (off_t)bytes) < 0 ? errno : 0;
	if (code) {
		close(fd);
		return err_errno(e, code, "swap image of %s in %s", size_format(size, bytes), dir);
	}
	return fd;
}

static int start_in(const json_t *spec, const char *dir, const char *box_path, bool kvm, pid_t *ret_pid,
		    struct err *e)
{
	char console[PATH_LEN_MAX], log[PATH_LEN_MAX], append[GUEST_APPEND_MAX];
	AUTO_CLOSE int initramfs = -1;
	AUTO_CLOSE int swap = -1;
	enum swap_backing backing = guest_swap(spec) ? guest_swap_kind(spec)->backing : SWAP_NOTHING;
	struct qemu_setup s;
	struct kernel k;
	struct stat st;
	int r;

	r = kernels_find(json_text(guest_machine(spec), "kernel", NULL), &k, e);
	if (r < 0)
		return r;
	if (!k.cached)
		return err_set(e, ENOENT, "kernel %s is not in the cache any more", k.name);
	if (stat(box_path, &st) < 0)
		return err_errno(e, errno, "%s", box_path);
	if (path_format(console, "%s/console.log", dir) < 0 || path_format(log, "%s/qemu.log", dir) < 0)
		return err_errno(e, ENAMETOOLONG, "%s", dir);
	r = guest_command_line(spec, append, e);
	if (r < 0)
		return r;
	initramfs = make_initramfs(spec, &k, e);
	if (initramfs < 0)
		return initramfs;
	if (backing == SWAP_IMAGE) {
		swap = make_swap(dir, guest_swap_bytes(spec), e);
		if (swap < 0)
			return swap;
	}
	s = (struct qemu_setup){
		.kernel = k.vmlinuz,
		.append = append,
		.memory_bytes = guest_memory(spec),
		.cpus = (unsigned int)json_number(guest_machine(spec), "cpus", 1),
		.nodes = json_object_get(guest_machine(spec), "nodes"),
		.distances = json_object_get(guest_machine(spec), "distances"),
		.initramfs_fd = initramfs,
		.swap_fd = swap,
		.pmem_bytes = backing == SWAP_NVDIMM ? guest_swap_bytes(spec) : 0,
		.box_path = box_path,
		.box_bytes = (uint64_t)st.st_size,
		.console_path = console,
		.log_path = log,
		.kvm = kvm,
		.deterministic = guest_deterministic(spec),
	};
	return qemu_start(&s, ret_pid, e);
}

static int guest_start(struct trial *t, struct err *e)
{
	const char *accel = t->options->accel;
	bool kvm =
		kvm_state == KVM_WORKS && accel && strcmp(accel, "tcg") != 0 && !guest_deterministic(t->spec);

	return start_in(t->spec, t->dir, t->box_path, kvm, &t->pid, e);
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

/* QEMU's own words, in one line; an empty log is taken away. */
static void read_qemu_log(const char *path, char ret[512])
{
	AUTO_FREE char *text = NULL;
	char *p;

	ret[0] = 0;
	if (file_read(path, QEMU_LOG_MAX, &text, NULL, NULL) < 0)
		return;
	console_clean(text);
	snprintf(ret, 512, "%s", text);
	for (p = ret + strlen(ret); p > ret && p[-1] == '\n';)
		*--p = 0;
	while ((p = strchr(ret, '\n')))
		*p = ' ';
	if (!ret[0])
		unlink(path);
}

/* A guest of the same kernel, asked for nothing but a sign of life. */
static int probe_in(const json_t *spec, const char *dir, struct err *why)
{
	json_t *probe = json_pack("{s:b, s:{s:O?, s:I, s:i}}", "probe", 1, "machine", "kernel",
				  json_object_get(guest_machine(spec), "kernel"), "memory",
				  (json_int_t)guest_memory(spec), "cpus", 1);
	AUTO_FREE char *text = probe ? json_dumps(probe, 0) : NULL;
	char path[PATH_LEN_MAX], log_path[PATH_LEN_MAX], log[512];
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
		r = start_in(probe, dir, path, true, &pid, why);
	if (r == 0)
		r = reap_within(pid, PROBE_MS);
	if (r == -ETIMEDOUT)
		err_set(why, EOPNOTSUPP, "KVM: a kernel did not boot within %d s", PROBE_MS / 1000);
	else if (r == 0 && !box.header->sealed) {
		read_qemu_log(log_path, log);
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

/* What the box tells of a guest that never sealed it. */
struct traces {
	bool booted;      /* the agent wrote to it */
	uint64_t last_ns; /* of the last tick, 0: none */
};

static struct traces read_traces(const char *box_path)
{
	struct traces ret = { 0 };
	struct blackbox box;

	if (bb_open(box_path, false, &box, NULL) < 0)
		return ret;
	ret.booted = bb_next(&box, NULL) != NULL;
	ret.last_ns = box.header->live.t_ns;
	bb_close(&box);
	return ret;
}

/* The box was not sealed: whose fault was it? */
static int explain(const struct trial *t, int status, bool timed_out, const char *log, struct err *why)
{
	char console_path[PATH_LEN_MAX], at[UNITS_TEXT_MAX];
	struct traces traces = read_traces(t->box_path);
	struct console c;

	if (path_format(console_path, "%s/console.log", t->dir) < 0)
		return err_errno(why, ENAMETOOLONG, "%s", t->dir);
	console_read(console_path, &c);
	if (c.panic[0])
		return err_set(why, EIO, "the guest's kernel panicked: %s%s", c.panic, c.tail);
	if (timed_out && !traces.booted)
		return err_set(why, ETIMEDOUT, "the guest's kernel did not boot: no sign of life within %s%s",
			       duration_format(at, guest_deadline(t->spec)),
			       c.tail[0] ? c.tail : "; its console is empty");
	if (timed_out)
		return err_set(why, ETIMEDOUT,
			       "the guest hung: no end after %s, its last sample is from %s into the trial%s",
			       duration_format((char[UNITS_TEXT_MAX]){ 0 }, guest_deadline(t->spec)),
			       duration_format(at, traces.last_ns), c.tail);
	if (WIFSIGNALED(status))
		return err_set(why, EIO, "QEMU was killed by signal %d (%s)%s", WTERMSIG(status),
			       strsignal(WTERMSIG(status)), c.tail);
	if (WEXITSTATUS(status) && !traces.booted)
		return err_set(why, EIO, "QEMU failed to start (exit %d): %s%s", WEXITSTATUS(status),
			       log[0] ? log : "it said nothing", c.tail);
	if (WEXITSTATUS(status))
		return err_set(why, EIO, "QEMU gave up (exit %d): %s%s", WEXITSTATUS(status),
			       log[0] ? log : "it said nothing", c.tail);
	if (c.agent[0])
		return err_set(why, EIO, "the guest's agent gave up: %s%s", c.agent, c.tail);
	return err_set(why, EIO, "the guest's machine was reset without a panic%s%s",
		       traces.booted ? "" : ", before its kernel had booted", c.tail);
}

static int guest_finish(struct trial *t, int status, bool timed_out, struct err *why)
{
	char path[PATH_LEN_MAX], log[512] = "";
	int r;

	if (path_format(path, "%s/qemu.log", t->dir) == 0)
		read_qemu_log(path, log);
	r = place_sealed(t->box_path, why);
	return r == -EAGAIN ? explain(t, status, timed_out, log, why) : r;
}

const struct place place_guest = {
	.name = "guest",
	.about = "a throw-away QEMU machine with a kernel of your choice",
	.can = guest_can,
	.prepare = guest_prepare,
	.start = guest_start,
	.deadline_ns = guest_deadline,
	.finish = guest_finish,
};
