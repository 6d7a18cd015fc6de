/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Two sockets become one connection. Bytes are looked at, sent on, and only then taken away, so nothing is held here.
 *
 * The one byte that was on the stream before is never taken while the connection lives: the kernel makes the end of a unix
 * socket with something unread an error for its peer. So whoever ends this process, also by killing it, cuts, and nobody takes
 * a cut for the end of what a server said. At a proper end all is taken first.
 */
#include <errno.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "own.h"
#include "serve.h"

#define ROOM 65536
#define LEFT 1				/* bytes of the stream that stay */

static char room[ROOM];

struct way {				/* one direction */
	int from, to;
	int skip;			/* bytes of `from` that are passed over */
};

enum moved { MOVED_ALL, MOVED_END, MOVED_LOST };

/* Until one of the two has no more for the moment. */
static enum moved move(const struct way *w)
{
	for (;;) {
		ssize_t n, sent;

		if (w->skip && setsockopt(w->from, SOL_SOCKET, SO_PEEK_OFF, &w->skip, sizeof(w->skip)) < 0)
			return MOVED_LOST;
		n = recv(w->from, room, sizeof(room), MSG_PEEK | MSG_DONTWAIT);
		if (n <= 0)
			return !n ? MOVED_END : errno == EAGAIN || errno == EINTR ? MOVED_ALL : MOVED_LOST;
		sent = send(w->to, room, (size_t)n, MSG_NOSIGNAL | MSG_DONTWAIT);
		if (sent < 0)
			return errno == EAGAIN || errno == EINTR ? MOVED_ALL : MOVED_LOST;
		if (recv(w->from, room, (size_t)sent, MSG_DONTWAIT) != sent)
			return MOVED_LOST;
	}
}

/* The server has said everything: the other side reads that to its end, as an end. */
static _Noreturn void finish(int stream)
{
	(void)shutdown(stream, SHUT_RD);	/* nothing comes any more that could stay unread */
	while (recv(stream, room, sizeof(room), MSG_DONTWAIT) > 0)
		;
	(void)shutdown(stream, SHUT_WR);
	_exit(0);
}

static int watch(int epfd, int fd)
{
	struct epoll_event ev = { .events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, .data.fd = fd };

	return epoll_ctl(epfd, EPOLL_CTL_ADD, fd, &ev);
}

/* Whoever asked has gone, and a port that takes nothing would never say so: what he still has on its way has no reader. */
static bool has_gone(int stream, const struct epoll_event *ev, int n)
{
	for (int i = 0; i < n; i++)
		if (ev[i].data.fd == stream && ev[i].events & (EPOLLHUP | EPOLLERR))
			return true;
	return false;
}

_Noreturn void serve_join(int stream, int port)
{
	const struct way in = { stream, port, LEFT }, out = { port, stream, 0 };
	int epfd = epoll_create1(EPOLL_CLOEXEC);
	struct epoll_event ev[2];
	int n;

	if (epfd < 0 || watch(epfd, stream) < 0 || watch(epfd, port) < 0)
		_exit(1);
	for (;;) {
		enum moved said = move(&out), asked;

		if (said == MOVED_END)
			finish(stream);
		asked = move(&in);
		if (said == MOVED_LOST || asked != MOVED_ALL)
			_exit(1);	/* who asked has gone: the server reads a reset where it has more to say */
		n = epoll_wait(epfd, ev, 2, -1);
		if ((n < 0 && errno != EINTR) || has_gone(stream, ev, n))
			_exit(1);
	}
}
