// SPDX-License-Identifier: MIT
#include "harness/places/executable.h"

#include "lib/paths.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

#define HEADERS_MAX 64
/* BINPRM_BUF_SIZE: what the kernel reads of a script's first line */
#define LINE_MAX_BYTES 256

/* One program header, of either width. */
struct segment {
	uint32_t type;
	uint64_t at, bytes;
};

static bool read_at(int fd, void *to, size_t len, uint64_t at)
{
	return pread(fd, to, len, (off_t)at) == (ssize_t)len;
}

static bool segment_64(int fd, uint64_t at, struct segment *ret)
{
	Elf64_Phdr h;

	if (!read_at(fd, &h, sizeof(h), at))
		return false;
	*ret = (struct segment){ h.p_type, h.p_offset, h.p_filesz };
	return true;
}

static bool segment_32(int fd, uint64_t at, struct segment *ret)
{
	Elf32_Phdr h;

	if (!read_at(fd, &h, sizeof(h), at))
		return false;
	*ret = (struct segment){ h.p_type, h.p_offset, h.p_filesz };
	return true;
}

/* elf(5). Both headers begin with the same fields up to e_version. */
static int read_elf(int fd, struct executable *ret)
{
	union {
		unsigned char ident[EI_NIDENT];
		Elf32_Ehdr narrow;
		Elf64_Ehdr wide;
	} h = { { 0 } };
	struct segment s = { 0 };
	bool wide;
	size_t i;

	if (pread(fd, &h, sizeof(h), 0) < (ssize_t)sizeof(h.narrow))
		return -ENOEXEC;
	wide = h.ident[EI_CLASS] == ELFCLASS64;
	if (h.ident[EI_DATA] != ELFDATA2LSB || h.narrow.e_machine != (wide ? EM_X86_64 : EM_386))
		return -ENOEXEC;
	ret->bits = wide ? 64 : 32;
	for (i = 0; i < (wide ? h.wide.e_phnum : h.narrow.e_phnum) && i < HEADERS_MAX; i++) {
		if (wide ? !segment_64(fd, h.wide.e_phoff + i * sizeof(Elf64_Phdr), &s)
			 : !segment_32(fd, h.narrow.e_phoff + i * sizeof(Elf32_Phdr), &s))
			return -ENOEXEC;
		ret->dynamic |= s.type == PT_DYNAMIC;
		if (s.type != PT_INTERP)
			continue;
		if (s.bytes >= sizeof(ret->interpreter) || !read_at(fd, ret->interpreter, s.bytes, s.at))
			return -ENOEXEC;
		ret->interpreter[s.bytes] = 0;
	}
	return 0;
}

/* The word that env executes: neither an option of its own nor an assignment. */
static void env_word(char *rest, char ret[256])
{
	char *word;

	ret[0] = 0;
	while (!ret[0] && (word = strsep(&rest, " \t")))
		if (word[0] && word[0] != '-' && !strchr(word, '=') && strlen(word) < 256)
			strcpy(ret, word);
}

/* "#! /usr/bin/env python3", as in fs/binfmt_script.c */
static int read_script(char *line, struct executable *ret)
{
	char *rest = line + 2, *word;

	line[strcspn(line, "\n")] = 0;
	rest += strspn(rest, " \t");
	word = strsep(&rest, " \t");
	if (word[0] != '/')
		return -ENOEXEC;
	ret->script = true;
	path_format(ret->interpreter, "%s", word);
	word = strrchr(word, '/') + 1;
	if (rest && strcmp(word, "env") == 0)
		env_word(rest, ret->name);
	return 0;
}

int executable_read(const char *path, struct executable *ret, struct err *e)
{
	AUTO_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC);
	char line[LINE_MAX_BYTES + 1];
	ssize_t n;
	int r = -ENOEXEC;

	memset(ret, 0, sizeof(*ret));
	if (fd < 0)
		return err_errno(e, errno, "%s: open", path);
	n = pread(fd, line, LINE_MAX_BYTES, 0);
	if (n < 0)
		return err_errno(e, errno, "%s: read", path);
	line[n] = 0;
	if (n > SELFMAG && memcmp(line, ELFMAG, SELFMAG) == 0)
		r = read_elf(fd, ret);
	else if (n > 2 && memcmp(line, "#!", 2) == 0)
		r = read_script(line, ret);
	return r < 0 ? err_set(e, -r, "%s: neither an ELF program of x86 nor a script with #!", path) : 0;
}

int executable_bits(const char *path, const char *path_list, struct err *e)
{
	char next[PATH_LEN_MAX];
	struct executable x;
	int depth, r;

	path_format(next, "%s", path);
	for (depth = 0; depth <= EXECUTABLE_DEPTH_MAX; depth++) {
		r = executable_read(next, &x, e);
		if (r < 0)
			return r;
		if (!x.script)
			return x.bits;
		path_format(next, "%s", x.interpreter);
		if (x.name[0] && paths_search(path_list, x.name, next) < 0)
			return err_set(e, ENOENT, "%s: its interpreter %s is not in %s", path, x.name,
				       path_list);
	}
	return err_set(e, ELOOP, "%s: scripts of scripts, more than %d deep", path, EXECUTABLE_DEPTH_MAX);
}
