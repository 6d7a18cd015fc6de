/* SPDX-License-Identifier: Apache-2.0 */
/* Host patterns and address ranges. Pure. */
#include "host.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "osh/abi.h"
#include "osh/inference.h"
#include "own.h"

#define V4(a, b, c, d) { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, a, b, c, d }

static const struct net_special special[] = {
/* clang-format off */
	{ { V4(0, 0, 0, 0),          96 + 8  }, ADDR_FORBIDDEN, "unspecified" },
	{ { V4(127, 0, 0, 0),        96 + 8  }, ADDR_FORBIDDEN, "loopback" },
	{ { V4(169, 254, 0, 0),      96 + 16 }, ADDR_FORBIDDEN, "link-local" },
	{ { V4(100, 100, 100, 200),  128     }, ADDR_FORBIDDEN, "metadata" },
	{ { V4(168, 63, 129, 16),    128     }, ADDR_FORBIDDEN, "metadata" },
	{ { V4(192, 0, 0, 192),      128     }, ADDR_FORBIDDEN, "metadata" },
	{ { V4(224, 0, 0, 0),        96 + 4  }, ADDR_FORBIDDEN, "multicast" },
	{ { V4(240, 0, 0, 0),        96 + 4  }, ADDR_FORBIDDEN, "reserved" },
	{ { V4(10, 0, 0, 0),         96 + 8  }, ADDR_PRIVATE,   "private" },
	{ { V4(172, 16, 0, 0),       96 + 12 }, ADDR_PRIVATE,   "private" },
	{ { V4(192, 168, 0, 0),      96 + 16 }, ADDR_PRIVATE,   "private" },
	{ { V4(192, 0, 0, 0),        96 + 24 }, ADDR_PRIVATE,   "private" },
	{ { V4(100, 64, 0, 0),       96 + 10 }, ADDR_PRIVATE,   "private" },
	{ { V4(192, 0, 2, 0),        96 + 24 }, ADDR_PRIVATE,   "documentation" },
	{ { V4(198, 51, 100, 0),     96 + 24 }, ADDR_PRIVATE,   "documentation" },
	{ { V4(203, 0, 113, 0),      96 + 24 }, ADDR_PRIVATE,   "documentation" },
	{ { V4(192, 88, 99, 0),      96 + 24 }, ADDR_PRIVATE,   "6to4 relay" },
	{ { V4(198, 18, 0, 0),       96 + 15 }, ADDR_OSH,       "osh's synthetic" },
	{ { { 0 },                   128     }, ADDR_FORBIDDEN, "unspecified" },
	{ { { [15] = 1 },            128     }, ADDR_FORBIDDEN, "loopback" },
	{ { { 0 },                   96      }, ADDR_FORBIDDEN, "IPv4-compatible" },
	{ { { 0x01, 0x00 },          64      }, ADDR_FORBIDDEN, "discard" },
	{ { { 0xfe, 0x80 },          10      }, ADDR_FORBIDDEN, "link-local" },
	{ { { 0xff },                8       }, ADDR_FORBIDDEN, "multicast" },
	{ { { 0xfd, 0, 0x0e, 0xc2, [14] = 2, 0x54 }, 128 }, ADDR_FORBIDDEN, "metadata" },
	{ { { 0xfd, 0x20, 0, 0xce, [14] = 2, 0x54 }, 128 }, ADDR_FORBIDDEN, "metadata" },
	{ { { 0xfc },                7       }, ADDR_PRIVATE,   "private" },
	{ { { 0xfe, 0xc0 },          10      }, ADDR_PRIVATE,   "private" },
	{ { { 0, 0x64, 0xff, 0x9b, 0, 1 }, 48 }, ADDR_PRIVATE,  "translated" },
	{ { { 0x20, 0x01 },          23      }, ADDR_PRIVATE,   "protocol assignment" },
	{ { { 0x20, 0x01, 0x0d, 0xb8 }, 32   }, ADDR_PRIVATE,   "documentation" },
	{ { { 0x3f, 0xff },          20      }, ADDR_PRIVATE,   "documentation" },
	{ { { 0x5f },                16      }, ADDR_PRIVATE,   "segment routing" },
/* clang-format on */
};

/* IPv6 ranges whose addresses carry an IPv4 address, from this byte on: it says what they are. */
static const struct net_carrier carriers[] = {
	{ { { 0, 0x64, 0xff, 0x9b }, 96 }, 12 },
	{ { { 0x20, 0x02 }, 16 }, 2 },
};

/* What is in use as global unicast at all. */
static const struct net global[] = { { V4(0, 0, 0, 0), 96 }, { { 0x20 }, 3 }, { { 0, 0x64, 0xff, 0x9b }, 96 } };

static void mask(struct net *n)
{
	for (uint32_t i = n->bits; i < 128; i++)
		n->addr[i / 8] &= (uint8_t)~(0x80 >> (i % 8));
}

static bool prefix_parse(const char *s, uint32_t max, uint32_t *ret)
{
	size_t n = strspn(s, "0123456789");

	if (!n || n > 3 || s[n] || (n > 1 && *s == '0'))
		return false;
	*ret = (uint32_t)atoi(s);
	return *ret <= max;
}

bool net_parse(const char *text, struct net *ret)
{
	struct net n = { V4(0, 0, 0, 0), 128 };
	char t[64];
	uint32_t bits;
	char *slash;
	size_t len = strlen(text);

	if (len >= 2 && text[0] == '[' && text[len - 1] == ']') {
		text++;
		len -= 2;
	}
	if (len >= sizeof(t))
		return false;
	memcpy(t, text, len);
	t[len] = 0;
	slash = strchr(t, '/');
	if (slash)
		*slash++ = 0;
	if (inet_pton(AF_INET, t, n.addr + 12) == 1) {
		bits = 32;
		if (slash && !prefix_parse(slash, 32, &bits))
			return false;
		n.bits = 96 + bits;
	} else if (inet_pton(AF_INET6, t, n.addr) == 1) {
		if (slash && !prefix_parse(slash, 128, &n.bits))
			return false;
	} else {
		return false;
	}
	mask(&n);
	*ret = n;
	return true;
}

bool net_is_v4(const struct net *n)
{
	static const uint8_t mapped[16] = V4(0, 0, 0, 0);

	return n->bits >= 96 && !memcmp(n->addr, mapped, 12);
}

const struct net_special *net_special(size_t i)
{
	return i < ARRAY_SIZE(special) ? &special[i] : NULL;
}

const struct net_carrier *net_carrier(size_t i)
{
	return i < ARRAY_SIZE(carriers) ? &carriers[i] : NULL;
}

const struct net *net_global(size_t i)
{
	return i < ARRAY_SIZE(global) ? &global[i] : NULL;
}

void net_text(const struct net *n, char ret[64])
{
	bool v4 = net_is_v4(n);
	char t[INET6_ADDRSTRLEN] = "";

	inet_ntop(v4 ? AF_INET : AF_INET6, v4 ? n->addr + 12 : n->addr, t, sizeof(t));
	if (n->bits == 128)
		snprintf(ret, 64, "%s", t);
	else
		snprintf(ret, 64, "%s/%u", t, n->bits - (v4 ? 96 : 0));
}

bool net_overlaps(const struct net *a, const struct net *b)
{
	uint32_t bits = a->bits < b->bits ? a->bits : b->bits;

	if (memcmp(a->addr, b->addr, bits / 8))
		return false;
	return !(bits % 8) ||
	       !((a->addr[bits / 8] ^ b->addr[bits / 8]) & (uint8_t)(0xff00 >> (bits % 8)));
}

/* The worst entry that any part of it lies in; ARRAY_SIZE = none. */
static size_t special_of(const struct net *n)
{
	size_t found = ARRAY_SIZE(special);

	for (size_t i = 0; i < ARRAY_SIZE(special); i++)
		if (net_overlaps(&special[i].net, n) &&
		    (found == ARRAY_SIZE(special) || special[i].class > special[found].class))
			found = i;
	return found;
}

/* The IPv4 part of a network that carries one; a network wider than its prefix carries all of IPv4. */
static bool carried(const struct net *n, size_t carrier, struct net *ret)
{
	uint32_t from = carriers[carrier].at * 8;

	if (!net_overlaps(&carriers[carrier].net, n))
		return false;
	*ret = (struct net){ V4(0, 0, 0, 0), 96 };
	if (n->bits > from) {
		ret->bits += n->bits - from < 32 ? n->bits - from : 32;
		memcpy(ret->addr + 12, n->addr + carriers[carrier].at, 4);
	}
	mask(ret);
	return true;
}

static bool is_global(const struct net *n)
{
	for (size_t i = 0; i < ARRAY_SIZE(global); i++)
		if (n->bits >= global[i].bits && net_overlaps(n, &global[i]))
			return true;
	return false;
}

static enum addr_class judge(const struct net *n, const char **ret_why)
{
	size_t i = special_of(n);
	enum addr_class class = i < ARRAY_SIZE(special) ? special[i].class : ADDR_PUBLIC;
	struct net inner;

	*ret_why = i < ARRAY_SIZE(special) ? special[i].why : NULL;
	for (size_t c = 0; c < ARRAY_SIZE(carriers); c++) {
		if (!carried(n, c, &inner))
			continue;
		i = special_of(&inner);
		if (i < ARRAY_SIZE(special) && special[i].class > class) {
			class = special[i].class;
			*ret_why = special[i].why;
		}
	}
	if (class == ADDR_PUBLIC && !is_global(n)) {
		class = ADDR_PRIVATE;
		*ret_why = "unassigned";
	}
	return class;
}

enum addr_class net_class(const struct net *n)
{
	const char *why;

	return judge(n, &why);
}

const char *net_why(const struct net *n)
{
	const char *why;

	(void)judge(n, &why);
	return why;
}

/* Where an allowed_ips entry may not reach: these are never a service elsewhere. */
const char *net_unallowable(const struct net *n)
{
	for (size_t i = 0; i < ARRAY_SIZE(special); i++)
		if (special[i].class >= ADDR_FORBIDDEN && special[i].net.bits < 128 &&
		    net_overlaps(&special[i].net, n))
			return special[i].why;
	return n->bits == 128 && net_class(n) >= ADDR_FORBIDDEN ? net_why(n) : NULL;
}

bool host_in_zone(const struct host *h)
{
	size_t n = h->text ? strlen(h->text) : 0, zone = strlen(OSH_SANDBOX_ZONE);

	if (!n || h->kind == HOST_NET)
		return false;
	return (n >= zone && !strcmp(h->text + n - zone, OSH_SANDBOX_ZONE)) || !strcmp(h->text, OSH_SANDBOX_ZONE + 1);
}

bool port_forbidden(uint32_t port)
{
	static const uint32_t never[] = { 2379, 2380, 6443, 10250, 10255 };

	for (size_t i = 0; i < ARRAY_SIZE(never); i++)
		if (port == never[i])
			return true;
	return false;
}

/* Lower case, no trailing dot, labels of 1..63 of [a-z0-9_-] and, where `glob`, of pattern bytes. */
static bool canonical(const char *text, bool glob, char out[OSH_NAME_MAX])
{
	size_t n = strlen(text), label = 0;

	if (n && text[n - 1] == '.')
		n--;
	if (!n || n > 253)
		return false;
	for (size_t i = 0; i < n; i++) {
		char c = (char)tolower((unsigned char)text[i]);

		if (c == '.') {
			if (!label)
				return false;
			label = 0;
		} else if (!isalnum((unsigned char)c) && c != '-' && c != '_' &&
			   !(glob && strchr("*?[]{},!", c))) {
			return false;
		} else if (++label > 63) {
			return false;
		}
		out[i] = c;
	}
	out[n] = 0;
	return label > 0;
}

/*
 * Where wildcards may stand: anything in the first label, `*` as a whole middle label, nothing in the
 * last; `**` is the whole first label or nowhere.
 */
static enum host_error wildcard_place(const char *s)
{
	const char *last = strrchr(s, '.');
	bool first = true;

	if (!last)
		return strspn(s, "*") == strlen(s) ? HOST_TLD : HOST_WILDCARD;
	if (strpbrk(last, "*?[{"))
		return HOST_WILDCARD;
	if ((!strncmp(s, "*.", 2) && last == s + 1) || (!strncmp(s, "**.", 3) && last == s + 2))
		return HOST_TLD;
	for (; *s; first = false) {
		size_t n = strcspn(s, ".");
		bool odd = strcspn(s, "*?[]{}") < n, whole = n == 1 && *s == '*';
		bool deep = n >= 2 && memmem(s, n, "**", 2) != NULL;

		if (odd && !whole && (!first || (deep && n != 2)))
			return HOST_WILDCARD;
		s += n + (s[n] == '.');
	}
	return HOST_OK;
}

/* Without its braces and classes a pattern holds nothing that a name cannot. */
static bool plain_bytes(const struct pattern *p)
{
	const char *const *alt = p->alts.v;

	for (uint32_t i = 0; i < p->alts.n; i++)
		for (const char *s = alt[i]; *s; s++)
			if (*s == ',' || (*s == '!' && (s == alt[i] || s[-1] != '[')))
				return false;
	return true;
}

static enum host_error wildcard_parse(struct arena *a, const char *name, struct host *ret)
{
	size_t lead = strspn(name, "*");
	enum host_error e = wildcard_place(name);
	const char *text = arena_text(a, name, strlen(name));
	char rest[OSH_NAME_MAX];

	if (e == HOST_OK && (lead == 1 || lead == 2) && name[lead] == '.' &&
	    canonical(name + lead + 1, false, rest) && strlen(name + lead) <= OSH_SUFFIX_LEN) {
		ret->kind = lead == 1 ? HOST_ONE : HOST_DEEP;
		ret->text = text ? text + lead : NULL;
		return HOST_OK;
	}
	ret->kind = HOST_GLOB;
	ret->text = text;
	if (!text || pattern_parse(a, text, &ret->glob) != PATTERN_OK || !plain_bytes(&ret->glob))
		return HOST_BAD;
	return e;
}

enum host_error host_parse(struct arena *a, const char *text, struct host *ret)
{
	char name[OSH_NAME_MAX], net[64];
	const char *dot, *tail;

	*ret = (struct host){ 0 };
	if (net_parse(text, &ret->net)) {
		ret->kind = HOST_NET;
		net_text(&ret->net, net);
		ret->text = arena_text(a, net, strlen(net));
		return HOST_OK;
	}
	if (!canonical(text, true, name))
		return HOST_BAD;
	if (pattern_special(name))
		return wildcard_parse(a, name, ret);
	/* "127.1" and "0x7f.1" are addresses to a C library: never a name. */
	dot = strrchr(name, '.');
	tail = dot ? dot + 1 : name;
	if (isdigit((unsigned char)*tail) && !tail[strspn(tail, "0123456789abcdefx")])
		return HOST_BAD;
	if (!canonical(text, false, name))
		return HOST_BAD;
	ret->text = arena_text(a, name, strlen(name));
	return HOST_OK;
}
