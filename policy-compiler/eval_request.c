/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Requests inside a connection that is looked into. The heaviest endpoint path that covers a request
 * says how it is read; every endpoint of that protocol may allow it, any endpoint that covers it may
 * deny it, and denying wins.
 */
#include "eval_parts.h"

#include <string.h>

/* Everything that the caller may use here, for this path. */
static bool covers(const struct rule *rule, const struct endpoint *e, const struct target *t,
		   const struct eval_request *q)
{
	if (!endpoint_inspected(e) || !host_covers(&e->host, t) || !has_port(e, q->connect.port) ||
	    who(rule, &q->connect) != OSH_WHY_ALLOWED)
		return false;
	if (strstr(q->path, "%2F") && !e->l7.encoded_slash)
		return false;
	return !e->l7.weight || pattern_match(&e->l7.path, q->path, '/');
}

static enum protocol protocol_of(const struct policy *p, const struct target *t,
				 const struct eval_request *q)
{
	enum protocol found = PROTO_NONE;
	uint32_t weight = 0;

	for EACH (struct rule, rule, &p->rules)
		for EACH (struct endpoint, e, &rule->endpoints)
			if (covers(rule, e, t, q) && (found == PROTO_NONE || e->l7.weight > weight)) {
				found = e->protocol;
				weight = e->l7.weight;
			}
	return found;
}

static struct ruling allows(const struct endpoint *e, const struct eval_request *q)
{
	static struct ruling (*const by[PROTO_MAX])(const struct endpoint *, const struct eval_request *) = {
		[PROTO_REST] = http_allows,	  [PROTO_WEBSOCKET] = ws_allows,
		[PROTO_GRAPHQL] = graphql_allows, [PROTO_JSONRPC] = rpc_allows,
		[PROTO_MCP] = rpc_allows,
	};

	return by[e->protocol] ? by[e->protocol](e, q) : (struct ruling){ OSH_WHY_PROTOCOL, 0, true };
}

static const struct l7_rule *denies(const struct endpoint *e, const struct eval_request *q)
{
	const struct l7_rule *rule = http_denies(e, q);

	if (!rule)
		rule = graphql_denies(e, q);
	return rule ? rule : rpc_denies(e, q);
}

/* The first deny rule that is enforced, or the first in audit mode. */
static bool find_denial(const struct policy *p, const struct target *t, const struct eval_request *q,
			struct decision *ret)
{
	bool found = false;

	for EACH (struct rule, rule, &p->rules) {
		for EACH (struct endpoint, e, &rule->endpoints) {
			const struct l7_rule *deny = covers(rule, e, t, q) ? denies(e, q) : NULL;

			if (!deny || (found && e->l7.audit))
				continue;
			*ret = (struct decision){ OSH_DENY,
						  deny->operations ? OSH_WHY_GRAPHQL : OSH_WHY_REQUEST_DENIED,
						  rule->name, deny->at.line, e->l7.audit };
			found = true;
			if (!e->l7.audit)
				return true;
		}
	}
	return found;
}

static struct decision find_allow(const struct policy *p, const struct target *t,
				  const struct eval_request *q)
{
	enum protocol protocol = protocol_of(p, t, q);
	struct decision d = { .why = OSH_WHY_REQUEST }, allowed = { 0 };
	uint32_t weight = 0;

	for EACH (struct rule, rule, &p->rules) {
		for EACH (struct endpoint, e, &rule->endpoints) {
			struct ruling r;

			if (e->protocol != protocol || !covers(rule, e, t, q) || (allowed.rule && e->l7.weight <= weight))
				continue;
			r = allows(e, q);
			if (r.why == OSH_WHY_ALLOWED) {		/* the heaviest of them answers */
				allowed = (struct decision){ OSH_ALLOW, r.why, rule->name,
							     r.line ? r.line : e->at.line, false, e->l7.inference };
				weight = e->l7.weight;
				continue;
			}
			/* What is malformed is refused even where rules are only recorded. */
			if (!d.rule)
				d = (struct decision){ OSH_DENY, r.why, rule->name, e->at.line,
						       e->l7.audit && !r.hard };
			else
				d.audit = d.audit && e->l7.audit && !r.hard;
		}
	}
	return allowed.rule ? allowed : d;
}

static struct decision judge(const struct policy *p, const struct target *t, const struct eval_request *q)
{
	struct decision d, deny;

	d = find_allow(p, t, q);
	if (find_denial(p, t, q, &deny) && (d.verdict == OSH_ALLOW || d.audit || !deny.audit))
		return deny;
	return d;
}

/* A batch is as good as its worst call. */
static struct decision judge_batch(const struct policy *p, const struct target *t,
				   const struct eval_request *q)
{
	struct decision worst = { 0 };

	for (uint32_t i = 0; i < q->n_calls; i++) {
		struct eval_request one = *q;
		struct decision d;

		one.calls = &q->calls[i];
		one.n_calls = 1;
		d = judge(p, t, &one);
		if (d.verdict != OSH_ALLOW && !d.audit)
			return d;
		if (!i || worst.verdict == OSH_ALLOW)
			worst = d;
	}
	return worst;
}

struct decision eval_request(const struct policy *p, const struct eval_request *q)
{
	struct decision d = eval_connect(p, &q->connect);
	struct target t;

	if (d.verdict != OSH_ALLOW || !target_of(q->connect.host, &t))
		return d;
	if (!eval_inspects(p, &q->connect)) {
		d.verdict = OSH_DENY;
		d.why = OSH_WHY_NOT_INSPECTED;
		return d;
	}
	if (!q->method || !*q->method || !q->path || *q->path != '/')
		return (struct decision){ .why = OSH_WHY_TARGET_BAD };
	return q->n_calls > 1 ? judge_batch(p, &t, q) : judge(p, &t, q);
}
