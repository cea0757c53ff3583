// SPDX-License-Identifier: MIT
/*
 * How long a guest takes to be there: guest_start SCENARIO DIR ROUNDS. In each
 * round the scenario's first cell is booted and woken once, in turns. One line
 * each, tab-separated, for bench/guests to make sense of:
 *
 *   cold    1234567890  2345678901   ns from the place's start() to the engine's first tick, and to the guest's end
 *   woken    234567890   345678901
 *
 * Everything is in it that a trial pays: the initramfs, the digest of what goes
 * into the boot, the snapshot's checksum, QEMU's start. Exit status 77: no guest
 * here, the reason is on standard error.
 */
#include "harness/places/keeper.h"
#include "harness/places/place.h"
#include "harness/scenario/scenario.h"
#include "harness/verbs.h"
#include "lib/blackbox.h"
#include "lib/clock.h"
#include "lib/files.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define SKIP       77
#define BOX_BYTES  (4u << 20)
#define LOOK_US    500
#define TRIAL_NS   (120 * NS_PER_S)
#define ROUNDS_MAX 1000

static void die(const char *what, const char *why)
{
	fprintf(stderr, "bench/guest_start: %s: %s\n", what, why);
	exit(1);
}

static json_t *load(const char *path)
{
	struct complaints *c = complaints_new();
	struct scenario *s;
	const struct names *known;
	struct err e = ERR_INIT;

	if (!c || known_names(&known, &e) < 0)
		die(path, e.text);
	if (scenario_load(path, NULL, known, c, &s) < 0) {
		complaints_print(c, stderr);
		exit(1);
	}
	complaints_free(c);
	return json_incref(scenario_spec(s, 0));
}

static uint64_t ticks_in(const char *box_path)
{
	struct blackbox box;
	uint64_t ticks;

	if (bb_open(box_path, false, &box, NULL) < 0)
		return 0;
	ticks = box.header->live.ticks;
	bb_close(&box);
	return ticks;
}

/* Looks at the box until the guest is gone. */
static void watch(struct trial *t, uint64_t started_ns, struct keeper_counts before)
{
	const char *how = "cold";
	uint64_t first_ns = 0;
	struct err e = ERR_INIT;
	int status;

	while (waitpid(t->pid, &status, WNOHANG) == 0) {
		if (clock_ns() - started_ns > TRIAL_NS)
			kill(t->pid, SIGKILL);
		if (!first_ns && ticks_in(t->box_path))
			first_ns = clock_ns() - started_ns;
		usleep(LOOK_US);
	}
	if (keeper_counts().woken > before.woken)
		how = "woken";
	else if (keeper_counts().saved > before.saved)
		how = "saved";
	if (place_guest.finish(t, status, false, &e) < 0 || !first_ns)
		die(how, e.text[0] ? e.text : "no tick was seen");
	printf("%s\t%llu\t%llu\n", how, (unsigned long long)first_ns,
	       (unsigned long long)(clock_ns() - started_ns));
	fflush(stdout);
}

static void run(const json_t *spec, const char *dir, bool cold)
{
	struct place_options options = { .accel = "tcg", .cold = cold };
	char box_path[PATH_LEN_MAX], *text = json_dumps(spec, JSON_COMPACT);
	struct trial t = { .spec = spec, .options = &options, .dir = (char *)dir, .box_path = box_path };
	struct blackbox box;
	struct err e = ERR_INIT;
	struct keeper_counts before;
	uint64_t started_ns;

	if (path_format(box_path, "%s/blackbox", dir) < 0 || !text)
		die(dir, "out of memory, or its name is too long");
	unlink(box_path);
	if (bb_create(box_path, BOX_BYTES, text, strlen(text), &box, &e) < 0)
		die(dir, e.text);
	bb_close(&box);
	free(text);
	before = keeper_counts();
	started_ns = clock_ns();
	if (place_guest.start(&t, &e) < 0)
		die("start", e.text);
	watch(&t, started_ns, before);
}

int main(int argc, char **argv)
{
	struct place_options options = { .accel = "tcg" };
	struct err e = ERR_INIT;
	json_t *spec;
	int rounds, i;

	rounds = argc == 4 ? atoi(argv[3]) : 0;
	if (rounds < 1 || rounds > ROUNDS_MAX) {
		fprintf(stderr, "usage: guest_start SCENARIO DIR ROUNDS\n");
		return 2;
	}
	spec = load(argv[1]);
	if (place_guest.can(spec, &options, &e) < 0 || place_guest.prepare(spec, &options, &e) < 0) {
		fprintf(stderr, "%s\n", e.text);
		return SKIP;
	}
	run(spec, argv[2], false); /* warms up, and leaves a snapshot */
	for (i = 0; i < rounds; i++) {
		run(spec, argv[2], true);
		run(spec, argv[2], false);
	}
	json_decref(spec);
	return 0;
}
