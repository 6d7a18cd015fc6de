/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Local routes on lo: every address that a policy can name ends at the namespace itself. There is no
 * other kind of route, so nothing can leave even with every program detached.
 */
#include "rtnl.h"

#include <arpa/inet.h>
#include <linux/if_addr.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "osh/abi.h"

#define NET4_BITS 15
#define NET6_BITS 48

static void route_put(struct rtnl *r, uint16_t type, const struct prefix *p, unsigned char protocol, const char *what)
{
	const bool add = type == RTM_NEWROUTE;
	struct nlmsghdr *h = rtnl_msg(r, type, add ? NLM_F_CREATE | NLM_F_EXCL : 0, "local route '%s'", what);
	const uint32_t loopback4 = htonl(INADDR_LOOPBACK);
	struct rtmsg *m = mnl_nlmsg_put_extra_header(h, sizeof(*m));

	*m = (struct rtmsg){
		.rtm_family = (unsigned char)p->family,
		.rtm_dst_len = (unsigned char)p->bits,
		.rtm_table = RT_TABLE_LOCAL,
		.rtm_protocol = protocol,
		.rtm_scope = RT_SCOPE_HOST,
		.rtm_type = RTN_LOCAL,
	};
	mnl_attr_put(h, RTA_DST, p->family == AF_INET ? 4 : 16, p->addr);
	mnl_attr_put_u32(h, RTA_OIF, LO_INDEX);
	if (!add)
		return;
	/* clients come from loopback, so that answers to them are loopback traffic */
	mnl_attr_put(h, RTA_PREFSRC, p->family == AF_INET ? 4 : 16,
		     p->family == AF_INET ? (const void *)&loopback4 : &in6addr_loopback);
}

static void route_add(struct rtnl *r, int family, const void *dst, unsigned bits, const char *what)
{
	struct prefix p = { .family = family, .bits = bits };

	memcpy(p.addr, dst, family == AF_INET ? 4 : 16);
	route_put(r, RTM_NEWROUTE, &p, RTPROT_STATIC, what);
}

/*
 * Address 0 of each range, which no name ever gets, on lo: with loopback addresses alone a resolver
 * that is asked for AI_ADDRCONFIG believes that the family is not configured and finds nothing.
 */
static void address_add(struct rtnl *r, int family, const void *addr, const char *what)
{
	struct nlmsghdr *h = rtnl_msg(r, RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL, "address 0 of '%s'",
				      what);
	struct ifaddrmsg *m = mnl_nlmsg_put_extra_header(h, sizeof(*m));
	size_t n = family == AF_INET ? 4 : 16;

	*m = (struct ifaddrmsg){
		.ifa_family = (unsigned char)family,
		.ifa_prefixlen = (unsigned char)(n * 8),
		.ifa_scope = family == AF_INET ? RT_SCOPE_HOST : RT_SCOPE_UNIVERSE,
		.ifa_flags = family == AF_INET ? 0 : IFA_F_NODAD,
		.ifa_index = LO_INDEX,
	};
	mnl_attr_put(h, IFA_LOCAL, n, addr);
	mnl_attr_put(h, IFA_ADDRESS, n, addr);
}

void route_add_base(struct rtnl *r, const uint32_t net6[4])
{
	struct nlmsghdr *h = rtnl_msg(r, RTM_NEWLINK, 0, "bring lo up");
	struct ifinfomsg *i = mnl_nlmsg_put_extra_header(h, sizeof(*i));
	const char *const name6 = "the sandbox's own IPv6 /48 (is IPv6 disabled?)";
	const uint32_t net4 = htonl(OSH_NET4);

	i->ifi_family = AF_UNSPEC;
	i->ifi_index = LO_INDEX;
	i->ifi_flags = i->ifi_change = IFF_UP;
	route_add(r, AF_INET, &net4, NET4_BITS, "198.18.0.0/15");
	route_add(r, AF_INET6, net6, NET6_BITS, name6);
	address_add(r, AF_INET, &net4, "198.18.0.0/15");
	address_add(r, AF_INET6, net6, name6);
}

int route_prefix(const struct osh_b_cidr *c, struct prefix *ret, struct err *e)
{
	static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };
	bool v4 = !memcmp(c->addr, mapped, sizeof(mapped)) && c->bits >= 96;

	if (c->bits > 128)
		return fail(e, EINVAL, "network in the bundle has %u bits", c->bits);
	*ret = (struct prefix){ .family = v4 ? AF_INET : AF_INET6, .bits = v4 ? c->bits - 96 : c->bits };
	memcpy(ret->addr, v4 ? c->addr + 12 : c->addr, v4 ? 4 : 16);
	return 0;
}

int route_policy(struct rtnl *r, bool add, const struct prefix *p, struct err *e)
{
	char text[INET6_ADDRSTRLEN] = "?", what[INET6_ADDRSTRLEN + 8];
	int ret = r->n_msgs == RTNL_MSGS ? rtnl_flush(r, e) : 0;

	if (ret < 0)
		return ret;
	inet_ntop(p->family, p->addr, text, sizeof(text));
	snprintf(what, sizeof(what), "%s/%u", text, p->bits);
	route_put(r, add ? RTM_NEWROUTE : RTM_DELROUTE, p, ROUTE_POLICY, what);
	return 0;
}

static int route_add_cidrs(struct rtnl *r, const struct bundle *b, struct err *e)
{
	struct prefix p;
	int ret = 0;

	for (uint32_t i = 0; b && !ret && i < b->n_cidrs; i++) {
		ret = route_prefix(&b->cidrs[i], &p, e);
		if (!ret)
			ret = route_policy(r, true, &p, e);
	}
	return ret;
}

int netns_route_cidrs(const struct bundle *b, struct err *e)
{
	struct rtnl r = { 0 };
	int ret = rtnl_open(&r, e);

	if (!ret)
		ret = route_add_cidrs(&r, b, e);
	if (!ret && r.n_msgs)
		ret = rtnl_flush(&r, e);
	rtnl_done(&r);
	return ret;
}
