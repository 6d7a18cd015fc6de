/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Merges overlapping endpoints, so that the runtime never has to. Everything is sorting and walking
 * up from a name or network to the nearest that covers it: n log n for n endpoints.
 */
#include "merge.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "host.h"
#include "osh/limits.h"

struct item {				/* claim, with the host it is about */
	struct claim c;
	const struct host *host;
};

struct suffix {
	struct table_suffix t;
	struct claims own_one, own_deep;
};

struct merge {
	struct policy *p;
	struct tables *t;
	struct diags *d;
	struct item *items;
	uint32_t n_items;
	uint32_t n_alts, n_endpoints;
	struct list hosts;		/* struct table_host * */
	struct list suffixes;		/* struct suffix, sorted by text */
	bool failed;
};

static int num(uint32_t a, uint32_t b)
{
	return a < b ? -1 : a > b;
}

static int claim_order(const struct claim *a, const struct claim *b)
{
	int order = num(a->port, b->port);

	if (!order)
		order = num(a->group, b->group);
	if (!order)
		order = num(a->flags, b->flags);
	return order || !(a->flags & OSH_ALT_L7) ? order : num(a->rule, b->rule);
}

/* Wildcards sort by suffix first, so that both kinds of one suffix meet. */
static int host_order(const struct host *a, const struct host *b)
{
	int wild_a = a->kind == HOST_ONE || a->kind == HOST_DEEP;
	int wild_b = b->kind == HOST_ONE || b->kind == HOST_DEEP;
	int order = 0;

	if (wild_a != wild_b || !wild_a)
		order = num(a->kind, b->kind);
	if (!order)
		order = strcmp(a->text, b->text);
	return order ? order : num(a->kind, b->kind);
}

static int by_host(const void *pa, const void *pb)
{
	const struct item *a = pa, *b = pb;
	int order = host_order(a->host, b->host);

	if (!order)
		order = claim_order(&a->c, &b->c);
	return order ? order : num(a->c.rule, b->c.rule);
}

static bool too_large(struct merge *m)
{
	if (!m->failed)
		diag_add(m->d, DIAG_LIMIT, (struct place){ 0 },
			 "list fewer ports under wildcards and networks",
			 "the policy stands for too many combinations of host, port and program");
	m->failed = true;
	return false;
}

static void push_claim(struct claim *to, uint32_t *n, const struct claim *c)
{
	if (*n && !claim_order(&to[*n - 1], c)) {
		if (c->rule < to[*n - 1].rule)
			to[*n - 1] = *c;
		return;
	}
	to[(*n)++] = *c;
}

static struct claims join(struct merge *m, struct claims a, struct claims b)
{
	struct claim *to;
	uint32_t n = 0, i = 0, k = 0;

	if (!b.n || m->failed)
		return a;
	if (a.n + b.n + m->n_alts > OSH_ALTS_MAX) {
		(void)too_large(m);
		return a;
	}
	to = arena_zalloc(&m->p->arena, (a.n + b.n) * sizeof(*to));
	if (!to)
		return a;
	while (i < a.n || k < b.n) {
		bool left = k == b.n || (i < a.n && claim_order(&a.v[i], &b.v[k]) <= 0);

		push_claim(to, &n, left ? &a.v[i++] : &b.v[k++]);
	}
	return (struct claims){ to, n };
}

static struct table_host *host_new(struct merge *m, enum osh_b_host_kind kind, const char *name,
				   struct claims claims)
{
	struct table_host *h = arena_zalloc(&m->p->arena, sizeof(*h));
	struct table_host **slot = h ? list_push(&m->p->arena, &m->hosts, sizeof(h)) : NULL;
	uint32_t run = 0;

	if (!slot || !name)
		return NULL;
	*h = (struct table_host){ .name = name, .kind = kind, .claims = claims };
	*slot = h;
	for (uint32_t i = 0; i < claims.n; i++) {
		run = i && claims.v[i].port == claims.v[i - 1].port ? run + 1 : 1;
		m->n_endpoints += run == 1;
		if (run != OSH_ALTS + 1)
			continue;
		m->failed = true;
		diag_add(m->d, DIAG_LIMIT, claims.v[i].e->at, "join rules that share their programs",
			 "more than %u lists of programs, or endpoints that look inside, for %s port %u", OSH_ALTS, name,
			 claims.v[i].port);
	}
	m->n_alts += claims.n;
	if (m->n_alts > OSH_ALTS_MAX || m->n_endpoints > OSH_ENDPOINTS_MAX)
		(void)too_large(m);
	return h;
}

/* Addresses that are never dialled (OSH208) are left out, so that nothing of theirs reaches a table. */
static bool never(const struct endpoint *e)
{
	return e->host.kind == HOST_NET && net_class(&e->host.net) >= ADDR_FORBIDDEN;
}

/* One item per endpoint and port; the rules table falls out in order, as rules are sorted by name. */
static bool collect(struct merge *m, const uint32_t *group)
{
	const struct rule *rules = m->p->rules.v;
	struct list out = { 0 }, items = { 0 };

	for EACH (struct rule, rule, &m->p->rules) {
		uint32_t g = group[rule - rules];
		uint32_t taint = rule->taint_ok || rule->any_program ? OSH_ALT_TAINT_OK : 0;

		for EACH (struct endpoint, e, &rule->endpoints) {
			uint32_t flags = taint | (endpoint_inspected(e) ? OSH_ALT_L7 : 0) |
					 (e->tls_skip ? OSH_ALT_TLS_SKIP : 0);
			struct table_rule *tr;

			if (never(e))
				continue;
			if (e->host.kind > HOST_NET || e->protocol == PROTO_SQL) {
				diag_add(m->d, DIAG_INTERNAL, e->at, NULL,
					 "an endpoint that is not enforced yet came this far");
				return false;
			}
			tr = list_push(&m->p->arena, &out, sizeof(*tr));
			if (!tr)
				return false;
			*tr = (struct table_rule){ rule->name, e->at.line, e };
			for (uint32_t i = 0; i < e->n_ports; i++) {
				struct item *it = list_push(&m->p->arena, &items, sizeof(*it));

				if (!it || items.n > OSH_ALTS_MAX || out.n > OSH_ENDPOINTS_MAX)
					return it ? too_large(m) : false;
				it->c = (struct claim){ e->ports[i], g, flags, out.n - 1, e };
				it->host = &e->host;
			}
		}
	}
	m->t->rules = out.v;
	m->t->n_rules = out.n;
	m->items = items.v;
	m->n_items = items.n;
	if (items.n)
		qsort(items.v, items.n, sizeof(struct item), by_host);
	return true;
}

/* The items of one host pattern from `at` on, as claims; *at moves past them. */
static struct claims take_claims(struct merge *m, uint32_t *at)
{
	const struct item *first = &m->items[*at];
	struct claim *to;
	uint32_t end = *at, n = 0;

	while (end < m->n_items && !host_order(first->host, m->items[end].host))
		end++;
	to = arena_zalloc(&m->p->arena, (end - *at) * sizeof(*to));
	if (!to) {
		*at = m->n_items;
		return (struct claims){ 0 };
	}
	for (; *at < end; (*at)++)
		push_claim(to, &n, &m->items[*at].c);
	return (struct claims){ to, n };
}

static int suffix_text(const void *key, const void *s)
{
	return strcmp(key, ((const struct suffix *)s)->t.text);
}

static struct suffix *suffix_find(const struct merge *m, const char *text)
{
	if (!m->suffixes.n)
		return NULL;
	return bsearch(text, m->suffixes.v, m->suffixes.n, sizeof(struct suffix), suffix_text);
}

/* Nearest suffix strictly above ".a.b": ".b" before ".". */
static struct suffix *suffix_above(const struct merge *m, const char *text)
{
	while ((text = strchr(text + 1, '.'))) {
		struct suffix *s = suffix_find(m, text);

		if (s)
			return s;
	}
	return NULL;
}

static void add_wild(struct merge *m, uint32_t *at)
{
	const struct host *h = m->items[*at].host;
	struct suffix *s = m->suffixes.v;
	struct claims own = take_claims(m, at);

	s = m->suffixes.n ? s + m->suffixes.n - 1 : NULL;
	if (!s || strcmp(s->t.text, h->text)) {
		s = list_push(&m->p->arena, &m->suffixes, sizeof(*s));
		if (!s)
			return;
		s->t.text = h->text;
		for (const char *c = h->text; *c; c++)
			s->t.dots += *c == '.';
	}
	if (h->kind == HOST_ONE)
		s->own_one = own;
	else
		s->own_deep = own;
}

static int by_dots(const void *pa, const void *pb)
{
	const struct suffix *a = *(struct suffix *const *)pa, *b = *(struct suffix *const *)pb;
	int order = num(a->t.dots, b->t.dots);

	return order ? order : strcmp(a->t.text, b->t.text);
}

static void fill_suffix(struct merge *m, struct suffix *s)
{
	const struct suffix *up = suffix_above(m, s->t.text);
	struct table_host *above = up ? up->t.deep : NULL;
	struct claims none = { 0 };

	s->t.deep = above;
	if (s->own_deep.n)
		s->t.deep = host_new(m, OSH_HOST_WILD,
				     arena_printf(&m->p->arena, "**%s", s->t.text),
				     join(m, s->own_deep, above ? above->claims : none));
	s->t.one = s->t.deep;
	if (s->own_one.n)
		s->t.one = host_new(m, OSH_HOST_WILD, arena_printf(&m->p->arena, "*%s", s->t.text),
				    join(m, s->own_one, s->t.deep ? s->t.deep->claims : none));
}

/* Shorter suffixes first: a longer one takes over what is above it. */
static void fill_suffixes(struct merge *m)
{
	struct suffix **order = arena_zalloc(&m->p->arena, (m->suffixes.n + 1) * sizeof(*order));
	struct suffix *all = m->suffixes.v;

	m->t->suffixes = arena_zalloc(&m->p->arena, (m->suffixes.n + 1) * sizeof(*m->t->suffixes));
	if (!order || !m->t->suffixes)
		return;
	for (uint32_t i = 0; i < m->suffixes.n; i++)
		order[i] = &all[i];
	if (m->suffixes.n)
		qsort(order, m->suffixes.n, sizeof(*order), by_dots);
	for (uint32_t i = 0; i < m->suffixes.n && !m->failed; i++)
		fill_suffix(m, order[i]);
	for (uint32_t i = 0; i < m->suffixes.n; i++)
		m->t->suffixes[i] = all[i].t;
	m->t->n_suffixes = m->suffixes.n;
}

static void add_name(struct merge *m, uint32_t *at)
{
	const char *name = m->items[*at].host->text, *rest = strchr(name, '.');
	struct claims own = take_claims(m, at);
	const struct suffix *s = rest ? suffix_find(m, rest) : NULL;
	const struct table_host *cover = s ? s->t.one : NULL;

	if (rest && !s) {
		s = suffix_above(m, rest);
		cover = s ? s->t.deep : NULL;
	}
	if (cover)
		own = join(m, own, cover->claims);
	(void)host_new(m, OSH_HOST_EXACT, name, own);
}

struct own_net {
	const struct host *host;
	struct claims claims;
	struct table_host *done;
};

static int by_prefix(const void *pa, const void *pb)
{
	const struct own_net *a = pa, *b = pb;
	int order = memcmp(a->host->net.addr, b->host->net.addr, sizeof(a->host->net.addr));

	return order ? order : num(a->host->net.bits, b->host->net.bits);
}

/* In this order the networks that cover one come before it, nested like brackets. */
static void fill_nets(struct merge *m, struct own_net *all, uint32_t n)
{
	uint32_t open[129], depth = 0;

	if (n)
		qsort(all, n, sizeof(*all), by_prefix);
	m->t->nets = arena_zalloc(&m->p->arena, (n + 1) * sizeof(*m->t->nets));
	for (uint32_t i = 0; m->t->nets && i < n && !m->failed; i++) {
		const struct net *net = &all[i].host->net;
		struct claims c = all[i].claims;

		while (depth && !net_overlaps(&all[open[depth - 1]].host->net, net))
			depth--;
		if (depth && all[open[depth - 1]].done)
			c = join(m, c, all[open[depth - 1]].done->claims);
		all[i].done = host_new(m, OSH_HOST_CIDR, all[i].host->text, c);
		open[depth++] = i;
		m->t->nets[m->t->n_nets++] = (struct table_net){ *net, all[i].done };
	}
}

static void add_all(struct merge *m)
{
	struct list nets = { 0 };
	uint32_t i = 0, first_wild;

	/* Names sort first but need the suffixes, which sort after them. */
	while (i < m->n_items && m->items[i].host->kind == HOST_NAME)
		i++;
	first_wild = i;
	while (i < m->n_items && m->items[i].host->kind != HOST_NET)
		add_wild(m, &i);
	fill_suffixes(m);
	while (i < m->n_items) {
		struct own_net *net = list_push(&m->p->arena, &nets, sizeof(*net));

		if (!net)
			return;
		net->host = m->items[i].host;
		net->claims = take_claims(m, &i);
	}
	fill_nets(m, nets.v, nets.n);
	for (i = 0; i < first_wild && !m->failed;)
		add_name(m, &i);
}

static int by_kind_name(const void *pa, const void *pb)
{
	const struct table_host *a = *(struct table_host *const *)pa;
	const struct table_host *b = *(struct table_host *const *)pb;
	int order = num(a->kind, b->kind);

	return order ? order : strcmp(a->name, b->name);
}

static void number_hosts(struct merge *m)
{
	struct table_host **h = m->hosts.v;

	if (m->hosts.n > OSH_HOSTS_MAX) {
		diag_add(m->d, DIAG_LIMIT, (struct place){ 0 }, NULL,
			 "too many hosts (%u > %u)", m->hosts.n, OSH_HOSTS_MAX);
		m->failed = true;
	}
	if (m->hosts.n)
		qsort(h, m->hosts.n, sizeof(*h), by_kind_name);
	for (uint32_t i = 0; i < m->hosts.n; i++)
		h[i]->number = i + 1;
	m->t->hosts = h;
	m->t->n_hosts = m->hosts.n;
}

int merge_policy(struct policy *p, struct tables *t, struct diags *d)
{
	struct merge m = { .p = p, .t = t, .d = d };
	uint32_t *group = arena_zalloc(&p->arena, (p->rules.n + 1) * sizeof(*group));

	m.failed = !group || !merge_groups(p, t, d, group) || !collect(&m, group);
	if (!m.failed)
		add_all(&m);
	if (!m.failed)
		number_hosts(&m);
	if (p->arena.bad) {
		diag_add(d, DIAG_INTERNAL, (struct place){ 0 }, NULL, "out of memory");
		return -ENOMEM;
	}
	return m.failed ? -EINVAL : 0;
}
