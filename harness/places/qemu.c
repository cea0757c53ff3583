// SPDX-License-Identifier: MIT
#include "harness/places/qemu.h"

#include "lib/files.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#define ARGS_MAX          384 /* 64 CPUs in 8 nodes with their distances take 320 */
#define CONSOLE_BYTES_MAX (16u << 20)
#define PANIC             "Kernel panic - not syncing: "

struct args {
	char *v[ARGS_MAX + 1];
	size_t count;
	bool failed; /* no memory, or too many */
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

int qemu_find(char ret_path[], size_t room)
{
	const char *path = getenv("PATH");
	AUTO_FREE char *copy = strdup(path ? path : "/usr/local/bin:/usr/bin:/bin");
	char *rest = copy, *dir;

	while (copy && (dir = strsep(&rest, ":")))
		if (dir[0] && snprintf(ret_path, room, "%s/" QEMU_PROGRAM, dir) < (int)room &&
		    access(ret_path, X_OK) == 0)
			return 0;
	return -ENOENT;
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

/*
 * A persistent memory device is in a slot beyond the RAM. QEMU adds what aligning the slot takes to maxmem by
 * itself.
 */
static void add_memory(struct args *a, const struct qemu_setup *s)
{
	uint64_t ram = s->memory_bytes / 1024, pmem = s->pmem_bytes / 1024;

	add(a, "-m");
	if (!pmem) {
		add(a, "%" PRIu64 "K", ram);
		return;
	}
	add(a, "%" PRIu64 "K,slots=1,maxmem=%" PRIu64 "K", ram, ram + pmem);
	add(a, "-object");
	add(a, "memory-backend-ram,id=pmem,size=%" PRIu64 "K", pmem);
	add(a, "-device");
	add(a, "nvdimm,memdev=pmem");
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
	add(a, "pc%s", s->pmem_bytes ? ",nvdimm=on" : "");
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
}

static void add_devices(struct args *a, const struct qemu_setup *s)
{
	char path[2 * PATH_LEN_MAX];

	escape(path, s->console_path);
	add(a, "-chardev");
	add(a, "file,id=console,path=%s", path);
	add(a, "-serial");
	add(a, "chardev:console");
	escape(path, s->box_path);
	add(a, "-object");
	add(a, "memory-backend-file,id=box,share=on,size=%" PRIu64 ",mem-path=%s", s->box_bytes, path);
	add(a, "-device");
	add(a, "ivshmem-plain,memdev=box");
	if (s->swap_fd < 0)
		return;
	/* The disk is thrown away with the guest: nothing needs to be flushed. */
	add(a, "-blockdev");
	add(a, "driver=file,node-name=swap,filename=/dev/fd/%d,locking=off,cache.no-flush=on", s->swap_fd);
	add(a, "-device");
	add(a, "virtio-blk-pci,drive=swap,serial=" QEMU_SWAP_SERIAL ",werror=report,rerror=report");
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
	if (s->swap_fd >= 0)
		fcntl(s->swap_fd, F_SETFD, 0);
	execv(a->v[0], a->v);
	dprintf(STDERR_FILENO, "%s: exec: %s\n", a->v[0], strerror(errno));
	_exit(127);
}

int qemu_start(const struct qemu_setup *s, pid_t *ret_pid, struct err *e)
{
	struct args a = { .count = 0 };
	char program[PATH_LEN_MAX];
	pid_t parent = getpid(), pid;
	AUTO_CLOSE int log = -1;

	if (qemu_find(program, sizeof(program)) < 0)
		return err_set(e, ENOENT, QEMU_PROGRAM " is not installed: apt-get install qemu-system-x86");
	log = open(s->log_path, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0644);
	if (log < 0)
		return err_errno(e, errno, "%s: create", s->log_path);
	add(&a, "%s", program);
	add_machine(&a, s);
	add_devices(&a, s);
	if (a.failed) {
		free_args(&a);
		return err_set(e, ENOMEM, QEMU_PROGRAM ": its arguments: out of memory");
	}
	pid = fork();
	if (pid == 0)
		exec_qemu(s, &a, log, parent);
	free_args(&a);
	if (pid < 0)
		return err_errno(e, errno, "fork");
	*ret_pid = pid;
	return 0;
}

/* What follows ESC: "[...letter", "]...BEL", "(B" or one letter. Returns its end. */
static const char *skip_escape(const char *p)
{
	if (*p == '[') {
		for (p++; *p && (*p < '@' || *p > '~') && *p != '\n'; p++)
			;
	} else if (*p == ']') {
		for (p++; *p && *p != '\a' && *p != '\n'; p++)
			;
	} else if (*p == '(' || *p == ')') {
		p++;
	}
	return *p && *p != '\n' ? p + 1 : p;
}

void console_clean(char *text)
{
	const char *from = text;
	char *to = text;

	while (*from) {
		unsigned char c = (unsigned char)*from++;

		if (c == 0x1b)
			from = skip_escape(from);
		else if (c == '\n' || c == '\t' || (c >= ' ' && c < 0x7f))
			*to++ = (char)c;
	}
	*to = 0;
}

/* The rest of a line after the first or last occurrence of word in text. */
static void rest_after(const char *text, const char *word, bool last, char *ret, size_t room)
{
	const char *p = text, *found = NULL;

	while ((last || !found) && (p = strstr(p, word))) {
		p += strlen(word);
		found = p;
	}
	ret[0] = 0;
	if (found)
		snprintf(ret, room, "%.*s", (int)strcspn(found, "\n"), found);
}

/* The last non-empty lines up to end, as many as fit. */
static void tail(const char *text, const char *end, char *ret, size_t room)
{
	const char *start[CONSOLE_TAIL] = { NULL };
	size_t seen = 0, len = 0, i;
	const char *p;

	for (p = text; p < end; p += strcspn(p, "\n"), p += *p == '\n')
		if (*p != '\n')
			start[seen++ % CONSOLE_TAIL] = p;
	ret[0] = 0;
	for (i = seen > CONSOLE_TAIL ? seen - CONSOLE_TAIL : 0; i < seen && len < room; i++) {
		p = start[i % CONSOLE_TAIL];
		len += (size_t)snprintf(ret + len, room - len, "\n  %.*s",
					(int)(strcspn(p, "\n") < 120 ? strcspn(p, "\n") : 120), p);
	}
}

void console_parse(char *text, struct console *ret)
{
	const char *panic;

	console_clean(text);
	/* After a panic come registers and a stack; what led to it stands before. */
	panic = strstr(text, PANIC);
	rest_after(text, PANIC, false, ret->panic, sizeof(ret->panic));
	rest_after(text, "oomlab-agent: ", true, ret->agent, sizeof(ret->agent));
	if (strncmp(ret->agent, "up after ", 9) == 0)
		ret->agent[0] = 0;
	tail(text, panic ? panic : text + strlen(text), ret->tail, sizeof(ret->tail));
}

void console_read(const char *path, struct console *ret)
{
	AUTO_FREE char *text = NULL;
	size_t len, i;

	memset(ret, 0, sizeof(*ret));
	if (file_read(path, CONSOLE_BYTES_MAX, &text, &len, NULL) < 0)
		return;
	for (i = 0; i < len; i++)
		if (!text[i])
			text[i] = ' ';
	console_parse(text, ret);
}
