/* SPDX-License-Identifier: Apache-2.0 */
#include "forward_pipe.h"

#include <errno.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

static int fill(struct way *w, int from)
{
	ssize_t n;

	if (w->eof || w->at != w->end)
		return 0;
	w->at = w->end = 0;
	n = recv(from, w->bytes, sizeof(w->bytes), MSG_DONTWAIT);
	if (n < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : -errno;
	w->eof = n == 0;
	w->end = (size_t)n;
	return n > 0;
}

static int drain(struct way *w, int to)
{
	int moved = 0;

	while (w->at != w->end) {
		ssize_t n = send(to, w->bytes + w->at, w->end - w->at, MSG_DONTWAIT | MSG_NOSIGNAL);

		if (n < 0)
			return errno == EAGAIN || errno == EINTR ? moved : -errno;
		w->at += (size_t)n;
		moved = 1;
	}
	if (w->eof && !w->done) {
		if (shutdown(to, SHUT_WR) < 0)
			return -errno;
		w->done = true;
	}
	return moved;
}

int pipe_move(struct pipe_pair *p)
{
	for (int i = 0; i < 2; i++) {
		/* One turn each: a fast pair does not hold up the others. */
		int r = fill(&p->way[i], p->fd[i]);

		if (r >= 0)
			r = drain(&p->way[i], p->fd[!i]);
		if (r < 0)
			return r;
	}
	return p->way[0].done && p->way[1].done;
}

uint32_t pipe_wants(const struct pipe_pair *p, int i)
{
	const struct way *in = &p->way[i], *out = &p->way[!i];

	return (!in->eof && in->at == in->end ? EPOLLIN : 0u) | (out->at != out->end ? EPOLLOUT : 0u);
}
