// SPDX-License-Identifier: MIT
/* oomlab VERB ...: finds the verb. Verbs that are programs of their own are executed, as git does. */
#include "harness/verbs.h"

#include "lib/paths.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const struct verb {
	const char *name;
	int (*main)(int argc, char **argv);
	const char *about;
} verbs[] = {
	{ "run", verb_run, "run scenarios and judge what happened" },
	{ "record", verb_record, "run a program of yours under limits, and record it" },
	{ "merge", verb_merge, "put the shards of a run together" },
	{ "explain", verb_explain, "read a kernel log: who was killed by the OOM killer, and why" },
	{ "list", verb_list, "what there is: stressors, scenarios, metrics, kernels, places, formats" },
	{ "stress", verb_stress, "run one stressor by hand" },
	{ "kernels", verb_kernels, "the kernels of guests: list, fetch, diff, remove" },
	{ "doctor", verb_doctor,
	  "what this machine can and cannot do; --repair undoes what a killed run left" },
};

#define VERBS (sizeof(verbs) / sizeof(verbs[0]))

int complain_and(int status, const char *verb, const char *fmt, ...)
{
	va_list ap;

	fprintf(stderr, "oomlab %s: ", verb);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
	return status;
}

static void usage(FILE *to)
{
	size_t i;

	fprintf(to,
		"oomlab: a laboratory for Linux memory exhaustion\n\nusage: oomlab VERB [options]; oomlab VERB --help\n\n");
	for (i = 0; i < VERBS; i++)
		fprintf(to, "  %-10s %s\n", verbs[i].name, verbs[i].about);
	fprintf(to, "\ntry: oomlab run overcommit-modes\n");
}

/* oomlab-VERB beside this program or where it is installed; returns only if there is none. */
static void try_program(char **argv)
{
	char name[64], path[PATH_LEN_MAX];

	if (strchr(argv[0], '/') || snprintf(name, sizeof(name), "oomlab-%s", argv[0]) >= (int)sizeof(name))
		return;
	if (!strcmp(argv[0], "stress") || !strcmp(argv[0], "agent") || paths_helper(name, path) < 0)
		return;
	execv(path, argv);
}

/* A result that nobody could read is no result. */
static int flushed(int status)
{
	if (fflush(stdout) == 0 && !ferror(stdout))
		return status;
	fprintf(stderr, "oomlab: standard output: %s\n", strerror(errno ? errno : EIO));
	return status == EXIT_PASS ? EXIT_BROKEN : status;
}

int main(int argc, char **argv)
{
	size_t i;

	if (argc < 2) {
		usage(stderr);
		return EXIT_USAGE;
	}
	if (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h") || !strcmp(argv[1], "help")) {
		usage(stdout);
		return flushed(EXIT_PASS);
	}
	if (!strcmp(argv[1], "--version")) {
		printf("oomlab " OOMLAB_VERSION "\n");
		return flushed(EXIT_PASS);
	}
	for (i = 0; i < VERBS; i++)
		if (!strcmp(argv[1], verbs[i].name))
			return flushed(verbs[i].main(argc - 1, argv + 1));
	try_program(argv + 1);
	fprintf(stderr, "oomlab: no verb \"%s\"; there are", argv[1]);
	for (i = 0; i < VERBS; i++)
		fprintf(stderr, "%s %s", i ? "," : "", verbs[i].name);
	fprintf(stderr, "\n");
	return EXIT_USAGE;
}
