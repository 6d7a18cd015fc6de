/* SPDX-License-Identifier: Apache-2.0 */
#include "table.h"

#include <arpa/inet.h>
#include <errno.h>

#include "addr.h"
#include "hosts.h"
#include "maps.h"

/* Is `dst` one of the sandbox's synthetic addresses, and which? */
static bool synthetic(const struct table *tb, const struct ip *dst, uint32_t *ret_index)
{
	uint32_t word[4];

	memcpy(word, dst->b, sizeof(word));
	if (ip_is4(dst)) {
		*ret_index = ntohl(word[3]) & ~OSH_NET4_MASK;
		return (ntohl(word[3]) & OSH_NET4_MASK) == OSH_NET4;
	}
	*ret_index = ntohl(word[3]);
	return tb->net6[0] && word[0] == tb->net6[0] &&
	       (ntohl(word[1]) >> 16) == (ntohl(tb->net6[1]) >> 16) &&
	       !(ntohl(word[1]) & 0xffff) && !word[2];
}

static uint32_t dots(const char *s)
{
	uint32_t n = 0;

	for (; *s; s++)
		n += *s == '.';
	return n;
}

/* Host number of a name under the longest suffix that covers it. */
static uint32_t host_by_suffix(const struct bundle *b, const char *name)
{
	size_t len = strlen(name), best = 0;
	uint32_t host = 0;

	for (uint32_t i = 0; i < b->n_suffixes; i++) {
		const struct osh_b_suffix *s = &b->suffixes[i];
		const char *text = bundle_str(b, s->suffix);
		size_t n = strlen(text);

		if (n <= best || n >= len || strcmp(name + len - n, text))
			continue;
		best = n;
		host = dots(name) == s->dots ? s->one : s->deep;
	}
	return host;
}

/* The name decides, not the kernel's host number: that one belongs to the kernel's own generation. */
static uint32_t host_by_name(const struct bundle *b, const char *name)
{
	uint32_t lo = 0, hi = b->n_hosts;

	while (lo < hi) {
		uint32_t mid = lo + (hi - lo) / 2;
		const struct osh_b_host *h = &b->hosts[mid];
		int order = h->kind == OSH_HOST_EXACT ? strcmp(bundle_str(b, h->name), name) : 1;

		if (!order)
			return mid + 1;
		if (order < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return host_by_suffix(b, name);
}

static uint32_t host_by_cidr(const struct bundle *b, const struct ip *dst)
{
	uint32_t host = 0, best = 0;

	for (uint32_t i = 0; i < b->n_cidrs; i++) {
		const struct osh_b_cidr *c = &b->cidrs[i];

		if (ip_in(dst, c->addr, c->bits) && (!host || c->bits > best)) {
			best = c->bits;
			host = c->host;
		}
	}
	return host;
}

static const struct osh_b_endpoint *endpoint_of(const struct bundle *b, uint32_t host,
						uint32_t port)
{
	uint32_t lo = 0, hi = b->n_endpoints;

	while (lo < hi) {
		uint32_t mid = lo + (hi - lo) / 2;
		const struct osh_b_endpoint *ep = &b->endpoints[mid];

		if (ep->host == host && ep->port == port)
			return ep;
		if (ep->host < host || (ep->host == host && ep->port < port))
			lo = mid + 1;
		else
			hi = mid;
	}
	return NULL;
}

/* Keeps target.rules sorted: the order in which rules are judged and reported. */
static void let_through(struct target *t, const struct osh_b_alt *a)
{
	uint32_t i = t->n_rules++;

	for (; i && t->rules[i - 1] > a->rule; i--)
		t->rules[i] = t->rules[i - 1];
	t->rules[i] = a->rule;
	t->common = t->n_rules == 1 ? a->flags : t->common & a->flags;
	t->flags |= a->flags;
}

/*
 * The rules that let this program through, once more: its groups are what the exec hook found, never
 * its path, since a replaced file keeps its path. Names the program's own rule before one for any.
 */
static enum osh_reason choose_rule(const struct table *tb, const struct osh_b_endpoint *ep, struct target *t)
{
	const struct osh_b_alt *alts = &tb->bundle->alts[ep->first_alt];
	struct osh_ident_key key = { tb->id, t->ident };
	struct osh_ident who = { 0 };
	const struct osh_ident_in *in = &who.by[tb->generation & 1];
	uint32_t any = 0, own = 0;

	if (!t->ident || maps_lookup(tb->idents_fd, &key, &who) < 0 ||
	    in->generation != tb->generation)
		memset(&who, 0, sizeof(who));
	t->endpoint = (uint32_t)(ep - tb->bundle->endpoints) + 1;
	for (uint32_t i = ep->n_alts; i-- > 0;) {
		uint32_t g = alts[i].group;

		if (!g)
			any = alts[i].rule + 1;
		else if ((in->groups[g / 64] >> g % 64 & 1) &&
			 (!t->tainted || (alts[i].flags & OSH_ALT_TAINT_OK)))
			own = alts[i].rule + 1;
		else
			continue;
		let_through(t, &alts[i]);
		t->alts |= 1u << i;
	}
	t->rule = own ? own : any;
	if (t->rule)
		return OSH_WHY_ALLOWED;
	return !t->ident ? OSH_WHY_NO_IDENTITY : t->tainted ? OSH_WHY_TAINTED : OSH_WHY_BINARY;
}

static enum osh_reason find_host(const struct table *tb, const struct ip *dst, struct target *t)
{
	struct osh_addr entry;
	uint32_t index;
	int r;

	if (!synthetic(tb, dst, &index)) {
		t->literal = true;
		t->host = host_by_cidr(tb->bundle, dst);
		return t->host ? OSH_WHY_ALLOWED : OSH_WHY_DEST_UNKNOWN;
	}
	r = maps_addr(tb->addrs_fd, tb->id, index, &entry);
	if (r < 0)
		return r == -ENOENT ? OSH_WHY_DEST_UNKNOWN : OSH_WHY_INTERNAL;
	if (!memchr(entry.name, 0, sizeof(entry.name)) ||
	    !hosts_name(slice_of(entry.name), t->name))
		return OSH_WHY_INTERNAL;
	t->host = host_by_name(tb->bundle, t->name);
	return t->host ? OSH_WHY_ALLOWED : OSH_WHY_DEST_UNKNOWN;
}

/* *t says who asks for which address and port. */
static enum osh_reason judge(const struct table *tb, struct target *t)
{
	const struct osh_b_endpoint *ep;
	enum osh_reason why = find_host(tb, &t->addr, t);

	if (why != OSH_WHY_ALLOWED)
		return why;
	ep = endpoint_of(tb->bundle, t->host, t->port);
	if (!ep || !ep->n_alts)
		return OSH_WHY_PORT;
	why = choose_rule(tb, ep, t);
	if (why != OSH_WHY_ALLOWED)
		return why;
	if (addr_port_forbidden(t->port))
		return OSH_WHY_PORT_FORBIDDEN;
	return t->literal ? addr_judge(tb->bundle, t->host, t->port, &t->addr) : OSH_WHY_ALLOWED;
}

enum osh_reason table_judge(const struct table *tb, const struct ip *dst, uint16_t port,
			    uint32_t mark, struct target *t)
{
	*t = (struct target){ .ident = OSH_MARK_IDENT(mark), .port = port, .addr = *dst,
			      .tainted = mark & OSH_MARK_TAINT };
	/*
	 * A connection that waited while the policy was reloaded has an older mark: it is judged like any
	 * other, by these tables and by what the program is in this generation. A newer mark is not for us.
	 */
	if (!(mark & OSH_MARK_JUDGED) || ((tb->generation - OSH_MARK_GEN(mark)) & 0x3fff) > 0x1fff)
		return OSH_WHY_MARK;
	return judge(tb, t);
}

enum osh_reason table_again(const struct table *tb, const struct target *was, struct target *t)
{
	*t = (struct target){ .ident = was->ident, .port = was->port, .addr = was->addr, .tainted = was->tainted };
	return judge(tb, t);
}

uint32_t table_host(const struct table *tb, const struct target *t)
{
	uint32_t host = t->literal ? host_by_cidr(tb->bundle, &t->addr) : host_by_name(tb->bundle, t->name);

	return host && endpoint_of(tb->bundle, host, t->port) ? host : 0;
}

void target_text(const struct target *t, char out[OSH_NAME_MAX])
{
	if (!t->literal)
		memcpy(out, t->name, OSH_NAME_MAX);
	else if (ip_is4(&t->addr))
		(void)inet_ntop(AF_INET, t->addr.b + 12, out, OSH_NAME_MAX);
	else
		(void)inet_ntop(AF_INET6, t->addr.b, out, OSH_NAME_MAX);
}
