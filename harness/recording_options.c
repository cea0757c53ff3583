// SPDX-License-Identifier: MIT
#include "harness/recording_options.h"

#include "guest/kernels.h"
#include "harness/verbs.h"
#include "lib/clock.h"
#include "lib/units.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MACHINE_MIN (16ULL << 20)
#define MACHINE_MAX (1ULL << 40)
#define EVERY_MIN   NS_PER_MS
#define HOUR        (3600 * NS_PER_S)

struct parsed {
	struct recording *wish;
	struct recording_options *options;
	const char *place; /* --place */
};

static const char help[] =
	"usage: oomlab record [options] -- CMD ARGS...\n"
	"\n"
	"Runs CMD under limits and keeps a record of it. Its streams, signals and exit status are what they are\n"
	"without oomlab.\n"
	"\n"
	"  --memory S            memory.max: 64M, 50%, max\n"
	"  --memory-high S       memory.high\n"
	"  --swap S              memory.swap.max; a guest gets so much swap, otherwise none\n"
	"  --pids N              pids.max\n"
	"  --cpus N              CPUs: on the host it is kept to so many, a guest has so many (1)\n"
	"  --set cgroup.KEY=V    any other limit of `oomlab list limits`; also --set cgroup KEY=V\n"
	"  --env NAME[=VALUE]    a variable of its environment; a guest hands on nothing but these and PATH\n"
	"  --timeout D           ends it by SIGKILL after that (default: never)\n"
	"  --every D             one sample of everything that often (default 10ms, thinned out as it goes on)\n"
	"  --out DIR             the run directory, absent or empty (default results/runs/<time>-<CMD>)\n"
	"  --quiet               say nothing but what explains the exit status\n"
	"  --keep-blackbox       keep the black box\n"
	"  --cgroup-parent PATH  make its cgroup below this one\n"
	"  --place host|guest    where (default host, with --kernel a guest)\n"
	"  --kernel K            guest: its kernel (default " RECORDING_KERNEL ")\n"
	"  --machine-memory S    guest: its RAM (default 256M more than --memory, at least 2G)\n"
	"  --file PATH           guest: a file or folder that CMD needs beside what it is linked to\n"
	"\n"
	"exit status: CMD's own; 128 and the signal that ended it (137: the OOM killer, if a line says so);\n"
	"2 bad usage, 3 broken, 4 this place cannot do it\n";

#define ALLOWED                                                                                               \
	"--memory, --memory-high, --swap, --pids, --cpus, --set, --env, --timeout, --every, --out, --quiet, " \
	"--keep-blackbox, --cgroup-parent, --place, --kernel, --machine-memory, --file, --help"

static const struct option options[] = {
	{ "memory", required_argument, NULL, 'm' },
	{ "memory-high", required_argument, NULL, 'g' },
	{ "swap", required_argument, NULL, 'w' },
	{ "pids", required_argument, NULL, 'n' },
	{ "cpus", required_argument, NULL, 'u' },
	{ "set", required_argument, NULL, 's' },
	{ "env", required_argument, NULL, 'e' },
	{ "timeout", required_argument, NULL, 't' },
	{ "every", required_argument, NULL, 'y' },
	{ "out", required_argument, NULL, 'o' },
	{ "quiet", no_argument, NULL, 'q' },
	{ "keep-blackbox", no_argument, NULL, 'b' },
	{ "cgroup-parent", required_argument, NULL, 'c' },
	{ "place", required_argument, NULL, 'p' },
	{ "kernel", required_argument, NULL, 'k' },
	{ "machine-memory", required_argument, NULL, 'M' },
	{ "file", required_argument, NULL, 'f' },
	{ "help", no_argument, NULL, 'h' },
	{ NULL, 0, NULL, 0 },
};

static int usage(const char *option, const char *value, const char *allowed)
{
	return complain_and(EXIT_USAGE, "record", "--%s %s: %s", option, value, allowed);
}

static int limit(struct parsed *p, const char *option, const char *key, const char *value)
{
	struct err e = ERR_INIT;

	return recording_limit(p->wish, key, value, &e) < 0 ? usage(option, value, e.text) : EXIT_PASS;
}

/* "cgroup.KEY=VALUE", or "cgroup" and the next word. */
static int set(struct parsed *p, int argc, char **argv, const char *value)
{
	const char *pair = value, *equals;
	AUTO_FREE char *key = NULL;
	struct err e = ERR_INIT;

	if (!strcmp(value, "cgroup") && optind < argc)
		pair = argv[optind++];
	else if (!strncmp(value, "cgroup.", 7))
		pair = value + 7;
	else
		return usage("set", value, "allowed: cgroup.KEY=VALUE, e.g. cgroup.memory.oom.group=1");
	equals = strchr(pair, '=');
	key = equals ? strndup(pair, (size_t)(equals - pair)) : NULL;
	if (!key)
		return usage("set", value, "has no value; allowed: cgroup.KEY=VALUE");
	return recording_limit(p->wish, key, equals + 1, &e) < 0
		       ? complain_and(EXIT_USAGE, "record", "--set cgroup.%s: %s", pair, e.text)
		       : EXIT_PASS;
}

static int size(const char *option, const char *text, uint64_t *ret)
{
	if (size_parse(text, ret) == 0 && *ret >= MACHINE_MIN && *ret <= MACHINE_MAX)
		return EXIT_PASS;
	return usage(option, text, "allowed: " SIZE_ALLOWED "; 16M to 1T");
}

static int duration(const char *option, const char *text, uint64_t max, const char *range, uint64_t *ret)
{
	char allowed[128];

	if (duration_parse(text, ret) == 0 && *ret >= EVERY_MIN && *ret <= max)
		return EXIT_PASS;
	snprintf(allowed, sizeof(allowed), "allowed: " DURATION_ALLOWED "; %s", range);
	return usage(option, text, allowed);
}

static int cpus(struct parsed *p, const char *text)
{
	if (int_parse(text, &p->wish->cpus) == 0 && p->wish->cpus >= 1 && p->wish->cpus <= RECORDING_CPUS_MAX)
		return EXIT_PASS;
	return usage("cpus", text, "allowed: a whole number, 1 to 64");
}

static int env(struct parsed *p, const char *text)
{
	struct err e = ERR_INIT;

	return recording_env(p->wish, text, &e) < 0 ? usage("env", text, e.text) : EXIT_PASS;
}

static int file(struct parsed *p, const char *path)
{
	AUTO_FREE char *real = access(path, R_OK) == 0 ? realpath(path, NULL) : NULL;
	json_t *text = real ? json_string(real) : NULL;

	if (!real)
		return usage("file", path, strerror(errno));
	if (!text)
		return usage("file", path, "its path is no UTF-8");
	if (!p->wish->files)
		p->wish->files = json_array();
	json_array_append_new(p->wish->files, text);
	return EXIT_PASS;
}

static int kernel(struct parsed *p, const char *name)
{
	struct err e = ERR_INIT;
	struct kernel found;

	p->wish->kernel = name;
	return kernels_find(name, &found, &e) < 0 ? usage("kernel", name, e.text) : EXIT_PASS;
}

static int take_more(struct parsed *p, int c, char *value)
{
	switch (c) {
	case 'o':
		p->options->out = value;
		return value[0] ? EXIT_PASS : usage("out", "\"\"", "allowed: a directory");
	case 'q':
		p->options->quiet = true;
		return EXIT_PASS;
	case 'b':
		p->options->keep_box = true;
		return EXIT_PASS;
	case 'c':
		p->options->place.cgroup_parent = value;
		return strstr(value, "..") ? usage("cgroup-parent", value, "allowed: a path without \"..\"")
					   : EXIT_PASS;
	case 'p':
		p->place = value;
		return place_find(value) ? EXIT_PASS : usage("place", value, "allowed: host or guest");
	case 'k':
		return kernel(p, value);
	case 'M':
		return size("machine-memory", value, &p->wish->machine_memory_bytes);
	default:
		return file(p, value);
	}
}

static int take_option(struct parsed *p, int c, int argc, char **argv)
{
	switch (c) {
	case 'm':
		return limit(p, "memory", "memory.max", optarg);
	case 'g':
		return limit(p, "memory-high", "memory.high", optarg);
	case 'w':
		return limit(p, "swap", "memory.swap.max", optarg);
	case 'n':
		return limit(p, "pids", "pids.max", optarg);
	case 'u':
		return cpus(p, optarg);
	case 's':
		return set(p, argc, argv, optarg);
	case 'e':
		return env(p, optarg);
	case 't':
		return duration("timeout", optarg, RECORDING_FOREVER_NS, "1ms to 87600h",
				&p->wish->timeout_ns);
	case 'y':
		return duration("every", optarg, HOUR, "1ms to 1h", &p->wish->every_ns);
	case ':':
		return complain_and(EXIT_USAGE, "record", "%s: its value is missing", argv[optind - 1]);
	case '?':
		return complain_and(EXIT_USAGE, "record", "%s: no such option; allowed: " ALLOWED,
				    argv[optind - 1]);
	default:
		return take_more(p, c, optarg);
	}
}

/* What only a guest has is no option of the host's. */
static int check_place(struct parsed *p)
{
	p->wish->guest = p->place ? !strcmp(p->place, "guest") : p->wish->kernel != NULL;
	if (p->wish->guest)
		return EXIT_PASS;
	if (p->wish->kernel)
		return usage("kernel", p->wish->kernel, "belongs to a guest; allowed: with --place guest");
	if (p->wish->machine_memory_bytes)
		return complain_and(EXIT_USAGE, "record",
				    "--machine-memory: belongs to a guest; allowed: with --place guest");
	if (p->wish->files)
		return complain_and(EXIT_USAGE, "record",
				    "--file: belongs to a guest; allowed: with --place guest");
	return EXIT_PASS;
}

int recording_parse(struct recording *wish, struct recording_options *o, int argc, char **argv,
		    int *ret_status)
{
	struct parsed parsed = { wish, o, NULL }, *p = &parsed;
	int c;

	opterr = 0;
	while ((c = getopt_long(argc, argv, "+:", options, NULL)) != -1) {
		if (c == 'h') {
			fputs(help, stdout);
			*ret_status = EXIT_PASS;
			return -1;
		}
		*ret_status = take_option(p, c, argc, argv);
		if (*ret_status != EXIT_PASS)
			return -1;
	}
	*ret_status = check_place(p);
	if (*ret_status == EXIT_PASS && optind == argc)
		*ret_status = complain_and(EXIT_USAGE, "record",
					   "which program? allowed: oomlab record [options] -- CMD ARGS...");
	p->wish->argv = argv + optind;
	return *ret_status == EXIT_PASS ? 0 : -1;
}
