// SPDX-License-Identifier: MIT
/* The library that goes into QEMU, in a program whose main thread is QEMU's and whose other thread stands for its CPUs. */
#include "harness/places/lockstep/lockstep.c" // NOLINT(bugprone-suspicious-include)

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <time.h>
#include <cmocka.h>

#define BUSY_NS    (100 * 1000000L)
#define NS_PER_S   1000000000ULL
#define TIMEOUT_NS (20 * NS_PER_S)

/* The thread of the CPUs: it waits on its condition until it is given work, or elsewhere when it is told to. */
static struct cpus {
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t halt, other, done;
	int work;       /* turns to take */
	bool elsewhere; /* then wait on the other condition, until it is let go */
	bool quit;
	bool is_elsewhere;
	unsigned int taken;
} cpus = {
	.lock = PTHREAD_MUTEX_INITIALIZER,
	.halt = PTHREAD_COND_INITIALIZER,
	.other = PTHREAD_COND_INITIALIZER,
	.done = PTHREAD_COND_INITIALIZER,
};

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * NS_PER_S + (uint64_t)ts.tv_nsec;
}

static void compute(void)
{
	const struct timespec busy = { 0, BUSY_NS };

	nanosleep(&busy, NULL);
}

static void *run_cpus(void *unused)
{
	(void)unused;
	pthread_mutex_lock(&cpus.lock);
	while (!cpus.quit) {
		while (!cpus.work && !cpus.quit && !cpus.elsewhere)
			pthread_cond_wait(&cpus.halt, &cpus.lock);
		if (cpus.elsewhere) {
			cpus.is_elsewhere = true;
			while (cpus.elsewhere)
				pthread_cond_wait(&cpus.other, &cpus.lock);
			cpus.is_elsewhere = false;
		}
		if (!cpus.work)
			continue;
		pthread_mutex_unlock(&cpus.lock);
		compute();
		pthread_mutex_lock(&cpus.lock);
		cpus.work--;
		cpus.taken++;
	}
	pthread_mutex_unlock(&cpus.lock);
	return NULL;
}

static bool waiting(void)
{
	return __atomic_load_n(&cpus_wait, __ATOMIC_SEQ_CST);
}

/* A condition that another thread makes true soon. */
static void until(bool (*is)(void))
{
	uint64_t end = now_ns() + TIMEOUT_NS;

	while (!is() && now_ns() < end)
		sched_yield();
	assert_true(is());
}

static int start(void **state)
{
	(void)state;
	if (pthread_create(&cpus.thread, NULL, run_cpus, NULL) != 0)
		return -1;
	/* cpus_wait begins as 1: what says that the thread is there is its condition. */
	while (!__atomic_load_n(&halt_cond, __ATOMIC_SEQ_CST))
		sched_yield();
	return 0;
}

static int stop(void **state)
{
	(void)state;
	pthread_mutex_lock(&cpus.lock);
	cpus.quit = true;
	pthread_cond_broadcast(&cpus.halt);
	pthread_mutex_unlock(&cpus.lock);
	return pthread_join(cpus.thread, NULL);
}

/* Time that poll() takes while nothing comes, the CPUs having been given work by wake_up() or none. */
static uint64_t poll_ns(int (*wake_up)(pthread_cond_t *))
{
	const struct timespec at_once = { 0, 0 };
	uint64_t start_ns;

	until(waiting);
	pthread_mutex_lock(&cpus.lock);
	if (wake_up) {
		cpus.work = 1;
		wake_up(&cpus.halt);
		/* They are on their way from here on, whether or not the thread has run since. */
		assert_int_equal(cpus_wait, 0);
	}
	start_ns = now_ns();
	pthread_mutex_unlock(&cpus.lock);
	assert_int_equal(ppoll(NULL, 0, &at_once, NULL), 0);
	return now_ns() - start_ns;
}

static void returns_while_the_cpus_wait(void **state)
{
	(void)state;
	assert_true(poll_ns(NULL) < BUSY_NS / 2);
}

static void held_while_the_cpus_compute(void **state)
{
	unsigned int before = cpus.taken;

	(void)state;
	assert_true(poll_ns(pthread_cond_broadcast) >= BUSY_NS);
	assert_int_equal(cpus.taken, before + 1);
	assert_true(poll_ns(pthread_cond_signal) >= BUSY_NS);
	assert_int_equal(cpus.taken, before + 2);
}

static bool is_elsewhere(void)
{
	return __atomic_load_n(&cpus.is_elsewhere, __ATOMIC_SEQ_CST);
}

/* A thread that waits on another condition is no idle CPU; waking one is nothing either. */
static void other_conditions_do_not_count(void **state)
{
	(void)state;
	until(waiting);
	pthread_mutex_lock(&cpus.lock);
	pthread_cond_signal(&cpus.done);
	pthread_cond_broadcast(&cpus.done);
	assert_int_equal(cpus_wait, 1);
	cpus.elsewhere = true;
	pthread_cond_signal(&cpus.halt);
	pthread_mutex_unlock(&cpus.lock);
	until(is_elsewhere);
	/* It has the lock only while it runs, so it waits there now. */
	pthread_mutex_lock(&cpus.lock);
	assert_int_equal(cpus_wait, 0);
	cpus.elsewhere = false;
	pthread_cond_signal(&cpus.other);
	pthread_mutex_unlock(&cpus.lock);
	until(waiting);
}

static void the_hosts_time_stands_still(void **state)
{
	struct timeval tv = { 1, 1 };

	(void)state;
	assert_int_equal(gettimeofday(&tv, NULL), 0);
	assert_int_equal(tv.tv_sec, 0);
	assert_int_equal(tv.tv_usec, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(returns_while_the_cpus_wait),
		cmocka_unit_test(held_while_the_cpus_compute),
		cmocka_unit_test(other_conditions_do_not_count),
		cmocka_unit_test(the_hosts_time_stands_still),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, start, stop);
}
