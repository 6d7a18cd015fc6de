/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Translation validation: for every preset and for random policies the solver shows that no name,
 * connection or request exists of which the tables of the bundle, read back by their reader, say
 * something else than the meaning of the policy. Other tests ask at random; here nothing is left
 * out. Each table is then changed in one place, which must be seen.
 */
#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include "l7_faults.h"
#include "l7_world.h"
#include "translation.h"

/* Its lookups are another test's; here are its policies about connections. */
#define fault     table_fault
#define FAULT_MAX TABLE_FAULT_MAX
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wunused-function"
#include "../tools/kernel_tables.h"
#pragma GCC diagnostic pop
#undef fault
#undef FAULT_MAX

#include <cmocka.h> /* last: it defines a macro called fail */

static unsigned pick(unsigned n)
{
	return (unsigned)random() % n;
}

static bool differ(struct sym *s, Z3_ast a, Z3_ast b)
{
	Z3_ast facts = Z3_mk_xor(s->z.c, a, b);

	return sym_can(s, &facts, 1) != ANSWER_NO; /* what is not known is no proof */
}

/* ---- one rule about requests, with itself alone ------------------------------------------- */

static Z3_ast alone(struct sym *s, const struct endpoint *like, const struct l7_rule *rule,
		    bool deny, Z3_ast *ret_hard)
{
	struct endpoint e = { .protocol = like->protocol,
			      .l7 = { .loose_tools = like->l7.loose_tools } };
	struct list *to = deny ? &e.l7.deny : &e.l7.rules;
	struct sym_endpoint se = { .e = &e };

	if (rule)
		*to = (struct list){ (void *)(uintptr_t)rule, 1 };
	else
		e.l7.access = like->l7.access, e.l7.known_methods = like->l7.known_methods;
	sym_rules(s, &se);
	*ret_hard = se.hard;
	return deny ? se.denies : se.allows;
}

static bool rules_differ(struct sym *s, const struct endpoint *x, const struct endpoint *y,
			 bool deny)
{
	const struct list *xs = deny ? &x->l7.deny : &x->l7.rules,
			  *ys = deny ? &y->l7.deny : &y->l7.rules;
	const struct l7_rule *v = xs->v, *w = ys->v;
	Z3_ast hard[2];

	if (xs->n != ys->n)
		return true;
	for (uint32_t i = 0; i < xs->n; i++) {
		if (v[i].query.n != w[i].query.n ||
		    differ(s, alone(s, x, &v[i], deny, &hard[0]),
			   alone(s, y, &w[i], deny, &hard[1])) ||
		    differ(s, hard[0], hard[1]))
			return true;
	}
	return differ(s, alone(s, x, NULL, false, &hard[0]), alone(s, y, NULL, false, &hard[1]));
}

/* ---- what stands for itself --------------------------------------------------------------- */

static bool text_is(const struct bundle *b, uint32_t at, const char *text)
{
	return text ? !strcmp(bundle_str(b, at), text) : !at;
}

static bool registered_differ(const struct bundle *b, const struct osh_b_l7 *row,
			      const struct l7 *l7)
{
	const struct persisted *v = l7->persisted.v;

	if (row->persisted.n != l7->persisted.n)
		return true;
	for (uint32_t i = 0; i < row->persisted.n; i++) {
		const struct osh_b_persisted *p = &b->persisted[row->persisted.first + i];

		if (!text_is(b, p->hash, v[i].hash) || !text_is(b, p->name, v[i].name) ||
		    p->operation != v[i].operations || p->fields.n != v[i].fields.n)
			return true;
		for (uint32_t k = 0; k < p->fields.n; k++)
			if (!text_is(b, b->fields[p->fields.first + k],
				     ((const char *const *)v[i].fields.v)[k]))
				return true;
	}
	return false;
}

static uint32_t about(const struct list *rules)
{
	uint32_t flags = 0;

	for EACH (struct l7_rule, r, rules)
		flags |= (r->operations ? OSH_L7_OPERATIONS : 0) | (r->tools.n ? OSH_L7_TOOLS : 0);
	return flags;
}

static bool settings_differ(const struct bundle *b, const struct osh_b_l7 *row, const struct l7 *l7)
{
	uint32_t flags = (l7->audit ? OSH_L7_AUDIT : 0) |
			 (l7->encoded_slash ? OSH_L7_ENCODED_SLASH : 0) |
			 (l7->ws_rewrite ? OSH_L7_WS_REWRITE : 0) |
			 (l7->body_rewrite ? OSH_L7_BODY_REWRITE : 0) |
			 (l7->uninspected ? OSH_L7_UNINSPECTED : 0) |
			 (l7->loose_tools ? OSH_L7_LOOSE_TOOLS : 0) |
			 (l7->known_methods ? OSH_L7_KNOWN_METHODS : 0) |
			 (l7->persisted_registered ? OSH_L7_PERSISTED : 0) | about(&l7->rules) |
			 (about(&l7->deny) & OSH_L7_OPERATIONS);

	return row->flags != flags || row->weight != l7->weight || row->max_body != l7->max_body ||
	       registered_differ(b, row, l7) || !text_is(b, row->binding, l7->binding) ||
	       !text_is(b, row->signing_service, l7->signing_service) ||
	       !text_is(b, row->signing_region, l7->signing_region) ||
	       !row->credential != !(l7->credential || l7->binding);
}

/* ---- the whole ---------------------------------------------------------------------------- */

static struct sym_endpoint *row_of(struct said *t, const struct sym_endpoint *se)
{
	struct sym_endpoint *v = t->s.endpoints.v;

	for (uint32_t i = 0; i < t->s.endpoints.n; i++) {
		const struct osh_b_rule *r = &t->b->rules[v[i].index];

		if (r->line == se->e->at.line && !strcmp(bundle_str(t->b, r->name), se->rule->name))
			return &v[i];
	}
	return NULL;
}

static const char *inside_differs(struct sym *s, struct said *t)
{
	const struct sym_endpoint *v = s->endpoints.v;
	uint32_t n = 0;

	for (uint32_t i = 0; i < s->endpoints.n; i++) {
		struct sym_endpoint *row;

		if (!endpoint_inspected(v[i].e))
			continue;
		n++;
		row = row_of(t, &v[i]);
		if (!row || v[i].e->protocol != row->e->protocol)
			return "which rules look into connections";
		if (t->b->l7[t->b->rules[row->index].l7 - 1].rule != row->index)
			return "which rule a row is about";
		if (settings_differ(t->b, &t->b->l7[t->b->rules[row->index].l7 - 1], &v[i].e->l7))
			return "the settings of a rule";
		if (differ(s, v[i].reach, row->reach) || differ(s, v[i].covers, row->covers))
			return "what a rule is about";
		if (rules_differ(s, v[i].e, row->e, false) || rules_differ(s, v[i].e, row->e, true))
			return "a rule about requests";
	}
	if (n != t->s.endpoints.n)
		return "how many rules look into connections";
	if (differ(s, s->allowed, t->s.allowed) || differ(s, s->forwarded, t->s.forwarded))
		return "requests";
	return NULL;
}

/* NULL: they mean the same; or what it is in which they do not. */
static const char *differs(const struct policy *p, const struct bundle *b)
{
	struct terms names, reached;
	const char *what = NULL;
	struct cells cells = { 0 };
	struct arena a = { 0 };
	struct said t;
	struct sym s;

	cells_add_policy(&a, &cells, p);
	add_nets(&a, &cells, b);
	assert_true(cells_make(&a, &cells));
	sym_open(&s, &a, &(struct sym_plan){ .p = p, .workdir = "/w", .cells = &cells });
	tables_say(&t, &s, b);
	names = reached = (struct terms){ .z = &s.z };
	for (uint32_t i = 0; i < s.endpoints.n; i++) {
		terms_add(&names, ((struct sym_endpoint *)s.endpoints.v)[i].host);
		terms_add(&reached, ((struct sym_endpoint *)s.endpoints.v)[i].reach);
	}
	/* What may run, and ports that are never dialled, are no table's. */
	t.s.dials = and3(&s.z, t.s.dials, s.runs, z_not(&s.z, s.closed));
	if (differ(&s, z_and(&s.z, z_not(&s.z, s.is_addr), terms_or(&names)), t.name))
		what = "names";
	else if (differ(&s, terms_or(&reached), t.reach))
		what = "connections";
	else if (differ(&s, s.dials, t.s.dials))
		what = "addresses";
	else if (differ(&s, s.inspected, t.s.inspected))
		what = "what is looked into";
	else
		what = inside_differs(&s, &t);
	sym_done(&s);
	arena_done(&a);
	return what;
}

static bool compile(struct world *w)
{
	struct diags d = { 0 };
	bool ok = world_compile(w, &d);

	diags_done(&d);
	return ok;
}

static void expect_same(const struct world *w, const char *name)
{
	const char *what = differs(&w->p, &w->b);

	if (what)
		fail_msg("%s: the tables say something else about %s\n%.*s", name, what,
			 (int)w->text.n, w->text.p);
}

/* ---- what is asked ------------------------------------------------------------------------ */

static void presets_are_translated(void **state)
{
	DIR *dir = opendir("policy-compiler/presets");
	const struct dirent *e;
	unsigned n = 0;

	(void)state;
	assert_non_null(dir);
	while ((e = readdir(dir)) != NULL) {
		struct world w = { 0 };
		char path[512];
		char part[4096];
		size_t got;
		FILE *f;

		snprintf(path, sizeof(path), "policy-compiler/presets/%s", e->d_name);
		f = strstr(e->d_name, ".yaml") ? fopen(path, "r") : NULL;
		while (f && (got = fread(part, 1, sizeof(part), f)) > 0)
			buf_put(&w.text, part, got);
		if (!f)
			continue;
		fclose(f);
		assert_true(compile(&w));
		expect_same(&w, e->d_name);
		world_done(&w);
		n++;
	}
	closedir(dir);
	assert_true(n >= 10);
}

static void connections_are_translated(void **state)
{
	unsigned n = 0;

	(void)state;
	while (n < 150) {
		struct world w = { 0 };

		random_policy(&w.text);
		if (compile(&w)) {
			expect_same(&w, "random");
			n++;
		}
		world_done(&w);
	}
}

static void requests_are_translated(void **state)
{
	unsigned n = 0;

	(void)state;
	while (n < 60) {
		struct world w;
		bool other;

		if (world_new(&w, &other)) {
			expect_same(&w, "random");
			n++;
		}
		world_done(&w);
	}
}

/* ---- faults ------------------------------------------------------------------------------- */

#define TABLES(X)                                                                                  \
	X(HOST_NAME)                                                                               \
	X(SUFFIX_ONE) X(SUFFIX_DEEP) X(SUFFIX_SWAPPED) X(SUFFIX_OTHER) X(CIDR_BITS) X(CIDR_HOST)   \
	    X(CIDR_ADDR) X(ENDPOINT_PORT) X(ENDPOINT_HOST) X(ENDPOINT_SHORT) X(ALT_GROUP)          \
		X(ALT_TAINT) X(ALT_L7) X(ALT_RULE) X(BINARY_PATH) X(BINARY_GROUP) X(BINARY_GLOB)   \
		    X(BINARY_INHERIT) X(BINARY_DIGEST) X(UPSTREAM_BITS) X(UPSTREAM_PORT)           \
			X(UPSTREAM_HOST) X(UPSTREAM_ADDR)

enum wrong {
#define X(f) WRONG_##f,
	TABLES(X)
#undef X
	    WRONG_MAX
};

static const char *const wrongs[] = {
#define X(f) #f,
	TABLES(X)
#undef X
};

/* Every table about names and connections has something to be wrong in. */
static const char rich[] =
    "version: 1\nnetwork_policies:\n"
    "  a:\n    binaries: [{path: /usr/bin/a}, {path: '/opt/*/x'}]\n    endpoints:\n"
    "      - {host: one.example.com, ports: [443, 80]}\n"
    "      - {host: '*.example.com', port: 443}\n"
    "      - {host: '**.deep.example.com', port: 443}\n"
    "      - {host: 8.8.0.0/16, port: 53}\n"
    "      - {host: db.corp, port: 5432, allowed_ips: [10.0.0.0/8, 11.1.1.1]}\n"
    "  b:\n    taint: ignore\n    binaries: [{path: /usr/bin/b}]\n    endpoints:\n"
    "      - {host: one.example.com, port: 443}\n"
    "      - {host: '*.example.org', port: 443}\n"
    "      - {host: 8.8.8.0/24, port: 53}\n"
    "  c:\n    binaries: [{path: /usr/bin/c}]\n    endpoints:\n"
    "      - {host: api.example.net, port: 443, protocol: rest, access: read-only}\n"
    "      - {host: '*.example.net', port: 443, protocol: rest, access: read-only, path: '/x/**'}\n"
    "network:\n  - {host: open.example.net, port: 443}\n";

static bool wrong_name(const struct bundle *b, enum wrong f, struct undo *u)
{
	const struct osh_b_suffix *s = b->n_suffixes ? &b->suffixes[pick(b->n_suffixes)] : NULL;
	const struct osh_b_host *h = b->n_hosts ? &b->hosts[pick(b->n_hosts)] : NULL;

	switch ((int)f) {
	case WRONG_HOST_NAME:
		return h && h->kind == OSH_HOST_EXACT &&
		       number(u, &h->name, b->hosts[pick(b->n_hosts)].name);
	case WRONG_SUFFIX_ONE:
		return s && number(u, &s->one, 0);
	case WRONG_SUFFIX_DEEP:
		return s && number(u, &s->deep, 1 + pick(b->n_hosts));
	case WRONG_SUFFIX_SWAPPED:
		return s && change(u, &s->one, (const uint32_t[]){ s->deep, s->one }, 8);
	case WRONG_SUFFIX_OTHER:
		return s && number(u, &s->suffix, b->suffixes[pick(b->n_suffixes)].suffix);
	default:
		return false;
	}
}

static bool wrong_net(const struct bundle *b, enum wrong f, struct undo *u)
{
	const struct osh_b_cidr *c = b->n_cidrs ? &b->cidrs[pick(b->n_cidrs)] : NULL;
	const struct osh_b_upstream *p = b->n_upstream ? &b->upstream[pick(b->n_upstream)] : NULL;

	switch ((int)f) {
	case WRONG_CIDR_BITS:
		return c && number(u, &c->bits, c->bits - 1);
	case WRONG_CIDR_HOST:
		return c && number(u, &c->host, b->cidrs[pick(b->n_cidrs)].host);
	case WRONG_CIDR_ADDR:
		return c && change(u, &c->addr[13], (const uint8_t[]){ c->addr[13] ^ 1 }, 1);
	case WRONG_UPSTREAM_BITS:
		return p && number(u, &p->bits, p->bits - 1);
	case WRONG_UPSTREAM_PORT:
		return p && number(u, &p->port, p->port + 1);
	case WRONG_UPSTREAM_HOST:
		return p && number(u, &p->host, 1 + pick(b->n_hosts));
	case WRONG_UPSTREAM_ADDR:
		return p && change(u, &p->addr[12], (const uint8_t[]){ p->addr[12] ^ 1 }, 1);
	default:
		return false;
	}
}

static bool wrong_connection(const struct bundle *b, enum wrong f, struct undo *u)
{
	const struct osh_b_endpoint *e = &b->endpoints[pick(b->n_endpoints)];
	const struct osh_b_alt *a = &b->alts[pick(b->n_alts)];
	const struct osh_b_binary *p = &b->binaries[pick(b->n_binaries)];
	const struct osh_b_binary *other = &b->binaries[pick(b->n_binaries)];

	switch ((int)f) {
	case WRONG_ENDPOINT_PORT:
		return number(u, &e->port, e->port + 1);
	case WRONG_ENDPOINT_HOST:
		return number(u, &e->host, b->endpoints[pick(b->n_endpoints)].host);
	case WRONG_ENDPOINT_SHORT:
		return number(u, &e->n_alts, e->n_alts - 1);
	case WRONG_ALT_GROUP:
		return number(u, &a->group, b->alts[pick(b->n_alts)].group);
	case WRONG_ALT_TAINT:
		return number(u, &a->flags, a->flags ^ OSH_ALT_TAINT_OK);
	case WRONG_ALT_L7:
		return number(u, &a->flags, a->flags ^ OSH_ALT_L7);
	case WRONG_ALT_RULE:
		return b->rules[a->rule].l7 && number(u, &a->rule, (a->rule + 1) % b->n_rules);
	case WRONG_BINARY_PATH:
		return number(u, &p->path, other->path);
	case WRONG_BINARY_GROUP:
		return number(u, &p->group, other->group);
	case WRONG_BINARY_GLOB:
		return number(u, &p->flags, p->flags ^ OSH_BIN_GLOB);
	case WRONG_BINARY_INHERIT:
		return number(u, &p->flags, p->flags ^ OSH_BIN_INHERIT);
	case WRONG_BINARY_DIGEST:
		return number(u, &p->sha256, p->path);
	default:
		return wrong_name(b, f, u) || wrong_net(b, f, u);
	}
}

static void faults_of_connections_are_seen(void **state)
{
	struct world w = { 0 };

	(void)state;
	buf_str(&w.text, rich);
	assert_true(compile(&w));
	expect_same(&w, "the policy of the faults");
	for (int f = 0; f < WRONG_MAX; f++) {
		bool seen = false;

		for (int i = 0; i < 60 && !seen; i++) {
			struct undo u;

			if (!wrong_connection(&w.b, (enum wrong)f, &u))
				continue;
			seen = differs(&w.p, &w.b) != NULL;
			fault_undo(&u);
		}
		if (!seen)
			fail_msg("%s goes unseen", wrongs[f]);
	}
	expect_same(&w, "the policy of the faults, put back");
	world_done(&w);
}

/* Lines are for reports alone. */
static bool says_nothing(enum fault f)
{
	return f == FAULT_L7_ACCESS_LINE || f == FAULT_MATCH_LINE;
}

static void faults_of_requests_are_seen(void **state)
{
	bool seen[FAULT_MAX] = { false };
	unsigned left = FAULT_MAX;

	(void)state;
	for (int round = 0; round < 400 && left; round++) {
		struct world w;
		bool other;

		left = 0;
		if (world_new(&w, &other)) {
			for (int f = 0; f < FAULT_MAX; f++) {
				struct undo u;

				if (seen[f] || says_nothing((enum fault)f) ||
				    !fault_make(&w.b, (enum fault)f, &u))
					continue;
				seen[f] = differs(&w.p, &w.b) != NULL;
				fault_undo(&u);
			}
		}
		world_done(&w);
		for (int f = 0; f < FAULT_MAX; f++)
			left += !seen[f] && !says_nothing((enum fault)f);
	}
	for (int f = 0; f < FAULT_MAX; f++)
		if (!seen[f] && !says_nothing((enum fault)f))
			fail_msg("%s goes unseen", fault_name((enum fault)f));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(presets_are_translated),
		cmocka_unit_test(connections_are_translated),
		cmocka_unit_test(requests_are_translated),
		cmocka_unit_test(faults_of_connections_are_seen),
		cmocka_unit_test(faults_of_requests_are_seen),
	};
	const char *seed = getenv("OSH_SEED");

	srandom(seed ? (unsigned)atoi(seed) : 20264);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
