/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Endpoints that overlap in host and port must agree on what is done with the connection; those that
 * also overlap in path, at equal weight, on what is done with a request. Who may use them is no excuse.
 * Names look up the patterns that cover them, so the work is n log n; only odd host patterns and
 * endpoints without a host are held against everything.
 */
#include "ambiguity.h"

#include <stdlib.h>
#include <string.h>

#include "host.h"
#include "osh/limits.h"
#include "own.h"

#define PAIRS_MAX (16u << 20)		/* comparisons in one policy */

struct item {
	const struct endpoint *e;
	uint32_t port;
};

struct check {
	struct arena *a;
	struct diags *d;
	struct item *items;		/* sorted by key, then port, then place */
	uint32_t n, pairs;
	struct place at;		/* where the work became too much */
};

static int num(uint32_t a, uint32_t b)
{
	return a < b ? -1 : a > b;
}

static int key_order(enum host_kind kind, const char *text, uint32_t port, const struct item *b)
{
	int order = num(kind, b->e->host.kind);

	if (!order)
		order = strcmp(text, b->e->host.text);
	return order ? order : num(port, b->port);
}

static int by_key(const void *pa, const void *pb)
{
	const struct item *a = pa, *b = pb;
	int order = key_order(a->e->host.kind, a->e->host.text, a->port, b);

	if (!order)
		order = num(a->e->at.line, b->e->at.line);
	return order ? order : num(a->e->at.col, b->e->at.col);
}

static bool same_text(const char *a, const char *b)
{
	return a == b || (a && b && !strcmp(a, b));
}

/* A websocket endpoint with rules about operations reads its messages as GraphQL. */
static bool ws_graphql(const struct l7 *l7)
{
	for EACH (struct l7_rule, a, &l7->rules)
		if (a->operations)
			return true;
	for EACH (struct l7_rule, b, &l7->deny)
		if (b->operations)
			return true;
	return false;
}

static const char *connection_differs(const struct endpoint *a, const struct endpoint *b)
{
	if (a->tls_skip != b->tls_skip)
		return "tls";
	if ((a->protocol == PROTO_TCP) != (b->protocol == PROTO_TCP))
		return "protocol";
	if (a->n_allowed != b->n_allowed ||
	    (a->n_allowed && memcmp(a->allowed, b->allowed, a->n_allowed * sizeof(*a->allowed))))
		return "allowed_ips";
	return NULL;
}

static const char *request_differs(const struct endpoint *x, const struct endpoint *y)
{
	const struct l7 *a = &x->l7, *b = &y->l7;
	const struct {
		bool differs;
		const char *what;
	} all[] = {
		{ x->protocol != y->protocol, "protocol" },
		{ a->audit != b->audit, "enforcement" },
		{ a->encoded_slash != b->encoded_slash, "allow_encoded_slash" },
		{ a->ws_rewrite != b->ws_rewrite, "websocket_credential_rewrite" },
		{ a->body_rewrite != b->body_rewrite, "request_body_credential_rewrite" },
		{ a->signing != b->signing, "credential_signing" },
		{ !same_text(a->signing_service, b->signing_service), "signing_service" },
		{ !same_text(a->signing_region, b->signing_region), "signing_region" },
		{ !same_text(a->binding, b->binding), "credential_binding" },
		{ !same_text(a->credential, b->credential), "credential" },
		{ a->inference != b->inference, "route" },
		{ a->max_body != b->max_body && !a->inference, "body limits" },
		{ a->loose_tools != b->loose_tools, "mcp.strict_tool_names" },
		{ ws_graphql(a) != ws_graphql(b), "GraphQL over websocket" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(all); i++)
		if (all[i].differs)
			return all[i].what;
	return NULL;
}

static bool paths_meet(const struct l7 *a, const struct l7 *b)
{
	if (a->weight != b->weight)
		return false;
	return !a->weight || pattern_overlaps(&a->path, &b->path);
}

/* False when the pair contradicts itself, which has then been said. */
static bool agree(struct check *c, const struct endpoint *a, const struct endpoint *b)
{
	const char *what = connection_differs(a, b);

	if (++c->pairs > PAIRS_MAX)
		return false;
	if (!what && endpoint_inspected(a) && endpoint_inspected(b) && paths_meet(&a->l7, &b->l7))
		what = request_differs(a, b);
	if (!what)
		return true;
	if (a->at.line > b->at.line || (a->at.line == b->at.line && a->at.col > b->at.col)) {
		const struct endpoint *swap = a;

		a = b;
		b = swap;
	}
	diag_add(c->d, DIAG_AMBIGUOUS, b->at, "give both the same value, or make them distinct",
		 "network endpoint ambiguity validation failed: differs in %s from the overlapping "
		 "endpoint on line %u",
		 what, a->at.line);
	return false;
}

static uint32_t first_of(const struct check *c, enum host_kind kind, const char *text, uint32_t port)
{
	uint32_t from = 0, to = c->n;

	while (from < to) {
		uint32_t mid = from + (to - from) / 2;

		if (key_order(kind, text, port, &c->items[mid]) > 0)
			from = mid + 1;
		else
			to = mid;
	}
	return from;
}

/* Everything listed under one key, after place `after`, against item x. */
static bool against(struct check *c, const struct item *x, enum host_kind kind, const char *text,
		    uint32_t after)
{
	for (uint32_t i = first_of(c, kind, text, x->port);
	     i < c->n && !key_order(kind, text, x->port, &c->items[i]); i++)
		if (i >= after && c->items[i].e != x->e && !agree(c, x->e, c->items[i].e))
			return false;
	return true;
}

static bool against_suffixes(struct check *c, const struct item *x, const char *suffix, bool itself)
{
	if (itself && !against(c, x, HOST_DEEP, suffix, 0))
		return false;
	while ((suffix = strchr(suffix + 1, '.')))
		if (!against(c, x, HOST_DEEP, suffix, 0))
			return false;
	return true;
}

static bool against_nets(struct check *c, const struct item *x)
{
	struct net wide = x->e->host.net;
	char text[64];

	while (wide.bits) {
		wide.bits--;
		wide.addr[wide.bits / 8] &= (uint8_t)~(0x80 >> (wide.bits % 8));
		net_text(&wide, text);
		if (!against(c, x, HOST_NET, text, 0))
			return false;
	}
	return true;
}

static bool labels_meet(struct check *c, const char *a, size_t na, const char *b, size_t nb)
{
	struct pattern x, y;
	const char *ta = arena_text(c->a, a, na), *tb = arena_text(c->a, b, nb);

	if (!ta || !tb || pattern_parse(c->a, ta, &x) != PATTERN_OK ||
	    pattern_parse(c->a, tb, &y) != PATTERN_OK)
		return true;		/* what cannot be read is taken to overlap */
	return pattern_overlaps(&x, &y);
}

static unsigned label_count(const char *s)
{
	unsigned n = 1;

	for (; *s; s++)
		n += *s == '.';
	return n;
}

/* Label by label from the end; a first label `**` stands for all that remain. */
static bool hosts_meet(struct check *c, const char *a, const char *b)
{
	bool deep_a = !strncmp(a, "**", 2), deep_b = !strncmp(b, "**", 2);
	unsigned na = label_count(a), nb = label_count(b);
	const char *ea = a + strlen(a), *eb = b + strlen(b);

	if ((!deep_a && !deep_b && na != nb) || (!deep_a && na < nb) || (!deep_b && nb < na))
		return false;
	for (unsigned i = 0; i < na && i < nb; i++) {
		const char *la = ea, *lb = eb;

		while (la > a && la[-1] != '.')
			la--;
		while (lb > b && lb[-1] != '.')
			lb--;
		if (!labels_meet(c, la, (size_t)(ea - la), lb, (size_t)(eb - lb)))
			return false;
		ea = la > a ? la - 1 : a;
		eb = lb > b ? lb - 1 : b;
	}
	return true;
}

static bool host_meets(struct check *c, const struct host *odd, const struct host *other)
{
	const char *text = other->text;

	if (odd->kind == HOST_ANY || other->kind == HOST_ANY)
		return true;
	if (other->kind == HOST_NET)
		return false;
	if (other->kind == HOST_ONE || other->kind == HOST_DEEP)
		text = arena_printf(c->a, "%s%s", other->kind == HOST_ONE ? "*" : "**", text);
	return !text || hosts_meet(c, odd->text, text);
}

static bool against_all(struct check *c, uint32_t at)
{
	const struct item *x = &c->items[at];

	for (uint32_t i = 0; i < c->n; i++) {
		const struct item *y = &c->items[i];
		bool odd = y->e->host.kind >= HOST_GLOB;

		if (y->port != x->port || y->e == x->e || (odd && i < at))
			continue;
		if (++c->pairs > PAIRS_MAX)
			return false;
		if (host_meets(c, &x->e->host, &y->e->host) && !agree(c, x->e, y->e))
			return false;
	}
	return true;
}

static void check_item(struct check *c, uint32_t at)
{
	const struct item *x = &c->items[at];
	const struct host *h = &x->e->host;
	const char *rest;

	if (h->kind >= HOST_GLOB) {
		(void)against_all(c, at);
		return;
	}
	if (!against(c, x, h->kind, h->text, at + 1))
		return;
	switch (h->kind) {
	case HOST_NAME:
		rest = strchr(h->text, '.');
		if (rest && against(c, x, HOST_ONE, rest, 0))
			(void)against_suffixes(c, x, rest, true);
		break;
	case HOST_ONE:
		(void)against_suffixes(c, x, h->text, true);
		break;
	case HOST_DEEP:
		(void)against_suffixes(c, x, h->text, false);
		break;
	case HOST_NET:
		(void)against_nets(c, x);
		break;
	case HOST_GLOB:
	case HOST_ANY:
		break;
	}
}

/* Nothing that is held against one endpoint could be held against the other alone. */
static bool alike(const struct endpoint *a, const struct endpoint *b)
{
	if (connection_differs(a, b) || endpoint_inspected(a) != endpoint_inspected(b))
		return false;
	return !endpoint_inspected(a) || (same_text(a->l7.path.text, b->l7.path.text) && !request_differs(a, b));
}

/*
 * Many rules name one host in the same words, each for its own programs: of these the first one, which is
 * also the first in the file, stands for all. Only so many are remembered; the rest is compared in full.
 */
static void drop_alike(struct check *c)
{
	enum { KINDS = 16 };
	uint32_t kept = 0, first = 0;

	for (uint32_t i = 0; i < c->n; i++) {
		const struct item *x = &c->items[i];
		uint32_t k;

		if (kept == first || key_order(x->e->host.kind, x->e->host.text, x->port, &c->items[first]))
			first = kept;
		for (k = first; k < kept && k < first + KINDS && !alike(c->items[k].e, x->e); k++)
			;
		if (k == kept || k == first + KINDS)
			c->items[kept++] = *x;
	}
	c->n = kept;
}

static bool collect(struct check *c, const struct policy *p)
{
	struct list items = { 0 };

	for EACH (struct rule, rule, &p->rules)
		for EACH (struct endpoint, e, &rule->endpoints)
			for (uint32_t i = 0; i < e->n_ports; i++) {
				struct item *it = list_push(c->a, &items, sizeof(*it));

				c->at = e->at;
				if (!it || items.n > OSH_ALTS_MAX)
					return false;
				*it = (struct item){ e, e->ports[i] };
			}
	c->items = items.v;
	c->n = items.n;
	if (c->n)
		qsort(c->items, c->n, sizeof(*c->items), by_key);
	drop_alike(c);
	return true;
}

void check_ambiguity(struct policy *p, struct diags *d)
{
	struct check c = { .a = &p->arena, .d = d };

	if (collect(&c, p))
		for (uint32_t i = 0; i < c.n && c.pairs <= PAIRS_MAX; i++) {
			c.at = c.items[i].e->at;
			check_item(&c, i);
		}
	else
		c.pairs = UINT32_MAX;
	if (c.pairs > PAIRS_MAX)
		diag_add(d, DIAG_LIMIT, c.at, "join endpoints that overlap",
			 "the policy has too many overlapping combinations of host, port and path");
}
