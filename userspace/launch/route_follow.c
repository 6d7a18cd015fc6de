/* SPDX-License-Identifier: Apache-2.0 */
/* New routes first, then a look at what is there, then the end of what neither policy names. */
#include "rtnl.h"

#include <linux/rtnetlink.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "own.h"

struct set {
	struct prefix *at;
	size_t n;
};

static int by_prefix(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(struct prefix));
}

/* Those of both policies; sorted. */
static int wanted(struct set *s, const struct bundle *next, const struct bundle *was, struct err *e)
{
	const struct bundle *of[] = { next, was };
	int r = 0;

	s->at = calloc((size_t)next->n_cidrs + was->n_cidrs + 1, sizeof(*s->at));
	if (!s->at)
		return fail(e, ENOMEM, "out of memory");
	for (size_t k = 0; k < ARRAY_SIZE(of); k++)
		for (uint32_t i = 0; !r && i < of[k]->n_cidrs; i++)
			r = route_prefix(&of[k]->cidrs[i], &s->at[s->n++], e);
	qsort(s->at, s->n, sizeof(*s->at), by_prefix);
	return r;
}

struct dump {
	const struct set *wanted;
	struct set stale;
	bool full;
};

static int on_attr(const struct nlattr *a, void *data)
{
	const struct nlattr **dst = data;

	if (mnl_attr_get_type(a) == RTA_DST)
		*dst = a;
	return MNL_CB_OK;
}

static int on_route(const struct nlmsghdr *h, void *data)
{
	const struct rtmsg *m = mnl_nlmsg_get_payload(h);
	const struct nlattr *dst = NULL;
	struct dump *d = data;
	struct prefix p = { 0 }, *more;

	if (h->nlmsg_type != RTM_NEWROUTE || h->nlmsg_len < MNL_NLMSG_HDRLEN + sizeof(*m) ||
	    m->rtm_protocol != ROUTE_POLICY || m->rtm_table != RT_TABLE_LOCAL || m->rtm_type != RTN_LOCAL)
		return MNL_CB_OK;
	mnl_attr_parse(h, sizeof(*m), on_attr, &dst);
	p.family = m->rtm_family;
	p.bits = m->rtm_dst_len;
	/* The whole of the Internet has no destination. */
	if (dst && mnl_attr_get_payload_len(dst) <= sizeof(p.addr))
		memcpy(p.addr, mnl_attr_get_payload(dst), mnl_attr_get_payload_len(dst));
	if (d->wanted->n && bsearch(&p, d->wanted->at, d->wanted->n, sizeof(p), by_prefix))
		return MNL_CB_OK;
	more = realloc(d->stale.at, (d->stale.n + 1) * sizeof(p));
	if (!more) {
		d->full = true;
		return MNL_CB_OK;	/* to the end: what is left unread would be taken for an answer */
	}
	d->stale.at = more;
	more[d->stale.n++] = p;
	return MNL_CB_OK;
}

static int look(struct rtnl *r, int family, struct dump *d, struct err *e)
{
	char buf[NL_ANSWER_BYTES];
	struct nlmsghdr *h = mnl_nlmsg_put_header(buf);
	struct rtmsg *m;
	ssize_t n;
	int more;

	h->nlmsg_type = RTM_GETROUTE;
	h->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
	h->nlmsg_seq = 1;
	m = mnl_nlmsg_put_extra_header(h, sizeof(*m));
	m->rtm_family = (unsigned char)family;
	if (mnl_socket_sendto(r->nl, h, h->nlmsg_len) < 0)
		return fail(e, errno, "list routes: %s", strerror(errno));
	do {
		n = mnl_socket_recvfrom(r->nl, buf, sizeof(buf));
		if (n < 0)
			return fail(e, errno, "list routes: %s", strerror(errno));
		more = mnl_cb_run(buf, (size_t)n, 1, mnl_socket_get_portid(r->nl), on_route, d);
	} while (more > 0);
	if (more < 0)
		return fail(e, errno, "list routes: %s", strerror(errno));
	return d->full ? fail(e, ENOMEM, "out of memory") : 0;
}

static int remove_others(struct rtnl *r, const struct set *keep, struct err *e)
{
	struct dump d = { .wanted = keep };
	int x = look(r, AF_INET, &d, e);

	if (!x)
		x = look(r, AF_INET6, &d, e);
	for (size_t i = 0; !x && i < d.stale.n; i++)
		x = route_policy(r, false, &d.stale.at[i], e);
	if (!x && r->n_msgs)
		x = rtnl_flush(r, e);
	free(d.stale.at);
	return x;
}

int netns_follow(const struct bundle *next, const struct bundle *was, struct err *e)
{
	struct set keep = { 0 };
	struct rtnl r = { 0 };
	int x = netns_route_cidrs(next, e);

	if (!x)
		x = wanted(&keep, next, was, e);
	if (!x)
		x = rtnl_open(&r, e);
	if (!x)
		x = remove_others(&r, &keep, e);
	rtnl_done(&r);
	free(keep.at);
	return x;
}
