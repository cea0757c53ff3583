// SPDX-License-Identifier: MIT
#include "harness/engine/signals.h"

#include "lib/clock.h"
#include "lib/files.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define INSTANCE "/sys/kernel/tracing/instances/oomlab"
#define EVENT    INSTANCE "/events/signal/signal_generate"
#define MARK     ": signal_generate: sig="

/* The last of several: the name before it may hold the same. */
static const char *last_of(const char *text, const char *what)
{
	const char *found = NULL, *at = text;

	while ((at = strstr(at, what)))
		found = at++;
	return found;
}

static void copy_name(char ret[SIGNALS_COMM_MAX], const char *from, const char *to)
{
	size_t len = (size_t)(to - from);

	snprintf(ret, SIGNALS_COMM_MAX, "%.*s", (int)(len < SIGNALS_COMM_MAX ? len : SIGNALS_COMM_MAX - 1),
		 from);
}

/* "  earlyoom-84  [000] d..1.  12.345678" up to end: the id is what stands before the CPU. */
static bool parse_sender(const char *line, const char *end, struct signal_sent *ret)
{
	const char *stamp = end, *cpu, *id, *name = line + strspn(line, " ");
	char *rest;

	while (stamp > line && stamp[-1] != ' ')
		stamp--;
	ret->t_ns = strtoull(stamp, &rest, 10) * NS_PER_S;
	if (rest == stamp || *rest != '.')
		return false;
	ret->t_ns += strtoull(rest + 1, NULL, 10) * 1000;
	for (cpu = stamp; cpu > line && *cpu != '['; cpu--)
		;
	while (cpu > line && cpu[-1] == ' ')
		cpu--;
	for (id = cpu; id > name && isdigit((unsigned char)id[-1]); id--)
		;
	if (id == cpu || id <= name || id[-1] != '-')
		return false;
	ret->sender = atoi(id);
	copy_name(ret->sender_comm, name, id - 1);
	return true;
}

bool signals_parse(const char *line, struct signal_sent *ret)
{
	/* The sender's name could hold the mark, the target's cannot: it is too short. So the last one is the kernel's. */
	const char *mark = last_of(line, MARK), *comm, *pid;

	memset(ret, 0, sizeof(*ret));
	if (!mark || !parse_sender(line, mark, ret))
		return false;
	comm = strstr(mark, " comm=");
	pid = comm ? last_of(comm, " pid=") : NULL;
	if (!pid || sscanf(mark + strlen(MARK), "%d errno=%*d code=%d", &ret->signal, &ret->code) != 2)
		return false;
	copy_name(ret->comm, comm + 6, pid);
	ret->pid = atoi(pid + 5);
	return ret->pid > 0;
}

int signals_open(struct err *e)
{
	/* Not the global clock, which is the scheduler's and has an origin of its own. */
	static const char *const settings[][2] = { { INSTANCE "/trace_clock", "mono" },
						   { EVENT "/filter", "sig==9||sig==15" },
						   { EVENT "/enable", "1" } };
	size_t i;
	int fd, r = 0;

	if (mkdir(INSTANCE, 0700) < 0 && errno != EEXIST)
		return err_errno(e, errno, INSTANCE);
	for (i = 0; r == 0 && i < sizeof(settings) / sizeof(settings[0]); i++)
		r = file_put(settings[i][0], settings[i][1], e);
	fd = r == 0 ? open(INSTANCE "/trace_pipe", O_RDONLY | O_NONBLOCK | O_CLOEXEC) : -1;
	if (r == 0 && fd < 0)
		r = err_errno(e, errno, INSTANCE "/trace_pipe");
	return r < 0 ? r : fd;
}
