/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Route netlink in batches: many requests in one datagram, each acknowledged, the first that fails
 * named. Internal to the network namespace set-up.
 */
#pragma once

#include <libmnl/libmnl.h>

#include "netns.h"

#define RTNL_MSGS 32
#define RTNL_MSG_BYTES 192		/* largest request that is made here */
#define LO_INDEX 1			/* of lo in every network namespace */
#define NL_ANSWER_BYTES 8192		/* the kernel keeps one datagram of a dump below this */

struct rtnl {
	struct mnl_socket *nl;
	char buf[RTNL_MSGS * RTNL_MSG_BYTES];
	struct nlmsghdr *last;
	size_t n_bytes;
	unsigned n_msgs;
	char what[RTNL_MSGS][64];	/* of request i, for the error */
};

int rtnl_open(struct rtnl *r, struct err *e);
void rtnl_done(struct rtnl *r);

/* A new request in the batch, to be filled before the next call; the batch has room for RTNL_MSGS. */
__attribute__((format(printf, 4, 5)))
struct nlmsghdr *rtnl_msg(struct rtnl *r, uint16_t type, uint16_t flags, const char *what, ...);

/* Sends the batch and reads every acknowledgement; EEXIST of a request is no error. */
int rtnl_flush(struct rtnl *r, struct err *e);

/* Refuses where any device is up: then this is not a fresh namespace. */
int rtnl_check_fresh(struct rtnl *r, struct err *e);

/* Appends to a batch: lo up, the routes of the synthetic ranges and an address in each (5 requests). */
void route_add_base(struct rtnl *r, const uint32_t net6[4]);

/* Local routes of a policy's addresses have a protocol number of their own, so that they can be told apart. */
#define ROUTE_POLICY 0x6f
struct prefix {
	int family;
	unsigned bits;
	uint8_t addr[16];		/* zeros behind an IPv4 one */
};
int route_prefix(const struct osh_b_cidr *c, struct prefix *ret, struct err *e);
/* Appends one, or its removal; sends what is there when the batch is full. */
int route_policy(struct rtnl *r, bool add, const struct prefix *p, struct err *e);

/* Appends clsact and the DNS program on egress of lo (2 requests). */
void tc_add_dns(struct rtnl *r, int prog_fd);

/* Listener, its steering, cookie and descriptor of the namespace. */
int listener_open(const struct netns_args *a, struct netns_result *ret, struct err *e);
