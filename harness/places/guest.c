// SPDX-License-Identifier: MIT
/* A throw-away QEMU machine as a place: any kernel, any size, and nothing in it can hurt this machine. */
#include "harness/places/guest.h"

#include "harness/oracle/oomreport.h"
#include "harness/places/console.h"
#include "harness/places/guest_launch.h"
#include "harness/places/guest_machine.h"
#include "harness/places/image.h"
#include "harness/places/programs.h"
#include "harness/places/qemu.h"
#include "harness/places/snapshot.h"
#include "lib/blackbox.h"
#include "lib/capture.h"
#include "lib/files.h"
#include "lib/json.h"
#include "lib/jsonw.h"
#include "lib/paths.h"
#include "lib/units.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define VERSION_MS   10000
#define QEMU_LOG_MAX (64u << 10)

int guest_qemu_version(char *ret, size_t room)
{
	const char *const command[] = { QEMU_PROGRAM, "--version", NULL };
	AUTO_FREE char *text = NULL;
	int status, r;

	r = capture(command, VERSION_MS, &text, &status, NULL);
	if (r < 0)
		return r;
	snprintf(ret, room, "%.*s", (int)strcspn(text, "\n"), text);
	return status == 0 && ret[0] ? 0 : -EIO;
}

/* What it takes on this machine to make file systems for a guest. */
static int can_make_images(const json_t *spec, struct err *why)
{
	char program[PATH_LEN_MAX];

	if (guest_data(spec) && paths_program(IMAGE_PROGRAM, program) < 0)
		return err_set(why, EOPNOTSUPP,
			       "machine.data: " IMAGE_PROGRAM " is not installed: apt-get install e2fsprogs");
	if (programs_there(spec, why) < 0)
		return -EOPNOTSUPP;
	if (programs_wanted(spec) &&
	    (paths_program(IMAGE_PROGRAM, program) < 0 || paths_program(PROGRAMS_FILLER, program) < 0))
		return err_set(why, EOPNOTSUPP,
			       "exec: " IMAGE_PROGRAM " and " PROGRAMS_FILLER
			       " are not installed: apt-get install e2fsprogs");
	return 0;
}

static int guest_can(const json_t *spec, const struct place_options *o, struct err *why)
{
	const json_t *machine = guest_machine(spec);
	char have[UNITS_TEXT_MAX], want[UNITS_TEXT_MAX];
	char program[PATH_LEN_MAX];
	struct kernel k;

	if (paths_program(QEMU_PROGRAM, program) < 0)
		return err_set(why, EOPNOTSUPP,
			       QEMU_PROGRAM " is not installed: apt-get install qemu-system-x86");
	if (can_make_images(spec, why) < 0)
		return -EOPNOTSUPP;
	if (kernels_find(json_text(machine, "kernel", NULL), &k, why) < 0)
		return -EOPNOTSUPP;
	if (guest_memory(spec) < k.memory_min_bytes)
		return err_set(why, EOPNOTSUPP, "%s does not boot with %s of memory: at least %s", k.name,
			       size_format(have, guest_memory(spec)), size_format(want, k.memory_min_bytes));
	if (strcmp(k.arch, "i386") == 0 && guest_deterministic(spec))
		return err_set(why, EOPNOTSUPP, "machine.deterministic: not with a 32-bit kernel (%s)",
			       k.name);
	if (guest_programs(&k, program, program, why) == -EOPNOTSUPP)
		return -EOPNOTSUPP;
	if (programs_fit(spec, strcmp(k.arch, "i386") == 0 ? 32 : 64, why) < 0)
		return -EOPNOTSUPP;
	if (guest_machine_fits(spec, o->accel, why) < 0)
		return -EOPNOTSUPP;
	if (o->accel && strcmp(o->accel, "kvm") == 0)
		return guest_kvm_offered(why);
	return 0;
}

/* Once: what makes every guest take longer than it has to. */
static void warn_of_cold_boots(const json_t *spec)
{
	static bool said;
	struct err why = ERR_INIT;

	if (said || snapshot_room(guest_host_memory(spec), &why) == 0)
		return;
	fprintf(stderr, "oomlab: %s: guests boot every time\n", why.text);
	said = true;
}

/*
 * No network, no such suite any more, no space: what is wrong is neither the scenario's nor ours. It is tried once,
 * not by each of the kernel's cells.
 */
static int ensure(struct kernel *k, struct err *why)
{
	static char failed[sizeof(k->name)];
	static struct err reason;
	int r;

	if (strcmp(failed, k->name) == 0)
		return err_set(why, EOPNOTSUPP, "%s", reason.text);
	r = kernels_ensure(k, &reason);
	if (r < 0)
		memcpy(failed, k->name, sizeof(failed));
	return r < 0 ? err_set(why, EOPNOTSUPP, "%s", reason.text) : 0;
}

static int guest_prepare(const json_t *spec, const struct place_options *o, struct err *why)
{
	struct module_list modules;
	struct kernel k;
	uint64_t bytes;
	int r;

	r = kernels_find(json_text(guest_machine(spec), "kernel", NULL), &k, why);
	if (r == 0)
		r = ensure(&k, why);
	if (r == 0)
		r = guest_resolve_modules(spec, &k, &modules, why);
	if (r < 0)
		return r;
	modules_free(&modules);
	r = programs_fetch(spec, why);
	if (r == 0 && programs_wanted(spec))
		r = programs_image(spec, &bytes, why);
	if (r < 0)
		return r;
	if (!o->cold)
		warn_of_cold_boots(spec);
	if (!o->accel || strcmp(o->accel, "tcg") == 0 || guest_deterministic(spec))
		return 0;
	r = guest_kvm_works(spec, why);
	return strcmp(o->accel, "kvm") == 0 ? r : 0;
}

void guest_qemu_log(const char *path, char ret[GUEST_LOG_MAX])
{
	AUTO_FREE char *text = NULL;
	char *p;

	ret[0] = 0;
	if (file_read(path, QEMU_LOG_MAX, &text, NULL, NULL) < 0)
		return;
	console_clean(text);
	snprintf(ret, GUEST_LOG_MAX, "%s", text);
	for (p = ret + strlen(ret); p > ret && p[-1] == '\n';)
		*--p = 0;
	while ((p = strchr(ret, '\n')))
		*p = ' ';
	if (!ret[0])
		unlink(path);
}

/* What the box tells of a guest that never sealed it. */
struct traces {
	bool booted;      /* the agent wrote to it */
	uint64_t last_ns; /* of the last tick, 0: none */
};

static struct traces read_traces(const char *box_path)
{
	struct traces ret = { 0 };
	struct blackbox box;

	if (bb_open(box_path, false, &box, NULL) < 0)
		return ret;
	ret.booted = bb_next(&box, NULL) != NULL;
	ret.last_ns = box.header->live.t_ns;
	bb_close(&box);
	return ret;
}

/* Does the scenario say what it wants of panics? */
static bool asks_for_panic(const json_t *spec)
{
	const json_t *one;
	size_t i;

	json_array_foreach (json_object_get(spec, "expect"), i, one)
		if (!strcmp(json_text(one, "that", ""), "panic"))
			return true;
	return false;
}

/*
 * The engine has no time to note a panic. It is the last word of a trial that was about one; of any other, and of a
 * guest that did not come as far as its trial, it is what broke it: -EIO.
 */
static int panicked(const struct trial *t, const struct console *c, bool booted, struct err *why)
{
	const char *name = oom_panic_name(c->panic);
	struct blackbox box;
	char text[512];
	struct jsonw w;

	err_set(why, EIO, "the guest's kernel panicked: %s%s", c->panic, c->tail);
	if (!booted || bb_open(t->box_path, true, &box, NULL) < 0)
		return -EIO;
	jsonw_begin(&w, text, sizeof(text));
	jsonw_str(&w, "event", "panic");
	jsonw_str(&w, "panic", name);
	jsonw_str(&w, "cause", c->panic);
	bb_append(&box, BB_EVENT, box.header->live.t_ns, text, jsonw_end(&w));
	if (!strcmp(name, "oom") && asks_for_panic(t->spec))
		bb_seal(&box, "the kernel panicked");
	bb_close(&box);
	return place_sealed(t->box_path, NULL) == 0 ? 0 : -EIO;
}

/* The box was not sealed: whose fault was it? */
static int explain(const struct trial *t, int status, bool timed_out, const char *log, struct err *why)
{
	char console_path[PATH_LEN_MAX], at[UNITS_TEXT_MAX];
	struct traces traces = read_traces(t->box_path);
	struct console c;

	if (path_format(console_path, "%s/console.log", t->dir) < 0)
		return err_errno(why, ENAMETOOLONG, "%s", t->dir);
	console_read(console_path, &c);
	if (c.panic[0])
		return panicked(t, &c, traces.booted, why);
	if (timed_out && !traces.booted)
		return err_set(why, ETIMEDOUT, "the guest's kernel did not boot: no sign of life within %s%s",
			       duration_format(at, guest_deadline(t->spec)),
			       c.tail[0] ? c.tail : "; its console is empty");
	if (timed_out)
		return err_set(why, ETIMEDOUT,
			       "the guest hung: no end after %s, its last sample is from %s into the trial%s",
			       duration_format((char[UNITS_TEXT_MAX]){ 0 }, guest_deadline(t->spec)),
			       duration_format(at, traces.last_ns), c.tail);
	if (WIFSIGNALED(status))
		return err_set(why, EIO, "QEMU was killed by signal %d (%s)%s", WTERMSIG(status),
			       strsignal(WTERMSIG(status)), c.tail);
	if (WEXITSTATUS(status) && !traces.booted)
		return err_set(why, EIO, "QEMU failed to start (exit %d): %s%s", WEXITSTATUS(status),
			       log[0] ? log : "it said nothing", c.tail);
	if (WEXITSTATUS(status))
		return err_set(why, EIO, "QEMU gave up (exit %d): %s%s", WEXITSTATUS(status),
			       log[0] ? log : "it said nothing", c.tail);
	if (c.agent[0])
		return err_set(why, EIO, "the guest's agent gave up: %s%s", c.agent, c.tail);
	return err_set(why, EIO, "the guest's machine was reset without a panic%s%s",
		       traces.booted ? "" : ", before its kernel had booted", c.tail);
}

static int guest_start(struct trial *t, struct err *e)
{
	bool kvm = t->options->accel && strcmp(t->options->accel, "tcg") != 0 &&
		   !guest_deterministic(t->spec) && guest_kvm_works(t->spec, NULL) == 0;

	return guest_launch(t->spec, t->dir, t->box_path, kvm, t->options->cold, &t->pid, e);
}

/* A guest that never came up has left an empty box; whoever reads the record looks for the spec in it. */
static void mend_box(const struct trial *t)
{
	AUTO_FREE char *text = json_dumps(t->spec, JSON_COMPACT);
	struct blackbox box = { 0 };

	if (bb_open(t->box_path, false, &box, NULL) == -EBADMSG && text)
		bb_format(t->box_path, text, strlen(text), NULL);
	bb_close(&box);
}

static int guest_finish(struct trial *t, int status, bool timed_out, struct err *why)
{
	char path[PATH_LEN_MAX], log[GUEST_LOG_MAX] = "";
	int r;

	if (path_format(path, "%s/qemu.log", t->dir) == 0)
		guest_qemu_log(path, log);
	mend_box(t);
	r = place_sealed(t->box_path, why);
	return r == -EAGAIN ? explain(t, status, timed_out, log, why) : r;
}

const struct place place_guest = {
	.name = "guest",
	.about = "a throw-away QEMU machine with a kernel of your choice",
	.can = guest_can,
	.prepare = guest_prepare,
	.start = guest_start,
	.deadline_ns = guest_deadline,
	.finish = guest_finish,
};
