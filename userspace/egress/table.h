/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The second judgement of a connection. The kernel's connect hook decided already; here (destination,
 * port, program) must be in this process' own copy of the bundle too, or the flow is closed.
 */
#pragma once

#include "bundle.h"
#include "ip.h"
#include "osh/abi.h"

struct table {
	const struct bundle *bundle;
	uint32_t id, generation;
	uint32_t net6[4];
	int addrs_fd, idents_fd;
};

struct target {
	uint32_t ident;
	uint32_t host;			/* host number */
	uint32_t rule;			/* index of the rule + 1 */
	uint32_t flags;			/* OSH_ALT_* that one of the matching rules has */
	uint32_t common;		/* OSH_ALT_* that all of them have */
	uint32_t n_rules;
	uint32_t rules[OSH_ALTS];	/* matching rules, indices into RULES, ascending; all with OSH_ALT_L7 are here */
	uint32_t endpoint;		/* index into ENDPOINTS + 1 */
	uint32_t alts;			/* bit i: the endpoint's alternative i lets this program through */
	uint16_t port;
	bool tainted;			/* the program was, when it connected */
	bool local;			/* only where it is on this machine */
	bool sandbox;			/* `host` is another sandbox, and a route leads there */
	bool literal;			/* an IP or CIDR endpoint: dial `addr` itself */
	struct ip addr;
	char name[OSH_NAME_MAX];	/* host name, or "" for a literal */
};

/* The host name, or the address as text: what a certificate and a Host field must say. */
void target_text(const struct target *t, char out[OSH_NAME_MAX]);

/* OSH_WHY_ALLOWED and *t filled, or the reason to close. *t holds what was learnt in either case. */
enum osh_reason table_judge(const struct table *tb, const struct ip *dst, uint16_t port,
			    uint32_t mark, struct target *t);

/* The same for a connection that another generation judged before. */
enum osh_reason table_again(const struct table *tb, const struct target *was, struct target *t);

/* Number of the host that a target names, in this table; 0 = none, or not with this port. */
uint32_t table_host(const struct table *tb, const struct target *t);
