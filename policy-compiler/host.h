/* SPDX-License-Identifier: Apache-2.0 */
/* Host patterns and addresses: text of a policy -> canonical form, and what kind of address it is. */
#pragma once

#include "model.h"

enum addr_class {
	ADDR_PUBLIC,
	ADDR_PRIVATE,			/* needs allowed_ips */
	ADDR_FORBIDDEN,			/* loopback, link-local, metadata, multicast…: never dialled */
	ADDR_OSH,			/* osh's own synthetic range */
};

/* "10.1.2.3", "10.0.0.0/8", "fd00::/8", "[::1]". false = not an address at all. */
bool net_parse(const char *text, struct net *ret);
void net_text(const struct net *n, char ret[64]);	/* canonical; no prefix for a single address */
bool net_overlaps(const struct net *a, const struct net *b);
enum addr_class net_class(const struct net *n);		/* the worst that any part of it is */
const char *net_why(const struct net *n);		/* name of the special range it touches, or NULL */
const char *net_unallowable(const struct net *n);	/* why allowed_ips may not hold it, or NULL */

/* The tables behind net_class(), for who models it; NULL past the last. */
struct net_special {
	struct net net;
	enum addr_class class;
	const char *why;
};

struct net_carrier {			/* IPv6 that carries an IPv4 address from byte `at` on */
	struct net net;
	uint32_t at;
};

const struct net_special *net_special(size_t i);
const struct net_carrier *net_carrier(size_t i);
const struct net *net_global(size_t i);			/* what is in use at all */
bool net_is_v4(const struct net *n);

bool host_in_zone(const struct host *h);	/* does it name sandboxes, and nothing else? */
bool port_forbidden(uint32_t port);	/* of a control plane */

enum host_error {
	HOST_OK,
	HOST_BAD,			/* no host at all */
	HOST_TLD,			/* "*.com" */
	HOST_WILDCARD,			/* a wildcard where none may be */
};

/*
 * Canonical form of one `host:` value; texts live in the arena. HOST_TLD and HOST_WILDCARD fill *ret
 * too, with what the text would mean.
 */
enum host_error host_parse(struct arena *a, const char *text, struct host *ret);
