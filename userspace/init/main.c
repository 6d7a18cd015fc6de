/* SPDX-License-Identifier: Apache-2.0 */
/*
 * osh-init: pid 1 of a sandbox. osh-launch executes it inside the finished sandbox, without
 * privilege; descriptor 3 is the manager socket, whose other end oshd and osh-launch hold. It brings
 * sessions: clients' sockets, over which commands are started, looked at and told about. When osh-init
 * exits, for whatever reason, the kernel kills every process of the pid namespace: the sandbox ends with
 * its command, when it is stopped, or when nobody manages it.
 *
 * The agent runs under the same uid, so osh-init is not dumpable, and neither are the children that it
 * keeps: their /proc/PID/fd and memory are closed, and the sockets are out of reach. Signals from inside
 * do not reach a pid 1 that has no handlers.
 */
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "command.h"
#include "init.h"
#include "pty.h"

#define MANAGER 3

/* Before any input: unreadable for the agent's uid, nothing open but stdio and the socket. */
static int harden(struct err *e)
{
	if (getpid() != 1)		/* our exit must end everything that we started */
		return fail(e, EPERM, "osh-init must be pid 1 of a sandbox");
	if (prctl(PR_SET_DUMPABLE, 0) < 0)
		return fail(e, errno, "PR_SET_DUMPABLE: %s", strerror(errno));
	if (syscall(SYS_close_range, MANAGER + 1u, UINT_MAX, 0) < 0)
		return fail(e, errno, "close_range: %s", strerror(errno));
	if (fcntl(MANAGER, F_SETFD, FD_CLOEXEC) < 0)
		return fail(e, errno, "manager socket: %s", strerror(errno));
	for (int fd = 0; fd < 3; fd++)	/* a missing stdio must not become one of what we receive */
		if (fcntl(fd, F_GETFD) < 0 && dup3(MANAGER, fd, O_CLOEXEC) < 0)
			return fail(e, errno, "descriptor %d: %s", fd, strerror(errno));
	return pty_session(e);
}

/*
 * Only what is needed is blocked: a pid 1 drops other signals from inside as long as it neither handles
 * nor blocks them.
 */
static int watch_children(int *ret_fd, struct err *e)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	*ret_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (*ret_fd < 0 || sigprocmask(SIG_SETMASK, &set, NULL) < 0)
		return fail(e, errno, "signals: %s", strerror(errno));
	return 0;
}

/* What we need ourselves is more than an agent's command may be given: so it is set for each of those alone. */
int main(int argc, char **argv)
{
	static struct init i = { .manager = MANAGER };	/* large */
	struct err e;

	if (harden(&e) < 0 || watch_children(&i.signals, &e) < 0)
		return COMMAND_CANNOT;	/* nobody to tell: no session yet */
	command_files = argc > 1 ? strtoul(argv[1], NULL, 10) : 0;
	for (int n = 0; n < OSH_SESSIONS; n++)
		i.sessions[n].sock = -1;
	return init_run(&i);
}
