/* SPDX-License-Identifier: Apache-2.0 */
/* Route netlink batches. Talks to the kernel only; sequence numbers are 1 + the request's index. */
#include "rtnl.h"

#include <net/if.h>
#include <linux/rtnetlink.h>
#include <stdarg.h>
#include <sys/time.h>

int rtnl_open(struct rtnl *r, struct err *e)
{
	r->n_bytes = r->n_msgs = 0;
	r->last = NULL;
	r->nl = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC);
	if (!r->nl)
		return fail(e, errno, "open route netlink: %s", strerror(errno));
	if (mnl_socket_bind(r->nl, 0, MNL_SOCKET_AUTOPID) < 0)
		return fail(e, errno, "bind route netlink: %s", strerror(errno));
	return 0;
}

void rtnl_done(struct rtnl *r)
{
	if (r->nl)
		mnl_socket_close(r->nl);
	r->nl = NULL;
}

static void rtnl_close_last(struct rtnl *r)
{
	if (r->last)
		r->n_bytes += MNL_ALIGN(r->last->nlmsg_len);
	r->last = NULL;
}

struct nlmsghdr *rtnl_msg(struct rtnl *r, uint16_t type, uint16_t flags, const char *what, ...)
{
	struct nlmsghdr *h;
	va_list ap;

	rtnl_close_last(r);
	h = mnl_nlmsg_put_header(r->buf + r->n_bytes);
	h->nlmsg_type = type;
	h->nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK | flags;
	h->nlmsg_seq = r->n_msgs + 1;
	va_start(ap, what);
	vsnprintf(r->what[r->n_msgs], sizeof(r->what[0]), what, ap);
	va_end(ap);
	r->n_msgs++;
	r->last = h;
	return h;
}

/* One datagram of answers: counts acknowledgements, stops at the first error. */
static int rtnl_answers(struct rtnl *r, const void *buf, int n, unsigned *acked, struct err *e)
{
	const struct nlmsghdr *h = buf;
	const struct nlmsgerr *a;

	for (; mnl_nlmsg_ok(h, n); h = mnl_nlmsg_next(h, &n)) {
		if (h->nlmsg_type != NLMSG_ERROR || h->nlmsg_len < sizeof(*h) + sizeof(*a) ||
		    !h->nlmsg_seq || h->nlmsg_seq > r->n_msgs)
			return fail(e, EPROTO, "route netlink: unexpected answer");
		a = mnl_nlmsg_get_payload(h);
		if (a->error && a->error != -EEXIST)
			return fail(e, -a->error, "%s: %s", r->what[h->nlmsg_seq - 1],
				    strerror(-a->error));
		(*acked)++;
	}
	return 0;
}

int rtnl_flush(struct rtnl *r, struct err *e)
{
	char in[NL_ANSWER_BYTES];
	unsigned acked = 0;
	ssize_t n;
	int ret = 0;

	rtnl_close_last(r);
	if (mnl_socket_sendto(r->nl, r->buf, r->n_bytes) < 0)
		return fail(e, errno, "send to route netlink: %s", strerror(errno));
	while (!ret && acked < r->n_msgs) {
		n = mnl_socket_recvfrom(r->nl, in, sizeof(in));
		if (n < 0)
			return fail(e, errno, "read from route netlink: %s", strerror(errno));
		ret = rtnl_answers(r, in, (int)n, &acked, e);
	}
	r->n_bytes = r->n_msgs = 0;
	return ret;
}

static int link_down(const struct nlmsghdr *h, void *arg)
{
	const struct ifinfomsg *i = mnl_nlmsg_get_payload(h);
	struct err *e = arg;

	if (h->nlmsg_len < MNL_NLMSG_HDRLEN + sizeof(*i))
		return fail(e, EPROTO, "route netlink: short link record") ? MNL_CB_ERROR : 0;
	if (!(i->ifi_flags & IFF_UP))
		return MNL_CB_OK;
	fail(e, EBUSY, "network namespace is not fresh: device %d is up", i->ifi_index);
	errno = EBUSY;
	return MNL_CB_ERROR;
}

int rtnl_check_fresh(struct rtnl *r, struct err *e)
{
	char buf[NL_ANSWER_BYTES];
	struct nlmsghdr *h = mnl_nlmsg_put_header(buf);
	struct ifinfomsg *i;
	ssize_t n;
	int more;

	h->nlmsg_type = RTM_GETLINK;
	h->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
	h->nlmsg_seq = 1;
	i = mnl_nlmsg_put_extra_header(h, sizeof(*i));
	i->ifi_family = AF_UNSPEC;
	if (mnl_socket_sendto(r->nl, h, h->nlmsg_len) < 0)
		return fail(e, errno, "list devices: %s", strerror(errno));
	do {
		n = mnl_socket_recvfrom(r->nl, buf, sizeof(buf));
		if (n < 0)
			return fail(e, errno, "list devices: %s", strerror(errno));
		e->code = 0;
		more = mnl_cb_run(buf, (size_t)n, 1, mnl_socket_get_portid(r->nl), link_down, e);
	} while (more > 0);
	if (more < 0)
		return e->code ? -e->code : fail(e, errno, "list devices: %s", strerror(errno));
	return 0;
}
