// SPDX-License-Identifier: MIT
#include "harness/engine/process.h"

#include "harness/engine/child.h"
#include "harness/engine/maps.h"
#include "lib/files.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define OUTPUT_BYTES_MAX 65536
#define OUTPUT_PIECE     1280   /* each byte may become six in an event */
#define KEPT_PIECE       65536  /* as much as a pipe holds */
#define KEPT_PART        4      /* of the box: the rest is for samples and events */
#define NO_TEXT          '\xff' /* in place of a NUL byte; an event shows both as U+FFFD */
#define EXEC_TIMEOUT_MS  20000
#define LAST_LINES       3
#define DRAIN_READS_MAX  64 /* as much as a pipe holds, unless its children go on writing */

static const char *const phase_names[] = PHASE_NAMES;

static const char *phase_name(uint32_t phase)
{
	return phase < PHASE_COUNT ? phase_names[phase] : "unknown";
}

/* A stressor's page and bell. */
static int make_shared(struct process *p, struct child_ends *child)
{
	int bell[2];
	void *page;

	child->page = memfd_create("oomlab-page", MFD_CLOEXEC);
	if (child->page < 0 || ftruncate(child->page, SHARED_PAGE_BYTES) < 0)
		return -errno;
	page = mmap(NULL, SHARED_PAGE_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, child->page, 0);
	if (page == MAP_FAILED)
		return -errno;
	memset(page, 0, SHARED_PAGE_BYTES); /* charged to the engine, not to the trial */
	p->page = page;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, bell) < 0)
		return -errno;
	p->bell = bell[0];
	child->bell = bell[1];
	fcntl(p->bell, F_SETFL, O_NONBLOCK);
	return 0;
}

/* A text as a file without a name, charged to the engine. */
static int make_input(const char *text, struct child_ends *child)
{
	int r;

	child->input = memfd_create("oomlab-stdin", MFD_CLOEXEC);
	if (child->input < 0)
		return -errno;
	r = write_all(child->input, text, strlen(text));
	if (r == 0 && lseek(child->input, 0, SEEK_SET) < 0)
		r = -errno;
	return r;
}

static int make_pipe(int *ret_ours, int *ret_childs)
{
	int ends[2];

	if (pipe2(ends, O_CLOEXEC) < 0)
		return -errno;
	*ret_ours = ends[0];
	*ret_childs = ends[1];
	fcntl(ends[0], F_SETFL, O_NONBLOCK);
	return 0;
}

static int make_ends(struct process *p, struct child_ends *child)
{
	int gate[2], r = 0;

	if (p->spec->stressor)
		r = make_shared(p, child);
	else if (p->spec->stdin_text)
		r = make_input(p->spec->stdin_text, child);
	if (r < 0)
		return r;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, gate) < 0)
		return -errno;
	p->gate = gate[0];
	child->gate = gate[1];
	if (p->spec->streams != STREAMS_CALLER)
		r = make_pipe(&p->output, &child->output);
	if (r == 0 && p->spec->streams == STREAMS_KEPT)
		r = make_pipe(&p->errors, &child->errors);
	return r;
}

int process_fork(struct process *p, const struct spec_process *spec, const struct engine_setup *setup,
		 struct err *e)
{
	struct child_ends child = { -1, -1, -1, -1, -1, -1 };
	pid_t engine = getpid();
	int r;

	if (spec->streams == STREAMS_CALLER && !setup->caller)
		return err_set(e, EINVAL, "process %s: its streams are a caller's, and there is none here",
			       spec->name);
	memset(p, 0, sizeof(*p));
	p->spec = spec;
	p->gate = p->bell = p->output = p->errors = -1;
	p->sampler.status = p->sampler.stat = p->sampler.oom_score = -1;
	r = make_ends(p, &child);
	if (r == 0) {
		p->pid = fork();
		if (p->pid == 0)
			child_main(spec, setup, &child, engine);
		r = p->pid < 0 ? -errno : 0;
	}
	cleanup_close(&child.page);
	cleanup_close(&child.bell);
	cleanup_close(&child.input);
	cleanup_close(&child.gate);
	cleanup_close(&child.output);
	cleanup_close(&child.errors);
	if (r < 0)
		return err_errno(e, -r, "process %s: start", spec->name);
	p->running = true;
	if (spec->streams != STREAMS_CALLER)
		setpgid(p->pid, p->pid);
	return 0;
}

void process_release(struct process *p)
{
	p->released = true;
	(void)!write(p->gate, "g", 1);
}

int process_started(struct process *p, const struct engine_setup *setup, struct err *e)
{
	const struct spec_process *spec = p->spec;
	struct pollfd wait = { p->gate, POLLIN, 0 };
	struct child_failure failure;
	ssize_t n;

	if (poll(&wait, 1, EXEC_TIMEOUT_MS) == 0)
		return err_set(e, ETIMEDOUT, "process %s: not started after %d s", spec->name,
			       EXEC_TIMEOUT_MS / 1000);
	n = read(p->gate, &failure, sizeof(failure));
	close(p->gate);
	p->gate = -1;
	p->started = n != sizeof(failure);
	if (p->started)
		return 0;
	if (failure.step == CHILD_SETTING) {
		settings_refused(&spec->settings, failure.setting, failure.errnum, e);
		return err_prefix(e, "process %s", spec->name);
	}
	if (failure.step == CHILD_ROOT)
		return err_errno(e, failure.errnum, "process %s: chroot %s", spec->name, setup->root);
	if (failure.step == CHILD_STDIN)
		return err_errno(e, failure.errnum, "process %s: stdin %s", spec->name,
				 spec->stdin_file ? spec->stdin_file : "/dev/null");
	return err_errno(e, failure.errnum, "process %s: exec %s", spec->name,
			 spec->program ? spec->program : setup->stress_path);
}

/* What the stressor measured besides. The page is its own to write, so nothing there is taken for granted. */
static void values(struct jsonw *w, const struct shared_page *page)
{
	size_t i;

	if (!page->values[0].name[0])
		return;
	jsonw_object(w, "values");
	for (i = 0; i < SHARED_VALUES_MAX && page->values[i].name[0]; i++) {
		char name[sizeof(page->values[i].name)];

		memcpy(name, (const char *)page->values[i].name, sizeof(name));
		name[sizeof(name) - 1] = 0;
		if (page->values[i].value == SHARED_UNKNOWN)
			jsonw_null(w, name);
		else
			jsonw_int(w, name, page->values[i].value);
	}
	jsonw_close(w);
}

/* Of a stressor: a program has no page on which it says what it does. */
static void amounts(struct jsonw *w, const struct process *p)
{
	char note[sizeof(p->page->note)];

	if (!p->page)
		return;
	memcpy(note, (const char *)p->page->note, sizeof(note));
	note[sizeof(note) - 1] = 0;
	jsonw_str(w, "phase", phase_name(p->page->phase));
	jsonw_uint(w, "allocated", p->page->allocated_bytes);
	jsonw_uint(w, "touched", p->page->touched_bytes);
	jsonw_uint(w, "read", p->page->read_bytes);
	jsonw_uint(w, "check_errors", p->page->check_errors);
	jsonw_int(w, "errno", p->page->errnum);
	jsonw_str(w, "note", note);
	values(w, p->page);
}

enum bell process_bell(struct process *p, struct recorder *rec)
{
	char bytes[16];
	struct jsonw *w;
	ssize_t n = read(p->bell, bytes, sizeof(bytes));

	if (n < 0 && errno == EAGAIN)
		return BELL_PHASE;
	if (n <= 0)
		return BELL_GONE;
	p->phase = p->page->phase;
	w = event_begin(rec, "phase");
	jsonw_str(w, "process", p->spec->name);
	amounts(w, p);
	event_end(rec);
	return p->phase >= PHASE_DONE ? BELL_LAST : BELL_PHASE;
}

void process_ack(struct process *p)
{
	(void)!send(p->bell, "a", 1, MSG_NOSIGNAL);
}

/* "264 201 150 119 0 100 0": the sixth is what it may write and shares with nobody, in pages; -1: not readable. */
static int64_t private_bytes(const struct process *p)
{
	char text[256];
	ssize_t n = pread(p->sampler.statm, text, sizeof(text) - 1, 0);
	long long pages;

	text[n > 0 ? n : 0] = 0;
	if (sscanf(text, "%*d %*d %*d %*d %*d %lld", &pages) != 1)
		return -1;
	return pages * sysconf(_SC_PAGESIZE);
}

void process_maps(const struct process *p, struct recorder *rec)
{
	int64_t private = private_bytes(p);
	static struct maps maps;
	struct jsonw *w;
	size_t i;

	if (maps_read("", p->pid, &maps) < 0)
		return;
	w = event_begin(rec, "maps");
	jsonw_str(w, "process", p->spec->name);
	if (maps.whole)
		jsonw_uint(w, "vmas", maps.count);
	else
		jsonw_null(w, "vmas");
	if (private >= 0)
		jsonw_int(w, "private", private);
	jsonw_array(w, "maps");
	for (i = 0; i < maps.count && i < MAPS_LISTED_MAX; i++) {
		char start[20];

		snprintf(start, sizeof(start), "%08llx", (unsigned long long)maps.listed[i].start);
		jsonw_object(w, NULL);
		jsonw_str(w, "start", start);
		jsonw_uint(w, "bytes", maps.listed[i].bytes);
		jsonw_str(w, "perms", maps.listed[i].perms);
		jsonw_str(w, "name", maps.listed[i].name);
		jsonw_close(w);
	}
	event_end(rec);
}

/* Byte for byte, up to a part of the box. */
static bool keep_output(struct process *p, int fd, struct recorder *rec)
{
	static char bytes[KEPT_PIECE];
	ssize_t n = read(fd, bytes, sizeof(bytes));

	if (n <= 0)
		return n < 0 && errno == EAGAIN;
	if (p->output_dropped || p->output_bytes + (size_t)n > rec->box->size / KEPT_PART ||
	    !bb_append(rec->box, fd == p->output ? BB_STDOUT : BB_STDERR, recorder_now(rec), bytes,
		       (size_t)n))
		p->output_dropped += (size_t)n;
	else
		p->output_bytes += (size_t)n;
	return true;
}

/* Is that what it says when it is ready? It may come in two pieces. */
static void listen_for_ready(struct process *p, const char *text)
{
	char both[SAID_MAX + OUTPUT_PIECE + 1];
	size_t len;

	if (!p->spec->ready || p->ready)
		return;
	len = (size_t)snprintf(both, sizeof(both), "%s%s", p->said, text);
	p->ready = strstr(both, p->spec->ready) != NULL;
	snprintf(p->said, sizeof(p->said), "%s", both + (len >= SAID_MAX ? len - SAID_MAX + 1 : 0));
}

const char *process_last_words(const struct process *p)
{
	static char words[SAID_MAX];
	char *at, *start;
	int lines = 0;

	snprintf(words, sizeof(words), "%s", p->said);
	for (at = words + strlen(words); at > words && (at[-1] == '\n' || at[-1] == '\r');)
		*--at = 0;
	/* What went wrong may come before what was said by the way: standard error is not held back. */
	for (start = at; start > words && (start[-1] != '\n' || ++lines < LAST_LINES); start--)
		;
	for (at = start; (at = strchr(at, '\n'));)
		*at = '|';
	return start;
}

bool process_output(struct process *p, int fd, struct recorder *rec)
{
	char text[OUTPUT_PIECE + 1], *nul;
	struct jsonw *w;
	ssize_t n;

	if (p->spec->streams == STREAMS_KEPT)
		return keep_output(p, fd, rec);
	n = read(fd, text, OUTPUT_PIECE);
	if (n <= 0)
		return n < 0 && errno == EAGAIN;
	if (p->output_bytes >= OUTPUT_BYTES_MAX) /* read on, so that it does not block */
		return true;
	p->output_bytes += (size_t)n;
	text[n] = 0;
	while ((nul = memchr(text, 0, (size_t)n)))
		*nul = NO_TEXT;
	listen_for_ready(p, text);
	w = event_begin(rec, "output");
	jsonw_str(w, "process", p->spec->name);
	jsonw_str(w, "text", text);
	event_end(rec);
	return true;
}

static void drain(struct process *p, int fd, struct recorder *rec)
{
	struct pollfd wait = { fd, POLLIN, 0 };
	int reads;

	for (reads = 0; reads < DRAIN_READS_MAX && poll(&wait, 1, 0) == 1; reads++)
		if (!process_output(p, fd, rec))
			return;
}

void process_drain(struct process *p, struct recorder *rec)
{
	if (p->output >= 0)
		drain(p, p->output, rec);
	if (p->errors >= 0)
		drain(p, p->errors, rec);
}

void process_signal(struct process *p, int signal)
{
	p->signal = signal;
	if (signal == SIGKILL)
		p->ended_by = ENDED_STOP;
	kill(-p->pid, signal);
}

void process_pass(struct process *p, int signal)
{
	if (p->running && p->started)
		kill(p->pid, signal);
}

void process_kill(struct process *p, enum ended_by why)
{
	if (!p->running)
		return;
	p->ended_by = why;
	kill(-p->pid, SIGKILL);
	kill(p->pid, SIGKILL);
}

void process_reaped(struct process *p, int status, long minor_faults, long major_faults, struct recorder *rec)
{
	static const char *const by[] = { NULL, "timeout", "stop" };
	struct jsonw *w = event_begin(rec, "exit");

	p->running = false;
	if (p->signal && WIFSIGNALED(status) && WTERMSIG(status) == p->signal && p->ended_by == ENDED_ITSELF)
		p->ended_by = ENDED_STOP;
	p->sigkilled = WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL && p->ended_by == ENDED_ITSELF;
	jsonw_str(w, "process", p->spec->name);
	jsonw_int(w, "pid", p->pid);
	if (WIFSIGNALED(status))
		jsonw_int(w, "signal", WTERMSIG(status));
	else
		jsonw_int(w, "exit_code", WEXITSTATUS(status));
	jsonw_str(w, "ended_by", by[p->ended_by]);
	if (!p->started)
		jsonw_bool(w, "started", false);
	amounts(w, p);
	if (p->output_dropped)
		jsonw_uint(w, "output_dropped", p->output_dropped);
	jsonw_int(w, "minor_faults", minor_faults);
	jsonw_int(w, "major_faults", major_faults);
	event_end(rec);
}

void process_close(struct process *p)
{
	if (p->pid > 0)
		process_sampler_close(&p->sampler);
	cleanup_close(&p->gate);
	cleanup_close(&p->bell);
	cleanup_close(&p->output);
	cleanup_close(&p->errors);
	if (p->page)
		munmap((void *)p->page, SHARED_PAGE_BYTES);
	p->page = NULL;
	p->gate = p->bell = p->output = p->errors = -1;
}
