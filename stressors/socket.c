// SPDX-License-Identifier: MIT
/*
 * Row D2: memory that belongs to nobody's RSS, like a pipe's, but in slabs: what waits in unix sockets, each up to its
 * sender's SO_SNDBUF (net.core.wmem_max) and as many as RLIMIT_NOFILE allows.
 */
#include "stressors/channel.h"

#include <errno.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/socket.h>

static const struct option_info options[] = {
	CHANNEL_SIZE,
	{ .name = "buffer",
	  .kind = OPTION_SIZE,
	  .fallback = "0",
	  .max = 1 << 30,
	  .help = "asked for each (SO_SNDBUF), which net.core.wmem_max limits; 0: as the kernel has it" },
	{ .name = NULL },
};

static const struct value_info values[] = { CHANNEL_VALUES, { NULL, NULL, NULL } };

static enum phase open_socket(struct stress *s, int ret_fd[2])
{
	int bytes = (int)option(s, "buffer");
	struct rlimit files = { 0, 0 };
	char text[96];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ret_fd) < 0) {
		int code = errno;

		getrlimit(RLIMIT_NOFILE, &files);
		snprintf(text, sizeof(text), "socketpair (RLIMIT_NOFILE is %llu)",
			 (unsigned long long)files.rlim_cur);
		errno = code;
		return stress_refused(s, code == EMFILE ? text : "socketpair", 0);
	}
	if (bytes && setsockopt(ret_fd[1], SOL_SOCKET, SO_SNDBUF, &bytes, sizeof(bytes)) < 0)
		return stress_refused(s, "SO_SNDBUF", (uint64_t)bytes);
	return PHASE_DONE;
}

static enum phase run(struct stress *s)
{
	return channels_run(s, open_socket);
}

const struct stressor stressor_socket = {
	.name = "socket",
	.about = "fills unix sockets that nobody reads: memory of the kernel's, in no RSS",
	.options = options,
	.values = values,
	.run = run,
};
