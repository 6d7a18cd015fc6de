/* SPDX-License-Identifier: Apache-2.0 */
#include "chan.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

int chan_pair(int ret_fds[2])
{
	return socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ret_fds) < 0 ? -errno : 0;
}

#ifndef SO_PASSRIGHTS			/* Linux 6.16 */
#define SO_PASSRIGHTS 83
#endif

bool chan_refuse_fds(int fd)
{
	return setsockopt(fd, SOL_SOCKET, SO_PASSRIGHTS, &(int){ 0 }, sizeof(int)) == 0;
}

static int send_one(int fd, unsigned type, void *msg, size_t size, const int *fds, int n_fds, int flags)
{
	struct osh_msg_head *h = msg;
	struct iovec iov = { msg, size };
	union {
		struct cmsghdr align;
		char room[CMSG_SPACE(sizeof(int) * OSH_MSG_FDS)];
	} control;
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1 };
	ssize_t n;

	if (size < sizeof(*h) || size > OSH_MSG_BYTES || n_fds < 0 || n_fds > OSH_MSG_FDS)
		return -EINVAL;
	h->type = type;
	h->size = (uint32_t)size;
	if (n_fds) {
		struct cmsghdr *c;

		memset(&control, 0, sizeof(control));
		m.msg_control = &control;
		m.msg_controllen = CMSG_SPACE(sizeof(int) * (size_t)n_fds);
		c = CMSG_FIRSTHDR(&m);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(sizeof(int) * (size_t)n_fds);
		memcpy(CMSG_DATA(c), fds, sizeof(int) * (size_t)n_fds);
	}
	do
		n = sendmsg(fd, &m, MSG_NOSIGNAL | flags);
	while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : 0;
}

int chan_send(int fd, unsigned type, void *msg, size_t size, const int *fds, int n_fds)
{
	return send_one(fd, type, msg, size, fds, n_fds, 0);
}

int chan_send_now(int fd, unsigned type, void *msg, size_t size, const int *fds, int n_fds)
{
	return send_one(fd, type, msg, size, fds, n_fds, MSG_DONTWAIT);
}

static void take_fds(struct chan_in *in, struct msghdr *m)
{
	for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR(m, c)) {
		size_t n;

		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		for (size_t i = 0; i < n; i++) {
			int fd;

			memcpy(&fd, CMSG_DATA(c) + i * sizeof(int), sizeof(int));
			if (in->n_fds < OSH_MSG_FDS)
				in->fds[in->n_fds++] = fd;
			else
				close(fd);
		}
	}
}

static int receive(int fd, struct chan_in *in, int flags)
{
	struct iovec iov = { in->bytes, sizeof(in->bytes) };
	union {
		struct cmsghdr align;
		char room[CMSG_SPACE(sizeof(int) * OSH_MSG_FDS)];
	} control;
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control,
			    .msg_controllen = sizeof(control) };
	ssize_t n;

	in->n = 0;
	in->n_fds = 0;
	do
		n = recvmsg(fd, &m, MSG_CMSG_CLOEXEC | flags);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	take_fds(in, &m);
	if (n == 0 && !in->n_fds)
		return 0;
	in->n = (size_t)n;
	if ((m.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) || in->n < sizeof(in->h) ||
	    in->h.size != in->n || in->h.type >= OSH_MSG_MAX) {
		chan_in_done(in);
		return -EBADMSG;
	}
	return 1;
}

int chan_recv(int fd, struct chan_in *in)
{
	return receive(fd, in, 0);
}

int chan_recv_now(int fd, struct chan_in *in)
{
	return receive(fd, in, MSG_DONTWAIT);
}

int chan_peek(int fd, struct chan_in *in)
{
	int r = receive(fd, in, MSG_PEEK | MSG_DONTWAIT);

	if (r > 0 && in->n_fds) {
		chan_in_done(in);
		return -EBADMSG;
	}
	return r;
}

void chan_drop(int fd)
{
	struct msghdr m = { 0 };

	while (recvmsg(fd, &m, MSG_DONTWAIT) < 0 && errno == EINTR)
		;
}

const void *chan_is(const struct chan_in *in, unsigned type, size_t size, int n_fds)
{
	return in->h.type == type && in->n == size && in->n_fds == n_fds ? in->bytes : NULL;
}

const struct osh_msg_programs *chan_is_programs(const struct chan_in *in)
{
	const struct osh_msg_programs *p = (const void *)in->bytes;

	return in->h.type == OSH_MSG_PROGRAMS && in->n == sizeof(*p) && p->n && p->n <= OSH_PROGRAMS_MSG &&
	       in->n_fds == (int)p->n ? p : NULL;
}

int chan_take(struct chan_in *in, int i)
{
	int fd = in->fds[i];

	in->fds[i] = -1;
	return fd;
}

void chan_in_done(struct chan_in *in)
{
	for (int i = 0; i < in->n_fds; i++)
		if (in->fds[i] >= 0)
			close(in->fds[i]);
	in->n_fds = 0;
}
