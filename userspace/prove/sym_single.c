/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The model has one value for each key of a query, one field and one operation. For what one policy allows that is enough:
 * each further one is one more thing to be allowed and one more to be denied. To compare two it is not always: where one
 * rule takes `a` and another one takes `b`, what a third one would let through is `a` and `b` in one request.
 */
#include "sym.h"

#include <string.h>

struct count {				/* of rules that allow */
	uint32_t n;
	bool wide;			/* one of them takes more than one text */
};

static bool is_wide(const struct list *patterns)
{
	const struct pattern *p = patterns->v;
	const char *const *alts = patterns->n ? p->alts.v : NULL;

	return patterns->n != 1 || p->alts.n != 1 || strpbrk(*alts, "*?[\\");
}

static void count_key(const struct sym *s, const char *key, struct count *c)
{
	const struct sym_endpoint *all = s->endpoints.v;

	for (uint32_t i = 0; i < s->endpoints.n; i++)
		for EACH (struct l7_rule, r, &all[i].e->l7.rules)
			for EACH (struct query_match, m, &r->query)
				if (!strcmp(m->key, key)) {
					c->n++;
					c->wide |= is_wide(&m->any);
				}
}

static void count_fields(const struct sym *s, struct count *c)
{
	const struct sym_endpoint *all = s->endpoints.v;

	for (uint32_t i = 0; i < s->endpoints.n; i++)
		for EACH (struct l7_rule, r, &all[i].e->l7.rules)
			if (r->fields.n) {
				c->n++;
				c->wide |= is_wide(&r->fields);
			}
}

/* Endpoints that judge what a body holds; all of one body is one endpoint's. */
static uint32_t bodies(const struct sym *s)
{
	const struct sym_endpoint *all = s->endpoints.v;
	uint32_t n = 0;

	for (uint32_t i = 0; i < s->endpoints.n; i++) {
		const struct endpoint *e = all[i].e;
		bool operations = false;

		for EACH (struct l7_rule, r, &e->l7.rules)
			operations |= r->operations != 0;
		n += e->protocol == PROTO_GRAPHQL || e->protocol == PROTO_JSONRPC || e->protocol == PROTO_MCP || operations;
		n += e->l7.persisted.n && sees(IN_ENDPOINT "graphql_persisted_queries") ? 2 : 0;	/* a hash means what its endpoint says */
	}
	return n;
}

bool sym_single(const struct sym *s, const struct sym *other)
{
	struct sym_param *const *params = s->params->v;
	struct count of_other = { 0 }, both = { 0 };

	for (uint32_t i = 0; i < s->params->n; i++) {
		struct count theirs = { 0 }, all = { 0 };

		count_key(other, params[i]->key, &theirs);
		count_key(other, params[i]->key, &all);
		count_key(s, params[i]->key, &all);
		if (theirs.n > 1 && all.wide)
			return false;
	}
	count_fields(other, &of_other);
	count_fields(other, &both);
	count_fields(s, &both);
	return bodies(other) <= 1 && !(of_other.n > 1 && both.wide);
}
