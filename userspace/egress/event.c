/* SPDX-License-Identifier: Apache-2.0 */
#include "event.h"

struct osh_event_named event_of(const struct grant *g, enum osh_verdict verdict, enum osh_reason why,
			        const struct ip *addr, uint16_t port)
{
	const struct table *tb = &g->policy->table;
	const struct target *t = &g->target;
	struct osh_event_named ev = { .ev = {
		.id = tb->id, .generation = tb->generation,
		.kind = OSH_EV_EGRESS, .verdict = verdict, .why = (uint8_t)why,
		.ident = t->ident, .rule = t->rule, .host = t->host,
		.port = port, .aux = t->port,
		.name_len = (uint32_t)strlen(t->name),
	} };

	if (addr) {
		ev.ev.family = ip_is4(addr) ? AF_INET : AF_INET6;
		memcpy(ev.ev.addr_be, addr->b, 16);
	}
	memcpy(ev.name, t->name, sizeof(ev.name));
	return ev;
}
