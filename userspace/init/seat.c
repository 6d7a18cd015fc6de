/* SPDX-License-Identifier: Apache-2.0 */
#include "seat.h"

#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "own.h"

enum { SOCK = 3, TTY, FIRST_FREE };	/* descriptors of a seat */

static void say(enum seat_what what, int value)
{
	struct seat_word w = { what, value };

	if (send(SOCK, &w, sizeof(w), MSG_NOSIGNAL) != sizeof(w))
		_exit(COMMAND_CANNOT);
}

/* True once it has ended. */
static bool look(pid_t pid)
{
	siginfo_t si = { 0 };

	while (waitid(P_PID, (id_t)pid, &si, WSTOPPED | WNOHANG) == 0 && si.si_pid) {
		say(SEAT_STOPPED, si.si_status);
		si.si_pid = 0;
	}
	si.si_pid = 0;
	if (waitid(P_PID, (id_t)pid, &si, WEXITED | WNOHANG | WNOWAIT) < 0 || !si.si_pid)
		return false;
	say(SEAT_ENDED, si.si_code == CLD_EXITED ? W_EXITCODE(si.si_status, 0) : si.si_status);
	return true;
}

static void hear(pid_t pid)
{
	struct seat_word w;

	if (recv(SOCK, &w, sizeof(w), 0) != sizeof(w) || w.what != SEAT_FRONT)
		_exit(0);
	(void)ioctl(TTY, TIOCSPGRP, &pid);
	(void)kill(-pid, SIGCONT);
}

static _Noreturn void sit(pid_t pid, int signals)
{
	bool ended = false;

	for (;;) {
		struct pollfd p[] = { { .fd = SOCK, .events = POLLIN },
				      { .fd = ended ? -1 : signals, .events = POLLIN } };
		struct signalfd_siginfo si;

		if (poll(p, ARRAY_SIZE(p), -1) < 0)
			continue;
		if (p[1].revents && read(signals, &si, sizeof(si)) > 0)
			ended = look(pid);
		if (p[0].revents)
			hear(pid);
	}
}

/* Nothing of osh-init's stays open here: a session's end must be seen, whatever becomes of this process. */
static int keep_only(int sock, int tty)
{
	int a = fcntl(sock, F_DUPFD_CLOEXEC, FIRST_FREE), b = fcntl(tty, F_DUPFD_CLOEXEC, FIRST_FREE);

	if (a < 0 || b < 0 || dup3(a, SOCK, O_CLOEXEC) < 0 || dup3(b, TTY, O_CLOEXEC) < 0)
		return -1;
	return (int)syscall(SYS_close_range, FIRST_FREE, UINT_MAX, 0);
}

static _Noreturn void become(const struct command *c, int report, int sock)
{
	sigset_t all, child;
	pid_t pid = -1;
	int signals;

	sigfillset(&all);
	sigemptyset(&child);
	sigaddset(&child, SIGCHLD);
	if (sigprocmask(SIG_SETMASK, &all, NULL) == 0 && setsid() >= 0 && ioctl(c->tty, TIOCSCTTY, 0) == 0)
		pid = command_fork(c, report);
	if (pid < 0)
		command_quit(report);
	if (keep_only(sock, c->tty) < 0)
		_exit(COMMAND_CANNOT);
	signals = signalfd(-1, &child, SFD_CLOEXEC | SFD_NONBLOCK);	/* what came before waits in it too */
	say(SEAT_PID, pid);
	if (signals < 0)
		_exit(COMMAND_CANNOT);
	sit(pid, signals);
}

int seat_start(const struct command *c, int report, pid_t *ret_pid, int *ret_sock, struct err *e)
{
	int pair[2];
	pid_t pid;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return fail(e, errno, "socketpair: %s", strerror(errno));
	pid = fork();
	if (pid == 0)
		become(c, report, pair[1]);
	close(pair[1]);
	if (pid < 0) {
		close(pair[0]);
		return fail(e, errno, "fork: %s", strerror(errno));
	}
	*ret_pid = pid;
	*ret_sock = pair[0];
	return 0;
}

int seat_hear(int sock, struct seat_word *ret)
{
	ssize_t n = recv(sock, ret, sizeof(*ret), MSG_DONTWAIT);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return 0;
	return n == sizeof(*ret) ? 1 : -ECONNRESET;
}

void seat_front(int sock)
{
	struct seat_word w = { SEAT_FRONT, 0 };

	(void)send(sock, &w, sizeof(w), MSG_NOSIGNAL | MSG_DONTWAIT);
}
