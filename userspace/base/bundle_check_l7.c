/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Checks the sections about the inside of connections, as bundle_check.c does for the rest. Ranges that
 * follow one another make the work linear in the size of the bundle, whoever wrote it.
 */
#include "bundle_check.h"

#include <string.h>

#include "osh/inference.h"
#include "own.h"

#define BAD(...) fail(e, EBADMSG, "bundle: " __VA_ARGS__)

static bool is_str(const struct bundle *b, uint32_t off)
{
	return off < b->n_strings;
}

static bool in(struct osh_b_range r, uint32_t n)
{
	return r.first <= n && r.n <= n - r.first;
}

/* The next range of a section that is used up in order. */
static bool next(struct osh_b_range r, uint32_t *at, uint32_t n)
{
	if (r.first != *at || !in(r, n))
		return false;
	*at += r.n;
	return true;
}

/* Bytes of the class at p, 0 when it does not end or holds nothing. */
static size_t class_ok(const char *p)
{
	size_t n = 1 + (p[1] == '!' || p[1] == '^');

	if (p[n] == ']')
		return 0;
	for (; p[n] != ']'; n++) {
		n += p[n] == '\\';
		if (!p[n])
			return 0;
	}
	return n + 1;
}

static bool pattern_ok(const char *p)
{
	if (strnlen(p, OSH_PATTERN_LEN + 1) > OSH_PATTERN_LEN)
		return false;
	while (*p) {
		size_t n = *p == '[' ? class_ok(p) : *p == '\\' ? 2 : 1;

		if (!n || (n == 2 && *p == '\\' && !p[1]))
			return false;
		p += n;
	}
	return true;
}

static int check_patterns(const struct bundle *b, struct err *e)
{
	for (uint32_t i = 0; i < b->n_patterns; i++)
		if (!is_str(b, b->patterns[i]) || !pattern_ok(bundle_str(b, b->patterns[i])))
			return BAD("pattern %u", i);
	for (uint32_t i = 0; i < b->n_fields; i++)
		if (!is_str(b, b->fields[i]))
			return BAD("field %u", i);
	for (uint32_t i = 0; i < b->n_queries; i++)
		if (!is_str(b, b->queries[i].key) || b->queries[i].pad || !b->queries[i].any.n ||
		    !in(b->queries[i].any, b->n_patterns))
			return BAD("query matcher %u", i);
	return 0;
}

static bool operation_ok(uint32_t o)
{
	return o == OSH_OP_QUERY || o == OSH_OP_MUTATION || o == OSH_OP_SUBSCRIPTION;
}

static int check_persisted(const struct bundle *b, struct err *e)
{
	for (uint32_t i = 0; i < b->n_persisted; i++) {
		const struct osh_b_persisted *p = &b->persisted[i];

		if (!is_str(b, p->hash) || !is_str(b, p->name) || !operation_ok(p->operation) || p->pad ||
		    !in(p->fields, b->n_fields))
			return BAD("registered query %u", i);
	}
	return 0;
}

/* What a match is about, by what it has: exactly one of these. */
enum about { ABOUT_NOTHING, ABOUT_REQUEST, ABOUT_OPERATION, ABOUT_CALL };

static enum about about(const struct osh_b_match *m)
{
	bool request = m->path.n || m->query.n, operation = m->name.n || m->fields.n;

	if (m->method && !m->methods.n && !m->operations && !operation && !m->tools.n)
		return ABOUT_REQUEST;
	if (m->operations && m->operations < 8 && !m->method && !m->methods.n && !request && !m->tools.n)
		return ABOUT_OPERATION;
	if (m->methods.n && !m->method && !m->operations && !request && !operation)
		return ABOUT_CALL;
	return ABOUT_NOTHING;
}

static int check_matches(const struct bundle *b, struct err *e)
{
	uint32_t queries = 0;

	for (uint32_t i = 0; i < b->n_matches; i++) {
		const struct osh_b_match *m = &b->matches[i];

		if (about(m) == ABOUT_NOTHING || !is_str(b, m->method) || m->pad ||
		    (m->method && !*bundle_str(b, m->method)) ||
		    !in(m->methods, b->n_patterns) || !in(m->path, b->n_patterns) ||
		    !in(m->name, b->n_patterns) || !in(m->fields, b->n_patterns) ||
		    !in(m->tools, b->n_patterns) || !next(m->query, &queries, b->n_queries))
			return BAD("request rule %u", i);
	}
	return queries == b->n_queries ? 0 : BAD("query matchers of no rule");
}

/* Does the protocol have a use for this match, and what flags does it stand for? */
static bool fits(const struct bundle *b, const struct osh_b_l7 *l7, uint32_t i, uint32_t *flags)
{
	const struct osh_b_match *m = &b->matches[i];
	bool allow = i - l7->allow.first < l7->allow.n;
	enum about what = about(m);

	*flags |= what == ABOUT_OPERATION ? OSH_L7_OPERATIONS : 0;
	*flags |= allow && m->tools.n ? OSH_L7_TOOLS : 0;
	switch ((enum osh_b_protocol)l7->protocol) {
	case OSH_PROTO_REST:
		return what == ABOUT_REQUEST;
	case OSH_PROTO_WEBSOCKET:
		return what == ABOUT_REQUEST || what == ABOUT_OPERATION;
	case OSH_PROTO_GRAPHQL:
		return what == ABOUT_OPERATION;
	case OSH_PROTO_JSONRPC:
		return what == ABOUT_REQUEST && !m->path.n && !m->query.n;
	case OSH_PROTO_MCP:
		return what == ABOUT_CALL;
	}
	return false;
}

static bool flags_ok(const struct bundle *b, const struct osh_b_l7 *l7)
{
	uint32_t flags = 0, computed = OSH_L7_OPERATIONS | OSH_L7_TOOLS;

	for (uint32_t i = 0; i < l7->allow.n + l7->deny.n; i++)
		if (!fits(b, l7, l7->allow.first + i, &flags))
			return false;
	return !(l7->flags & ~OSH_L7_FLAGS) && (l7->flags & computed) == flags;
}

static bool enums_ok(const struct osh_b_l7 *l7)
{
	bool rpc = l7->protocol == OSH_PROTO_JSONRPC || l7->protocol == OSH_PROTO_MCP;

	return l7->protocol <= OSH_PROTO_MCP && l7->access <= OSH_ACCESS_FULL &&
	       l7->signing <= OSH_SIGN_SIGV4_NO_BODY && (!rpc || l7->access == OSH_ACCESS_NONE) &&
	       (l7->access != OSH_ACCESS_NONE) == (l7->access_line != 0);
}

static int check_l7(const struct bundle *b, struct err *e)
{
	uint32_t matches = 0, persisted = 0;

	for (uint32_t i = 0; i < b->n_l7; i++) {
		const struct osh_b_l7 *l7 = &b->l7[i];

		if (l7->rule >= b->n_rules || b->rules[l7->rule].l7 != i + 1 || (i && l7[-1].rule >= l7->rule))
			return BAD("L7 entry %u belongs to no rule", i);
		if (!enums_ok(l7) || !l7->max_body || (l7->weight != 0) != (l7->path.n != 0) ||
		    !in(l7->path, b->n_patterns) || !next(l7->allow, &matches, b->n_matches) ||
		    !next(l7->deny, &matches, b->n_matches) ||
		    !next(l7->persisted, &persisted, b->n_persisted) || !is_str(b, l7->binding) ||
		    !is_str(b, l7->credential) || !is_str(b, l7->signing_service) ||
		    !is_str(b, l7->signing_region) || !flags_ok(b, l7))
			return BAD("L7 entry %u", i);
	}
	return matches == b->n_matches && persisted == b->n_persisted ? 0 : BAD("request rules of no endpoint");
}

/* What stands for a model in JSON and in a path as it is. */
static bool model_ok(const char *s)
{
	size_t n = strnlen(s, OSH_MODEL_LEN + 1);

	for (size_t i = 0; i < n; i++)
		if (s[i] <= 0x20 || s[i] > 0x7e || s[i] == '"' || s[i] == '\\')
			return false;
	return n && n <= OSH_MODEL_LEN;
}

/* Some endpoint's place: where the egress goes it has the addresses and the port of an endpoint. */
static bool leads_somewhere(const struct bundle *b, const struct osh_b_route *r)
{
	if (!r->host || r->host > b->n_hosts || b->hosts[r->host - 1].kind != OSH_HOST_EXACT || r->rule >= b->n_rules)
		return false;
	for (uint32_t i = 0; i < b->n_endpoints; i++)
		if (b->endpoints[i].host == r->host && b->endpoints[i].port == r->port)
			return true;
	return false;
}

static bool route_path_ok(const char *s)
{
	return !*s || (*s == '/' && strnlen(s, 257) <= 256 &&
		       !s[strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._~-/")]);
}

/* The zone and the flag say the same: a name of it is dialled by nobody who resolves names, and nothing else is asked of oshd. */
static bool sandbox_ok(const struct bundle *b, const struct osh_b_route *r)
{
	uint32_t with = OSH_ROUTE_SANDBOX | OSH_ROUTE_LOCAL | OSH_ROUTE_PLAIN;
	char name[OSH_SANDBOX_NAME];

	bundle_sandbox(b, r->host, name);
	return *name ? (r->flags & with) == with && !r->provider : !(r->flags & OSH_ROUTE_SANDBOX);
}

static int check_serves(const struct bundle *b, struct err *e)
{
	for (uint32_t i = 0; i < b->n_serves; i++) {
		const struct osh_b_serve *s = &b->serves[i];
		const char *to = bundle_str(b, is_str(b, s->to) ? s->to : 0);

		if (!s->port || s->port > 65535 || !*to || strnlen(to, OSH_SANDBOX_NAME) == OSH_SANDBOX_NAME || *to == '-' ||
		    to[strspn(to, "abcdefghijklmnopqrstuvwxyz0123456789-*?")])
			return BAD("served port %u", i);
		if (i && (s->port < s[-1].port || (s->port == s[-1].port && strcmp(bundle_str(b, s[-1].to), to) >= 0)))
			return BAD("served port %u is out of order", i);
	}
	return 0;
}

static int check_routes(const struct bundle *b, struct err *e)
{
	if (!b->inference != !b->n_routes || (b->n_aliases && !b->inference))
		return BAD("routes without inference");
	for (uint32_t i = 0; i < b->n_l7; i++)
		if ((b->l7[i].flags & OSH_L7_INFERENCE) && (!b->inference || b->l7[i].protocol != OSH_PROTO_REST))
			return BAD("L7 entry %u is for routes, and there are none", i);
	if (b->inference && (!in(b->inference->models, b->n_patterns) || b->inference->only > 1 || b->inference->fallback > OSH_FALLBACK_LEAST_BUSY ||
			     (b->inference->models.n && !b->inference->only)))
		return BAD("inference");
	for (uint32_t i = 0; i < b->n_routes; i++) {
		const struct osh_b_route *r = &b->routes[i];

		if (!is_str(b, r->name) || !is_str(b, r->provider) || !is_str(b, r->as) || !is_str(b, r->path) || r->weight > OSH_INFERENCE_WEIGHT ||
		    !*bundle_str(b, r->name) || strlen(bundle_str(b, r->name)) >= OSH_ROUTE_NAME ||
		    (r->as && !model_ok(bundle_str(b, r->as))) || !route_path_ok(bundle_str(b, r->path)) ||
		    !r->api || (r->api & (r->api - 1)) || r->api > OSH_APIS || (r->flags & ~OSH_ROUTE_FLAGS) || ((r->flags & OSH_ROUTE_PLAIN) && r->provider) ||
		    !in(r->models, b->n_patterns) || !leads_somewhere(b, r) || !sandbox_ok(b, r))
			return BAD("route %u", i);
	}
	for (uint32_t i = 0; i < b->n_aliases; i++)
		if (!is_str(b, b->aliases[i].name) || !is_str(b, b->aliases[i].model) ||
		    !model_ok(bundle_str(b, b->aliases[i].name)) || !model_ok(bundle_str(b, b->aliases[i].model)))
			return BAD("alias %u", i);
	return 0;
}

static bool same_budget(const struct osh_b_budget *x, const struct osh_b_budget *y)
{
	return x->what == y->what && x->per == y->per && x->user == y->user && x->route == y->route;
}

static int check_budgets(const struct bundle *b, struct err *e)
{
	if (!b->inference && (b->n_budgets || b->n_prices))
		return BAD("limits without inference");
	for (uint32_t i = 0; i < b->n_budgets; i++) {
		const struct osh_b_budget *x = &b->budgets[i];

		if (!x->most || x->most > OSH_COUNT_MOST || x->what >= OSH_COUNTS || x->per >= OSH_WINDOWS || x->user > 1 ||
		    x->route > b->n_routes || x->pad || (x->what == OSH_COUNT_MONEY && !b->n_prices))
			return BAD("limit %u", i);
		for (uint32_t k = 0; k < i; k++)
			if (same_budget(x, &b->budgets[k]))
				return BAD("limit %u is another one's", i);
	}
	for (uint32_t i = 0; i < b->n_prices; i++) {
		const struct osh_b_price *x = &b->prices[i];

		if (!x->model.n || !in(x->model, b->n_patterns))
			return BAD("price %u", i);
		for (unsigned k = 0; k < OSH_PRICES; k++)
			if (x->part[k] > OSH_PRICE_MOST)
				return BAD("price %u", i);
	}
	return 0;
}

/* What stands in JSON as it is. */
static bool content_name_ok(const char *s)
{
	size_t n = strnlen(s, OSH_ROUTE_NAME);

	return n && n < OSH_ROUTE_NAME &&
	       !s[strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-")];
}

/* Of the rule's kinds and its own: what is beyond the bound would not be looked for. */
static uint32_t shapes_of(const struct osh_b_privacy *x)
{
	uint32_t n = x->patterns.n <= OSH_PRIVACY_SHAPES ? x->patterns.n : OSH_PRIVACY_SHAPES + 1;

#define KIND(id, word)
#define TOKEN(kind, pattern, least, flags, until) n += x->kinds >> OSH_CONTENT_##kind & 1;
#include "osh/content.def"
#undef KIND
#undef TOKEN
	return n;
}

static int check_privacy(const struct bundle *b, struct err *e)
{
	if (!b->inference && b->n_privacy)
		return BAD("rules about content without inference");
	for (uint32_t i = 0; i < b->n_privacy; i++) {
		const struct osh_b_privacy *x = &b->privacy[i];

		if (!is_str(b, x->name) || !content_name_ok(bundle_str(b, x->name)) || x->action >= OSH_PRIVATES ||
		    x->kinds >> OSH_CONTENTS || !in(x->patterns, b->n_patterns) || (!x->kinds && !x->patterns.n) ||
		    shapes_of(x) > OSH_PRIVACY_SHAPES)
			return BAD("rule about content %u", i);
	}
	return 0;
}

int bundle_check_l7(const struct bundle *b, struct err *e)
{
	static int (*const checks[])(const struct bundle *, struct err *) = {
		check_patterns, check_persisted, check_matches, check_l7, check_routes, check_budgets,
		check_privacy, check_serves,
	};

	for (size_t i = 0; i < ARRAY_SIZE(checks); i++) {
		int r = checks[i](b, e);

		if (r < 0)
			return r;
	}
	return 0;
}
