/* SPDX-License-Identifier: Apache-2.0 */
#include "addr.h"

#include "own.h"

#define V4(a, b, c, d) { [10] = 0xff, [11] = 0xff, [12] = a, b, c, d }

/* clang-format off */
/* First match decides, so that a host inside a wider network comes before it. */
static const struct {
	uint8_t net[16];
	uint8_t bits;
	uint8_t class;
} special[] = {
	{ V4(0, 0, 0, 0),		96 + 8,  ADDR_FORBIDDEN },	/* this network; 0.0.0.0 is loopback */
	{ V4(10, 0, 0, 0),		96 + 8,  ADDR_PRIVATE },
	{ V4(100, 100, 100, 200),	128,     ADDR_FORBIDDEN },	/* metadata */
	{ V4(100, 64, 0, 0),		96 + 10, ADDR_PRIVATE },	/* carrier-grade NAT */
	{ V4(127, 0, 0, 0),		96 + 8,  ADDR_FORBIDDEN },
	{ V4(168, 63, 129, 16),		128,     ADDR_FORBIDDEN },	/* metadata */
	{ V4(169, 254, 0, 0),		96 + 16, ADDR_FORBIDDEN },	/* link-local, metadata */
	{ V4(172, 16, 0, 0),		96 + 12, ADDR_PRIVATE },
	{ V4(192, 0, 0, 192),		128,     ADDR_FORBIDDEN },	/* metadata */
	{ V4(192, 0, 0, 0),		96 + 24, ADDR_PRIVATE },	/* protocol assignments */
	{ V4(192, 0, 2, 0),		96 + 24, ADDR_PRIVATE },	/* documentation */
	{ V4(192, 88, 99, 0),		96 + 24, ADDR_PRIVATE },	/* 6to4 relays */
	{ V4(192, 168, 0, 0),		96 + 16, ADDR_PRIVATE },
	{ V4(198, 18, 0, 0),		96 + 15, ADDR_PRIVATE },	/* benchmarking; synthetic here */
	{ V4(198, 51, 100, 0),		96 + 24, ADDR_PRIVATE },	/* documentation */
	{ V4(203, 0, 113, 0),		96 + 24, ADDR_PRIVATE },	/* documentation */
	{ V4(224, 0, 0, 0),		96 + 4,  ADDR_FORBIDDEN },	/* multicast */
	{ V4(240, 0, 0, 0),		96 + 4,  ADDR_FORBIDDEN },	/* reserved, broadcast */
	{ V4(0, 0, 0, 0),		96,      ADDR_PUBLIC },		/* the rest of IPv4 */
	{ { 0 },			96,      ADDR_FORBIDDEN },	/* ::, ::1, v4-compatible */
	{ { 0x00, 0x64, 0xff, 0x9b },	96,      ADDR_PUBLIC },		/* NAT64: judged by what is inside */
	{ { 0x00, 0x64, 0xff, 0x9b, 0x00, 0x01 }, 48, ADDR_PRIVATE },	/* local NAT64 */
	{ { 0x01, 0x00 },		64,      ADDR_FORBIDDEN },	/* discard */
	{ { 0x20, 0x01, 0x0d, 0xb8 },	32,      ADDR_PRIVATE },	/* documentation */
	{ { 0x20, 0x01, 0x00, 0x00 },	23,      ADDR_PRIVATE },	/* protocol assignments, Teredo */
	{ { 0x20, 0x02 },		16,      ADDR_PUBLIC },		/* 6to4: judged by what is inside */
	{ { 0x3f, 0xff },		20,      ADDR_PRIVATE },	/* documentation */
	{ { 0x5f, 0x00 },		16,      ADDR_PRIVATE },	/* segment routing */
	{ { 0xfd, 0x00, 0x0e, 0xc2, [14] = 0x02, 0x54 }, 128, ADDR_FORBIDDEN },	/* metadata */
	{ { 0xfd, 0x20, 0x00, 0xce, [14] = 0x02, 0x54 }, 128, ADDR_FORBIDDEN },	/* metadata */
	{ { 0xfc, 0x00 },		7,       ADDR_PRIVATE },	/* unique local */
	{ { 0xfe, 0x80 },		10,      ADDR_FORBIDDEN },	/* link-local */
	{ { 0xfe, 0xc0 },		10,      ADDR_PRIVATE },	/* site-local, deprecated */
	{ { 0xff, 0x00 },		8,       ADDR_FORBIDDEN },	/* multicast */
	{ { 0x20, 0x00 },		3,       ADDR_PUBLIC },		/* global unicast */
};

/* IPv6 forms that carry an IPv4 address which a gateway may dial for us. */
static const struct {
	uint8_t net[16];
	uint8_t bits, at;
} carriers[] = {
	{ { 0x00, 0x64, 0xff, 0x9b },	96, 12 },
	{ { 0x20, 0x02 },		16, 2 },
};

/* Control planes that no policy opens: etcd, the Kubernetes API, the kubelet. */
static const uint16_t forbidden_ports[] = { 2379, 2380, 6443, 10250, 10255 };
/* clang-format on */

static enum addr_class class_of(const struct ip *a)
{
	for (size_t i = 0; i < ARRAY_SIZE(special); i++)
		if (ip_in(a, special[i].net, special[i].bits))
			return special[i].class;
	return ADDR_PRIVATE;	/* not allocated as global unicast */
}

enum addr_class addr_class(const struct ip *a)
{
	enum addr_class class = class_of(a);

	for (size_t i = 0; i < ARRAY_SIZE(carriers); i++) {
		struct ip inside;

		if (!ip_in(a, carriers[i].net, carriers[i].bits))
			continue;
		inside = ip_from4(a->b + carriers[i].at);
		if (class_of(&inside) < class)
			class = class_of(&inside);
	}
	return class;
}

enum osh_reason addr_judge(const struct bundle *b, uint32_t host, uint16_t port, const struct ip *a)
{
	enum addr_class class = addr_class(a);
	bool listed = false, any = false;

	if (class == ADDR_FORBIDDEN)
		return OSH_WHY_ADDR_FORBIDDEN;
	for (uint32_t i = 0; i < b->n_upstream; i++) {
		const struct osh_b_upstream *u = &b->upstream[i];

		if (u->host != host || u->port != port)
			continue;
		any = true;
		listed |= ip_in(a, u->addr, u->bits);
	}
	if (listed)
		return OSH_WHY_ALLOWED;
	if (class == ADDR_PRIVATE)
		return any ? OSH_WHY_ADDR_NOT_LISTED : OSH_WHY_ADDR_PRIVATE;
	return any ? OSH_WHY_ADDR_NOT_LISTED : OSH_WHY_ALLOWED;
}

bool addr_restricted(const struct bundle *b, uint32_t host, uint16_t port)
{
	for (uint32_t i = 0; i < b->n_upstream; i++)
		if (b->upstream[i].host == host && b->upstream[i].port == port)
			return true;
	return false;
}

bool addr_port_forbidden(uint16_t port)
{
	for (size_t i = 0; i < ARRAY_SIZE(forbidden_ports); i++)
		if (forbidden_ports[i] == port)
			return true;
	return port == 0;
}
