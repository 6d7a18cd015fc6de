/* SPDX-License-Identifier: Apache-2.0 */
/*
 * At which addresses an allowed host may be dialled. Every address of an answer must pass: a resolver
 * that mixes a private address into a public answer is trying something.
 */
#include "eval_parts.h"
#include "host.h"

/* Endpoints that one connection can mean agree on allowed_ips, or the policy is refused. */
static const struct endpoint *deciding(const struct policy *p, const struct eval_connect *c,
				       const struct target *t)
{
	for EACH (struct rule, rule, &p->rules)
		for EACH (struct endpoint, e, &rule->endpoints)
			if (host_covers(&e->host, t) && has_port(e, c->port) &&
			    who(rule, c) == OSH_WHY_ALLOWED)
				return e;
	return NULL;
}

static enum osh_reason judge(const struct endpoint *e, const char *text)
{
	struct net addr;

	if (!net_parse(text, &addr) || addr.bits != 128)
		return OSH_WHY_RESOLVE;
	if (net_class(&addr) >= ADDR_FORBIDDEN)
		return OSH_WHY_ADDR_FORBIDDEN;
	for (uint32_t i = 0; i < e->n_allowed; i++)
		if (net_inside(&addr, &e->allowed[i]))
			return OSH_WHY_ALLOWED;
	if (e->n_allowed)
		return OSH_WHY_ADDR_NOT_LISTED;
	return net_class(&addr) == ADDR_PRIVATE ? OSH_WHY_ADDR_PRIVATE : OSH_WHY_ALLOWED;
}

struct decision eval_addr(const struct policy *p, const struct eval_connect *c,
			  const char *const *addrs, uint32_t n_addrs)
{
	struct decision d = eval_connect(p, c);
	const struct endpoint *e;
	struct target t;

	if (d.verdict != OSH_ALLOW || !target_of(c->host, &t))
		return d;
	e = deciding(p, c, &t);
	d.why = port_forbidden(c->port) ? OSH_WHY_PORT_FORBIDDEN
		: !e || !n_addrs	? OSH_WHY_RESOLVE
					: OSH_WHY_ALLOWED;
	for (uint32_t i = 0; d.why == OSH_WHY_ALLOWED && i < n_addrs; i++)
		d.why = judge(e, addrs[i]);
	d.verdict = d.why == OSH_WHY_ALLOWED ? OSH_ALLOW : OSH_DENY;
	return d;
}
