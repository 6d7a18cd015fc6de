/* SPDX-License-Identifier: Apache-2.0 */
/* Rules about GraphQL operations, over HTTP and in the messages of a websocket. */
#include <strings.h>

#include "parts.h"

/* An operation with what is registered under its hash in place of it. */
struct meant {
	uint32_t type;
	struct slice name, said;	/* its own name, and the one that the client gave */
	const struct slice *fields;	/* of the request, or … */
	const uint32_t *registered;	/* … string offsets of the bundle */
	uint32_t n_fields;
};

static const struct osh_b_persisted *registered(const struct bundle *b, const struct osh_b_l7 *l7,
						struct slice hash)
{
	const struct osh_b_persisted *p = b->persisted + l7->persisted.first;

	for (uint32_t i = 0; (l7->flags & OSH_L7_PERSISTED) && i < l7->persisted.n; i++)
		if (slice_is(hash, bundle_str(b, p[i].hash)))
			return &p[i];
	return NULL;
}

/* False: a hash that nobody registered. */
static bool mean(const struct asked *a, const struct osh_b_l7 *l7, const struct gql_op *op,
		 struct meant *ret)
{
	const struct osh_b_persisted *p;

	*ret = (struct meant){ op->type, op->name, op->name, a->graphql->fields + op->first_field, NULL,
			       op->n_fields };
	if (!op->persisted)
		return true;
	p = registered(a->b, l7, op->hash);
	if (!p)
		return false;
	ret->type = p->operation;
	ret->name = slice_of(bundle_str(a->b, p->name));
	ret->registered = a->b->fields + p->fields.first;
	ret->n_fields = p->fields.n;
	return true;
}

/* Allowed: every root field is listed. Denied: one is. */
static bool fields_meet(const struct bundle *b, struct osh_b_range want, const struct meant *op, bool deny)
{
	uint32_t met = 0;

	for (uint32_t i = 0; want.n && i < op->n_fields; i++)
		met += text_meets_one(b, want,
				      op->registered ? slice_of(bundle_str(b, op->registered[i])) : op->fields[i],
				      sep_of(deny));
	return !want.n || (deny ? met > 0 : op->n_fields && met == op->n_fields);
}

static bool name_meets(const struct bundle *b, struct osh_b_range want, const struct meant *op, bool deny)
{
	if (!want.n)
		return true;
	if (deny)
		return text_meets_one(b, want, op->name, 0) || text_meets_one(b, want, op->said, 0);
	return op->name.n && text_meets_one(b, want, op->name, '.');
}

static bool meets(const struct bundle *b, const struct osh_b_match *m, const struct meant *op, bool deny)
{
	return (m->operations & op->type) && name_meets(b, m->name, op, deny) &&
	       fields_meet(b, m->fields, op, deny);
}

/* Line of what allows it, 0 = nothing does. */
static uint32_t allowed_by(const struct bundle *b, const struct osh_b_l7 *l7, const struct meant *op)
{
	static const uint32_t presets[] = {
		[OSH_ACCESS_NONE] = 0,
		[OSH_ACCESS_READ_ONLY] = OSH_OP_QUERY,
		[OSH_ACCESS_READ_WRITE] = OSH_OP_QUERY | OSH_OP_MUTATION,
		[OSH_ACCESS_FULL] = OSH_OP_QUERY | OSH_OP_MUTATION | OSH_OP_SUBSCRIPTION,
	};
	const struct osh_b_match *m = b->matches + l7->allow.first;

	if (presets[l7->access] & op->type)
		return l7->access_line;
	for (uint32_t i = 0; i < l7->allow.n; i++)
		if (meets(b, &m[i], op, false))
			return m[i].line;
	return 0;
}

struct ruling graphql_ruling(const struct asked *a, const struct osh_b_l7 *l7)
{
	struct ruling ok = { OSH_WHY_ALLOWED, 0, false };

	if (!a->graphql)
		return (struct ruling){ OSH_WHY_PROTOCOL, 0, true };
	if (a->graphql->control)
		return ok;
	if (a->graphql->bad || !a->graphql->n)
		return (struct ruling){ OSH_WHY_GRAPHQL_BAD, 0, true };
	for (uint32_t i = 0; i < a->graphql->n; i++) {
		struct meant op;

		if (!mean(a, l7, &a->graphql->ops[i], &op))
			return (struct ruling){ OSH_WHY_GRAPHQL_UNKNOWN, 0, true };
		ok.line = allowed_by(a->b, l7, &op);
		if (!ok.line)
			return (struct ruling){ OSH_WHY_GRAPHQL, 0, false };
	}
	return ok;
}

static bool denies(const struct asked *a, const struct osh_b_l7 *l7, const struct osh_b_match *m)
{
	struct meant op;

	for (uint32_t i = 0; i < a->graphql->n; i++)
		if (mean(a, l7, &a->graphql->ops[i], &op) && meets(a->b, m, &op, true))
			return true;
	return false;
}

const struct osh_b_match *graphql_denial(const struct asked *a, const struct osh_b_l7 *l7)
{
	const struct osh_b_match *m = a->b->matches + l7->deny.first;

	for (uint32_t i = 0; a->graphql && i < l7->deny.n; i++)
		if (denies(a, l7, &m[i]))
			return &m[i];
	return NULL;
}
