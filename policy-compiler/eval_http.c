/* SPDX-License-Identifier: Apache-2.0 */
/* Requests by method, path and query: protocols rest and websocket. */
#include "eval_parts.h"

#include <string.h>
#include <strings.h>

#include "canon.h"

bool any_match(const struct list *any, const char *text, bool deny)
{
	for EACH (struct pattern, p, any)
		if (pattern_match(p, text, deny ? 0 : '.'))
			return true;
	return false;
}

/* A rule for GET is also one for HEAD, which gives less. */
static bool method_match(const char *rule, const char *method)
{
	return !strcmp(rule, "*") || !strcasecmp(rule, method) ||
	       (!strcasecmp(rule, "GET") && !strcasecmp(method, "HEAD"));
}

/* In deny rules a subtree includes its root. */
static bool subtree_root(const struct pattern *p, const char *path)
{
	const char *const *alt = p->alts.v;
	char slash[CANON_MAX + 2];
	size_t n = strlen(path);

	if (n + 2 > sizeof(slash))
		return true;
	memcpy(slash, path, n);
	memcpy(slash + n, "/", 2);
	for (uint32_t i = 0; i < p->alts.n; i++) {
		size_t len = strlen(alt[i]);

		if (len >= 3 && !strcmp(alt[i] + len - 3, "/**") && glob_match(alt[i], slash))
			return true;
	}
	return false;
}

static bool path_match(const struct l7_rule *rule, const char *path, bool deny)
{
	if (!rule->has_path || pattern_match(&rule->path, path, '/'))
		return true;
	return deny && subtree_root(&rule->path, path);
}

static const struct eval_param *param(const struct eval_request *q, const char *key)
{
	for (uint32_t i = 0; i < q->n_query; i++)
		if (!strcmp(q->query[i].key, key))
			return &q->query[i];
	return NULL;
}

/* Allowed: the key is there and every value is listed. Denied: one value is. */
static bool query_match_one(const struct query_match *m, const struct eval_request *q, bool deny)
{
	const struct eval_param *v = param(q, m->key);
	uint32_t hits = 0;

	if (!v || !v->n)
		return false;
	for (uint32_t i = 0; i < v->n; i++)
		hits += any_match(&m->any, v->values[i], deny);
	return deny ? hits > 0 : hits == v->n;
}

static bool rule_match(const struct l7_rule *rule, const struct eval_request *q, bool deny)
{
	if (rule->operations || !rule->method || !method_match(rule->method, q->method) ||
	    !path_match(rule, q->path, deny))
		return false;
	for EACH (struct query_match, m, &rule->query)
		if (!query_match_one(m, q, deny))
			return false;
	return true;
}

const struct l7_rule *http_denies(const struct endpoint *e, const struct eval_request *q)
{
	if (e->protocol != PROTO_REST && e->protocol != PROTO_WEBSOCKET)
		return NULL;
	for EACH (struct l7_rule, rule, &e->l7.deny)
		if (rule_match(rule, q, true))
			return rule;
	return NULL;
}

/* read-write has no DELETE: OpenShell's preset, kept. */
static bool preset_match(enum access access, const char *method)
{
	static const char *const methods[] = { "GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH" };
	size_t n = access == ACCESS_READ_ONLY ? 3 : access == ACCESS_READ_WRITE ? 6 : 0;

	for (size_t i = 0; i < n; i++)
		if (!strcasecmp(methods[i], method))
			return true;
	return access == ACCESS_FULL;
}

static struct ruling by_rules(const struct endpoint *e, const struct eval_request *q)
{
	for EACH (struct l7_rule, rule, &e->l7.rules)
		if (rule_match(rule, q, false))
			return (struct ruling){ OSH_WHY_ALLOWED, rule->at.line, false };
	return (struct ruling){ OSH_WHY_REQUEST, 0, false };
}

struct ruling http_allows(const struct endpoint *e, const struct eval_request *q)
{
	if (preset_match(e->l7.access, q->method))
		return (struct ruling){ OSH_WHY_ALLOWED, e->l7.access_at.line, false };
	return by_rules(e, q);
}

static bool has_operations(const struct list *rules)
{
	for EACH (struct l7_rule, rule, rules)
		if (rule->operations)
			return true;
	return false;
}

static bool ws_preset(enum access access, const char *method)
{
	bool text = !strcasecmp(method, "WEBSOCKET_TEXT");

	return access == ACCESS_FULL || (access == ACCESS_READ_WRITE && text) ||
	       ((access == ACCESS_READ_ONLY || access == ACCESS_READ_WRITE) && method_match("GET", method));
}

/* Where a rule is about operations, a client's messages are GraphQL and nothing else. */
struct ruling ws_allows(const struct endpoint *e, const struct eval_request *q)
{
	bool text = !strcasecmp(q->method, "WEBSOCKET_TEXT");

	if (text && (has_operations(&e->l7.rules) || has_operations(&e->l7.deny)))
		return graphql_allows(e, q);
	if (ws_preset(e->l7.access, q->method))
		return (struct ruling){ OSH_WHY_ALLOWED, e->l7.access_at.line, false };
	return by_rules(e, q);
}
