/* SPDX-License-Identifier: Apache-2.0 */
/* GraphQL operations: over HTTP, and in the messages of a websocket. */
#include "eval_parts.h"

#include <string.h>
#include <strings.h>

/* What an operation is, after a registered query has taken the place of its hash. */
struct op {
	unsigned type;			/* enum operation, one bit; 0 = unknown */
	const char *name;		/* "" = none */
	const char *said;		/* the name that the client gave */
	const char *const *fields;
	uint32_t n_fields;
};

static const struct persisted *registered(const struct endpoint *e, const char *hash)
{
	for EACH (struct persisted, p, &e->l7.persisted)
		if (hash && !strcmp(p->hash, hash))
			return p;
	return NULL;
}

static unsigned type_of(const char *s)
{
	return !s			    ? 0
	       : !strcasecmp(s, "query")    ? OP_QUERY
	       : !strcasecmp(s, "mutation") ? OP_MUTATION
	       : !strcasecmp(s, "subscription") ? OP_SUBSCRIPTION
						: 0;
}

/* False: a hash that nobody registered. */
static bool resolve(const struct endpoint *e, const struct eval_operation *from, struct op *ret)
{
	const struct persisted *p;

	*ret = (struct op){ type_of(from->type), from->name ? from->name : "", from->name ? from->name : "",
			    from->fields, from->n_fields };
	if (!from->persisted)
		return true;
	p = e->l7.persisted_registered ? registered(e, from->hash) : NULL;
	if (!p)
		return false;
	ret->type = p->operations;
	ret->name = p->name ? p->name : "";
	ret->fields = p->fields.v;
	ret->n_fields = p->fields.n;
	return true;
}

/* Allowed: every root field is listed. Denied: one is. */
static bool fields_match(const struct l7_rule *rule, const struct op *op, bool deny)
{
	uint32_t hits = 0;

	if (!rule->fields.n)
		return true;
	for (uint32_t i = 0; i < op->n_fields; i++)
		hits += any_match(&rule->fields, op->fields[i], deny);
	return deny ? hits > 0 : op->n_fields && hits == op->n_fields;
}

static bool name_match(const struct l7_rule *rule, const struct op *op, bool deny)
{
	if (!rule->has_name)
		return true;
	if (deny)
		return pattern_match(&rule->name, op->name, 0) || pattern_match(&rule->name, op->said, 0);
	return *op->name && pattern_match(&rule->name, op->name, '.');
}

static bool rule_match(const struct l7_rule *rule, const struct op *op, bool deny)
{
	return (rule->operations & op->type) && name_match(rule, op, deny) &&
	       fields_match(rule, op, deny);
}

static uint32_t allowed_by(const struct endpoint *e, const struct op *op)
{
	static const unsigned presets[] = {
		[ACCESS_NONE] = 0,
		[ACCESS_READ_ONLY] = OP_QUERY,
		[ACCESS_READ_WRITE] = OP_QUERY | OP_MUTATION,
		[ACCESS_FULL] = OP_ANY,
		[ACCESS_UNKNOWN] = 0,
	};

	if (presets[e->l7.access] & op->type)
		return e->l7.access_at.line;
	for EACH (struct l7_rule, rule, &e->l7.rules)
		if (rule_match(rule, op, false))
			return rule->at.line;
	return 0;
}

struct ruling graphql_allows(const struct endpoint *e, const struct eval_request *q)
{
	struct ruling ok = { OSH_WHY_ALLOWED, 0, false };

	if (!q->graphql)
		return (struct ruling){ OSH_WHY_PROTOCOL, 0, true };
	if (q->graphql->error || !q->graphql->n)
		return (struct ruling){ OSH_WHY_GRAPHQL_BAD, 0, true };
	if (strcasecmp(q->method, "GET") && strcasecmp(q->method, "POST") &&
	    strcasecmp(q->method, "WEBSOCKET_TEXT"))
		return (struct ruling){ OSH_WHY_PROTOCOL, 0, true };
	for (uint32_t i = 0; i < q->graphql->n; i++) {
		struct op op;

		if (!resolve(e, &q->graphql->operations[i], &op))
			return (struct ruling){ OSH_WHY_GRAPHQL_UNKNOWN, 0, true };
		ok.line = allowed_by(e, &op);
		if (!ok.line)
			return (struct ruling){ OSH_WHY_GRAPHQL, 0, false };
	}
	return ok;
}

const struct l7_rule *graphql_denies(const struct endpoint *e, const struct eval_request *q)
{
	if (!q->graphql || (e->protocol != PROTO_GRAPHQL && e->protocol != PROTO_WEBSOCKET))
		return NULL;
	for EACH (struct l7_rule, rule, &e->l7.deny) {
		for (uint32_t i = 0; i < q->graphql->n; i++) {
			struct op op;

			if (resolve(e, &q->graphql->operations[i], &op) && rule_match(rule, &op, true))
				return rule;
		}
	}
	return NULL;
}
