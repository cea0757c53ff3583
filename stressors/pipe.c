// SPDX-License-Identifier: MIT
/*
 * Row D2: memory that belongs to nobody's RSS. A pipe's buffers are kernel memory, up to fs.pipe-max-size in each and as
 * many as RLIMIT_NOFILE allows, so a small process may fill a machine, and the OOM killer's score does not show it.
 */
#include "stressors/channel.h"

#include "stressors/proc.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/resource.h>
#include <unistd.h>

#define FS "/proc/sys/fs/"

static const struct option_info options[] = {
	CHANNEL_SIZE,
	{ .name = "pipe",
	  .kind = OPTION_SIZE,
	  .fallback = "1M",
	  .min = 4096,
	  .max = 1 << 30,
	  .help = "asked for each (F_SETPIPE_SZ), which makes it a power of 2 of pages" },
	{ .name = NULL },
};

static const struct value_info values[] = { CHANNEL_VALUES, { NULL, NULL, NULL } };

static enum phase refused(struct stress *s, const char *call, uint64_t bytes)
{
	struct rlimit files = { 0, 0 };
	char text[160];
	int code = errno;

	getrlimit(RLIMIT_NOFILE, &files);
	if (code == EMFILE)
		snprintf(text, sizeof(text), "%s (RLIMIT_NOFILE is %llu)", call,
			 (unsigned long long)files.rlim_cur);
	else if (code == EPERM)
		snprintf(text, sizeof(text), "%s (pipe-max-size is %lld, pipe-user-pages-soft %lld)", call,
			 (long long)proc_number(FS "pipe-max-size"),
			 (long long)proc_number(FS "pipe-user-pages-soft"));
	else
		snprintf(text, sizeof(text), "%s", call);
	errno = code;
	return stress_refused(s, text, bytes);
}

static enum phase open_pipe(struct stress *s, int ret_fd[2])
{
	uint64_t bytes = option(s, "pipe");

	if (pipe2(ret_fd, O_NONBLOCK | O_CLOEXEC) < 0)
		return refused(s, "pipe2", bytes);
	if ((uint64_t)fcntl(ret_fd[1], F_GETPIPE_SZ) != bytes &&
	    fcntl(ret_fd[1], F_SETPIPE_SZ, (int)bytes) < 0)
		return refused(s, "F_SETPIPE_SZ", bytes);
	return PHASE_DONE;
}

static enum phase run(struct stress *s)
{
	return channels_run(s, open_pipe);
}

const struct stressor stressor_pipe = {
	.name = "pipe",
	.about = "fills pipes that nobody reads: memory of the kernel's, in no RSS",
	.options = options,
	.values = values,
	.run = run,
};
