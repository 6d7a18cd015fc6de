/* SPDX-License-Identifier: Apache-2.0 */
#include "tty.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "own.h"

/* The one process-wide state here: exit handlers and signal handlers take no argument. */
static volatile sig_atomic_t raw_fd = -1;
static struct termios saved;

static const int fatal[] = { SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT };

void tty_restore(void)
{
	int fd = raw_fd, was = errno;

	raw_fd = -1;
	if (fd >= 0 && tty_front(fd))	/* in the background the modes are another job's */
		(void)tcsetattr(fd, TCSANOW, &saved);
	errno = was;
}

static void on_fatal(int sig)
{
	tty_restore();
	(void)raise(sig);		/* SA_RESETHAND: this time with the default action */
}

static void watch_exits(void)
{
	static bool done;
	struct sigaction sa = { .sa_handler = on_fatal, .sa_flags = SA_RESETHAND };

	if (done)
		return;
	done = true;
	(void)atexit(tty_restore);
	for (size_t i = 0; i < ARRAY_SIZE(fatal); i++)
		(void)sigaction(fatal[i], &sa, NULL);
}

int tty_reopen(int fd)
{
	char path[32];
	int own;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	own = open(path, O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
	return own >= 0 ? own : fcntl(fd, F_DUPFD_CLOEXEC, 3);	/* another user's terminal, after su */
}

int tty_raw(int fd)
{
	struct termios t;

	if (raw_fd < 0 && tcgetattr(fd, &saved) < 0)
		return -errno;
	watch_exits();
	t = saved;
	cfmakeraw(&t);
	if (tcsetattr(fd, TCSANOW, &t) < 0)
		return -errno;
	raw_fd = fd;
	return 0;
}

bool tty_front(int fd)
{
	pid_t group = tcgetpgrp(fd);

	return group < 0 || group == getpgrp();
}

void tty_copy_size(int from, int to)
{
	struct winsize size;

	if (ioctl(from, TIOCGWINSZ, &size) == 0)
		(void)ioctl(to, TIOCSWINSZ, &size);
}
