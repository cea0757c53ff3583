// SPDX-License-Identifier: MIT
#include "stressors/children.h"

#include "lib/clock.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define LOOK_NS NS_PER_MS

/* What they tell their parent, in a mapping that they share. */
struct reports {
	size_t ready; /* atomic, as the other */
	enum phase end;
};

/* The signals that end a stressor are blocked: it ends by SIGKILL, at the latest with its parent. */
static void __attribute__((noreturn))
child_main(struct stress *s, size_t index, pid_t parent, struct reports *r,
	   enum phase (*work)(struct stress *, size_t, void *), void *user)
{
	struct stress part = stress_part(s);
	enum phase end;

	if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || getppid() != parent)
		_exit(1);
	end = work(&part, index, user);
	if (end == PHASE_RUN)
		__atomic_fetch_add(&r->ready, 1, __ATOMIC_RELEASE);
	else
		__atomic_store_n(&r->end, end, __ATOMIC_RELEASE);
	for (;;)
		pause();
}

/* One that has ended was killed: by itself it does not end. */
static enum phase ended(struct stress *s)
{
	int status;

	if (waitpid(-1, &status, WNOHANG) <= 0)
		return PHASE_RUN;
	if (WIFSIGNALED(status))
		return stress_error(s, ECHILD, "a child was killed by signal %d (%s)", WTERMSIG(status),
				    strsignal(WTERMSIG(status)));
	return stress_error(s, ECHILD, "a child ended with status %d", WEXITSTATUS(status));
}

static enum phase watch(struct stress *s, size_t count, const struct reports *r)
{
	enum phase end = PHASE_RUN;

	while (end == PHASE_RUN && __atomic_load_n(&r->ready, __ATOMIC_ACQUIRE) < count) {
		if (!stress_wait(s, LOOK_NS))
			return PHASE_SIGNAL;
		end = __atomic_load_n(&r->end, __ATOMIC_ACQUIRE);
		if (end == PHASE_RUN)
			end = ended(s);
	}
	return end;
}

enum phase children_run(struct stress *s, size_t count, enum phase (*work)(struct stress *, size_t, void *),
			void *user)
{
	struct reports *r = mmap(NULL, sizeof(*r), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pid_t parent = getpid(), pid;
	enum phase end;
	size_t i;

	if (r == MAP_FAILED)
		return stress_refused(s, "mmap", sizeof(*r));
	r->end = PHASE_RUN;
	for (i = 0; i < count; i++) {
		pid = fork();
		if (pid == 0)
			child_main(s, i, parent, r, work, user);
		if (pid < 0 && errno == EAGAIN)
			errno = ENOMEM; /* RLIMIT_NPROC or pids.max: no room for it either */
		if (pid < 0)
			return stress_refused(s, "fork", 0);
	}
	end = watch(s, count, r);
	munmap(r, sizeof(*r));
	return end;
}

enum phase children_hold(struct stress *s)
{
	enum phase end = stress_hold(s), killed = ended(s);

	return killed == PHASE_RUN ? end : killed;
}
