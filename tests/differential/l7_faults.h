/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tables with one thing wrong in them: each kind changes one field of one entry, chosen at random among
 * those where it makes a difference to the table, and can be undone. The includer gives pick().
 */
#pragma once

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "bundle.h"

static unsigned pick(unsigned n);

#define FAULTS(X)                                                                                          \
	X(L7_ALLOW_GONE) X(L7_ALLOW_SHORT) X(L7_DENY_GONE) X(L7_DENY_SHORT) X(L7_ALLOW_IS_DENY)            \
	X(L7_DENY_IS_ALLOW) X(L7_ACCESS_LESS) X(L7_ACCESS_MORE) X(L7_ACCESS_LINE) X(L7_AUDIT)              \
	X(L7_ENCODED_SLASH) X(L7_LOOSE_TOOLS) X(L7_KNOWN_METHODS) X(L7_PERSISTED) X(L7_OPERATIONS)         \
	X(L7_TOOLS) X(L7_WEIGHT_LESS) X(L7_WEIGHT_MORE) X(L7_PATH_ANY) X(L7_PATH_OTHER) X(L7_PROTOCOL)     \
	X(L7_REGISTERED_GONE) X(L7_RULE) X(MATCH_LINE) X(MATCH_METHOD_ANY) X(MATCH_METHOD_OTHER)           \
	X(MATCH_METHODS_OTHER) X(MATCH_OPERATIONS) X(MATCH_PATH_ANY) X(MATCH_PATH_OTHER)                   \
	X(MATCH_QUERY_ANY) X(MATCH_NAME_ANY) X(MATCH_FIELDS_ANY) X(MATCH_TOOLS_ANY) X(QUERY_KEY)           \
	X(QUERY_SHORT) X(QUERY_OTHER) X(HASH) X(REGISTERED_NAME) X(REGISTERED_TYPE) X(REGISTERED_FIELDS)   \
	X(PATTERN_BYTE) X(PATTERN_STAR_GONE) X(RULE_LINE) X(RULE_NAME) X(RULE_NOT_INSPECTED)

enum fault {
#define X(f) FAULT_##f,
	FAULTS(X)
#undef X
	FAULT_MAX
};

static const char *fault_name(enum fault f)
{
	static const char *const names[] = {
#define X(f) #f,
		FAULTS(X)
#undef X
	};

	return names[f];
}

struct undo {
	void *at;
	char was[16];
	size_t n;
};

static bool change(struct undo *u, const void *at, const void *to, size_t n)
{
	u->at = (void *)(uintptr_t)at;
	u->n = n;
	if (!memcmp(at, to, n))
		return false;
	memcpy(u->was, at, n);
	memcpy(u->at, to, n);
	return true;
}

static void fault_undo(struct undo *u)
{
	memcpy(u->at, u->was, u->n);
}

static bool number(struct undo *u, const uint32_t *at, uint32_t to)
{
	return change(u, at, &to, sizeof(to));
}

static bool range(struct undo *u, const struct osh_b_range *at, uint32_t first, uint32_t n)
{
	return change(u, at, &(struct osh_b_range){ first, n }, sizeof(*at));
}

static bool flip(struct undo *u, const struct osh_b_l7 *l7, uint32_t flag, bool fits)
{
	return fits && number(u, &l7->flags, l7->flags ^ flag);
}

static bool fault_l7(const struct bundle *b, const struct osh_b_l7 *l7, enum fault f, struct undo *u)
{
	bool mcp = l7->protocol == OSH_PROTO_MCP, rpc = mcp || l7->protocol == OSH_PROTO_JSONRPC;

	switch ((int)f) {
	case FAULT_L7_ALLOW_GONE:
		return range(u, &l7->allow, l7->allow.first, 0);
	case FAULT_L7_ALLOW_SHORT:
		return l7->allow.n && range(u, &l7->allow, l7->allow.first + 1, l7->allow.n - 1);
	case FAULT_L7_DENY_GONE:
		return range(u, &l7->deny, l7->deny.first, 0);
	case FAULT_L7_DENY_SHORT:
		return l7->deny.n && range(u, &l7->deny, l7->deny.first, l7->deny.n - 1);
	case FAULT_L7_ALLOW_IS_DENY:
		return range(u, &l7->allow, l7->deny.first, l7->deny.n);
	case FAULT_L7_DENY_IS_ALLOW:
		return range(u, &l7->deny, l7->allow.first, l7->allow.n);
	case FAULT_L7_ACCESS_LESS:
		return l7->access && number(u, &l7->access, l7->access - 1);
	case FAULT_L7_ACCESS_MORE:
		return !rpc && l7->access < OSH_ACCESS_FULL && number(u, &l7->access, l7->access + 1);
	case FAULT_L7_ACCESS_LINE:
		return l7->access && number(u, &l7->access_line, l7->access_line + 1);
	case FAULT_L7_AUDIT:
		return flip(u, l7, OSH_L7_AUDIT, true);
	case FAULT_L7_ENCODED_SLASH:
		return flip(u, l7, OSH_L7_ENCODED_SLASH, true);
	case FAULT_L7_LOOSE_TOOLS:
		return flip(u, l7, OSH_L7_LOOSE_TOOLS, mcp);
	case FAULT_L7_KNOWN_METHODS:
		return flip(u, l7, OSH_L7_KNOWN_METHODS, mcp);
	case FAULT_L7_PERSISTED:
		return flip(u, l7, OSH_L7_PERSISTED, l7->persisted.n);
	case FAULT_L7_OPERATIONS:
		return flip(u, l7, OSH_L7_OPERATIONS, l7->protocol == OSH_PROTO_WEBSOCKET);
	case FAULT_L7_TOOLS:
		return flip(u, l7, OSH_L7_TOOLS, mcp);
	case FAULT_L7_WEIGHT_LESS:
		return number(u, &l7->weight, 0);
	case FAULT_L7_WEIGHT_MORE:
		return number(u, &l7->weight, l7->weight + 50);
	case FAULT_L7_PATH_ANY:
		return range(u, &l7->path, l7->path.first, 0);
	case FAULT_L7_PATH_OTHER:
		return l7->path.n && range(u, &l7->path, pick(b->n_patterns), 1);
	case FAULT_L7_PROTOCOL:
		return number(u, &l7->protocol, l7->protocol ^ 1);
	case FAULT_L7_REGISTERED_GONE:
		return range(u, &l7->persisted, l7->persisted.first, 0);
	case FAULT_L7_RULE:
		return number(u, &l7->rule, (l7->rule + 1) % b->n_rules);
	default:
		return false;
	}
}

static bool fault_match(const struct bundle *b, const struct osh_b_match *m, enum fault f, struct undo *u)
{
	const struct osh_b_match *other = &b->matches[pick(b->n_matches)];

	switch ((int)f) {
	case FAULT_MATCH_LINE:
		return number(u, &m->line, m->line + 1);
	case FAULT_MATCH_METHOD_ANY:
		for (uint32_t i = 1; m->method && i < b->n_strings - 1; i++)
			if (!strcmp(b->strings + i, "*") && !b->strings[i - 1])
				return number(u, &m->method, i);
		return false;
	case FAULT_MATCH_METHOD_OTHER:
		return m->method && other->method && number(u, &m->method, other->method);
	case FAULT_MATCH_METHODS_OTHER:
		return m->methods.n && other->methods.n && range(u, &m->methods, other->methods.first, other->methods.n);
	case FAULT_MATCH_OPERATIONS:
		return m->operations && number(u, &m->operations, m->operations ^ (1u << pick(3)));
	case FAULT_MATCH_PATH_ANY:
		return range(u, &m->path, m->path.first, 0);
	case FAULT_MATCH_PATH_OTHER:
		return m->path.n && other->path.n && range(u, &m->path, other->path.first, other->path.n);
	case FAULT_MATCH_QUERY_ANY:
		return range(u, &m->query, m->query.first, 0);
	case FAULT_MATCH_NAME_ANY:
		return range(u, &m->name, m->name.first, 0);
	case FAULT_MATCH_FIELDS_ANY:
		return range(u, &m->fields, m->fields.first, 0);
	case FAULT_MATCH_TOOLS_ANY:
		return range(u, &m->tools, m->tools.first, 0);
	default:
		return false;
	}
}

static bool fault_query(const struct bundle *b, const struct osh_b_query *q, enum fault f, struct undo *u)
{
	const struct osh_b_query *other = &b->queries[pick(b->n_queries)];

	switch ((int)f) {
	case FAULT_QUERY_KEY:
		return number(u, &q->key, other->key);
	case FAULT_QUERY_SHORT:
		return range(u, &q->any, q->any.first, q->any.n - 1);
	case FAULT_QUERY_OTHER:
		return range(u, &q->any, other->any.first, other->any.n);
	default:
		return false;
	}
}

static bool fault_persisted(const struct bundle *b, const struct osh_b_persisted *p, enum fault f,
			    struct undo *u)
{
	const struct osh_b_persisted *other = &b->persisted[pick(b->n_persisted)];

	switch ((int)f) {
	case FAULT_HASH:
		return number(u, &p->hash, other->hash);
	case FAULT_REGISTERED_NAME:
		return number(u, &p->name, 0);
	case FAULT_REGISTERED_TYPE:
		return number(u, &p->operation, other->operation);
	case FAULT_REGISTERED_FIELDS:
		return range(u, &p->fields, other->fields.first, pick(2) ? other->fields.n : 0);
	default:
		return false;
	}
}

/* A byte of a pattern that stands for itself, or a star of one, becomes another. */
static bool fault_pattern(const struct bundle *b, uint32_t at, enum fault f, struct undo *u)
{
	const char *p = bundle_str(b, at) + pick((unsigned)strlen(bundle_str(b, at)) + 1);

	if (!*p || strpbrk(bundle_str(b, at), "[\\") || (f == FAULT_PATTERN_STAR_GONE) != (*p == '*'))
		return false;
	return change(u, p, "z", 1);
}

static bool fault_rule(const struct bundle *b, const struct osh_b_rule *r, enum fault f, struct undo *u)
{
	switch ((int)f) {
	case FAULT_RULE_LINE:
		return number(u, &r->line, r->line + 1);
	case FAULT_RULE_NAME:
		return number(u, &r->name, b->rules[pick(b->n_rules)].name);
	case FAULT_RULE_NOT_INSPECTED:
		return number(u, &r->l7, 0);
	default:
		return false;
	}
}

/* False: there is nothing in these tables that could be wrong so. */
static bool fault_make(const struct bundle *b, enum fault f, struct undo *u)
{
	if (f < FAULT_MATCH_LINE)
		return b->n_l7 && fault_l7(b, &b->l7[pick(b->n_l7)], f, u);
	if (f < FAULT_QUERY_KEY)
		return b->n_matches && fault_match(b, &b->matches[pick(b->n_matches)], f, u);
	if (f < FAULT_HASH)
		return b->n_queries && fault_query(b, &b->queries[pick(b->n_queries)], f, u);
	if (f < FAULT_PATTERN_BYTE)
		return b->n_persisted && fault_persisted(b, &b->persisted[pick(b->n_persisted)], f, u);
	if (f < FAULT_RULE_LINE)
		return b->n_patterns && fault_pattern(b, b->patterns[pick(b->n_patterns)], f, u);
	return b->n_rules && fault_rule(b, &b->rules[pick(b->n_rules)], f, u);
}
