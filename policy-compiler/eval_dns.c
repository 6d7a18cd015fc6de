/* SPDX-License-Identifier: Apache-2.0 */
/* Which names exist for a sandbox. */
#include "eval_parts.h"

struct decision eval_dns(const struct policy *p, const char *name)
{
	struct decision no = { .why = OSH_WHY_NAME_UNKNOWN };
	struct target t;

	if (!target_of(name, &t) || t.is_net) {
		no.why = OSH_WHY_NAME_BAD;
		return no;
	}
	for EACH (struct rule, rule, &p->rules)
		for EACH (struct endpoint, e, &rule->endpoints)
			if (host_covers(&e->host, &t))
				return (struct decision){ OSH_ALLOW, OSH_WHY_ALLOWED, rule->name,
							  e->at.line, false };
	return no;
}
