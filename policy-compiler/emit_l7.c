/* SPDX-License-Identifier: Apache-2.0 */
/* The inside of connections -> sections L7, MATCHES, QUERIES, PATTERNS, PERSISTED and FIELDS. */
#include <string.h>

#include "emit_parts.h"

static void put_pattern(struct out *o, struct place at, const struct pattern *p)
{
	const char *const *alt = p->alts.v;

	for (uint32_t i = 0; i < p->alts.n; i++) {
		uint32_t s = out_str(o, alt[i]);

		if (strlen(alt[i]) > OSH_PATTERN_LEN && !o->too_long.line)
			o->too_long = at;
		out_put(o, OSH_SEC_PATTERNS, &s);
	}
}

static struct osh_b_range one_pattern(struct out *o, struct place at, const struct pattern *p)
{
	struct osh_b_range r = { o->count[OSH_SEC_PATTERNS], 0 };

	put_pattern(o, at, p);
	r.n = o->count[OSH_SEC_PATTERNS] - r.first;
	return r;
}

struct osh_b_range out_patterns(struct out *o, struct place at, const struct list *l)
{
	struct osh_b_range r = { o->count[OSH_SEC_PATTERNS], 0 };

	for EACH (struct pattern, p, l)
		put_pattern(o, at, p);
	r.n = o->count[OSH_SEC_PATTERNS] - r.first;
	return r;
}

static struct osh_b_range put_queries(struct out *o, const struct l7_rule *rule)
{
	struct osh_b_range r = { o->count[OSH_SEC_QUERIES], rule->query.n };

	for EACH (struct query_match, q, &rule->query)
		out_put(o, OSH_SEC_QUERIES,
			&(struct osh_b_query){ out_str(o, q->key), 0, out_patterns(o, q->at, &q->any) });
	return r;
}

static void put_match(struct out *o, enum protocol protocol, const struct l7_rule *rule)
{
	struct osh_b_match m = { .line = rule->at.line, .operations = rule->operations };

	if (protocol == PROTO_MCP)
		m.methods = one_pattern(o, rule->at, &rule->method_glob);
	else if (!rule->operations)
		m.method = out_str(o, rule->method);
	if (rule->has_path)
		m.path = one_pattern(o, rule->at, &rule->path);
	if (rule->has_name)
		m.name = one_pattern(o, rule->at, &rule->name);
	m.query = put_queries(o, rule);
	m.fields = out_patterns(o, rule->at, &rule->fields);
	m.tools = out_patterns(o, rule->at, &rule->tools);
	out_put(o, OSH_SEC_MATCHES, &m);
}

static struct osh_b_range put_matches(struct out *o, const struct endpoint *e, const struct list *rules,
				      uint32_t *flags)
{
	struct osh_b_range r = { o->count[OSH_SEC_MATCHES], rules->n };

	for EACH (struct l7_rule, rule, rules) {
		put_match(o, e->protocol, rule);
		*flags |= rule->operations ? OSH_L7_OPERATIONS : 0;
	}
	return r;
}

static struct osh_b_range put_persisted(struct out *o, const struct list *all)
{
	struct osh_b_range r = { o->count[OSH_SEC_PERSISTED], all->n };

	for EACH (struct persisted, p, all) {
		struct osh_b_persisted q = { out_str(o, p->hash), p->name ? out_str(o, p->name) : 0,
					     p->operations, 0, { o->count[OSH_SEC_FIELDS], p->fields.n } };

		for (uint32_t i = 0; i < p->fields.n; i++) {
			uint32_t s = out_str(o, ((const char *const *)p->fields.v)[i]);

			out_put(o, OSH_SEC_FIELDS, &s);
		}
		out_put(o, OSH_SEC_PERSISTED, &q);
	}
	return r;
}

static uint32_t flags_of(const struct l7 *l7)
{
	uint32_t flags = (l7->audit ? OSH_L7_AUDIT : 0) | (l7->encoded_slash ? OSH_L7_ENCODED_SLASH : 0) |
			 (l7->ws_rewrite ? OSH_L7_WS_REWRITE : 0) |
			 (l7->body_rewrite ? OSH_L7_BODY_REWRITE : 0) |
			 (l7->uninspected ? OSH_L7_UNINSPECTED : 0) |
			 (l7->loose_tools ? OSH_L7_LOOSE_TOOLS : 0) |
			 (l7->known_methods ? OSH_L7_KNOWN_METHODS : 0) |
			 (l7->persisted_registered ? OSH_L7_PERSISTED : 0) |
			 (l7->inference ? OSH_L7_INFERENCE : 0);

	for EACH (struct l7_rule, rule, &l7->rules)
		flags |= rule->tools.n ? OSH_L7_TOOLS : 0;
	return flags;
}

static const uint32_t protocols[PROTO_MAX] = {
	[PROTO_REST] = OSH_PROTO_REST,	     [PROTO_WEBSOCKET] = OSH_PROTO_WEBSOCKET,
	[PROTO_GRAPHQL] = OSH_PROTO_GRAPHQL, [PROTO_JSONRPC] = OSH_PROTO_JSONRPC,
	[PROTO_MCP] = OSH_PROTO_MCP,
};
/* An unknown preset allows nothing. */
static const uint32_t presets[] = {
	[ACCESS_NONE] = OSH_ACCESS_NONE,	     [ACCESS_READ_ONLY] = OSH_ACCESS_READ_ONLY,
	[ACCESS_READ_WRITE] = OSH_ACCESS_READ_WRITE, [ACCESS_FULL] = OSH_ACCESS_FULL,
	[ACCESS_UNKNOWN] = OSH_ACCESS_NONE,
};
static const uint32_t signings[] = {
	[SIGN_NONE] = OSH_SIGN_NONE,		   [SIGN_SIGV4] = OSH_SIGN_SIGV4,
	[SIGN_SIGV4_BODY] = OSH_SIGN_SIGV4_BODY, [SIGN_SIGV4_NO_BODY] = OSH_SIGN_SIGV4_NO_BODY,
};

static uint32_t opt_str(struct out *o, const char *s)
{
	return s ? out_str(o, s) : 0;
}

/* Whose credential goes with the requests: `credentials` may give the provider another name here. */
static const char *provider_of(const struct policy *p, const struct l7 *from)
{
	if (from->binding)
		return from->binding;
	for EACH (struct credential, c, &p->credentials)
		if (from->credential && !strcmp(c->name, from->credential))
			return c->provider;
	return from->credential;
}

uint32_t out_l7(struct out *o, const struct policy *p, uint32_t rule, const struct endpoint *e)
{
	const struct l7 *from = &e->l7;
	struct osh_b_l7 l7 = {
		.rule = rule,
		.protocol = protocols[e->protocol],
		.access = presets[from->access],
		.signing = signings[from->signing],
		.weight = from->weight,
		.max_body = from->max_body,
		.flags = flags_of(from),
	};

	if (l7.access != OSH_ACCESS_NONE)
		l7.access_line = from->access_at.line;
	if (l7.weight)
		l7.path = one_pattern(o, e->at, &from->path);
	l7.allow = put_matches(o, e, &from->rules, &l7.flags);
	l7.deny = put_matches(o, e, &from->deny, &l7.flags);
	l7.persisted = put_persisted(o, &from->persisted);
	l7.binding = opt_str(o, from->binding);
	l7.credential = opt_str(o, provider_of(p, from));
	l7.signing_service = opt_str(o, from->signing_service);
	l7.signing_region = opt_str(o, from->signing_region);
	out_put(o, OSH_SEC_L7, &l7);
	return o->count[OSH_SEC_L7];
}

bool out_l7_fits(const struct out *o, struct diags *d)
{
	if (o->too_long.line)
		diag_add(d, DIAG_LIMIT, o->too_long, NULL, "a pattern of more than %u bytes", OSH_PATTERN_LEN);
	else if (o->count[OSH_SEC_MATCHES] > OSH_MATCHES_MAX || o->count[OSH_SEC_QUERIES] > OSH_MATCHES_MAX ||
		 o->count[OSH_SEC_PATTERNS] > 4 * OSH_MATCHES_MAX ||
		 o->count[OSH_SEC_PERSISTED] > OSH_MATCHES_MAX || o->count[OSH_SEC_FIELDS] > OSH_MATCHES_MAX)
		diag_add(d, DIAG_LIMIT, (struct place){ 0 }, NULL,
			 "the policy has too many rules about requests");
	else
		return true;
	return false;
}
