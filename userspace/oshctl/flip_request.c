/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Candidates about the inside of a connection: one rule for this very request (method, path and query,
 * GraphQL operation, or call), more or less; or the next preset.
 */
#include "flip_parts.h"

#include <stdlib.h>
#include <string.h>

static const char *const names[PROTO_MAX] = {
	[PROTO_REST] = "rest", [PROTO_WEBSOCKET] = "websocket", [PROTO_GRAPHQL] = "graphql",
	[PROTO_JSONRPC] = "json-rpc", [PROTO_MCP] = "mcp",
};

/* A pattern that matches this text alone; false where its bytes would mean more. */
static bool literal(struct pattern *p, const char *text)
{
	p->text = text;
	return text && !strpbrk(text, "*?[]{}\\");
}

static bool push_literal(struct arena *a, struct list *l, const char *text)
{
	struct pattern *p = list_push(a, l, sizeof(*p));

	return p && literal(p, text);
}

static bool asked_http(struct work *w, struct l7_rule *ret)
{
	const struct ask *q = w->q;

	ret->method = q->method;
	ret->has_path = true;
	if (q->bad_path != CANON_OK || !literal(&ret->path, q->canonical))
		return false;
	for (uint32_t i = 0; i < q->n_query; i++) {
		struct query_match *m = list_push(w->a, &ret->query, sizeof(*m));

		if (!m)
			return false;
		m->key = q->query[i].key;
		for (uint32_t v = 0; v < q->query[i].n; v++)
			if (!push_literal(w->a, &m->any, q->query[i].values[v]))
				return false;
	}
	return true;
}

static bool asked_operation(struct work *w, struct l7_rule *ret)
{
	const struct eval_operation *op = &w->q->operation;

	if (!w->q->has_graphql)
		return false;
	ret->operations = !strcmp(op->type, "query")	  ? OP_QUERY
			  : !strcmp(op->type, "mutation") ? OP_MUTATION
							  : OP_SUBSCRIPTION;
	ret->has_name = op->name;
	if (op->name && !literal(&ret->name, op->name))
		return false;
	for (uint32_t i = 0; i < op->n_fields; i++)
		if (!push_literal(w->a, &ret->fields, op->fields[i]))
			return false;
	return true;
}

static bool asked_call(struct work *w, enum protocol p, struct l7_rule *ret)
{
	struct pattern method;

	if (!w->q->has_call || !literal(&method, w->q->call.method))
		return false;
	ret->method = w->q->call.method;
	return p != PROTO_MCP || !w->q->call.tool || push_literal(w->a, &ret->tools, w->q->call.tool);
}

/* The rule that is about this request and nothing else, as text; NULL = none can be written. */
static const char *asked(struct work *w, enum protocol p)
{
	struct l7_rule rule = { 0 };
	bool ok = false;

	if (p == PROTO_JSONRPC || p == PROTO_MCP)
		ok = asked_call(w, p, &rule);
	else if (p == PROTO_GRAPHQL || (p == PROTO_WEBSOCKET && w->q->has_graphql))
		ok = asked_operation(w, &rule);
	else if (p == PROTO_REST || p == PROTO_WEBSOCKET)
		ok = asked_http(w, &rule);
	return ok ? flip_rule_yaml(w->a, &rule) : NULL;
}

static struct endpoint *looking_inside(struct work *w, struct rule **ret)
{
	struct rule *rule = w->q->kind == ASK_REQUEST ? flip_rule(w) : NULL;
	struct endpoint *e = flip_endpoint(w, rule);

	*ret = rule;
	return e && endpoint_inspected(e) ? e : NULL;
}

const char *flip_endpoint_yaml(struct work *w, const struct rule *rule, const struct endpoint *e,
			       const char *what)
{
	const char *host = flip_host(w->a, &e->host);

	if (!host || !what)
		return NULL;
	if (flip_short(rule))
		return flip_below(w, rule, what);
	what = arena_printf(w->a, "endpoints:\n      - host: %s\n        %s", host, what);
	return what ? flip_below(w, rule, what) : NULL;
}

bool flip_drop_denial(struct work *w)
{
	struct rule *rule;
	struct endpoint *e = looking_inside(w, &rule);
	struct l7_rule *deny;

	if (!e || w->d.verdict == OSH_ALLOW || !flip_copy(w->a, &e->l7.deny, sizeof(*deny)))
		return false;
	deny = e->l7.deny.v;
	for (uint32_t i = 0; i < e->l7.deny.n; i++) {
		const char *yaml;

		if (deny[i].at.line != w->d.line)
			continue;
		yaml = flip_rule_yaml(w->a, &deny[i]);
		w->c = (struct change){ "remove", w->d.line, !yaml ? NULL : flip_endpoint_yaml(w, rule, e,
					arena_printf(w->a, "deny_rules: [%s]", yaml)) };
		flip_drop(&e->l7.deny, sizeof(*deny), &deny[i]);
		return true;
	}
	return false;
}

/* What the policy's reader makes of one rule at such an endpoint; NULL = nothing. */
static const struct l7 *read_rule(struct work *w, enum protocol p, const char *rules)
{
	const struct policy *with = flip_read(w, arena_printf(w->a,
		"network_policies: {x: {binaries: [{path: /x}], endpoints: [{host: x.example.com, "
		"port: 443, protocol: %s, enforcement: enforce, %s}]}}\n", names[p], rules));
	const struct rule *rule = with && with->rules.n ? with->rules.v : NULL;

	return rule ? &((const struct endpoint *)rule->endpoints.v)->l7 : NULL;
}

static bool push_rule(struct work *w, struct list *to, const struct list *from)
{
	struct l7_rule *one;

	if (!from->n || !flip_copy(w->a, to, sizeof(*one)))
		return false;
	one = list_push(w->a, to, sizeof(*one));
	if (one)
		*one = *(const struct l7_rule *)from->v;
	return one;
}

bool flip_add_allow(struct work *w)
{
	struct rule *rule;
	struct endpoint *e = looking_inside(w, &rule);
	const char *yaml = e ? asked(w, e->protocol) : NULL;
	const struct l7 *with;

	if (!yaml || e->l7.access != ACCESS_NONE || flip_short(rule))
		return false;
	yaml = arena_printf(w->a, "rules: [{allow: %s}]", yaml);
	with = yaml ? read_rule(w, e->protocol, yaml) : NULL;
	if (!with || !push_rule(w, &e->l7.rules, &with->rules))
		return false;
	e->l7.has_rules = true;
	w->c = (struct change){ "add", e->at.line, flip_endpoint_yaml(w, rule, e, yaml) };
	return true;
}

/* A rule of the short form for this request alone; looks inside as the rules that it stands beside. */
bool flip_add_request(struct work *w)
{
	const struct eval_connect *c = &w->q->connect;
	const char *host, *path, *bin = "", *ports = "", *yaml;
	const struct policy *with;
	struct pattern p;
	struct rule *rule;

	if (w->q->kind != ASK_REQUEST || w->q->bad_path != CANON_OK || !literal(&p, w->q->canonical))
		return false;
	host = flip_quote(w->a, c->host);
	path = flip_quote(w->a, w->q->canonical);
	if (c->binary)
		bin = arena_printf(w->a, ", binaries: [%s]", flip_quote(w->a, c->binary));
	if (c->port != 443)
		ports = arena_printf(w->a, ", ports: [%u]", c->port);
	if (!host || !path || !bin || !ports)
		return false;
	yaml = arena_printf(w->a, "network:\n  - {host: %s%s%s, methods: [%s], paths: [%s]}\n", host,
			    ports, bin, w->q->method, path);
	with = flip_read(w, yaml);
	rule = with && with->rules.n ? list_push(w->a, &w->now.rules, sizeof(*rule)) : NULL;
	if (!rule)
		return false;
	*rule = *(struct rule *)with->rules.v;
	w->c = (struct change){ "add", 0, yaml };
	return true;
}

/* What must stand beside deny_rules, so that the reader takes the text. */
static const char *base_of(enum protocol p)
{
	return p == PROTO_JSONRPC ? "rules: [{allow: {method: \"*\"}}]"
	       : p == PROTO_MCP	  ? "mcp: {allow_all_known_mcp_methods: true}"
				  : "access: full";
}

bool flip_add_denial(struct work *w)
{
	struct rule *rule;
	struct endpoint *e = looking_inside(w, &rule);
	const char *yaml = e ? asked(w, e->protocol) : NULL;
	const struct l7 *with;

	if (!yaml || flip_short(rule))
		return false;
	yaml = arena_printf(w->a, "deny_rules: [%s]", yaml);
	with = yaml ? read_rule(w, e->protocol, arena_printf(w->a, "%s, %s", base_of(e->protocol), yaml)) : NULL;
	if (!with || !push_rule(w, &e->l7.deny, &with->deny))
		return false;
	e->l7.has_deny = true;
	w->c = (struct change){ "add", e->at.line, flip_endpoint_yaml(w, rule, e, yaml) };
	return true;
}

/* The nearest preset that turns the answer around; an unknown one allows nothing, so it counts as the least. */
static bool set_access(struct work *w, bool more)
{
	static const char *const words[] = {
		[ACCESS_READ_ONLY] = "read-only", [ACCESS_READ_WRITE] = "read-write", [ACCESS_FULL] = "full",
	};
	struct rule *rule;
	struct endpoint *e = looking_inside(w, &rule);
	enum osh_verdict want = more ? OSH_ALLOW : OSH_DENY;
	int was = !e ? 0 : e->l7.access == ACCESS_UNKNOWN ? ACCESS_NONE : (int)e->l7.access;

	if (!e || e->l7.access == ACCESS_NONE)
		return false;
	for (int to = was + (more ? 1 : -1); to > ACCESS_NONE && to <= ACCESS_FULL; to += more ? 1 : -1) {
		e->l7.access = (enum access)to;
		if (ask_eval(&w->now, w->q).verdict != want)
			continue;
		w->c = (struct change){ "set", e->l7.access_at.line, flip_endpoint_yaml(w, rule, e,
					arena_printf(w->a, "access: %s", words[to])) };
		return true;
	}
	return false;
}

bool flip_more_access(struct work *w)
{
	return set_access(w, true);
}

bool flip_less_access(struct work *w)
{
	return set_access(w, false);
}
