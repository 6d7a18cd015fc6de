/* SPDX-License-Identifier: Apache-2.0 */
/* One question by NETLINK_SOCK_DIAG for exactly this pair of addresses and ports. */
#include "peer_uid.h"

#include <arpa/inet.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "own.h"

/* States in which a socket is still the one that connected to us. Not TCP_SYN_SENT: it is about to. */
#define HELD (1u << TCP_ESTABLISHED | 1u << TCP_FIN_WAIT1 | 1u << TCP_FIN_WAIT2 | 1u << TCP_CLOSE_WAIT | \
	      1u << TCP_LAST_ACK | 1u << TCP_CLOSING)

struct question {
	struct nlmsghdr h;
	struct inet_diag_req_v2 q;
};

static int end_of(const struct sockaddr_storage *a, __be32 addr[4], __be16 *port)
{
	const struct sockaddr_in6 *v6 = (const void *)a;
	const struct sockaddr_in *v4 = (const void *)a;

	if (a->ss_family == AF_INET) {
		addr[0] = v4->sin_addr.s_addr;
		*port = v4->sin_port;
		return 0;
	}
	if (a->ss_family != AF_INET6)
		return -EAFNOSUPPORT;
	memcpy(addr, &v6->sin6_addr, 16);
	*port = v6->sin6_port;
	return 0;
}

/* The peer's socket: its own address is what is the peer's for us. */
static int ask(int fd, struct question *q, struct err *e)
{
	struct sockaddr_storage here = { 0 }, there = { 0 };
	socklen_t n = sizeof(here), m = sizeof(there);

	*q = (struct question){
		.h = { .nlmsg_len = sizeof(*q), .nlmsg_type = SOCK_DIAG_BY_FAMILY, .nlmsg_flags = NLM_F_REQUEST },
		.q = { .sdiag_protocol = IPPROTO_TCP, .idiag_states = ~0u,
		       .id.idiag_cookie = { INET_DIAG_NOCOOKIE, INET_DIAG_NOCOOKIE } },
	};
	if (getsockname(fd, (void *)&here, &n) < 0 || getpeername(fd, (void *)&there, &m) < 0)
		return fail(e, errno, "addresses of a connection: %s", strerror(errno));
	q->q.sdiag_family = (__u8)here.ss_family;
	if (end_of(&there, q->q.id.idiag_src, &q->q.id.idiag_sport) < 0 ||
	    end_of(&here, q->q.id.idiag_dst, &q->q.id.idiag_dport) < 0)
		return fail(e, EAFNOSUPPORT, "a connection that is not TCP/IP");
	return 0;
}

static int take(const char *bytes, ssize_t n, const struct question *q, uid_t *ret, struct err *e)
{
	const struct nlmsghdr *h = (const void *)bytes;
	const struct inet_diag_msg *m = NLMSG_DATA(h);
	const struct nlmsgerr *bad = NLMSG_DATA(h);

	if (n < (ssize_t)sizeof(*h) || !NLMSG_OK(h, (size_t)n))
		return fail(e, EPROTO, "the kernel's answer is short");
	if (h->nlmsg_type == NLMSG_ERROR && h->nlmsg_len >= NLMSG_LENGTH(sizeof(*bad)) && bad->error)
		return fail(e, -bad->error, "whose connection it is: %s", strerror(-bad->error));
	if (h->nlmsg_type != SOCK_DIAG_BY_FAMILY || h->nlmsg_len < NLMSG_LENGTH(sizeof(*m)))
		return fail(e, EPROTO, "the kernel's answer makes no sense");
	if (m->id.idiag_sport != q->q.id.idiag_sport || m->id.idiag_dport != q->q.id.idiag_dport)
		return fail(e, EPROTO, "the kernel's answer is of another connection");
	if (!m->idiag_inode || m->idiag_state > 31 || !(1u << m->idiag_state & HELD))
		return fail(e, ENOENT, "whoever made it has closed it");
	*ret = m->idiag_uid;
	return 0;
}

int peer_uid(int fd, uid_t *ret, struct err *e)
{
	_close_ int nl = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
	const struct sockaddr_nl kernel = { .nl_family = AF_NETLINK };
	_Alignas(struct nlmsghdr) char in[8192];
	struct question q;
	ssize_t n;
	int r;

	if (nl < 0)
		return fail(e, errno, "NETLINK_SOCK_DIAG: %s", strerror(errno));
	r = ask(fd, &q, e);
	if (r < 0)
		return r;
	if (sendto(nl, &q, sizeof(q), 0, (const void *)&kernel, sizeof(kernel)) < 0)
		return fail(e, errno, "ask whose connection it is: %s", strerror(errno));
	n = recv(nl, in, sizeof(in), 0);
	return n < 0 ? fail(e, errno, "whose connection it is: %s", strerror(errno)) : take(in, n, &q, ret, e);
}
