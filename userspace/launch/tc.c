/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The DNS program on egress of lo, through clsact: a tcx link waits for an RCU grace period (10 ms),
 * this does not. The kernel holds the program for as long as the namespace lives.
 */
#include "rtnl.h"

#include <arpa/inet.h>
#include <linux/if_ether.h>
#include <linux/pkt_cls.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>

void tc_add_dns(struct rtnl *r, int prog_fd)
{
	const uint16_t flags = NLM_F_CREATE | NLM_F_EXCL;
	struct nlmsghdr *h = rtnl_msg(r, RTM_NEWQDISC, flags, "clsact on lo (NET_SCH_INGRESS)");
	struct tcmsg *t = mnl_nlmsg_put_extra_header(h, sizeof(*t));
	struct nlattr *opts;

	t->tcm_ifindex = LO_INDEX;
	t->tcm_handle = TC_H_MAKE(TC_H_CLSACT, 0);
	t->tcm_parent = TC_H_CLSACT;
	mnl_attr_put_strz(h, TCA_KIND, "clsact");

	h = rtnl_msg(r, RTM_NEWTFILTER, flags, "DNS program on lo (NET_CLS_BPF)");
	t = mnl_nlmsg_put_extra_header(h, sizeof(*t));
	t->tcm_ifindex = LO_INDEX;
	t->tcm_parent = TC_H_MAKE(TC_H_CLSACT, TC_H_MIN_EGRESS);
	t->tcm_info = TC_H_MAKE(1u << 16, htons(ETH_P_ALL));
	mnl_attr_put_strz(h, TCA_KIND, "bpf");
	opts = mnl_attr_nest_start(h, TCA_OPTIONS);
	mnl_attr_put_u32(h, TCA_BPF_FD, (uint32_t)prog_fd);
	mnl_attr_put_strz(h, TCA_BPF_NAME, "osh_dns");
	mnl_attr_put_u32(h, TCA_BPF_FLAGS, TCA_BPF_FLAG_ACT_DIRECT);
	mnl_attr_nest_end(h, opts);
}
