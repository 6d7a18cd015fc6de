/* SPDX-License-Identifier: Apache-2.0 */
/* `inference` -> sections INFERENCE, ROUTES, ALIASES, BUDGETS, PRICES and PRIVACY. */
#include <string.h>

#include "emit_parts.h"

static uint32_t host_number(const struct tables *t, const char *name)
{
	for (uint32_t i = 0; i < t->n_hosts; i++)
		if (t->hosts[i]->kind == OSH_HOST_EXACT && !strcmp(t->hosts[i]->name, name))
			return t->hosts[i]->number;
	return 0;
}

/* The rule that read_inference.c made of it. */
static bool rule_index(const struct tables *t, const struct route *r, uint32_t *ret)
{
	for (*ret = 0; *ret < t->n_rules; (*ret)++)
		if (!strncmp(t->rules[*ret].name, "inference/", 10) && !strcmp(t->rules[*ret].name + 10, r->name))
			return true;
	return false;
}

static uint32_t text(struct out *o, const char *s)
{
	return s && *s ? out_str(o, s) : 0;
}

/* Of the route with that name, from 1; read_limits.c found it. */
static uint32_t route_number(const struct inference *in, const char *name)
{
	uint32_t i = 0;

	for EACH (struct route, r, &in->routes) {
		i++;
		if (name && !strcmp(r->name, name))
			return i;
	}
	return 0;
}

static void put_limits(struct out *o, const struct inference *in)
{
	for EACH (struct budget, l, &in->limits)
		out_put(o, OSH_SEC_BUDGETS,
			&(struct osh_b_budget){ .most = l->most, .what = l->what, .per = l->per, .user = l->user,
						.route = route_number(in, l->route), .line = l->at.line });
	for EACH (struct price, p, &in->prices) {
		struct osh_b_price to = { .model = out_patterns(o, p->at, &p->models) };

		memcpy(to.part, p->part, sizeof(to.part));
		out_put(o, OSH_SEC_PRICES, &to);
	}
}

static void put_privacy(struct out *o, const struct inference *in)
{
	for EACH (struct content_rule, p, &in->privacy)
		out_put(o, OSH_SEC_PRIVACY,
			&(struct osh_b_privacy){ .name = text(o, p->name), .action = p->action, .kinds = p->kinds,
						 .patterns = out_patterns(o, p->at, &p->patterns), .line = p->at.line });
}

bool out_inference(struct out *o, const struct policy *p, const struct tables *t)
{
	const struct inference *in = &p->inference;
	struct osh_b_inference head = { .only = in->has_models, .fallback = in->balance ? in->balance : in->fallback };

	if (!in->routes.n)
		return true;
	head.models = out_patterns(o, in->at, &in->models);
	out_put(o, OSH_SEC_INFERENCE, &head);
	for EACH (struct route, r, &in->routes) {
		struct osh_b_route to = { .name = text(o, r->name), .provider = text(o, r->provider), .as = text(o, r->as),
					  .path = text(o, r->path), .host = host_number(t, r->host), .port = r->port,
					  .api = r->api, .flags = (r->plain ? OSH_ROUTE_PLAIN : 0) | (r->local ? OSH_ROUTE_LOCAL : 0) |
						   (r->sandbox ? OSH_ROUTE_SANDBOX : 0),
					  .models = out_patterns(o, r->at, &r->models),
					  .weight = r->weight };

		if (!to.host || !rule_index(t, r, &to.rule))
			return false;
		out_put(o, OSH_SEC_ROUTES, &to);
	}
	for EACH (struct alias, a, &in->aliases)
		out_put(o, OSH_SEC_ALIASES, &(struct osh_b_alias){ text(o, a->name), text(o, a->model) });
	put_limits(o, in);
	put_privacy(o, in);
	return true;
}
