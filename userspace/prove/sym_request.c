/* SPDX-License-Identifier: Apache-2.0 */
/* eval_request(): which endpoints speak of a request, which of them says how it is read, and what they say. */
#include "sym.h"

#include <stdlib.h>
#include <string.h>

struct sym_param *sym_param(struct sym *s, const char *key)
{
	struct sym_param **v = s->params->v, *p, **slot;

	for (uint32_t i = 0; i < s->params->n; i++)
		if (!strcmp(v[i]->key, key))
			return v[i];
	slot = list_push(s->z.a, s->params, sizeof(*slot));
	p = arena_zalloc(s->z.a, sizeof(*p));
	if (!slot || !p)
		abort();
	*slot = p;
	p->key = key;
	p->there = z_bool(&s->z, "has_param");
	dim_open(&p->value, &s->z, "param", LANG_TEXT);
	return p;
}

static Z3_ast covers(struct sym *s, const struct sym_endpoint *se)
{
	const struct l7 *l7 = &se->e->l7;
	Z3_ast c = se->reach;

	if (!l7->encoded_slash || !sees(IN_ENDPOINT "allow_encoded_slash"))
		c = z_and(&s->z, c, z_not(&s->z, dim_glob(s->path, "**%2F**", '/')));
	if (!l7->weight || !sees(IN_ENDPOINT "path"))
		return c;
	return z_and(&s->z, c, dim_list(s->path, &l7->path.alts, '/', false));
}

/* A list of variables that hold while the endpoints are walked in order, as protocol_of() does. */
struct heaviest {
	Z3_ast by[PROTO_MAX];		/* it is this protocol so far */
	Z3_ast any;
};

static int heavier_first(const void *pa, const void *pb)
{
	const struct sym_endpoint *a = *(const struct sym_endpoint *const *)pa;
	const struct sym_endpoint *b = *(const struct sym_endpoint *const *)pb;

	if (a->e->l7.weight != b->e->l7.weight)
		return a->e->l7.weight > b->e->l7.weight ? -1 : 1;
	return (a->index > b->index) - (a->index < b->index);
}

/* Sorted, the first endpoint that covers the request is the one that says how it is read. */
static void find_protocol(struct sym *s, struct heaviest *h)
{
	struct sym_endpoint *all = s->endpoints.v, **v = calloc(s->endpoints.n + 1, sizeof(*v));
	struct terms by[PROTO_MAX];
	Z3_ast none = z_true(&s->z);
	uint32_t n = 0;
	bool mixed = false;

	if (!v)
		abort();
	for (uint32_t i = 0; i < s->endpoints.n; i++)
		if (endpoint_inspected(all[i].e))
			v[n++] = &all[i];
	for (uint32_t i = 0; i < n; i++)
		mixed |= v[i]->e->protocol != v[0]->e->protocol;
	qsort(v, n, sizeof(*v), heavier_first);
	for (int i = 0; i < PROTO_MAX; i++)
		by[i] = (struct terms){ .z = &s->z };
	for (uint32_t i = 0; i < n; i++) {
		terms_add(&by[v[i]->e->protocol], mixed ? z_and(&s->z, none, v[i]->covers) : v[i]->covers);
		if (mixed)
			none = z_and(&s->z, none, z_not(&s->z, v[i]->covers));
	}
	for (int i = 0; i < PROTO_MAX; i++)
		h->by[i] = terms_or(&by[i]);
	free(v);
}

/* The host of `inference` itself, or one that a rule marks. */
static const char *marked(const struct rule *rule)
{
	return strcmp(rule->name, "inference") ? IN_ENDPOINT "route" : "inference";
}

/* Of those that allow, the heaviest answers: is it about calls of models? */
static Z3_ast chosen(struct sym *s, const struct heaviest *h)
{
	struct sym_endpoint *all = s->endpoints.v, **v = calloc(s->endpoints.n + 1, sizeof(*v));
	struct terms any = { .z = &s->z };
	Z3_ast none = z_true(&s->z);
	uint32_t n = 0;
	bool some = false;

	if (!v)
		abort();
	for (uint32_t i = 0; i < s->endpoints.n; i++)
		if (endpoint_inspected(all[i].e)) {
			some |= all[i].e->l7.inference && sees(marked(all[i].rule));
			v[n++] = &all[i];
		}
	qsort(v, n, sizeof(*v), heavier_first);
	for (uint32_t i = 0; i < n && some; i++) {
		Z3_ast allows = z_and(&s->z, z_and(&s->z, v[i]->covers, h->by[v[i]->e->protocol]), v[i]->allows);

		if (v[i]->e->l7.inference && sees(marked(v[i]->rule)))
			terms_add(&any, z_and(&s->z, none, allows));
		none = z_and(&s->z, none, z_not(&s->z, allows));
	}
	free(v);
	return some ? terms_or(&any) : NULL;
}

/* find_allow(), find_denial() and judge(). */
static void verdict(struct sym *s, const struct heaviest *h)
{
	struct terms allow = { .z = &s->z }, speaks = { .z = &s->z }, unlogged = { .z = &s->z };
	struct terms deny = { .z = &s->z }, deny_enforced = { .z = &s->z };
	struct sym_endpoint *all = s->endpoints.v;
	Z3_ast audit, allowed;

	for (uint32_t i = 0; i < s->endpoints.n; i++) {
		struct sym_endpoint *se = &all[i];
		Z3_ast active, denied;

		if (!endpoint_inspected(se->e))
			continue;
		active = z_and(&s->z, se->covers, h->by[se->e->protocol]);
		terms_add(&allow, z_and(&s->z, active, se->allows));
		terms_add(&speaks, active);
		terms_add(&unlogged, se->e->l7.audit && sees(IN_ENDPOINT "enforcement") ?
					     z_and(&s->z, active, se->hard) : active);
		denied = z_and(&s->z, se->covers, se->denies);
		terms_add(&deny, denied);
		if (!se->e->l7.audit)
			terms_add(&deny_enforced, denied);
	}
	allowed = terms_or(&allow);
	audit = z_and(&s->z, terms_or(&speaks), z_not(&s->z, terms_or(&unlogged)));
	s->allowed = z_and(&s->z, allowed, z_not(&s->z, terms_or(&deny)));
	s->forwarded = z_and(&s->z, z_or(&s->z, allowed, audit), z_not(&s->z, terms_or(&deny_enforced)));
}

void sym_request(struct sym *s)
{
	struct sym_endpoint *all = s->endpoints.v;
	struct heaviest h = { 0 };
	Z3_ast call;

	for (uint32_t i = 0; i < s->endpoints.n; i++) {
		if (!endpoint_inspected(all[i].e))
			continue;
		all[i].covers = covers(s, &all[i]);
		sym_rules(s, &all[i]);
	}
	find_protocol(s, &h);
	verdict(s, &h);
	call = chosen(s, &h);
	s->calls = call ? z_and(&s->z, s->allowed, call) : z_false(&s->z);
	if (call)
		s->forwarded = z_and(&s->z, s->forwarded, z_imply(&s->z, s->calls, sym_routed(s, s->calls)));
	s->sends = z_and(&s->z, s->dials, z_or(&s->z, z_not(&s->z, s->inspected), s->forwarded));
}
