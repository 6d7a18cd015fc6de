/* SPDX-License-Identifier: Apache-2.0 */
/* Who may connect where. */
#include "eval_parts.h"
#include "host.h"

/* How near a reason is to being allowed: the denial names the last thing that was in the way. */
static int nearness(enum osh_reason why)
{
	static const enum osh_reason order[] = {
		OSH_WHY_DEST_UNKNOWN, OSH_WHY_ADDR_FORBIDDEN, OSH_WHY_PORT, OSH_WHY_BINARY,
		OSH_WHY_NO_IDENTITY, OSH_WHY_TAINTED, OSH_WHY_ALLOWED,
	};

	for (int i = 0; i < (int)(sizeof(order) / sizeof(*order)); i++)
		if (order[i] == why)
			return i;
	return -1;
}

/* Rules are sorted by name, so the first that says the nearest thing is the one reported. */
struct decision eval_connect(const struct policy *p, const struct eval_connect *c)
{
	struct decision best = { .why = OSH_WHY_DEST_UNKNOWN };
	struct target t;

	if (!target_of(c->host, &t)) {
		best.why = OSH_WHY_NAME_BAD;
		return best;
	}
	for EACH (struct rule, rule, &p->rules) {
		for EACH (struct endpoint, e, &rule->endpoints) {
			enum osh_reason why = OSH_WHY_PORT;

			if (!host_covers(&e->host, &t))
				continue;
			if (t.is_net && net_class(&t.net) >= ADDR_FORBIDDEN)
				why = OSH_WHY_ADDR_FORBIDDEN;
			else if (has_port(e, c->port))
				why = who(rule, c);
			if (nearness(why) > nearness(best.why))
				best = (struct decision){ why == OSH_WHY_ALLOWED ? OSH_ALLOW : OSH_DENY,
							  why, rule->name, e->at.line, false };
		}
	}
	return best;
}

bool eval_inspects(const struct policy *p, const struct eval_connect *c)
{
	struct target t;

	if (!target_of(c->host, &t))
		return false;
	for EACH (struct rule, rule, &p->rules)
		for EACH (struct endpoint, e, &rule->endpoints)
			if (endpoint_inspected(e) && host_covers(&e->host, &t) && has_port(e, c->port) &&
			    who(rule, c) == OSH_WHY_ALLOWED)
				return true;
	return false;
}
