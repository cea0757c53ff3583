// SPDX-License-Identifier: MIT
/*
 * The guest's PID 1: makes the machine usable, finds the black box in the
 * ivshmem BAR, stops the machine, and when it goes on finds the trial's spec in
 * the box; hands it to the engine, and ends the machine. Up to the stop nothing
 * depends on the trial, so that a snapshot of it serves any. What goes wrong
 * before the box is found can only be said on the console; later it seals the
 * box.
 */
#include "cgroups/cgroups.h"
#include "guest/devices.h"
#include "guest/initramfs.h"
#include "guest/park.h"
#include "guest/root.h"
#include "guest/tune.h"
#include "harness/engine/engine.h"
#include "lib/blackbox.h"
#include "lib/err.h"
#include "lib/files.h"
#include "lib/json.h"
#include "lib/jsonw.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#define GROUP       "oomlab"
#define CGROUPS     "/sys/fs/cgroup"
#define PCI_DEVICES "/sys/bus/pci/devices"
#define IVSHMEM     "0x1af4:0x1110"
#define DATA        "/data"
#define SMALL_FILE  4096

static void say(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

static void say(const char *fmt, ...)
{
	char text[ERR_TEXT_MAX];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	dprintf(STDERR_FILENO, "oomlab-agent: %s\n", text);
}

/* With -no-reboot this ends QEMU; nothing here needs to reach a disk. */
static _Noreturn void end_machine(void)
{
	tcdrain(STDERR_FILENO);
	reboot(RB_AUTOBOOT);
	say("reboot: %s", strerror(errno));
	for (;;)
		pause();
}

static int mount_at(const char *type, const char *where, const char *options, struct err *e)
{
	if (mkdir(where, 0755) < 0 && errno != EEXIST)
		return err_errno(e, errno, "%s: mkdir", where);
	if (mount(type, where, type, MS_NOSUID | MS_NOEXEC, options) < 0)
		return err_errno(e, errno, "%s: mount %s", where, type);
	return 0;
}

/*
 * Links that udev makes elsewhere. Programs use them, and so does the kernel: TOMOYO, as Debian's 5.10 has it, looks for
 * what execveat(2) is to start by the name /dev/fd/N, and refuses with ENOENT when that is not there.
 */
static int make_links(struct err *e)
{
	static const char *const links[][2] = { { "/proc/self/fd", "/dev/fd" },
						{ "/proc/self/fd/0", "/dev/stdin" },
						{ "/proc/self/fd/1", "/dev/stdout" },
						{ "/proc/self/fd/2", "/dev/stderr" } };
	size_t i;

	for (i = 0; i < sizeof(links) / sizeof(links[0]); i++)
		if (symlink(links[i][0], links[i][1]) < 0 && errno != EEXIST)
			return err_errno(e, errno, "%s: symlink", links[i][1]);
	return 0;
}

static int mount_basics(struct err *e)
{
	int r;

	r = mount_at("proc", "/proc", NULL, e);
	if (r == 0)
		r = mount_at("sysfs", "/sys", NULL, e);
	if (r == 0 && mount("devtmpfs", "/dev", "devtmpfs", MS_NOSUID, NULL) < 0 && errno != EBUSY)
		r = err_errno(e, errno, "/dev: mount devtmpfs");
	if (r == 0)
		r = make_links(e);
	/* Some kernels have neither; the engine does without. */
	mount_at("debugfs", "/sys/kernel/debug", NULL, NULL);
	mount_at("tracefs", "/sys/kernel/tracing", NULL, NULL);
	return r;
}

static int load_one(const char *path, struct err *e)
{
	AUTO_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return err_errno(e, errno, "%s: open", path);
	if (syscall(SYS_finit_module, fd, "", 0) < 0 && errno != EEXIST)
		return err_errno(e, errno, "%s: finit_module", path);
	return 0;
}

static int load_modules(struct err *e)
{
	AUTO_FREE char *order = NULL;
	char *rest, *line;
	int r;

	r = file_read(INITRAMFS_ORDER, 1u << 20, &order, NULL, e);
	for (rest = order; r == 0 && (line = strsep(&rest, "\n"));)
		if (line[0])
			r = load_one(line, e);
	return r;
}

static bool is_ivshmem(const char *dir, const char *name)
{
	char id[2 * DEVICE_LINE_MAX], device[DEVICE_LINE_MAX];

	device_line(id, dir, name, "vendor");
	device_line(device, dir, name, "device");
	strcat(id, ":");
	strcat(id, device);
	return strcmp(id, IVSHMEM) == 0;
}

/* The black box is BAR 2 of the ivshmem device; sysfs lets us map it without a driver. */
static int map_box(void **ret_map, size_t *ret_size, struct err *e)
{
	char name[NAME_MAX + 1], path[PATH_LEN_MAX];
	AUTO_CLOSE int fd = -1;
	struct stat st;
	void *map;

	if (device_find(PCI_DEVICES, is_ivshmem, name) < 0)
		return err_set(e, ENODEV, "no PCI device " IVSHMEM " (ivshmem) in " PCI_DEVICES);
	path_format(path, "%s/%s/enable", PCI_DEVICES, name);
	file_put(path, "1", NULL);
	path_format(path, "%s/%s/resource2", PCI_DEVICES, name);
	fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st) < 0)
		return err_errno(e, errno, "%s: open", path);
	map = mmap(NULL, (size_t)st.st_size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (map == MAP_FAILED)
		return err_errno(e, errno, "%s: mmap of %lld bytes", path, (long long)st.st_size);
	*ret_map = map;
	*ret_size = (size_t)st.st_size;
	return 0;
}

/* Before anything else is in the record: this is how the harness knows that the kernel came up. */
static void record_boot(struct blackbox *bb, const struct timespec *up)
{
	struct jsonw w;
	char text[256];

	jsonw_begin(&w, text, sizeof(text));
	jsonw_str(&w, "event", "boot");
	jsonw_int(&w, "uptime", up->tv_sec * 1000000000LL + up->tv_nsec);
	bb_append(bb, BB_EVENT, 0, text, jsonw_end(&w));
}

static int mount_v2(struct err *e)
{
	char controllers[DEVICE_LINE_MAX], padded[DEVICE_LINE_MAX + 2];
	int r;

	r = mount_at("cgroup2", CGROUPS, NULL, e);
	if (r < 0) {
		e->code = EOPNOTSUPP;
		return -EOPNOTSUPP;
	}
	device_line(controllers, CGROUPS, ".", "cgroup.controllers");
	snprintf(padded, sizeof(padded), " %s ", controllers);
	if (!strstr(padded, " memory "))
		return err_set(e, EOPNOTSUPP, "this kernel has no memory controller for cgroup v2");
	return 0;
}

static int mount_v1(struct err *e)
{
	int r;

	r = mount_at("tmpfs", CGROUPS, "size=64k", e);
	if (r < 0)
		return r;
	if (mkdir(CGROUPS "/memory", 0755) < 0)
		return err_errno(e, errno, CGROUPS "/memory: mkdir");
	if (mount("cgroup", CGROUPS "/memory", "cgroup", 0, "memory") < 0)
		return err_set(e, EOPNOTSUPP,
			       "this kernel has no memory controller for cgroup v1 (mount: %s)",
			       strerror(errno));
	/* Before 5.11 a group counted its children only if told so. */
	file_put(CGROUPS "/memory/memory.use_hierarchy", "1", NULL);
	if (mkdir(CGROUPS "/pids", 0755) < 0 || mount("cgroup", CGROUPS "/pids", "cgroup", 0, "pids") < 0)
		rmdir(CGROUPS "/pids");
	return 0;
}

static int make_cgroups(const json_t *machine, struct err *e)
{
	const char *wanted = json_text(machine, "cgroup", "v2");
	struct cg_system sys;
	int r;

	r = strcmp(wanted, "v1") == 0 ? mount_v1(e) : mount_v2(e);
	if (r == 0)
		r = cg_init(&sys, e);
	return r == 0 ? cg_make(&sys, GROUP, e) : r;
}

/* From here on it is the working directory, the processes' as well. */
static int use_data(struct blackbox *bb, const json_t *machine, struct err *e)
{
	char device[DEVICE_PATH_MAX], text[512];
	struct jsonw w;
	int r;

	r = device_data(machine, device, e);
	if (r < 0 || !device[0])
		return r;
	if (mkdir(DATA, 0755) < 0)
		return err_errno(e, errno, DATA ": mkdir");
	if (mount(device, DATA, "ext4", MS_NOSUID | MS_NODEV | MS_NOATIME, NULL) < 0)
		return err_set(e, errno == ENODEV ? EOPNOTSUPP : errno, "machine.data: mount %s as ext4: %s",
			       device, strerror(errno));
	if (chdir(DATA) < 0)
		return err_errno(e, errno, DATA ": chdir");
	jsonw_begin(&w, text, sizeof(text));
	jsonw_str(&w, "event", "data");
	jsonw_str(&w, "device", device);
	jsonw_str(&w, "path", DATA);
	bb_append(bb, BB_EVENT, 0, text, jsonw_end(&w));
	return 0;
}

/* Has any process a program of its own? */
static bool wants_programs(const json_t *spec)
{
	const json_t *one;
	size_t i;

	json_array_foreach (json_object_get(spec, "processes"), i, one)
		if (json_object_get(one, "program"))
			return true;
	return false;
}

static int run_trial(struct blackbox *bb, const json_t *spec, struct err *e)
{
	const json_t *machine = json_object_get(spec, "machine");
	char swap[DEVICE_PATH_MAX];
	struct engine_setup setup = { .box = *bb,
				      .stress_path = INITRAMFS_STRESS,
				      .cgroup_parent = "",
				      .group_name = GROUP,
				      .may_change_machine = true };
	int r;

	r = tune_machine("", machine, bb, e);
	if (r < 0)
		return r;
	r = device_swap(machine, swap, e);
	if (r == 0)
		r = use_data(bb, machine, e);
	if (r < 0)
		return r;
	setup.swap_path = swap[0] ? swap : NULL;
	r = make_cgroups(machine, e);
	if (r == 0 && wants_programs(spec)) {
		setup.root = ROOT_PATH;
		r = root_make(bb, e);
	}
	if (r < 0)
		return r;
	return engine_run(&setup, e);
}

/* A deterministic guest's kernel is told to leave them to us (guest_command_line() has the reason). */
static int start_cpus(const json_t *machine, struct err *e)
{
	json_int_t cpus = json_flag(machine, "deterministic", false) ? json_number(machine, "cpus", 1) : 1;
	json_int_t cpu;
	char path[PATH_LEN_MAX];
	int r = 0;

	for (cpu = 1; r == 0 && cpu < cpus; cpu++) {
		path_format(path, "/sys/devices/system/cpu/cpu%lld/online", (long long)cpu);
		r = file_put(path, "1", e);
	}
	if (r == -ENOENT)
		r = err_set(e, EOPNOTSUPP, "this kernel has no %s: it starts no CPU after it has booted",
			    path);
	return r;
}

static int run_spec(struct blackbox *bb, const struct timespec *up, const struct err *boot, struct err *e)
{
	json_error_t where;
	size_t len;
	const char *text = bb_spec(bb, &len);
	json_t *spec = json_loadb(text, len, 0, &where);
	const json_t *machine = json_object_get(spec, "machine");
	int r = 0;

	if (!spec)
		return err_set(e, EBADMSG, "spec: %s", where.text);
	record_boot(bb, up);
	if (json_flag(spec, "probe", false)) {
		bb_seal(bb, "probe");
	} else if (boot->code) {
		r = err_set(e, boot->code, "%s", boot->text);
	} else {
		r = start_cpus(machine, e);
		park_turn((uint64_t)json_number(machine, "seed", 0));
		if (r == 0)
			r = run_trial(bb, spec, e);
	}
	json_decref(spec);
	return r;
}

static void seal_failure(struct blackbox *bb, const struct err *e)
{
	char seal[sizeof(bb->header->seal)];

	/* Cut to what fits; the console has all of it. */
	snprintf(seal, sizeof(seal), "%s%.480s", e->code == EOPNOTSUPP ? SEAL_SKIP : SEAL_FAILED, e->text);
	bb_seal(bb, seal);
}

/* boot: what went wrong so far with what the box can tell. */
static int run_box(void *map, size_t size, const struct err *boot, struct err *e)
{
	struct blackbox bb;
	struct timespec up;
	int r;

	clock_gettime(CLOCK_BOOTTIME, &up);
	say("up after %lld.%03ld s", (long long)up.tv_sec, up.tv_nsec / 1000000);
	r = park_machine(map, e);
	if (r == 0)
		r = bb_attach(map, size, &bb, e);
	if (r < 0)
		return r;
	r = run_spec(&bb, &up, boot, e);
	if (r < 0 && !bb.header->sealed)
		seal_failure(&bb, e);
	return r;
}

int main(void)
{
	struct err boot = ERR_INIT, e = ERR_INIT;
	size_t size = 0;
	void *map = NULL;
	int r;

	if (getpid() != 1) {
		fprintf(stderr, "oomlab-agent: runs as the first process of a guest only\n");
		return 2;
	}
	/* Else jansson reads /dev/urandom, and the kernel takes a second to gather entropy for it. */
	json_object_seed(1);
	r = mount_basics(&e);
	if (r == 0)
		r = map_box(&map, &size, &e);
	if (r == 0) {
		load_modules(&boot);
		device_wait();
		r = run_box(map, size, &boot, &e);
	}
	if (r < 0)
		say("%s", e.text);
	end_machine();
}
