/* SPDX-License-Identifier: Apache-2.0 */
#include "out.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <unistd.h>

#define BLOCK_MS 100

static volatile sig_atomic_t late;

static void on_alarm(int sig)
{
	(void)sig;
	late = 1;
}

/* No SA_RESTART: the alarm ends a write that blocks. It repeats, in case one falls beside the call. */
void out_setup(void)
{
	struct sigaction sa = { .sa_handler = on_alarm };

	sigaction(SIGALRM, &sa, NULL);
	signal(SIGPIPE, SIG_IGN);
}

void out_init(struct out *o, int fd)
{
	struct stat st;

	*o = (struct out){ .fd = fd, .file = fd >= 0 && !fstat(fd, &st) && S_ISREG(st.st_mode) };
}

void out_done(struct out *o)
{
	if (o->fd >= 0)
		close(o->fd);
	o->fd = -1;
}

static void timer(int ms)
{
	struct itimerval v = { { 0, ms * 1000 }, { 0, ms * 1000 } };

	late = 0;
	setitimer(ITIMER_REAL, &v, NULL);
}

static int write_all(struct out *o, const char *p, size_t n)
{
	while (n) {
		ssize_t w = write(o->fd, p, n);

		if (w < 0 && errno == EINTR && !late)
			continue;
		if (w <= 0)
			return late || !w ? -ETIMEDOUT : -errno;
		o->torn = p[w - 1] != '\n';
		p += w;
		n -= (size_t)w;
	}
	return 0;
}

int out_write(struct out *o, const char *p, size_t n)
{
	struct pollfd pfd = { o->fd, POLLOUT, 0 };
	int r = 0;

	if (o->given_up)
		return -EPIPE;
	if (!o->file) {
		if (poll(&pfd, 1, 0) != 1 || !(pfd.revents & POLLOUT))
			return -EAGAIN;
		timer(BLOCK_MS);
	}
	if (o->torn)
		r = write_all(o, "\n", 1);
	if (!r)
		r = write_all(o, p, n);
	if (!o->file)
		timer(0);
	o->given_up = r == -ETIMEDOUT || r == -EPIPE;
	return r;
}
