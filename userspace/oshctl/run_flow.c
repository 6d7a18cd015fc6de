/* SPDX-License-Identifier: Apache-2.0 */
#include "run_flow.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#include "own.h"

#define DRAIN_ROUNDS 1024
#define DRAIN_MS 500

bool flow_live(const struct flow *f)
{
	return f->from >= 0 || f->n;
}

void flow_want(const struct flow *f, struct pollfd *p)
{
	*p = (struct pollfd){ .fd = f->n ? f->to : f->from, .events = f->n ? POLLOUT : POLLIN };
}

static bool try_again(ssize_t r)
{
	return r < 0 && (errno == EAGAIN || errno == EINTR);
}

/* A socket may be shared with others who want it blocking; so only this one call does not block. */
static ssize_t get(int fd, void *p, size_t n)
{
	ssize_t r = recv(fd, p, n, MSG_DONTWAIT);

	return r < 0 && errno == ENOTSOCK ? read(fd, p, n) : r;
}

static ssize_t put(int fd, const void *p, size_t n)
{
	ssize_t r = send(fd, p, n, MSG_DONTWAIT | MSG_NOSIGNAL);

	return r < 0 && errno == ENOTSOCK ? write(fd, p, n) : r;
}

/* EIO is a pty's way to say that its other end is closed. */
static bool fill(struct flow *f)
{
	ssize_t r = get(f->from, f->buf, sizeof(f->buf));

	if (try_again(r))
		return false;
	if (r <= 0) {
		f->from = -1;
		if (f->close_to)
			own_close(&f->to);
		return false;
	}
	f->off = 0;
	f->n = (size_t)r;
	return true;
}

static bool empty(struct flow *f)
{
	ssize_t r = f->deaf ? (ssize_t)f->n : put(f->to, f->buf + f->off, f->n);

	if (try_again(r))
		return false;
	if (r < 0) {
		f->deaf = true;
		f->n = 0;
		return true;
	}
	f->off += (size_t)r;
	f->n -= (size_t)r;
	return !f->n;
}

void flow_step(struct flow *f, short revents)
{
	if (!revents)
		return;
	if (f->n || fill(f))
		(void)empty(f);
}

void flow_drain(struct flow *f)
{
	for (int i = 0; i < DRAIN_ROUNDS && flow_live(f); i++) {
		struct pollfd p = { .fd = f->to, .events = POLLOUT };

		if (f->n && !empty(f)) {
			if (poll(&p, 1, DRAIN_MS) <= 0)
				return;	/* a terminal that somebody paused */
		} else if (!f->n && (f->from < 0 || !fill(f))) {
			return;
		}
	}
}
