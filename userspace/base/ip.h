/* SPDX-License-Identifier: Apache-2.0 */
/* An address: 16 bytes in network order, IPv4 always as ::ffff:a.b.c.d. */
#pragma once

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

struct ip {
	uint8_t b[16];
};

static inline struct ip ip_from4(const void *four)
{
	struct ip a = { { [10] = 0xff, [11] = 0xff } };

	memcpy(a.b + 12, four, 4);
	return a;
}

static inline bool ip_is4(const struct ip *a)
{
	static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };

	return !memcmp(a->b, mapped, sizeof(mapped));
}

/* Is `a` inside net/bits? bits count from the start of the 16 bytes. */
static inline bool ip_in(const struct ip *a, const uint8_t net[16], unsigned bits)
{
	unsigned whole = bits / 8, rest = bits % 8;

	if (bits > 128 || memcmp(a->b, net, whole))
		return false;
	return !rest || !((a->b[whole] ^ net[whole]) & (0xff << (8 - rest) & 0xff));
}

static inline socklen_t ip_sockaddr(const struct ip *a, uint16_t port, struct sockaddr_storage *ss)
{
	struct sockaddr_in *s4 = (void *)ss;
	struct sockaddr_in6 *s6 = (void *)ss;

	memset(ss, 0, sizeof(*ss));
	if (ip_is4(a)) {
		s4->sin_family = AF_INET;
		s4->sin_port = htons(port);
		memcpy(&s4->sin_addr, a->b + 12, 4);
		return sizeof(*s4);
	}
	s6->sin6_family = AF_INET6;
	s6->sin6_port = htons(port);
	memcpy(&s6->sin6_addr, a->b, 16);
	return sizeof(*s6);
}
