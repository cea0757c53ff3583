// SPDX-License-Identifier: MIT
#include "harness/places/qemu.h"

#include "guest/devices.h"
#include "lib/files.h"
#include "lib/paths.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xxhash.h>

#define QEMU_LOCKSTEP "oomlab-lockstep.so"
#define ARGS_MAX      384 /* 64 CPUs in 8 nodes with their distances take 320 */

struct args {
	char *v[ARGS_MAX + 1];
	size_t count;
	bool failed;                 /* no memory, or too many */
	char lockstep[PATH_LEN_MAX]; /* to be preloaded; "" for a guest that is not deterministic */
};

static void add(struct args *a, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static void add(struct args *a, const char *fmt, ...)
{
	va_list ap;

	if (a->count == ARGS_MAX) {
		a->failed = true;
		return;
	}
	va_start(ap, fmt);
	if (vasprintf(&a->v[a->count], fmt, ap) < 0)
		a->failed = true;
	else
		a->count++;
	va_end(ap);
}

static void free_args(struct args *a)
{
	while (a->count)
		free(a->v[--a->count]);
}

/* In QEMU's option lists a comma within a value is written twice. */
static void escape(char ret[2 * PATH_LEN_MAX], const char *value)
{
	size_t n = 0;

	for (; *value && n < 2 * PATH_LEN_MAX - 2; value++) {
		if (*value == ',')
			ret[n++] = ',';
		ret[n++] = *value;
	}
	ret[n] = 0;
}

static void add_distances(struct args *a, const json_t *distances)
{
	const json_t *row, *one;
	size_t i, k;

	json_array_foreach (distances, i, row)
		json_array_foreach (row, k, one) {
			if (i == k)
				continue; /* 10 always */
			add(a, "-numa");
			add(a, "dist,src=%zu,dst=%zu,val=%lld", i, k, (long long)json_integer_value(one));
		}
}

/* CPUs are dealt to the nodes in turn. */
static void add_nodes(struct args *a, const struct qemu_setup *s)
{
	size_t n = json_array_size(s->nodes), i;
	unsigned int cpu;

	for (i = 0; i < n; i++) {
		json_int_t bytes = json_integer_value(json_array_get(s->nodes, i));

		add(a, "-object");
		add(a, "memory-backend-ram,id=node%zu,size=%lldK", i, (long long)bytes / 1024);
		add(a, "-numa");
		add(a, "node,nodeid=%zu,memdev=node%zu", i, i);
	}
	for (cpu = 0; n && cpu < s->cpus; cpu++) {
		add(a, "-numa");
		add(a, "cpu,node-id=%zu,socket-id=%u", cpu % n, cpu);
	}
	add_distances(a, s->distances);
}

static uint64_t data_pmem_bytes(const struct qemu_setup *s)
{
	return s->data_fd >= 0 && s->data_pmem ? s->data_bytes : 0;
}

static uint64_t programs_bytes(const struct qemu_setup *s)
{
	return s->programs_fd >= 0 ? s->programs_bytes : 0;
}

static bool has_nvdimm(const struct qemu_setup *s)
{
	return s->pmem_bytes || data_pmem_bytes(s) || programs_bytes(s);
}

/* fd: the image it starts with, -1: zeros; 0 bytes: there is none. */
static void add_nvdimm(struct args *a, const char *id, uint64_t bytes, int fd)
{
	if (!bytes)
		return;
	add(a, "-object");
	if (fd < 0)
		add(a, "memory-backend-ram,id=%s,size=%" PRIu64 "K", id, bytes / 1024);
	else
		add(a, "memory-backend-file,id=%s,share=off,size=%" PRIu64 "K,mem-path=/dev/fd/%d", id,
		    bytes / 1024, fd);
	add(a, "-device");
	add(a, "nvdimm,memdev=%s", id);
}

/*
 * A persistent memory device is in a slot beyond the RAM. QEMU adds what aligning the slot takes to maxmem by
 * itself. What the guest writes to one with an image stays in QEMU's memory (share=off), and so goes into snapshots.
 */
static void add_memory(struct args *a, const struct qemu_setup *s)
{
	uint64_t swap = s->pmem_bytes, data = data_pmem_bytes(s), programs = programs_bytes(s);

	add(a, "-m");
	if (!has_nvdimm(s)) {
		add(a, "%" PRIu64 "K", s->memory_bytes / 1024);
		return;
	}
	add(a, "%" PRIu64 "K,slots=%d,maxmem=%" PRIu64 "K", s->memory_bytes / 1024,
	    !!swap + !!data + !!programs, (s->memory_bytes + swap + data + programs) / 1024);
	add_nvdimm(a, "pmem", swap, -1);
	add_nvdimm(a, "data", data, s->data_fd);
	add_nvdimm(a, "programs", programs, s->programs_fd);
}

/*
 * Time is a count of instructions, 2 ns each, and jumps over what is slept; the calendar starts at a fixed
 * date. QEMU runs all CPUs in one thread then.
 */
static void add_clock(struct args *a)
{
	add(a, "-icount");
	add(a, "shift=1,sleep=off");
	add(a, "-rtc");
	add(a, "base=2026-01-01,clock=vm");
}

static void add_machine(struct args *a, const struct qemu_setup *s)
{
	static const char *const bare[] = { "-nodefaults", "-no-user-config", "-no-reboot", NULL };
	size_t i;

	for (i = 0; bare[i]; i++)
		add(a, "%s", bare[i]);
	add(a, "-nic");
	add(a, "none");
	add(a, "-display");
	add(a, "none");
	add(a, "-sandbox");
	add(a, "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny");
	add(a, "-machine");
	add(a, "pc%s", has_nvdimm(s) ? ",nvdimm=on" : "");
	add(a, "-accel");
	add(a, "%s", s->kvm ? "kvm" : "tcg");
	/*
	 * TCG of QEMU 7.2 leaves garbage in EFLAGS after cmpxchg16b, which SLUB's fast path uses: about one
	 * boot in ten of a 6.12 kernel died of a double fault in __kmalloc or hung. Without the CPU flag
	 * kernels do without the instruction.
	 */
	add(a, "-cpu");
	add(a, "%s", s->kvm ? "host" : "qemu64,-cx16,-rdrand,-rdseed");
	if (s->deterministic)
		add_clock(a);
	add_memory(a, s);
	add(a, "-smp");
	add(a, "%u,sockets=%u,cores=1,threads=1", s->cpus, s->cpus);
	add_nodes(a, s);
	add(a, "-kernel");
	add(a, "%s", s->kernel);
	add(a, "-initrd");
	add(a, "/dev/fd/%d", s->initramfs_fd);
	add(a, "-append");
	add(a, "%s", s->append);
	if (!s->incoming)
		return;
	add(a, "-incoming");
	add(a, "defer");
}

/* The guest's way to stop itself, and ours to go on. */
static void add_control(struct args *a, const struct qemu_setup *s)
{
	add(a, "-device");
	add(a, "pvpanic");
	add(a, "-action");
	add(a, "panic=pause");
	add(a, "-chardev");
	add(a, "socket,id=qmp,fd=%d", s->qmp_fd);
	add(a, "-mon");
	add(a, "chardev=qmp,mode=control");
}

/* Disks are thrown away with the guest: nothing needs to be flushed. */
static void add_disk(struct args *a, const char *id, int fd, const char *more)
{
	add(a, "-blockdev");
	add(a, "driver=file,node-name=%s,filename=/dev/fd/%d,locking=off,cache.no-flush=on", id, fd);
	add(a, "-device");
	add(a, "virtio-blk-pci,drive=%s%s,werror=report,rerror=report", id, more);
}

static void add_devices(struct args *a, const struct qemu_setup *s)
{
	char path[2 * PATH_LEN_MAX];

	escape(path, s->console_path);
	add(a, "-chardev");
	add(a, "file,id=console,append=on,path=%s", path);
	add(a, "-serial");
	add(a, "chardev:console");
	escape(path, s->box_path);
	add(a, "-object");
	add(a, "memory-backend-file,id=box,share=on,size=%" PRIu64 ",mem-path=%s", s->box_bytes, path);
	add(a, "-device");
	/* Without master=on QEMU refuses to write a snapshot. */
	add(a, "ivshmem-plain,memdev=box,master=on");
	if (s->swap_fd >= 0)
		add_disk(a, "swap", s->swap_fd, ",serial=" DEVICE_SWAP_SERIAL);
	if (s->data_fd >= 0 && !s->data_pmem)
		add_disk(a, "data", s->data_fd, "");
}

static int make_args(struct args *a, const struct qemu_setup *s, struct err *e)
{
	char program[PATH_LEN_MAX];

	if (paths_program(QEMU_PROGRAM, program) < 0)
		return err_set(e, ENOENT, QEMU_PROGRAM " is not installed: apt-get install qemu-system-x86");
	if (s->deterministic && paths_helper(QEMU_LOCKSTEP, a->lockstep) < 0)
		return err_set(e, ENOENT, QEMU_LOCKSTEP ": not found beside oomlab");
	add(a, "%s", program);
	add_machine(a, s);
	add_devices(a, s);
	add_control(a, s);
	if (!a->failed)
		return 0;
	free_args(a);
	return err_set(e, ENOMEM, QEMU_PROGRAM ": its arguments: out of memory");
}

static _Noreturn void exec_qemu(const struct qemu_setup *s, struct args *a, int log, pid_t parent)
{
	int null = open("/dev/null", O_RDONLY);
	sigset_t none;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(127);
	setpgid(0, 0);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	signal(SIGPIPE, SIG_DFL);
	dup2(null, STDIN_FILENO);
	dup2(log, STDOUT_FILENO);
	dup2(log, STDERR_FILENO);
	fcntl(s->initramfs_fd, F_SETFD, 0);
	fcntl(s->qmp_fd, F_SETFD, 0);
	if (s->swap_fd >= 0)
		fcntl(s->swap_fd, F_SETFD, 0);
	if (s->data_fd >= 0)
		fcntl(s->data_fd, F_SETFD, 0);
	if (s->programs_fd >= 0)
		fcntl(s->programs_fd, F_SETFD, 0);
	if (s->deterministic)
		setenv("LD_PRELOAD", a->lockstep, 1);
	execv(a->v[0], a->v);
	dprintf(STDERR_FILENO, "%s: exec: %s\n", a->v[0], strerror(errno));
	_exit(127);
}

int qemu_start(const struct qemu_setup *s, pid_t *ret_pid, struct err *e)
{
	struct args a = { .count = 0 };
	pid_t parent = getpid(), pid;
	AUTO_CLOSE int log = -1;
	int r;

	log = open(s->log_path, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0644);
	if (log < 0)
		return err_errno(e, errno, "%s: create", s->log_path);
	r = make_args(&a, s, e);
	if (r < 0)
		return r;
	pid = fork();
	if (pid == 0)
		exec_qemu(s, &a, log, parent);
	free_args(&a);
	if (pid < 0)
		return err_errno(e, errno, "fork");
	*ret_pid = pid;
	return 0;
}

/* Of a file or directory that is not read: when it was made, how large it is. What is not there is all zeros. */
static void digest_stat(XXH3_state_t *state, const char *path)
{
	struct stat st = { 0 };
	uint64_t facts[4] = { 0 };

	if (stat(path, &st) == 0) {
		facts[0] = (uint64_t)st.st_mtim.tv_sec;
		facts[1] = (uint64_t)st.st_mtim.tv_nsec;
		facts[2] = (uint64_t)st.st_size;
		facts[3] = st.st_ino;
	}
	XXH3_128bits_update(state, facts, sizeof(facts));
}

static int digest_contents(XXH3_state_t *state, int fd, const char *what, struct err *e)
{
	struct stat st;
	void *map;

	if (fd < 0 || fstat(fd, &st) < 0)
		return err_errno(e, errno, "%s", what);
	map = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE | MAP_POPULATE, fd, 0);
	if (map == MAP_FAILED)
		return err_errno(e, errno, "%s: mmap", what);
	XXH3_128bits_update(state, map, (size_t)st.st_size);
	munmap(map, (size_t)st.st_size);
	return 0;
}

/* What of an image is not zeros: most of it is a hole. */
static int digest_image(XXH3_state_t *state, int fd, struct err *e)
{
	static const char zeros[64 << 10];
	AUTO_FREE char *piece = malloc(sizeof(zeros));
	off_t at = 0;
	ssize_t n = 0;

	while (piece && (at = lseek(fd, at, SEEK_DATA)) >= 0 &&
	       (n = pread(fd, piece, sizeof(zeros), at)) > 0) {
		if (memcmp(piece, zeros, (size_t)n) != 0) {
			XXH3_128bits_update(state, &at, sizeof(at));
			XXH3_128bits_update(state, piece, (size_t)n);
		}
		at += n;
	}
	if (!piece || n < 0 || (at < 0 && errno != ENXIO))
		return err_errno(e, piece ? errno : ENOMEM, "image");
	return 0;
}

static int digest_args(XXH3_state_t *state, const struct qemu_setup *s, struct err *e)
{
	struct qemu_setup same = *s;
	struct args a = { .count = 0 };
	size_t i;
	int r;

	/* What is another file or number every time, and the guest cannot see. */
	same.box_path = same.console_path = same.log_path = "";
	same.initramfs_fd = same.qmp_fd = 0;
	same.swap_fd = s->swap_fd < 0 ? -1 : 0;
	same.data_fd = s->data_fd < 0 ? -1 : 0;
	same.programs_fd = s->programs_fd < 0 ? -1 : 0;
	same.incoming = false;
	r = make_args(&a, &same, e);
	if (r < 0)
		return r;
	for (i = 0; i < a.count; i++)
		XXH3_128bits_update(state, a.v[i], strlen(a.v[i]) + 1);
	digest_stat(state, a.v[0]);
	if (a.lockstep[0])
		digest_stat(state, a.lockstep);
	free_args(&a);
	return 0;
}

int qemu_digest(const struct qemu_setup *s, unsigned char ret[QEMU_DIGEST_BYTES], struct err *e)
{
	/* Packages put new firmware there under the old names: that touches the directory. */
	static const char *const firmware[] = { "/usr/share/seabios", "/usr/share/qemu" };
	AUTO_CLOSE int kernel = open(s->kernel, O_RDONLY | O_CLOEXEC);
	XXH3_state_t *state = XXH3_createState();
	XXH128_canonical_t digest;
	struct stat swap = { 0 };
	size_t i;
	int r;

	if (!state || XXH3_128bits_reset(state) != XXH_OK)
		return err_errno(e, ENOMEM, "digest");
	r = digest_args(state, s, e);
	for (i = 0; i < sizeof(firmware) / sizeof(firmware[0]); i++)
		digest_stat(state, firmware[i]);
	if (r == 0)
		r = digest_contents(state, kernel, s->kernel, e);
	if (r == 0)
		r = digest_contents(state, s->initramfs_fd, "initramfs", e);
	if (r == 0 && s->data_fd >= 0)
		r = digest_image(state, s->data_fd, e);
	if (r == 0 && s->programs_fd >= 0)
		r = digest_image(state, s->programs_fd, e);
	if (s->swap_fd >= 0 && fstat(s->swap_fd, &swap) == 0)
		XXH3_128bits_update(state, &swap.st_size, sizeof(swap.st_size));
	XXH128_canonicalFromHash(&digest, XXH3_128bits_digest(state));
	XXH3_freeState(state);
	if (r == 0)
		memcpy(ret, digest.digest, QEMU_DIGEST_BYTES);
	return r;
}
