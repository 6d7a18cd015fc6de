/* SPDX-License-Identifier: Apache-2.0 */
#include "tls/named.h"

#include <arpa/inet.h>

#include "hosts.h"
#include "slice.h"

static bool inspected(const struct bundle *b, uint32_t host)
{
	for (uint32_t i = 0; host && i < b->n_endpoints; i++) {
		const struct osh_b_endpoint *ep = &b->endpoints[i];

		for (uint32_t k = 0; ep->host == host && k < ep->n_alts; k++) {
			uint32_t flags = b->alts[ep->first_alt + k].flags;

			if ((flags & OSH_ALT_L7) && !(flags & OSH_ALT_TLS_SKIP))
				return true;
		}
	}
	return false;
}

static uint32_t host_of_name(const struct bundle *b, const char *name)
{
	const struct osh_b_suffix *best = NULL;
	size_t n = strlen(name), most = 0;
	uint32_t dots = 0;

	for (uint32_t i = 0; i < b->n_hosts; i++)
		if (b->hosts[i].kind == OSH_HOST_EXACT && !strcmp(bundle_str(b, b->hosts[i].name), name))
			return i + 1;
	for (size_t i = 0; i < n; i++)
		dots += name[i] == '.';
	for (uint32_t i = 0; i < b->n_suffixes; i++) {
		const char *suffix = bundle_str(b, b->suffixes[i].suffix);
		size_t len = strlen(suffix);

		if (len > most && len < n && !strcmp(name + n - len, suffix)) {
			best = &b->suffixes[i];
			most = len;
		}
	}
	return !best ? 0 : dots == best->dots ? best->one : best->deep;
}

static uint32_t host_of_address(const struct bundle *b, const struct ip *ip)
{
	const struct osh_b_cidr *best = NULL;

	for (uint32_t i = 0; i < b->n_cidrs; i++)
		if (ip_in(ip, b->cidrs[i].addr, b->cidrs[i].bits) &&
		    (!best || b->cidrs[i].bits > best->bits))
			best = &b->cidrs[i];
	return best ? best->host : 0;
}

static bool is_address(const char *name, struct ip *ip)
{
	unsigned char four[4];

	if (inet_pton(AF_INET, name, four) == 1) {
		*ip = ip_from4(four);
		return true;
	}
	return inet_pton(AF_INET6, name, ip->b) == 1 && !ip_is4(ip);	/* an address has one text */
}

enum named named(const struct bundle *b, const char *name, struct ip *ip)
{
	char same[OSH_NAME_MAX];

	if (is_address(name, ip))
		return inspected(b, host_of_address(b, ip)) ? NAMED_ADDRESS : NAMED_NOT;
	if (!hosts_name(slice_of(name), same) || strcmp(same, name))
		return NAMED_NOT;
	return inspected(b, host_of_name(b, name)) ? NAMED_HOST : NAMED_NOT;
}
