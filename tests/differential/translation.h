/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the tables of a bundle say, as formulas over the same attempt as the prover's model of the policy: by the words of
 * osh/bundle.h, from what its reader gives, and with no code of the compiler's. What is inside connections is read back
 * into the structures of the model, one rule at a time.
 */
#pragma once

#include <string.h>

#include "../../userspace/prove/sym.h"
#include "../../userspace/prove/witness.h"
#include "bundle.h"

struct said {				/* by the tables */
	struct sym s;			/* endpoints: those that are looked into, in the order of `rules` */
	const struct bundle *b;
	Z3_ast name;			/* it is answered */
	Z3_ast reach;			/* some alternative takes the connection */
};

static Z3_ast and3(struct zed *z, Z3_ast a, Z3_ast b, Z3_ast c)
{
	return z_and(z, a, z_and(z, b, c));
}

/* ---- names and addresses ------------------------------------------------------------------ */

static Z3_ast ends_in(struct sym *s, const char *stars, const char *suffix)
{
	return dim_glob(s->host, arena_printf(s->z.a, "%s%s", stars, suffix), '.');
}

/* The suffix behind the first dot that has a row decides, whatever the row says. */
static Z3_ast longest(struct sym *s, const struct bundle *b, const struct osh_b_suffix *row)
{
	const char *suffix = bundle_str(b, row->suffix);
	struct terms longer = { .z = &s->z };

	for (uint32_t i = 0; i < b->n_suffixes; i++) {
		const char *other = bundle_str(b, b->suffixes[i].suffix);
		size_t n = strlen(other), m = strlen(suffix);

		if (n > m && !strcmp(other + n - m, suffix))
			terms_add(&longer, ends_in(s, "?**", other));
	}
	return z_and(&s->z, ends_in(s, "?**", suffix), z_not(&s->z, terms_or(&longer)));
}

static Z3_ast exact(struct sym *s, const struct bundle *b, uint32_t host)
{
	struct terms any = { .z = &s->z };

	for (uint32_t i = 0; i < b->n_hosts; i++)
		if (b->hosts[i].kind == OSH_HOST_EXACT && (!host || host == i + 1))
			terms_add(&any, dim_word(s->host, bundle_str(b, b->hosts[i].name)));
	return terms_or(&any);
}

/* 0 = any that is not 0. */
static bool is_host(uint32_t number, uint32_t wanted)
{
	return wanted ? number == wanted : number != 0;
}

static Z3_ast name_is(struct sym *s, const struct bundle *b, uint32_t host)
{
	struct terms any = { .z = &s->z };
	Z3_ast other = z_not(&s->z, exact(s, b, 0));

	terms_add(&any, exact(s, b, host));
	for (uint32_t i = 0; i < b->n_suffixes; i++) {
		const struct osh_b_suffix *row = &b->suffixes[i];
		Z3_ast one = ends_in(s, "?*", bundle_str(b, row->suffix));

		if (is_host(row->one, host))
			terms_add(&any, and3(&s->z, other, longest(s, b, row), one));
		if (is_host(row->deep, host))
			terms_add(&any, and3(&s->z, other, longest(s, b, row), z_not(&s->z, one)));
	}
	return z_and(&s->z, z_not(&s->z, s->is_addr), terms_or(&any));
}

static struct net net_of(const uint8_t addr[16], uint32_t bits)
{
	struct net n = { .bits = bits };

	memcpy(n.addr, addr, 16);
	return n;
}

static void add_net(struct arena *a, struct cells *c, const uint8_t addr[16], uint32_t bits)
{
	const struct net n = net_of(addr, bits);

	cells_add(a, c, &n);
}

/* What the tables say may be another network than any of the policy. */
static void add_nets(struct arena *a, struct cells *c, const struct bundle *b)
{
	for (uint32_t i = 0; i < b->n_cidrs; i++)
		add_net(a, c, b->cidrs[i].addr, b->cidrs[i].bits);
	for (uint32_t i = 0; i < b->n_upstream; i++)
		add_net(a, c, b->upstream[i].addr, b->upstream[i].bits);
}

static Z3_ast in_net(struct sym *s, const struct osh_b_cidr *c)
{
	const struct net n = net_of(c->addr, c->bits);

	return sym_addr_in(s, &n);
}

static Z3_ast addr_is(struct sym *s, const struct bundle *b, uint32_t host)
{
	struct terms any = { .z = &s->z };

	for (uint32_t i = 0; i < b->n_cidrs; i++) {
		struct terms longer = { .z = &s->z };

		if (b->cidrs[i].host != host)
			continue;
		for (uint32_t k = 0; k < b->n_cidrs; k++)
			if (b->cidrs[k].bits > b->cidrs[i].bits)
				terms_add(&longer, in_net(s, &b->cidrs[k]));
		terms_add(&any, z_and(&s->z, in_net(s, &b->cidrs[i]), z_not(&s->z, terms_or(&longer))));
	}
	return z_and(&s->z, s->is_addr, terms_or(&any));
}

/* ---- who ---------------------------------------------------------------------------------- */

static Z3_ast file_is(struct dim *who, const char *path, bool pattern)
{
	return pattern ? dim_glob(who, path, '/') : dim_word(who, path);
}

static Z3_ast in_group(struct sym *s, const struct bundle *b, uint32_t group)
{
	struct terms any = { .z = &s->z };

	for (uint32_t i = 0; group && i < b->n_binaries; i++) {
		const struct osh_b_binary *row = &b->binaries[i];
		const char *path = bundle_str(b, row->path);
		bool pattern = row->flags & OSH_BIN_GLOB;
		Z3_ast is = file_is(s->program, path, pattern);

		if (row->group != group)
			continue;
		if (row->sha256)
			is = and3(&s->z, is, s->has_digest, dim_word(s->digest, bundle_str(b, row->sha256)));
		else if (row->flags & OSH_BIN_INHERIT)
			is = z_or(&s->z, is, z_and(&s->z, s->ran, file_is(s->ancestor, path, pattern)));
		terms_add(&any, is);
	}
	return group ? z_and(&s->z, z_not(&s->z, s->nobody), terms_or(&any)) : z_true(&s->z);
}

/* Group 0 has no program that could be tainted: its alternatives say so themselves. */
static Z3_ast alt_takes(struct sym *s, const struct bundle *b, const struct osh_b_alt *alt)
{
	Z3_ast in = in_group(s, b, alt->group);

	return alt->flags & OSH_ALT_TAINT_OK ? in : z_and(&s->z, in, z_not(&s->z, s->tainted));
}

/* ---- connections -------------------------------------------------------------------------- */

static Z3_ast may_dial(struct sym *s, const struct bundle *b, const struct osh_b_endpoint *e)
{
	struct terms any = { .z = &s->z };
	bool listed = false;

	for (uint32_t i = 0; i < b->n_upstream; i++) {
		const struct osh_b_upstream *u = &b->upstream[i];
		const struct net n = net_of(u->addr, u->bits);

		if (u->host != e->host || u->port != e->port)
			continue;
		listed = true;
		terms_add(&any, sym_addr_in(s, &n));
	}
	return listed ? z_and(&s->z, terms_or(&any), z_not(&s->z, s->forbidden)) : z_not(&s->z, s->private);
}

/* By one rule (an index), by those that are looked into (-1), or by any of them (-2). */
static Z3_ast reach(struct said *t, int rule, bool dial)
{
	struct sym *s = &t->s;
	struct terms any = { .z = &s->z };

	for (uint32_t i = 0; i < t->b->n_endpoints; i++) {
		const struct osh_b_endpoint *e = &t->b->endpoints[i];
		Z3_ast there = z_and(&s->z, z_or(&s->z, name_is(s, t->b, e->host), addr_is(s, t->b, e->host)),
				     z_is(&s->z, s->port, e->port));
		struct terms alts = { .z = &s->z };

		for (uint32_t k = 0; k < e->n_alts; k++) {
			const struct osh_b_alt *alt = &t->b->alts[e->first_alt + k];

			if (rule == -2 || (rule == -1 ? !!(alt->flags & OSH_ALT_L7) : alt->rule == (uint32_t)rule))
				terms_add(&alts, alt_takes(s, t->b, alt));
		}
		there = z_and(&s->z, there, terms_or(&alts));
		terms_add(&any, dial ? z_and(&s->z, there, may_dial(s, t->b, e)) : there);
	}
	return terms_or(&any);
}

/* ---- inside ------------------------------------------------------------------------------- */

static struct list texts(struct said *t, struct osh_b_range r)
{
	struct list l = { 0 };

	for (uint32_t i = 0; i < r.n; i++) {
		const char **slot = list_push(t->s.z.a, &l, sizeof(*slot));

		*slot = bundle_str(t->b, t->b->patterns[r.first + i]);
	}
	return l;
}

static struct pattern one_of(struct said *t, struct osh_b_range r)
{
	return (struct pattern){ .text = "", .alts = texts(t, r) };
}

static struct list any_of(struct said *t, struct osh_b_range r)
{
	struct list l = { 0 };

	if (r.n)
		*(struct pattern *)list_push(t->s.z.a, &l, sizeof(struct pattern)) = one_of(t, r);
	return l;
}

static struct l7_rule rule_of(struct said *t, const struct osh_b_match *m, uint32_t protocol)
{
	struct l7_rule r = { .operations = m->operations, .path = one_of(t, m->path), .has_path = m->path.n != 0,
			     .name = one_of(t, m->name), .has_name = m->name.n != 0,
			     .fields = any_of(t, m->fields), .tools = any_of(t, m->tools),
			     .method_glob = one_of(t, m->methods) };

	if (protocol == OSH_PROTO_MCP)
		r.method = m->methods.n ? "*" : NULL;
	else
		r.method = m->method ? bundle_str(t->b, m->method) : NULL;
	for (uint32_t i = 0; i < m->query.n; i++) {
		const struct osh_b_query *q = &t->b->queries[m->query.first + i];
		struct query_match *slot = list_push(t->s.z.a, &r.query, sizeof(*slot));

		slot->key = bundle_str(t->b, q->key);
		slot->any = any_of(t, q->any);
	}
	return r;
}

static struct list rules_of(struct said *t, struct osh_b_range range, uint32_t protocol)
{
	struct list l = { 0 };

	for (uint32_t i = 0; i < range.n; i++)
		*(struct l7_rule *)list_push(t->s.z.a, &l, sizeof(struct l7_rule)) =
			rule_of(t, &t->b->matches[range.first + i], protocol);
	return l;
}

static struct endpoint *endpoint_back(struct said *t, const struct osh_b_l7 *from)
{
	static const enum protocol protocols[] = { PROTO_REST, PROTO_WEBSOCKET, PROTO_GRAPHQL, PROTO_JSONRPC, PROTO_MCP };
	static const enum access presets[] = { ACCESS_NONE, ACCESS_READ_ONLY, ACCESS_READ_WRITE, ACCESS_FULL };
	struct endpoint *e = arena_zalloc(t->s.z.a, sizeof(*e));

	e->protocol = from->protocol <= OSH_PROTO_MCP ? protocols[from->protocol] : PROTO_NONE;
	e->l7 = (struct l7){ .audit = from->flags & OSH_L7_AUDIT, .weight = from->weight, .path = one_of(t, from->path),
			     .access = presets[from->access], .encoded_slash = from->flags & OSH_L7_ENCODED_SLASH,
			     .loose_tools = from->flags & OSH_L7_LOOSE_TOOLS,
			     .known_methods = from->flags & OSH_L7_KNOWN_METHODS,
			     .rules = rules_of(t, from->allow, from->protocol),
			     .deny = rules_of(t, from->deny, from->protocol) };
	return e;
}

/* After sym_open() of the policy itself, over the same variables. */
static void tables_say(struct said *t, const struct sym *of, const struct bundle *b)
{
	struct sym *s = &t->s;

	*t = (struct said){ .s = *of, .b = b };
	s->endpoints = (struct list){ 0 };
	t->name = name_is(s, b, 0);
	t->reach = reach(t, -2, false);
	s->dials = reach(t, -2, true);
	s->inspected = reach(t, -1, false);
	for (uint32_t i = 0; i < b->n_rules; i++) {
		struct sym_endpoint *se;

		if (!b->rules[i].l7)
			continue;
		se = list_push(s->z.a, &s->endpoints, sizeof(*se));
		*se = (struct sym_endpoint){ .e = endpoint_back(t, &b->l7[b->rules[i].l7 - 1]), .index = i };
		se->reach = reach(t, (int)i, false);
	}
	sym_request(s);
}
