// SPDX-License-Identifier: MIT
#include "harness/places/programs.h"

#include "guest/devices.h"
#include "guest/killers.h"
#include "harness/places/closure.h"
#include "harness/places/executable.h"
#include "harness/places/fsdax.h"
#include "harness/places/image.h"
#include "lib/capture.h"
#include "lib/files.h"
#include "lib/json.h"
#include "lib/paths.h"
#include "lib/units.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define BLOCK           4096ULL
#define INODE           256ULL
#define STEP_BYTES      (2ULL << 20) /* libnvdimm leaves out what 2M does not divide */
#define BYTES_MAX       (8ULL << 30)
#define ENV_MAX         256
#define FILLER_MS       (10 * 60 * 1000)
#define SCRIPT_BYTES    (512L << 10) /* what is echoed of it must fit into what is captured */
#define IMAGE_EPOCH     "E2FSPROGS_FAKE_TIME=1767225600"
#define FILLER_SAID_MAX 200

/* Where the guest has file systems of its own; empty ones that no program lies in are made. */
static const char *const mount_points[] = { "/data", "/dev", "/proc", "/run", "/sys", "/tmp" };

bool programs_wanted(const json_t *spec)
{
	const json_t *one;
	size_t i;

	json_array_foreach (json_object_get(spec, "processes"), i, one)
		if (json_object_get(one, "program"))
			return true;
	return false;
}

const json_t *programs_killer(const json_t *spec)
{
	const json_t *one;
	size_t i;

	json_array_foreach (json_object_get(spec, "processes"), i, one)
		if (json_object_get(one, "killer"))
			return one;
	return NULL;
}

/* Of a process that is a killer from packages; else NULL. */
static const struct killer *packaged(const json_t *process)
{
	const json_t *killer = json_object_get(process, "killer");

	return json_flag(killer, "packages", false) ? killer_find(json_text(killer, "name", "")) : NULL;
}

int programs_fetch(const json_t *spec, struct err *why)
{
	static json_t *failed; /* name: why */
	const struct killer *k = packaged(programs_killer(spec));
	struct err e = ERR_INIT;
	char root[PATH_LEN_MAX];
	const char *said;

	if (!k)
		return 0;
	said = json_text(failed, k->name, NULL);
	if (!said && killer_ensure(k, root, &e) == 0)
		return 0;
	if (!failed)
		failed = json_object();
	if (!said)
		json_object_set_new(failed, k->name, json_string(e.text));
	return err_set(why, EOPNOTSUPP, "%s", said ? said : e.text);
}

int programs_there(const json_t *spec, struct err *why)
{
	const json_t *one;
	size_t i;

	json_array_foreach (json_object_get(spec, "processes"), i, one) {
		const json_t *malloc = json_object_get(one, "malloc");

		if (json_object_get(malloc, "package"))
			return err_set(why, EOPNOTSUPP,
				       "processes.%s: %s is not installed: apt-get install %s",
				       json_text(one, "name", ""), json_text(malloc, "name", ""),
				       json_text(malloc, "package", ""));
	}
	return 0;
}

int programs_fit(const json_t *spec, int kernel_bits, struct err *why)
{
	const json_t *one;
	size_t i;

	json_array_foreach (json_object_get(spec, "processes"), i, one) {
		const char *program = json_text(one, "program", NULL);
		const char *list = json_text(json_object_get(one, "env"), "PATH", "");

		/* What cannot be read is said when the image is made: that is no skip. Packages are those for amd64. */
		if (program && (packaged(one) ? 64 : executable_bits(program, list, NULL)) > kernel_bits)
			return err_set(why, EOPNOTSUPP,
				       "processes.%s: %s is a 64-bit program, the kernel has 32 bits",
				       json_text(one, "name", ""), program);
	}
	return 0;
}

/* "NAME=VALUE", each the caller's to free */
static int environment(const json_t *process, char *ret[ENV_MAX + 1])
{
	json_t *value;
	const char *name;
	size_t n = 0;

	json_object_foreach (json_object_get(process, "env"), name, value)
		if (n < ENV_MAX && asprintf(&ret[n], "%s=%s", name, json_string_value(value)) >= 0)
			n++;
	ret[n] = NULL;
	return n == json_object_size(json_object_get(process, "env")) ? 0 : -ENOMEM;
}

/* /dev/zero: the guest has its own. */
static bool is_device(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && S_ISCHR(st.st_mode);
}

/* "LD_LIBRARY_PATH=...": a package's libraries, so that those of this machine do not stand in for them. */
static char *library_path(const char *root)
{
	char *text;

	return asprintf(&text,
			"LD_LIBRARY_PATH=%s/usr/lib/x86_64-linux-gnu:%s/usr/lib/x86_64-linux-gnu/systemd",
			root, root) < 0
		       ? NULL
		       : text;
}

/* All that its packages hold, each file at its own path, and what of this machine's those need. */
static int gather_packages(struct closure *c, const struct killer *k, const char *const env[], struct err *e)
{
	AUTO_FREE char *libraries = NULL;
	const char *with[] = { env[0], NULL, NULL };
	char program[PATH_LEN_MAX];
	int r = killer_ensure(k, c->overlay, e);

	libraries = r < 0 ? NULL : library_path(c->overlay);
	if (!libraries || path_format(program, "%s%s", c->overlay, k->program) < 0)
		return r < 0 ? r : err_errno(e, ENOMEM, "killer %s", k->name);
	with[1] = libraries;
	r = closure_program(c, program, with, e);
	if (r == 0)
		r = closure_file(c, c->overlay, with, e);
	c->overlay[0] = 0;
	return r;
}

static int gather_one(struct closure *c, const json_t *process, struct err *e)
{
	const struct killer *k = packaged(process);
	const char *input = json_text(json_object_get(process, "stdin"), "file", NULL);
	const json_t *file;
	char *env[ENV_MAX + 1];
	size_t i;
	int r = environment(process, env);

	if (r < 0)
		err_errno(e, -r, "env");
	if (r == 0 && k)
		r = gather_packages(c, k, (const char *const *)env, e);
	if (r == 0 && (!k || k->helper[0]))
		r = closure_program(c, json_text(process, "program", ""), (const char *const *)env, e);
	if (r == 0 && input && !is_device(input))
		r = closure_file(c, input, (const char *const *)env, e);
	json_array_foreach (json_object_get(process, "files"), i, file)
		if (r == 0)
			r = closure_file(c, json_string_value(file), (const char *const *)env, e);
	for (i = 0; env[i]; i++)
		free(env[i]);
	return r < 0 ? err_prefix(e, "processes.%s", json_text(process, "name", "")) : 0;
}

static int gather(struct closure *c, const json_t *spec, struct err *e)
{
	const json_t *one;
	size_t i;
	int r = 0;

	json_array_foreach (json_object_get(spec, "processes"), i, one)
		if (r == 0 && json_object_get(one, "program"))
			r = gather_one(c, one, e);
	closure_sort(c);
	return r;
}

/* More than it takes, for a directory's names and the blocks of extents are not counted one by one. */
static uint64_t bytes_for(const struct closure *c, uint64_t inodes)
{
	uint64_t bytes = (1ULL << 20) + inodes * INODE;
	size_t i;

	for (i = 0; i < c->count; i++)
		bytes += BLOCK + (c->entries[i]->bytes + BLOCK - 1) / BLOCK * BLOCK;
	bytes += bytes / 64;
	return (bytes + STEP_BYTES - 1) / STEP_BYTES * STEP_BYTES;
}

/* What debugfs had to say beyond repeating what it was told; NULL: nothing. In place. */
static const char *complaint_in(char *text)
{
	char *rest = text, *line;

	while ((line = strsep(&rest, "\n")))
		if (line[0] && strncmp(line, "debugfs", 7) != 0 && strncmp(line, "Allocated inode", 15) != 0)
			return line;
	return NULL;
}

static int run_script(int script, int image, uint64_t offset, struct err *e)
{
	char program[PATH_LEN_MAX], script_path[64], image_path[96];
	const char *const command[] = { "/usr/bin/env", IMAGE_EPOCH, program,    "-w",
					"-f",           script_path, image_path, NULL };
	AUTO_FREE char *text = NULL;
	const char *complaint;
	int status, r;

	if (paths_program(PROGRAMS_FILLER, program) < 0)
		return err_set(e, ENOENT, PROGRAMS_FILLER " is not installed: apt-get install e2fsprogs");
	/* Ours, not its own: the descriptors are closed in it. */
	snprintf(script_path, sizeof(script_path), "/proc/%d/fd/%d", (int)getpid(), script);
	snprintf(image_path, sizeof(image_path), "/proc/%d/fd/%d?offset=%llu", (int)getpid(), image,
		 (unsigned long long)offset);
	r = capture(command, FILLER_MS, &text, &status, e);
	if (r < 0)
		return r;
	complaint = complaint_in(text);
	if (complaint || status != 0)
		return err_set(e, EIO, PROGRAMS_FILLER ": %.*s", FILLER_SAID_MAX,
			       complaint ? complaint : "failed");
	return 0;
}

/* A word for debugfs: in quotes, with those in it doubled. */
static void word(FILE *to, const char *text)
{
	fputs(" \"", to);
	for (; *text; text++)
		fprintf(to, "%s%c", *text == '"' ? "\"" : "", *text);
	fputc('"', to);
}

/* One entry: debugfs makes files and links in its current directory. */
static void tell(FILE *to, const struct closure_entry *entry)
{
	const char *name = strrchr(entry->path, '/') + 1;
	char dir[PATH_LEN_MAX];

	snprintf(dir, sizeof(dir), "%.*s", (int)(name - entry->path), entry->path);
	fputs("cd", to);
	word(to, dir);
	fputs(S_ISDIR(entry->mode) ? "\nmkdir" : entry->target ? "\nsymlink" : "\nwrite", to);
	if (S_ISREG(entry->mode))
		word(to, entry->source ? entry->source : entry->path);
	word(to, name);
	if (entry->target)
		word(to, entry->target);
	fputs("\nset_inode_field", to);
	word(to, name);
	/* Python holds its bytecode against the time of the source. */
	fprintf(to, " mtime @%lld\nset_inode_field", (long long)entry->mtime_s);
	word(to, name);
	fprintf(to, " mode 0%o\n", (unsigned int)entry->mode);
}

static int tell_some(const struct closure *c, size_t *at, int script)
{
	FILE *to = fdopen(dup(script), "w");

	if (!to)
		return -errno;
	while (*at < c->count && ftell(to) < SCRIPT_BYTES)
		tell(to, c->entries[(*at)++]);
	return fclose(to) != 0 ? -errno : 0;
}

/* debugfs copies the files one by one in our order; what mke2fs -d copies keeps times of when it was copied. */
static int fill(const struct closure *c, int image, uint64_t offset, struct err *e)
{
	size_t at = 0;
	int r = 0;

	while (r == 0 && at < c->count) {
		AUTO_CLOSE int script = memfd_create("script", MFD_CLOEXEC);

		r = script < 0 ? -errno : tell_some(c, &at, script);
		if (r < 0)
			return err_errno(e, -r, "the list of programs");
		r = run_script(script, image, offset, e);
	}
	return r;
}

/* An image of it, whole or not at all. */
static int make_image(struct closure *c, uint64_t *ret_bytes, struct err *e)
{
	char dir[PATH_LEN_MAX], have[UNITS_TEXT_MAX], allowed[UNITS_TEXT_MAX];
	uint64_t inodes = c->count + 64, bytes = bytes_for(c, inodes), offset = fsdax_reserved(bytes);
	int r = paths_cache("programs", dir), fd;

	if (r < 0)
		return err_errno(e, -r, "the cache's directory");
	if (bytes > BYTES_MAX)
		return err_set(e, EFBIG, "exec: its files come to %s; allowed: %s", size_format(have, bytes),
			       size_format(allowed, BYTES_MAX));
	r = dir_make(dir, e);
	if (r < 0)
		return r;
	fd = image_filesystem(dir, DEVICE_PROGRAMS_UUID, offset, bytes, inodes, e);
	r = fd < 0 ? fd : fill(c, fd, offset, e);
	if (r == 0 && (r = fsdax_mark(fd, offset, bytes)) < 0)
		err_errno(e, -r, "programs image");
	if (r < 0 && fd >= 0)
		close(fd);
	*ret_bytes = offset + bytes;
	return r < 0 ? r : fd;
}

static int make(const json_t *spec, uint64_t *ret_bytes, struct err *e)
{
	struct closure c = { .entries = NULL };
	size_t i;
	int r = 0;

	for (i = 0; r == 0 && i < sizeof(mount_points) / sizeof(mount_points[0]); i++)
		r = closure_directory(&c, mount_points[i], e);
	if (r == 0)
		r = gather(&c, spec, e);
	if (r == 0)
		r = make_image(&c, ret_bytes, e);
	closure_free(&c);
	return r;
}

/* What of a spec its image follows from, as a name. */
static char *key_of(const json_t *spec)
{
	json_t *all = json_array(), *one;
	char *text;
	size_t i;

	json_array_foreach (json_object_get(spec, "processes"), i, one)
		if (json_object_get(one, "program"))
			json_array_append_new(
				all,
				json_pack("[O?, O?, O?, O?, O?]", json_object_get(one, "program"),
					  json_object_get(one, "env"), json_object_get(one, "stdin"),
					  json_object_get(one, "files"), json_object_get(one, "killer")));
	text = json_dumps(all, JSON_COMPACT);
	json_decref(all);
	return text;
}

int programs_image(const json_t *spec, uint64_t *ret_bytes, struct err *e)
{
	static json_t *made; /* key: [descriptor, bytes] */
	AUTO_FREE char *key = key_of(spec);
	const json_t *had = json_object_get(made, key ? key : "");
	int fd;

	if (had) {
		*ret_bytes = (uint64_t)json_integer_value(json_array_get(had, 1));
		return (int)json_integer_value(json_array_get(had, 0));
	}
	fd = make(spec, ret_bytes, e);
	if (fd < 0)
		return fd;
	if (!made)
		made = json_object();
	if (!key || json_object_set_new(made, key, json_pack("[i, I]", fd, (json_int_t)*ret_bytes)) < 0) {
		close(fd);
		return err_errno(e, ENOMEM, "programs");
	}
	return fd;
}
