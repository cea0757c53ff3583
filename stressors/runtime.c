// SPDX-License-Identifier: MIT
#include "stressors/runtime.h"

#include "lib/files.h"
#include "lib/hash.h"
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
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define LOOK_BYTES  ((uint64_t)64 << 10)
#define LOOK_CALLS  256
#define LINE_BYTES  512
#define EXIT_ENOMEM 3
#define EXIT_UNMET  4
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

	s->bell = -1;
	if (!text) {
		/* By hand it is shared all the same, with children. */
		map = mmap(NULL, SHARED_PAGE_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
			   0);
		s->page = map != MAP_FAILED ? map : NULL;
		return s->page ? 0 : err_errno(e, errno, "mmap of a page");
	}
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

static int values_open(struct stress *s, struct err *e)
{
	const struct value_info *info = s->self->values;
	struct shared_value *to = s->page->values;
	size_t i;

	for (i = 0; info && info[i].name; i++) {
		if (i == SHARED_VALUES_MAX || strlen(info[i].name) >= sizeof(to->name))
			return err_set(e, E2BIG, "its table of values is larger than the shared page");
		to[i].value = SHARED_UNKNOWN;
		memcpy(to[i].name, info[i].name, strlen(info[i].name) + 1);
	}
	return 0;
}

int stress_open(struct stress *s, struct err *e)
{
	int r;

	s->until_ns = FOREVER;
	r = shared_open(s, e);
	if (r == 0)
		r = values_open(s, e);
	if (r == 0 && (option(s, "verify") || s->self->verifies))
		r = verify_open(s, e);
	if (r < 0)
		return r;
	r = foreign_open(s, e);
	if (r < 0)
		return r;
	signals_block(s);
	prctl(PR_SET_NAME, s->self->name);
	__atomic_store_n(&s->page->magic, SHARED_MAGIC, __ATOMIC_RELEASE);
	return 0;
}

uint64_t option(const struct stress *s, const char *name)
{
	const struct option_info *o;
	size_t i;

	for (i = 0; (o = option_at(s->self, i)); i++)
		if (strcmp(o->name, name) == 0)
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

/* Threads and children count on the same page, and the engine may look at any time. */
static void add(shared_u64 *total, uint64_t bytes)
{
	__atomic_fetch_add(total, bytes, __ATOMIC_RELAXED);
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

void stress_live(struct stress *s, uint64_t live_bytes, uint64_t obtained_bytes)
{
	__atomic_store_n(&s->page->live_bytes, live_bytes, __ATOMIC_RELAXED);
	__atomic_store_n(&s->page->obtained_bytes, obtained_bytes, __ATOMIC_RELAXED);
}

void stress_value(struct stress *s, const char *name, int64_t value)
{
	struct shared_value *v;

	for (v = s->page->values; v < s->page->values + SHARED_VALUES_MAX && v->name[0]; v++) {
		if (strcmp(v->name, name) == 0) {
			__atomic_store_n(&v->value, value, __ATOMIC_RELAXED);
			return;
		}
	}
	say(STDERR_FILENO, "%s: the table of values lacks %s\n", s->self->name, name);
	abort();
}

void stress_compare(struct stress *s, uint64_t where, const void *expected, const void *found, size_t len)
{
	const unsigned char *want = expected, *got = found;
	size_t i;

	for (i = 0; i < len; i++) {
		if (want[i] == got[i])
			continue;
		if (!s->page->check_errors)
			snprintf(s->page->note, sizeof(s->page->note),
				 "wrong byte at 0x%llx: expected 0x%02x, found 0x%02x",
				 (unsigned long long)where + i, want[i], got[i]);
		add(&s->page->check_errors, 1);
	}
}

static void look_for_signal(struct stress *s)
{
	static const struct timespec at_once = { 0, 0 };
	int sig = sigtimedwait(&s->stops, NULL, &at_once);

	if (sig > 0)
		__atomic_store_n(&s->stopped_by, sig, __ATOMIC_RELAXED);
}

static void look_at_clock(struct stress *s)
{
	if (s->until_ns != FOREVER && now_ns() >= s->until_ns)
		__atomic_store_n(&s->time_up, true, __ATOMIC_RELAXED);
}

bool stress_ended(const struct stress *s)
{
	return __atomic_load_n(&s->stopped_by, __ATOMIC_RELAXED) ||
	       __atomic_load_n(&s->time_up, __ATOMIC_RELAXED);
}

bool stress_going(struct stress *s)
{
	if (stress_ended(s))
		return false;
	if (s->look_bytes < LOOK_BYTES && ++s->look_calls < LOOK_CALLS)
		return true;
	s->look_bytes = 0;
	s->look_calls = 0;
	look_for_signal(s);
	look_at_clock(s);
	return !stress_ended(s);
}

bool stress_wait(struct stress *s, uint64_t ns)
{
	uint64_t now = now_ns(), end = ns > FOREVER - now ? FOREVER : now + ns;

	if (ns == 0)
		return stress_going(s);
	if (end > s->until_ns)
		end = s->until_ns;
	while (!s->stopped_by && now < end) {
		uint64_t left = end - now;
		struct timespec ts = { (time_t)(left / NS_PER_S), (long)(left % NS_PER_S) };
		int sig;

		/* EINTR (stopped and continued) and EAGAIN (time is up) both look at the clock again. */
		sig = sigtimedwait(&s->stops, NULL, end == FOREVER ? NULL : &ts);
		if (sig > 0)
			__atomic_store_n(&s->stopped_by, sig, __ATOMIC_RELAXED);
		now = now_ns();
	}
	look_at_clock(s);
	return !stress_ended(s);
}

bool stress_stack(size_t bytes)
{
	uintptr_t to = ((uintptr_t)__builtin_frame_address(0) - bytes) & ~(uintptr_t)15;

	/* The signal mask is 8 bytes of 64 signals, in 32 bits too. */
	if (syscall(SYS_rt_sigprocmask, SIG_BLOCK, NULL, to, 8) == 0)
		return true;
	errno = ENOMEM;
	return false;
}

uint64_t stress_random(uint64_t *state)
{
	*state += 0x9e3779b97f4a7c15;
	return hash_mix(*state);
}

enum phase stress_hold(struct stress *s)
{
	uint64_t ns = option(s, "hold");

	if (ns) {
		stress_phase(s, PHASE_HOLD);
		if (!stress_wait(s, ns))
			return PHASE_SIGNAL;
	}
	return PHASE_DONE;
}

enum phase stress_unmet(struct stress *s, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(s->page->note, sizeof(s->page->note), fmt, ap);
	va_end(ap);
	return PHASE_UNMET;
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

/* "VmRSS:	    1024 kB" */
int64_t stress_own(const char *key)
{
	AUTO_CLOSE int fd = open("/proc/self/status", O_RDONLY | O_CLOEXEC);
	size_t len = strlen(key);
	char text[4096];
	const char *line;
	ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);

	if (n <= 0)
		return SHARED_UNKNOWN;
	text[n] = 0;
	for (line = text; line; line = strchr(line, '\n')) {
		line += *line == '\n';
		if (strncmp(line, key, len) == 0 && line[len] == ':')
			return strtoll(line + len + 1, NULL, 10) << 10;
	}
	return SHARED_UNKNOWN;
}

int64_t stress_rise(const char *key, int64_t before)
{
	int64_t now = stress_own(key);

	return now == SHARED_UNKNOWN || before == SHARED_UNKNOWN ? SHARED_UNKNOWN : now - before;
}

static void summary(const struct stress *s, enum phase end)
{
	static const char *const ends[PHASE_COUNT] = {
		[PHASE_DONE] = "limit reached",
		[PHASE_ENOMEM] = "allocation refused",
		[PHASE_ERROR] = "error",
		[PHASE_UNMET] = "this machine cannot do it",
	};
	char allocated[UNITS_TEXT_MAX], touched[UNITS_TEXT_MAX], rss[UNITS_TEXT_MAX];
	const char *how = end == PHASE_SIGNAL               ? strsignal(s->stopped_by)
			  : end == PHASE_DONE && s->time_up ? "time is up"
							    : ends[end];
	int64_t own = stress_own("VmRSS");

	say(STDOUT_FILENO, "%s: allocated %s (%llu bytes), touched %s (%llu bytes), VmRSS %s; %s\n",
	    s->self->name, size_format(allocated, s->page->allocated_bytes),
	    (unsigned long long)s->page->allocated_bytes, size_format(touched, s->page->touched_bytes),
	    (unsigned long long)s->page->touched_bytes, size_format(rss, own < 0 ? 0 : (uint64_t)own), how);
}

/* The values it measured, by hand a line each. */
static void show_values(const struct stress *s)
{
	const struct value_info *info;
	char text[UNITS_TEXT_MAX] = "";
	size_t i;

	for (i = 0; (info = s->self->values) && info[i].name; i++) {
		int64_t value = s->page->values[i].value;

		if (value == SHARED_UNKNOWN)
			continue;
		if (strcmp(info[i].unit, "bytes") == 0 && value >= 0)
			size_format(text, (uint64_t)value);
		else if (strcmp(info[i].unit, "ns") == 0 && value >= 0)
			duration_format(text, (uint64_t)value);
		else
			text[0] = 0;
		say(STDOUT_FILENO, "  %-20s %12lld %6s  %s\n", info[i].name, (long long)value, text,
		    info[i].about);
	}
}

void stress_misused(struct stress *s, const char *text)
{
	struct err e = ERR_INIT;

	if (!getenv(SHARED_ENV) || shared_open(s, &e) < 0)
		return;
	snprintf(s->page->note, sizeof(s->page->note), "%s", text);
	s->page->errnum = EINVAL;
	__atomic_store_n(&s->page->magic, SHARED_MAGIC, __ATOMIC_RELEASE);
	stress_phase(s, PHASE_ERROR);
}

/* The signal and the time that ends it both let run() return PHASE_SIGNAL. */
enum phase stress_run(struct stress *s)
{
	uint64_t time = option(s, "time");
	enum phase end;

	if (time)
		s->until_ns = now_ns() + time;
	end = s->self->run(s);
	if (end == PHASE_SIGNAL && !s->stopped_by)
		end = PHASE_DONE;
	if (s->verify && (end == PHASE_DONE || end == PHASE_ENOMEM))
		verify_all(s);
	if (s->stopped_by && end == PHASE_DONE)
		end = PHASE_SIGNAL;
	if (s->page->check_errors && end == PHASE_DONE) {
		s->page->errnum = EILSEQ;
		end = PHASE_ERROR;
	}
	return end;
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
	if (s->bell < 0)
		show_values(s);
	if (end == PHASE_DONE)
		return EXIT_SUCCESS;
	if (end == PHASE_UNMET)
		return EXIT_UNMET;
	if (end == PHASE_ENOMEM)
		return EXIT_ENOMEM;
	if (end == PHASE_ERROR)
		return EXIT_FAILURE;
	signal(s->stopped_by, SIG_DFL);
	raise(s->stopped_by);
	sigprocmask(SIG_UNBLOCK, &s->stops, NULL);
	return 128 + s->stopped_by; /* PID 1 of a namespace outlives a default action */
}
