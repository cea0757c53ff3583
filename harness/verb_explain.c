// SPDX-License-Identifier: MIT
/* oomlab explain [FILE...]: reads kernel logs, says who was killed and why. */
#include "harness/verbs.h"

#include "harness/explain_json.h"
#include "harness/logfile.h"
#include "harness/oracle/report.h"
#include "harness/output/output.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

struct explaining {
	const char *file; /* NULL: there is only one */
	bool json, all_models;
	size_t last; /* only so many of the latest events; 0: all */
	struct output_options output;
	json_t *events; /* with --json or --last */
	size_t count;
	bool failed;
};

static void usage(FILE *out)
{
	fputs("usage: oomlab explain [options] [FILE...]\n"
	      "Who was killed by the OOM killer, why, and what would have saved it, from kernel logs: dmesg, journalctl -k,\n"
	      "syslog, a serial console; packed or not; - is standard input. Without FILE: standard input, or this machine's\n"
	      "own log if that is a terminal.\n"
	      "  --json         one JSON document, for machines\n"
	      "  --all-models   also whom 2.6, 3.10, 4.4, ... today's kernel would have killed\n"
	      "  --last N       the last N events alone\n"
	      "Exit status: 0, 2 for bad usage or a file that cannot be read, 4 when there is no OOM event.\n",
	      out);
}

static void show(struct explaining *x, const json_t *event, size_t number)
{
	if (output_explained(stdout, event, number, &x->output) < 0)
		x->failed = true;
}

static void explained(void *user, const struct oom_report *r)
{
	struct explaining *x = user;
	json_t *event = explain_json(r, x->all_models);

	x->count++;
	if (!event) {
		x->failed = true;
		return;
	}
	if (x->file)
		json_object_set_new(event, "file", json_string(x->file));
	if (!x->json && !x->last) {
		show(x, event, x->count);
		json_decref(event);
		return;
	}
	json_array_append_new(x->events, event);
	if (x->last && json_array_size(x->events) > x->last)
		json_array_remove(x->events, 0);
}

/* journalctl -o json: an object a line, whose MESSAGE is the kernel's; -ENODATA: it is none. */
static int feed_json(struct oom_log *log, const char *line, size_t len)
{
	json_t *entry = json_loadb(line, len, 0, NULL);
	const char *message = json_string_value(json_object_get(entry, "MESSAGE"));
	int r = message ? oom_log_line(log, message, strlen(message)) : -ENODATA;

	json_decref(entry);
	return r;
}

static int feed(void *user, const char *line, size_t len)
{
	int r = len && line[0] == '{' ? feed_json(user, line, len) : -ENODATA;

	return r == -ENODATA ? oom_log_line(user, line, len) : r;
}

/* A log of its own: what one file ends with has nothing to do with how the next one begins. */
static int read_one(struct explaining *x, const char *path, struct err *e)
{
	struct oom_log *log = oom_log_new(explained, x);
	int r;

	if (!log)
		return err_errno(e, ENOMEM, "explain");
	r = path ? logfile_read(path, feed, log, e) : logfile_kernel(feed, log, e);
	if (r == -ENOMEM && !e->code)
		err_errno(e, ENOMEM, "explain");
	oom_log_end(log);
	oom_log_free(log);
	return r;
}

static void finish(struct explaining *x)
{
	const json_t *event;
	size_t i;

	if (x->json) {
		json_t *whole = json_pack("{s:O}", "events", x->events);

		json_dumpf(whole, stdout, JSON_INDENT(2) | JSON_ENSURE_ASCII);
		putchar('\n');
		json_decref(whole);
		return;
	}
	json_array_foreach (x->events, i, event)
		show(x, event, x->count - json_array_size(x->events) + i + 1);
}

static unsigned int terminal_width(void)
{
	struct winsize size;

	return ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 ? size.ws_col : 0;
}

static int parse(int argc, char **argv, struct explaining *x)
{
	static const struct option options[] = { { "json", no_argument, NULL, 'j' },
						 { "all-models", no_argument, NULL, 'm' },
						 { "last", required_argument, NULL, 'l' },
						 { "help", no_argument, NULL, 'h' },
						 { NULL, 0, NULL, 0 } };
	char *end;
	long n;
	int c;

	while ((c = getopt_long(argc, argv, "h", options, NULL)) >= 0) {
		switch (c) {
		case 'j':
			x->json = true;
			break;
		case 'm':
			x->all_models = true;
			break;
		case 'l':
			errno = 0;
			n = strtol(optarg, &end, 10);
			if (errno || *end || end == optarg || n < 1)
				return complain_and(EXIT_USAGE, "explain",
						    "--last: '%s'; allowed: a whole number, 1 or more",
						    optarg);
			x->last = (size_t)n;
			break;
		case 'h':
			usage(stdout);
			return -1;
		default:
			usage(stderr);
			return EXIT_USAGE;
		}
	}
	return EXIT_PASS;
}

int verb_explain(int argc, char **argv)
{
	struct explaining x = { .events = json_array() };
	struct err e = ERR_INIT;
	int r, status = EXIT_PASS, i;

	r = parse(argc, argv, &x);
	if (r != EXIT_PASS)
		return r < 0 ? EXIT_PASS : r;
	x.output.colour = isatty(STDOUT_FILENO) && !getenv("NO_COLOR");
	x.output.width = isatty(STDOUT_FILENO) ? terminal_width() : 0;
	if (optind == argc && read_one(&x, isatty(STDIN_FILENO) ? NULL : "-", &e) < 0)
		status = complain_and(EXIT_USAGE, "explain", "%s", e.text);
	for (i = optind; i < argc; i++) {
		x.file = argc - optind > 1 ? argv[i] : NULL;
		if (read_one(&x, argv[i], &e) < 0)
			status = complain_and(EXIT_USAGE, "explain", "%s", e.text);
	}
	finish(&x);
	json_decref(x.events);
	if (fflush(stdout) != 0 || x.failed)
		return complain_and(EXIT_BROKEN, "explain", "writing the result: %s",
				    x.failed ? "out of memory" : strerror(errno));
	if (status == EXIT_PASS && !x.count)
		return complain_and(EXIT_SKIP, "explain", "no OOM event in %s",
				    optind == argc
					    ? (isatty(STDIN_FILENO) ? "this machine's log" : "standard input")
				    : argc - optind == 1 ? argv[optind]
							 : "any of these files");
	return status;
}
