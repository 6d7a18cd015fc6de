/* SPDX-License-Identifier: Apache-2.0 */
#include "relay.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

/*
 * A pipe always takes SMALL bytes in one write when empty: even a uid over its pipe quota gets two
 * pages. So what a short send leaves over has a place.
 */
#define SMALL 8192
#define BULK (256 * 1024)
#define ROUNDS 16			/* transfers of one direction before others get their turn */
#define POOL 32				/* empty pipes kept for reuse */

struct relay_pipe {
	int r, w;
	struct relay_pipe *next;
};

static struct relay_pipe *pool;
static int pooled;

static struct relay_pipe *pipe_get(void)
{
	struct relay_pipe *p = pool;
	int fds[2];

	if (p) {
		pool = p->next;
		pooled--;
		return p;
	}
	p = malloc(sizeof(*p));
	if (!p || pipe2(fds, O_CLOEXEC | O_NONBLOCK) < 0) {
		free(p);
		return NULL;
	}
	(void)fcntl(fds[1], F_SETPIPE_SZ, BULK);	/* over quota: the smaller one works too */
	*p = (struct relay_pipe){ fds[0], fds[1], NULL };
	return p;
}

static void pipe_put(struct relay_pipe *p, size_t held)
{
	if (!p)
		return;
	if (!held && pooled < POOL) {
		p->next = pool;
		pool = p;
		pooled++;
		return;
	}
	close(p->r);
	close(p->w);
	free(p);
}

void relay_init(struct relay *r, int client, int upstream)
{
	*r = (struct relay){ { { .from = client, .to = upstream },
			       { .from = upstream, .to = client } } };
}

static void half_release(struct relay_half *h)
{
	pipe_put(h->pipe, h->held);
	h->pipe = NULL;
}

void relay_done(struct relay *r)
{
	for (int i = 0; i < 2; i++) {
		half_release(&r->half[i]);
		r->half[i].held = 0;
	}
}

static bool half_pipe(struct relay_half *h)
{
	if (!h->pipe)
		h->pipe = pipe_get();
	return h->pipe != NULL;
}

/* One message straight through; what the other side does not take now waits in the pipe. */
static ssize_t fill_small(struct relay_half *h)
{
	char bytes[SMALL];
	ssize_t n = recv(h->from, bytes, sizeof(bytes), 0), sent;

	if (n <= 0)
		return n;
	h->bulk = n == sizeof(bytes);
	sent = send(h->to, bytes, (size_t)n, MSG_NOSIGNAL);
	if (sent < 0 && errno != EAGAIN && errno != EINTR)
		return -1;
	if (sent < 0)
		sent = 0;
	if (sent == n)
		return n;
	if (!half_pipe(h) || write(h->pipe->w, bytes + sent, (size_t)(n - sent)) != n - sent) {
		errno = ENOBUFS;
		return -1;
	}
	h->held = (size_t)(n - sent);
	return n;
}

static ssize_t fill_bulk(struct relay_half *h)
{
	ssize_t n;

	if (!half_pipe(h)) {
		h->bulk = false;
		return fill_small(h);
	}
	n = splice(h->from, NULL, h->pipe->w, NULL, BULK, SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
	if (n > 0) {
		h->held = (size_t)n;
		h->bulk = n >= SMALL / 2;
	}
	return n;
}

static enum relay_state half_end(struct relay_half *h)
{
	half_release(h);
	if (!h->shut && shutdown(h->to, SHUT_WR) < 0)
		return RELAY_RESET;
	h->shut = true;
	return RELAY_DONE;
}

static enum relay_state half_stall(struct relay_half *h)
{
	if (errno != EAGAIN)
		return RELAY_RESET;
	if (!h->held)
		half_release(h);
	return RELAY_WAIT;
}

static enum relay_state half_pump(struct relay_half *h)
{
	for (int round = 0; round < ROUNDS; round++) {
		ssize_t n;

		if (!h->held && !h->eof) {
			n = h->bulk ? fill_bulk(h) : fill_small(h);
			if (n < 0 && errno == EINTR)
				continue;
			if (n < 0)
				return half_stall(h);
			h->eof = n == 0;
		}
		if (h->held) {
			n = splice(h->pipe->r, NULL, h->to, NULL, h->held,
				   SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
			if (n < 0 && errno == EINTR)
				continue;
			if (n <= 0)
				return n ? half_stall(h) : RELAY_RESET;
			h->held -= (size_t)n;
		}
		if (h->eof && !h->held)
			return half_end(h);
	}
	return RELAY_MORE;
}

enum relay_state relay_pump(struct relay *r)
{
	enum relay_state a = half_pump(&r->half[0]), b;

	if (a == RELAY_RESET)
		return a;
	b = half_pump(&r->half[1]);
	if (b == RELAY_RESET || (a == RELAY_DONE && b == RELAY_DONE))
		return b;
	return a == RELAY_MORE || b == RELAY_MORE ? RELAY_MORE : RELAY_WAIT;
}
