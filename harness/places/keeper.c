// SPDX-License-Identifier: MIT
#include "harness/places/keeper.h"

#include "harness/places/qmp.h"
#include "harness/places/snapshot.h"
#include "lib/blackbox.h"
#include "lib/clock.h"
#include "lib/files.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define CONSOLE_BYTES_MAX (16u << 20)
/* Waking takes a fraction of a second on an idle machine; beyond this a cold boot is tried. */
#define WAKE_NS     (20 * NS_PER_S)
#define SAVE_NS     (60 * NS_PER_S)
#define BYTES_PER_S (1LL << 40) /* QEMU holds back at 128 MiB/s unless told otherwise */

/* The keeper's own state. */
struct kept {
	struct keeper job;
	struct snapshot_key key;
	struct qmp qmp;
	pid_t qemu; /* 0: none */
};

/* Shared with all keepers of this process; made when the first one is started. */
static struct keeper_counts *counts;

static void count(unsigned int *which)
{
	__atomic_add_fetch(which, 1, __ATOMIC_RELAXED);
}

struct keeper_counts keeper_counts(void)
{
	return counts ? *counts : (struct keeper_counts){ 0 };
}

static int reap(struct kept *k)
{
	int status = 0;

	while (k->qemu && waitpid(k->qemu, &status, 0) < 0 && errno == EINTR)
		;
	k->qemu = 0;
	if (k->qmp.fd >= 0)
		close(k->qmp.fd);
	k->qmp.fd = -1;
	return status;
}

static void put_down(struct kept *k)
{
	if (k->qemu)
		kill(k->qemu, SIGKILL);
	reap(k);
}

/* Starts QEMU with that text as the beginning of its console, and says hello to it. */
static int start(struct kept *k, const char *console, size_t len, bool incoming, uint64_t deadline_ns,
		 struct err *e)
{
	int ends[2], r;

	r = bb_blank(k->job.setup.box_path, e);
	if (r == 0)
		r = file_write(k->job.setup.console_path, console, len, e);
	if (r < 0)
		return r;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0)
		return err_errno(e, errno, "socketpair");
	k->job.setup.qmp_fd = ends[1];
	k->job.setup.incoming = incoming;
	r = qemu_start(&k->job.setup, &k->qemu, e);
	close(ends[1]);
	if (r < 0) {
		close(ends[0]);
		return r;
	}
	return qmp_begin(&k->qmp, ends[0], deadline_ns, e);
}

/* Capability "events": QEMU tells how a migration goes on. */
static int follow_migration(struct kept *k, uint64_t deadline_ns, struct err *e)
{
	json_t *events = json_pack("{s:[{s:s, s:b}]}", "capabilities", "capability", "events", "state", 1);

	return qmp_command(&k->qmp, "migrate-set-capabilities", events, -1, deadline_ns, e);
}

static bool migration_over(const struct qmp *q)
{
	return strcmp(q->migration, "completed") == 0 || strcmp(q->migration, "failed") == 0;
}

/* QEMU's stream goes to or comes from fd at its offset. */
static int migrate(struct kept *k, const char *command, int fd, uint64_t deadline_ns, struct err *e)
{
	int r;

	k->qmp.migration[0] = 0;
	r = qmp_command(&k->qmp, "getfd", json_pack("{s:s}", "fdname", "snapshot"), fd, deadline_ns, e);
	if (r == 0)
		r = qmp_command(&k->qmp, command, json_pack("{s:s}", "uri", "fd:snapshot"), -1, deadline_ns,
				e);
	if (r == 0)
		r = qmp_wait(&k->qmp, migration_over, deadline_ns, e);
	if (r == 0 && strcmp(k->qmp.migration, "failed") == 0)
		r = err_set(e, EIO, "QEMU: %s failed", command);
	return r;
}

/* A QEMU that goes on from that stream, and stands still at first. */
static int restore(struct kept *k, const struct snapshot *s, struct err *e)
{
	uint64_t deadline_ns = clock_ns() + WAKE_NS;
	int r;

	r = start(k, s->console, s->console_bytes, true, deadline_ns, e);
	if (r == 0)
		r = follow_migration(k, deadline_ns, e);
	/*
	 * QEMU would announce its network cards, of which there are none, on a timer of the host's clock for a
	 * second; and the length of a CPU's turn goes by such timers too.
	 */
	if (r == 0)
		r = qmp_command(&k->qmp, "migrate-set-parameters", json_pack("{s:i}", "announce-rounds", 0),
				-1, deadline_ns, e);
	if (r == 0)
		r = migrate(k, "migrate-incoming", s->fd, deadline_ns, e);
	if (r == 0 && !bb_is_parked(k->job.setup.box_path))
		r = err_set(e, EIO, "QEMU: what was restored is not a guest that waits");
	return r;
}

/* -ENOENT: there is no snapshot, or none that works; the next thing to try is to boot. */
static int wake(struct kept *k)
{
	struct snapshot s;
	int r;

	r = snapshot_open(&k->key, &s);
	if (r < 0)
		return r;
	r = restore(k, &s, NULL);
	snapshot_close(&s);
	if (r == 0) {
		count(&counts->woken);
		return 0;
	}
	snapshot_remove(&k->key);
	put_down(k);
	return -ENOENT;
}

/* The machine that stands still, written to a snapshot or, without a name, to memory; s is then ready to be read. */
static int save(struct kept *k, bool named, struct snapshot *ret)
{
	uint64_t deadline_ns = clock_ns() + SAVE_NS;
	struct snapshot s = { .fd = -1, .dir_fd = -1 };
	AUTO_FREE char *console = NULL;
	off_t begin = 0;
	size_t len;
	int r;

	r = file_read(k->job.setup.console_path, CONSOLE_BYTES_MAX, &console, &len, NULL);
	if (r == 0 && named)
		r = snapshot_begin(console, len, k->job.snapshot_bytes_max, &s);
	else if (r == 0)
		r = (s.fd = memfd_create("machine", MFD_CLOEXEC)) < 0 ? -errno : 0;
	if (r == 0)
		begin = lseek(s.fd, 0, SEEK_CUR);
	if (r == 0)
		r = follow_migration(k, deadline_ns, NULL);
	if (r == 0)
		r = qmp_command(&k->qmp, "migrate-set-parameters",
				json_pack("{s:I}", "max-bandwidth", BYTES_PER_S), -1, deadline_ns, NULL);
	if (r == 0)
		r = migrate(k, "migrate", s.fd, deadline_ns, NULL);
	if (r == 0 && named && snapshot_commit(&s, &k->key) == 0)
		count(&counts->saved);
	if (r < 0) {
		snapshot_close(&s);
		return r;
	}
	lseek(s.fd, begin, SEEK_SET);
	s.console = console;
	s.console_bytes = len;
	console = NULL;
	*ret = s;
	return 0;
}

/*
 * A trial that is to be the same every time runs in a QEMU that was just restored, whether from a snapshot or
 * from a boot: one that has booted has larger TLBs, and so a guest's kernel sees other pages as accessed.
 */
static int change_over(struct kept *k, struct err *e)
{
	struct snapshot s;
	int r = -ENOENT;

	if (k->job.snapshots)
		r = save(k, true, &s);
	if (r < 0)
		r = save(k, false, &s);
	if (r < 0)
		return err_errno(e, -r, "QEMU: its machine could not be saved");
	put_down(k);
	r = restore(k, &s, e);
	snapshot_close(&s);
	return r;
}

/* The machine is kept for the next trial. Whatever fails, this one goes on. */
static void keep_for_later(struct kept *k)
{
	struct snapshot s;

	if (k->job.snapshots && save(k, true, &s) == 0)
		snapshot_close(&s);
}

static bool has_stopped(const struct qmp *q)
{
	return q->stopped;
}

/* Until the agent stops the machine. A guest that hangs is the runner's business. */
static int boot(struct kept *k, struct err *e)
{
	int r;

	r = start(k, "", 0, false, QMP_NO_DEADLINE, e);
	/*
	 * QEMU tells no events before it has been greeted, and a deterministic guest may have booted by then: QEMU's
	 * main thread, which answers, waits for the CPU to be idle (places/lockstep).
	 */
	if (r == 0)
		r = qmp_command(&k->qmp, "query-status", NULL, -1, QMP_NO_DEADLINE, e);
	if (r == 0)
		r = qmp_wait(&k->qmp, has_stopped, QMP_NO_DEADLINE, e);
	/* A kernel with a pvpanic driver stops its machine as well when it panics. */
	if (r == 0 && !bb_is_parked(k->job.setup.box_path))
		return err_set(e, ECANCELED, "the guest panicked");
	if (r < 0)
		return r;
	count(&counts->booted);
	if (k->job.setup.deterministic)
		return change_over(k, e);
	keep_for_later(k);
	return 0;
}

/* The trial, from its spec to QEMU's end. */
static int serve(struct kept *k, struct err *e)
{
	int r;

	r = bb_format(k->job.setup.box_path, k->job.spec, k->job.spec_len, e);
	if (r == 0)
		r = qmp_command(&k->qmp, "cont", NULL, -1, QMP_NO_DEADLINE, e);
	/* It ends by itself, unless a panic stops it. */
	if (r == 0 && qmp_wait(&k->qmp, has_stopped, QMP_NO_DEADLINE, NULL) == 0)
		qmp_command(&k->qmp, "quit", NULL, -1, QMP_NO_DEADLINE, NULL);
	return r;
}

/* Ends as QEMU did. */
static _Noreturn void end_like(int status)
{
	struct rlimit none = { 0, 0 };

	if (WIFSIGNALED(status)) {
		setrlimit(RLIMIT_CORE, &none);
		signal(WTERMSIG(status), SIG_DFL);
		kill(getpid(), WTERMSIG(status));
	}
	_exit(WIFEXITED(status) ? WEXITSTATUS(status) : 1);
}

/* Where QEMU's own complaints are. */
static void complain(const struct kept *k, const struct err *e)
{
	AUTO_CLOSE int log = open(k->job.setup.log_path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);

	if (log >= 0)
		dprintf(log, "%s\n", e->text);
}

static _Noreturn void keep(const struct keeper *job, pid_t parent)
{
	struct kept k = { .job = *job, .qmp.fd = -1 };
	struct err e = ERR_INIT;
	sigset_t none;
	int r = -ENOENT;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(1);
	setpgid(0, 0);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	if (k.job.snapshots && qemu_digest(&k.job.setup, k.key.digest, NULL) < 0)
		k.job.snapshots = false;
	if (k.job.snapshots)
		r = wake(&k);
	if (r == -ENOENT)
		r = boot(&k, &e);
	if (r == 0)
		r = serve(&k, &e);
	/* QEMU that has ended by itself has had the last word. */
	if (r == 0 || r == -EPIPE)
		end_like(reap(&k));
	put_down(&k);
	if (r == -ECANCELED)
		_exit(0);
	complain(&k, &e);
	_exit(1);
}

int keeper_start(const struct keeper *job, pid_t *ret_pid, struct err *e)
{
	pid_t parent = getpid(), pid;

	if (!counts) {
		void *page = mmap(NULL, sizeof(*counts), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
				  -1, 0);

		if (page == MAP_FAILED)
			return err_errno(e, errno, "mmap");
		counts = page;
	}
	pid = fork();
	if (pid == 0)
		keep(job, parent);
	if (pid < 0)
		return err_errno(e, errno, "fork");
	*ret_pid = pid;
	return 0;
}
