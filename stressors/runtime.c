// SPDX-License-Identifier: MIT
#include "stressors/runtime.h"

#include "lib/files.h"
#include "lib/units.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define STEP_BYTES  ((size_t)1 << 20)
#define LOOK_BYTES  ((uint64_t)64 << 10)
#define LOOK_CALLS  256
#define LINE_BYTES  512
#define EXIT_ENOMEM 3
#define NS_PER_S    1000000000ULL
#define NS_PER_MS   1000000ULL

/* stdio may allocate, which is what just failed. */
static void __attribute__((format(printf, 2, 3))) say(int fd, const char *fmt, ...)
{
	char line[LINE_BYTES];
	va_list ap;
	int len;

	va_start(ap, fmt);
	len = vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	if (len >= (int)sizeof(line))
		len = sizeof(line) - 1;
	if (len > 0)
		(void)write_all(fd, line, (size_t)len);
}

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * NS_PER_S + (uint64_t)ts.tv_nsec;
}

/* "PAGEFD,BELLFD" */
static int shared_fds(const char *text, int *ret_page, int *ret_bell)
{
	char *end;
	long page, bell;

	page = strtol(text, &end, 10);
	if (end == text || *end != ',' || page < 0 || page > INT32_MAX)
		return -EINVAL;
	text = end + 1;
	bell = strtol(text, &end, 10);
	if (end == text || *end || bell < 0 || bell > INT32_MAX)
		return -EINVAL;
	*ret_page = (int)page;
	*ret_bell = (int)bell;
	return 0;
}

static int shared_open(struct stress *s, struct err *e)
{
	const char *text = getenv(SHARED_ENV);
	int page_fd;
	void *map;

	s->page = &s->own;
	s->bell = -1;
	if (!text)
		return 0;
	if (shared_fds(text, &page_fd, &s->bell) < 0)
		return err_set(e, EINVAL, SHARED_ENV "=\"%s\": allowed: two descriptors, as in 3,4", text);
	map = mmap(NULL, SHARED_PAGE_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, page_fd, 0);
	if (map == MAP_FAILED)
		return err_errno(e, errno, SHARED_ENV "=\"%s\": mmap of descriptor %d", text, page_fd);
	if (fcntl(s->bell, F_SETFD, FD_CLOEXEC) < 0)
		return err_errno(e, errno, SHARED_ENV "=\"%s\": descriptor %d", text, s->bell);
	close(page_fd);
	s->page = map;
	return 0;
}

/*
 * The signals stay blocked and are fetched with sigtimedwait(): no handler, no
 * race between a look and a sleep. One that was ignored from the start (nohup)
 * stays ignored.
 */
static void signals_block(struct stress *s)
{
	static const int stops[] = { SIGTERM, SIGINT, SIGHUP };
	struct sigaction old;
	size_t i;

	sigemptyset(&s->stops);
	for (i = 0; i < sizeof(stops) / sizeof(stops[0]); i++)
		if (sigaction(stops[i], NULL, &old) == 0 && old.sa_handler != SIG_IGN)
			sigaddset(&s->stops, stops[i]);
	sigprocmask(SIG_BLOCK, &s->stops, NULL);
}

int stress_open(struct stress *s, struct err *e)
{
	int r;

	r = shared_open(s, e);
	if (r < 0)
		return r;
	signals_block(s);
	prctl(PR_SET_NAME, s->self->name);
	__atomic_store_n(&s->page->magic, SHARED_MAGIC, __ATOMIC_RELEASE);
	return 0;
}

uint64_t option(const struct stress *s, const char *name)
{
	size_t i;

	for (i = 0; s->self->options[i].name; i++)
		if (strcmp(s->self->options[i].name, name) == 0)
			return s->values[i];
	say(STDERR_FILENO, "%s: the option table lacks %s\n", s->self->name, name);
	abort();
}

void stress_phase(struct stress *s, enum phase phase)
{
	char byte = (char)phase;

	__atomic_store_n(&s->page->phase, phase, __ATOMIC_RELEASE);
	if (s->bell >= 0)
		(void)!send(s->bell, &byte, 1, MSG_NOSIGNAL | MSG_DONTWAIT);
}

/* The engine may look at any time. A 32-bit store in two halves is whole too: its upper half stays 0. */
static void add(uint64_t *total, uint64_t bytes)
{
	volatile uint64_t *shared = total;

	*shared = *shared + bytes;
}

void stress_allocated(struct stress *s, uint64_t bytes)
{
	add(&s->page->allocated_bytes, bytes);
	s->look_bytes += bytes;
}

void stress_touched(struct stress *s, uint64_t bytes)
{
	add(&s->page->touched_bytes, bytes);
	s->look_bytes += bytes;
}

void stress_read(struct stress *s, uint64_t bytes)
{
	add(&s->page->read_bytes, bytes);
	s->look_bytes += bytes;
}

void stress_wrong(struct stress *s, uint64_t bytes)
{
	add(&s->page->check_errors, bytes);
}

bool stress_going(struct stress *s)
{
	static const struct timespec at_once = { 0, 0 };

	if (s->stopped_by)
		return false;
	if (s->look_bytes < LOOK_BYTES && ++s->look_calls < LOOK_CALLS)
		return true;
	s->look_bytes = 0;
	s->look_calls = 0;
	s->stopped_by = sigtimedwait(&s->stops, NULL, &at_once);
	if (s->stopped_by < 0)
		s->stopped_by = 0;
	return !s->stopped_by;
}

bool stress_wait(struct stress *s, uint64_t ns)
{
	uint64_t start = now_ns(), gone = 0;

	if (ns == 0)
		return stress_going(s);
	while (!s->stopped_by && gone < ns) {
		uint64_t left = ns - gone;
		struct timespec ts = { (time_t)(left / NS_PER_S), (long)(left % NS_PER_S) };
		int sig;

		/* EINTR (stopped and continued) and EAGAIN (time is up) both look at the clock again. */
		sig = sigtimedwait(&s->stops, NULL, ns == FOREVER ? NULL : &ts);
		if (sig > 0)
			s->stopped_by = sig;
		gone = ns == FOREVER ? 0 : now_ns() - start;
	}
	return !s->stopped_by;
}

bool stress_fill(struct stress *s, void *start, size_t len)
{
	char *p = start;

	while (len) {
		size_t step = len < STEP_BYTES ? len : STEP_BYTES;

		memset(p, 0x5a, step);
		__asm__ volatile("" : : "r"(p) : "memory");
		stress_touched(s, step);
		if (!stress_going(s))
			return false;
		p += step;
		len -= step;
	}
	return true;
}

enum phase stress_hold(struct stress *s, uint64_t ns)
{
	if (ns) {
		stress_phase(s, PHASE_HOLD);
		if (!stress_wait(s, ns))
			return PHASE_SIGNAL;
	}
	return PHASE_DONE;
}

enum phase stress_error(struct stress *s, int code, const char *fmt, ...)
{
	va_list ap;
	size_t len;

	va_start(ap, fmt);
	vsnprintf(s->page->note, sizeof(s->page->note), fmt, ap);
	va_end(ap);
	len = strlen(s->page->note);
	snprintf(s->page->note + len, sizeof(s->page->note) - len, ": %s", strerror(code));
	s->page->errnum = code;
	return PHASE_ERROR;
}

enum phase stress_refused(struct stress *s, const char *call, uint64_t bytes)
{
	int code = errno;

	stress_error(s, code, "%s of %llu bytes refused after %llu bytes", call, (unsigned long long)bytes,
		     (unsigned long long)s->page->allocated_bytes);
	return code == ENOMEM ? PHASE_ENOMEM : PHASE_ERROR;
}

/* The engine takes its last sample while the memory is still there; a dead or stuck one is not waited for. */
static void wait_for_ack(struct stress *s)
{
	uint64_t end = now_ns() + SHARED_ACK_TIMEOUT_MS * NS_PER_MS;
	struct pollfd bell = { .fd = s->bell, .events = POLLIN };
	uint64_t now;
	char byte;

	while ((now = now_ns()) < end) {
		int n = poll(&bell, 1, (int)((end - now) / NS_PER_MS) + 1);

		if (n < 0 && errno == EINTR)
			continue;
		if (n > 0)
			(void)!recv(s->bell, &byte, 1, MSG_DONTWAIT);
		return;
	}
}

/* "VmRSS:	    1024 kB" of /proc/self/status, in bytes; 0 when it is not there. */
static uint64_t own_rss(void)
{
	AUTO_CLOSE int fd = open("/proc/self/status", O_RDONLY | O_CLOEXEC);
	char text[4096];
	const char *line;
	ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);

	if (n <= 0)
		return 0;
	text[n] = 0;
	line = strstr(text, "\nVmRSS:");
	return line ? strtoull(line + 7, NULL, 10) << 10 : 0;
}

static void summary(const struct stress *s, enum phase end)
{
	static const char *const ends[PHASE_COUNT] = {
		[PHASE_DONE] = "limit reached",
		[PHASE_ENOMEM] = "allocation refused",
		[PHASE_ERROR] = "error",
	};
	char allocated[UNITS_TEXT_MAX], touched[UNITS_TEXT_MAX], rss[UNITS_TEXT_MAX];
	const char *how = end == PHASE_SIGNAL ? strsignal(s->stopped_by) : ends[end];

	say(STDOUT_FILENO, "%s: allocated %s (%llu bytes), touched %s (%llu bytes), VmRSS %s; %s\n",
	    s->self->name, size_format(allocated, s->page->allocated_bytes),
	    (unsigned long long)s->page->allocated_bytes, size_format(touched, s->page->touched_bytes),
	    (unsigned long long)s->page->touched_bytes, size_format(rss, own_rss()), how);
}

int stress_close(struct stress *s, enum phase end)
{
	if (s->page->note[0])
		say(STDERR_FILENO, "%s: %s\n", s->self->name, s->page->note);
	stress_phase(s, end);
	if (s->bell >= 0)
		wait_for_ack(s);
	else
		summary(s, end);
	if (end == PHASE_DONE)
		return EXIT_SUCCESS;
	if (end == PHASE_ENOMEM)
		return EXIT_ENOMEM;
	if (end == PHASE_ERROR)
		return EXIT_FAILURE;
	signal(s->stopped_by, SIG_DFL);
	raise(s->stopped_by);
	sigprocmask(SIG_UNBLOCK, &s->stops, NULL);
	return 128 + s->stopped_by; /* PID 1 of a namespace outlives a default action */
}
