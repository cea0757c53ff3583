// SPDX-License-Identifier: MIT
/*
 * Preloaded into the QEMU of a deterministic guest: its main thread and the
 * thread that runs the CPUs take turns, and its TLBs know no host time.
 *
 * With a count of instructions as time, QEMU's main thread has one thing to do
 * for the guest: when all CPUs are idle it moves the clock to the next timer and
 * runs what is due (icount_start_warp_timer()). But it is also woken at every
 * timer that the CPU thread runs by itself, and then looks at the CPUs at a moment
 * of the host's choosing: between the instruction that halts a CPU and the CPU
 * thread's wait it finds them idle too early, with instructions not counted yet or
 * another CPU's turn next. On a busy host every run of two CPUs was another one.
 *
 * So poll() in the main thread returns only while the CPU thread waits for work,
 * on its condition variable. Nobody but the main thread is held, and only while
 * the guest computes. QEMU's own names: os_host_main_loop_wait(), halt_cond.
 */
#include <dlfcn.h>
#include <errno.h>
#include <linux/futex.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <unistd.h>

/* Where x86-64 glibc has them since it has threads; dlsym() could find older ones. */
#define COND_VERSION "GLIBC_2.3.2"
/* A guest may compute for longer than that, but should QEMU wait for itself in some way not seen yet, it goes on. */
#define PATIENCE_S 5

typedef int poll_fn(struct pollfd *fds, nfds_t count, const struct timespec *timeout, const sigset_t *mask);
typedef int wait_fn(pthread_cond_t *cond, pthread_mutex_t *mutex);
typedef int wake_fn(pthread_cond_t *cond);

static poll_fn *real_poll;
static wait_fn *real_wait;
static wake_fn *real_broadcast, *real_signal;

/* The CPU thread's, known from its first wait: before it there is nobody to wait for. */
static pthread_cond_t *halt_cond;
static int cpus_wait = 1;

__attribute__((constructor)) static void find_real(void)
{
	*(void **)&real_poll = dlsym(RTLD_NEXT, "ppoll");
	*(void **)&real_wait = dlvsym(RTLD_NEXT, "pthread_cond_wait", COND_VERSION);
	*(void **)&real_broadcast = dlvsym(RTLD_NEXT, "pthread_cond_broadcast", COND_VERSION);
	*(void **)&real_signal = dlvsym(RTLD_NEXT, "pthread_cond_signal", COND_VERSION);
}

static bool in_main_thread(void)
{
	return syscall(SYS_gettid) == getpid();
}

static void set_waiting(int waiting)
{
	__atomic_store_n(&cpus_wait, waiting, __ATOMIC_SEQ_CST);
	if (waiting)
		syscall(SYS_futex, &cpus_wait, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
}

int ppoll(struct pollfd *fds, nfds_t nfds, const struct timespec *timeout, const sigset_t *ss)
{
	const struct timespec patience = { PATIENCE_S, 0 };
	int r = real_poll(fds, nfds, timeout, ss);

	while (in_main_thread() && !__atomic_load_n(&cpus_wait, __ATOMIC_SEQ_CST))
		if (syscall(SYS_futex, &cpus_wait, FUTEX_WAIT_PRIVATE, 0, &patience, NULL, 0) < 0 &&
		    errno == ETIMEDOUT)
			break;
	return r;
}

/* The CPU thread is the first one beside the main thread that waits so: for its CPUs to be let go. */
int pthread_cond_wait(pthread_cond_t *cond, pthread_mutex_t *mutex)
{
	bool is_it;
	int r;

	if (!halt_cond && !in_main_thread())
		halt_cond = cond;
	is_it = cond == halt_cond;
	if (is_it)
		set_waiting(1);
	r = real_wait(cond, mutex);
	if (is_it)
		set_waiting(0);
	return r;
}

/*
 * The CPUs' TLBs grow with use and shrink when less was used for 100 ms of the host's time (tlb_mmu_resize_locked()),
 * and what is in a TLB is not marked as accessed again. That time stands still; QEMU asks for it in no other matter.
 */
int gettimeofday(struct timeval *restrict tv, void *restrict tz)
{
	(void)tz;
	*tv = (struct timeval){ 0 };
	return 0;
}

/* Who wakes it ends its wait, not when it gets to run. */
static void wake(const pthread_cond_t *cond)
{
	if (cond == halt_cond)
		set_waiting(0);
}

int pthread_cond_broadcast(pthread_cond_t *cond)
{
	wake(cond);
	return real_broadcast(cond);
}

int pthread_cond_signal(pthread_cond_t *cond)
{
	wake(cond);
	return real_signal(cond);
}
