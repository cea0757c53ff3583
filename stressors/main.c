// SPDX-License-Identifier: MIT
/* oomlab-stress: all stressors in one static program. */
#include "stressors/runtime.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EXIT_USAGE 2

#define STRESSOR(x) extern const struct stressor stressor_##x;
#include "stressors/list.h"
#undef STRESSOR

static const struct stressor *const stressors[] = {
#define STRESSOR(x) &stressor_##x,
#include "stressors/list.h"
#undef STRESSOR
	NULL,
};

static void usage(FILE *out)
{
	fputs("usage: oomlab-stress NAME [--option=value...]   NAME uses memory until its limit, a refusal or a signal\n"
	      "       oomlab-stress NAME --check [...]         only looks at the arguments\n"
	      "       oomlab-stress NAME --help                its options\n"
	      "       oomlab-stress --list [--json]            every NAME\n",
	      out);
}

static int list(bool json)
{
	const struct stressor *const *s;
	int width = 0;

	if (json)
		return list_json(stressors) < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
	for (s = stressors; *s; s++)
		if ((int)strlen((*s)->name) > width)
			width = (int)strlen((*s)->name);
	for (s = stressors; *s; s++) {
		const char *const *need = (*s)->needs;

		printf("%-*s  %s", width, (*s)->name, (*s)->about);
		for (; need && *need; need++)
			printf("%s%s%s", need == (*s)->needs ? " (needs " : ", ", *need, need[1] ? "" : ")");
		putchar('\n');
	}
	return EXIT_SUCCESS;
}

static const struct stressor *find(const char *name)
{
	const struct stressor *const *s;

	for (s = stressors; *s; s++)
		if (strcmp((*s)->name, name) == 0)
			return *s;
	fprintf(stderr, "%s: unknown stressor; allowed: ", name);
	for (s = stressors; *s; s++)
		fprintf(stderr, "%s%s", (*s)->name, s[1] ? ", " : "\n");
	return NULL;
}

/* Takes every arg that is word out of args; true if there was one. */
static bool take(char **args, const char *word)
{
	char **to = args;
	bool found = false;

	for (; *args; args++) {
		if (strcmp(*args, word) == 0)
			found = true;
		else
			*to++ = *args;
	}
	*to = NULL;
	return found;
}

static int run(const struct stressor *self, char **args)
{
	struct stress s = { .self = self, .bell = -1, .checking = take(args, "--check") };
	struct err e = ERR_INIT;

	if (take(args, "--help")) {
		options_help(self);
		return EXIT_SUCCESS;
	}
	if (options_parse(&s, args, &e) < 0) {
		fprintf(stderr, "%s: %s\n", self->name, e.text);
		if (!s.checking)
			stress_misused(&s, e.text);
		return EXIT_USAGE;
	}
	if (s.checking)
		return EXIT_SUCCESS;
	if (stress_open(&s, &e) < 0) {
		fprintf(stderr, "%s: %s\n", self->name, e.text);
		return e.code == EINVAL ? EXIT_USAGE : EXIT_FAILURE;
	}
	return stress_close(&s, stress_run(&s));
}

int main(int argc, char **argv)
{
	const struct stressor *self;

	if (argc < 2) {
		usage(stderr);
		return EXIT_USAGE;
	}
	if (strcmp(argv[1], "--help") == 0) {
		usage(stdout);
		return EXIT_SUCCESS;
	}
	if (strcmp(argv[1], "--list") == 0 && (argc == 2 || (argc == 3 && strcmp(argv[2], "--json") == 0)))
		return list(argc == 3);
	if (argv[1][0] == '-') {
		usage(stderr);
		return EXIT_USAGE;
	}
	self = find(argv[1]);
	return self ? run(self, argv + 2) : EXIT_USAGE;
}
