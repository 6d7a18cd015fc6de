/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The judgement: of the endpoints that let the program through, those that cover the request; the
 * heaviest of them says how it is read, each of that protocol may allow it, each may deny it, and
 * denying wins. A request of a plain endpoint is judged without a byte being allocated.
 */
#include <errno.h>
#include <jansson.h>
#include <strings.h>
#include <sys/random.h>

#include "parts.h"

struct judging {
	struct asked a;
	const struct rules_request *q;
	const struct osh_b_l7 *cover[OSH_ALTS];	/* in the order of the rules */
	uint32_t n;
	uint32_t protocol;		/* of the heaviest; only with n > 0 */
};

struct verdict {
	enum osh_verdict verdict;
	enum osh_reason why;
	const struct osh_b_l7 *by;	/* NULL = none */
	uint32_t line;
	bool audit;			/* denied, but only recorded */
};

int rules_init(void)
{
	uint64_t seed = 0;

	if (getrandom(&seed, sizeof(seed), 0) != sizeof(seed))
		return -errno;
	json_object_seed((size_t)(seed | 1));
	return 0;
}

static const struct osh_b_l7 *l7_of(const struct bundle *b, uint32_t rule)
{
	return b->rules[rule].l7 ? &b->l7[b->rules[rule].l7 - 1] : NULL;
}

bool rules_inspect(const struct bundle *b, const struct target *t)
{
	for (uint32_t i = 0; i < t->n_rules; i++)
		if (l7_of(b, t->rules[i]))
			return true;
	return false;
}

/* Rules about the inside cannot be kept without looking: then the connection is terminated all the same. */
bool rules_skip_tls(const struct bundle *b, const struct target *t)
{
	return (t->common & OSH_ALT_TLS_SKIP) && !rules_inspect(b, t);
}

static bool covers(const struct judging *j, const struct osh_b_l7 *l7, bool slash)
{
	return l7 && (!slash || (l7->flags & OSH_L7_ENCODED_SLASH)) &&
	       (!l7->path.n || text_meets_one(j->a.b, l7->path, j->a.path, '/'));
}

/* False: the target has no canonical form. */
static bool cover(struct judging *j, const struct bundle *b, const struct target *t,
		  const struct rules_request *q, char path[PATH_BYTES + 1])
{
	const char *mark = q->target.n ? memchr(q->target.p, '?', q->target.n) : NULL;
	uint32_t weight = 0;
	bool slash;

	j->q = q;
	j->n = 0;
	j->a = (struct asked){ .b = b, .method = q->method, .message = q->message };
	if (!q->method || !*q->method || !path_canonical(q->target, path))
		return false;
	if (mark)
		j->a.query = (struct slice){ mark + 1, q->target.n - (size_t)(mark + 1 - q->target.p) };
	j->a.path = slice_of(path);
	slash = memchr(path, '%', j->a.path.n) && strstr(path, "%2F");
	for (uint32_t i = 0; i < t->n_rules; i++) {
		const struct osh_b_l7 *l7 = l7_of(b, t->rules[i]);

		if (!covers(j, l7, slash))
			continue;
		if (!j->n || l7->weight > weight) {
			j->protocol = l7->protocol;
			weight = l7->weight;
		}
		j->cover[j->n++] = l7;
	}
	return true;
}

static bool is_rpc(uint32_t protocol)
{
	return protocol == OSH_PROTO_JSONRPC || protocol == OSH_PROTO_MCP;
}

/* Is the request read as GraphQL for this endpoint's sake? */
static bool reads_graphql(const struct judging *j, const struct osh_b_l7 *l7)
{
	if (l7->protocol == OSH_PROTO_WEBSOCKET)
		return j->q->message && (l7->flags & OSH_L7_OPERATIONS);
	return l7->protocol == OSH_PROTO_GRAPHQL && (j->protocol == OSH_PROTO_GRAPHQL || l7->deny.n);
}

static bool reads_calls(const struct judging *j, const struct osh_b_l7 *l7)
{
	return is_rpc(l7->protocol) && (is_rpc(j->protocol) || l7->deny.n);
}

size_t rules_wants_body(const struct bundle *b, const struct target *t, const struct rules_request *q)
{
	char path[PATH_BYTES + 1];
	struct judging j;
	size_t most = 0;
	bool some = false;

	for (uint32_t i = 0; i < t->n_rules; i++) {
		const struct osh_b_l7 *l7 = l7_of(b, t->rules[i]);

		some |= l7 && (l7->protocol >= OSH_PROTO_GRAPHQL || q->message);
	}
	if (!some || !cover(&j, b, t, q, path))
		return 0;
	for (uint32_t i = 0; i < j.n; i++)
		if ((reads_graphql(&j, j.cover[i]) || reads_calls(&j, j.cover[i])) && j.cover[i]->max_body > most)
			most = j.cover[i]->max_body;
	return most < OSH_BODY_MAX ? most : OSH_BODY_MAX;
}

static struct ruling ruling(const struct judging *j, const struct osh_b_l7 *l7)
{
	switch ((enum osh_b_protocol)l7->protocol) {
	case OSH_PROTO_REST:
		return http_ruling(&j->a, l7);
	case OSH_PROTO_WEBSOCKET:
		return websocket_ruling(&j->a, l7);
	case OSH_PROTO_GRAPHQL:
		return graphql_ruling(&j->a, l7);
	case OSH_PROTO_JSONRPC:
	case OSH_PROTO_MCP:
		return rpc_ruling(&j->a, l7);
	}
	return (struct ruling){ OSH_WHY_PROTOCOL, 0, true };
}

static const struct osh_b_match *denial(const struct judging *j, const struct osh_b_l7 *l7)
{
	const struct osh_b_match *m = NULL;

	if (is_rpc(l7->protocol))
		return rpc_denial(&j->a, l7);
	if (l7->protocol != OSH_PROTO_GRAPHQL)
		m = http_denial(&j->a, l7);
	return m || l7->protocol == OSH_PROTO_REST ? m : graphql_denial(&j->a, l7);
}

static uint32_t line_of(const struct judging *j, const struct osh_b_l7 *l7)
{
	return j->a.b->rules[l7->rule].line;
}

/*
 * Of the endpoints that allow it the heaviest answers, the first of equals: what else is done with the request, a credential
 * above all, is said by that one. What is malformed is refused even where rules are only recorded.
 */
static struct verdict find_allow(const struct judging *j)
{
	struct verdict v = { .why = OSH_WHY_REQUEST }, allowed = { 0 };

	for (uint32_t i = 0; i < j->n; i++) {
		const struct osh_b_l7 *l7 = j->cover[i];
		struct ruling r;
		bool audit;

		if (l7->protocol != j->protocol || (allowed.by && l7->weight <= allowed.by->weight))
			continue;
		r = ruling(j, l7);
		if (r.why == OSH_WHY_ALLOWED) {
			allowed = (struct verdict){ OSH_ALLOW, r.why, l7, r.line ? r.line : line_of(j, l7), false };
			continue;
		}
		audit = (l7->flags & OSH_L7_AUDIT) && !r.hard;
		if (!v.by)
			v = (struct verdict){ OSH_DENY, r.why, l7, line_of(j, l7), audit };
		v.audit &= audit;
	}
	return allowed.by ? allowed : v;
}

/* The first deny rule that is enforced, else the first in audit mode. */
static bool find_denial(const struct judging *j, struct verdict *ret)
{
	bool found = false;

	for (uint32_t i = 0; i < j->n; i++) {
		bool audit = j->cover[i]->flags & OSH_L7_AUDIT;
		const struct osh_b_match *m = found && audit ? NULL : denial(j, j->cover[i]);

		if (!m)
			continue;
		*ret = (struct verdict){ OSH_DENY, m->operations ? OSH_WHY_GRAPHQL : OSH_WHY_REQUEST_DENIED,
					 j->cover[i], m->line, audit };
		found = true;
		if (!audit)
			break;
	}
	return found;
}

/* Writes what is reported of v; `served` is the endpoint whose credential goes along. */
static void answer(const struct judging *j, const struct verdict *v, const struct osh_b_l7 *served,
		   struct rules_answer *ret)
{
	ret->verdict = v->verdict == OSH_ALLOW ? OSH_ALLOW : v->audit ? OSH_AUDIT : OSH_DENY;
	ret->why = v->why;
	ret->rule = v->by ? v->by->rule + 1 : 0;
	ret->line = v->line;
	ret->l7 = ret->verdict != OSH_DENY && served ? (uint32_t)(served - j->a.b->l7) + 1 : 0;
}

static void judge_one(const struct judging *j, struct rules_answer *ret)
{
	struct verdict v = find_allow(j), deny;
	const struct osh_b_l7 *served = v.by;

	if (find_denial(j, &deny) && (v.verdict == OSH_ALLOW || v.audit || !deny.audit))
		v = deny;
	answer(j, &v, served, ret);
}

/* A batch is as good as its worst call. */
static void judge_calls(struct judging *j, struct rules_answer *ret)
{
	struct rules_answer one = *ret;
	struct calls calls;
	struct call call;

	calls_read(&calls, j->q);
	for (uint32_t i = 0; i < calls.n; i++) {
		call_get(&calls, i, &call);
		j->a.call = &call;
		judge_one(j, &one);
		if (!i || ret->verdict == OSH_ALLOW || one.verdict == OSH_DENY)
			*ret = one;
		if (one.verdict == OSH_DENY)
			break;
	}
	j->a.call = NULL;
	if (!calls.n)
		judge_one(j, ret);
	calls_done(&calls);
}

static void __attribute__((noinline)) judge_inside(struct judging *j, bool graphql, bool calls,
						   struct rules_answer *ret)
{
	struct graphql g;

	if (graphql) {
		graphql_read(&g, j->q, j->a.query);
		j->a.graphql = &g;
	}
	if (calls)
		judge_calls(j, ret);
	else
		judge_one(j, ret);
	if (graphql)
		graphql_done(&g);
	j->a.graphql = NULL;
}

static bool asks_params(const struct bundle *b, struct osh_b_range matches)
{
	for (uint32_t i = 0; i < matches.n; i++)
		if (b->matches[matches.first + i].query.n)
			return true;
	return false;
}

/* Where no rule looks at the query, what is in it does not matter. */
static bool query_unreadable(const struct judging *j)
{
	bool asked = false;

	if (!j->a.query.n || !memchr(j->a.query.p, '%', j->a.query.n) || params_readable(j->a.query))
		return false;
	for (uint32_t i = 0; i < j->n; i++)
		asked |= asks_params(j->a.b, j->cover[i]->allow) || asks_params(j->a.b, j->cover[i]->deny);
	return asked;
}

/* Operations travel in a GET, a POST or a message, and nowhere else. */
static bool carries_graphql(const struct rules_request *q)
{
	return q->message || !strcasecmp(q->method, "GET") || !strcasecmp(q->method, "POST");
}

static void judge(struct judging *j, struct rules_answer *ret)
{
	bool graphql = false, calls = false;

	for (uint32_t i = 0; i < j->n; i++) {
		graphql |= reads_graphql(j, j->cover[i]) && carries_graphql(j->q);
		calls |= reads_calls(j, j->cover[i]);
	}
	if (graphql || calls)
		judge_inside(j, graphql, calls, ret);
	else
		judge_one(j, ret);
}

/* The method that a POST asks to be taken for, as some servers do; *ret has `room` bytes. False: unreadable. */
static bool method_meant(struct slice query, char *ret, size_t room)
{
	struct param p;

	*ret = 0;
	if (!params_readable(query))
		return !memmem(query.p, query.n, "method", 6);
	while (param_next(&query, &p)) {
		if (!param_is(p.key, "_method"))
			continue;
		if (*ret || !p.value.n || p.value.n >= room)
			return false;
		ret[param_decode(p.value, ret)] = 0;
	}
	return true;
}

/* Then it must be allowed as that as well. */
static void judge_meant(struct judging *j, struct rules_answer *ret)
{
	char method[32];

	if (!j->a.query.n || strcasecmp(j->q->method, "POST"))
		return;
	if (!method_meant(j->a.query, method, sizeof(method))) {
		ret->verdict = OSH_DENY;
		ret->why = OSH_WHY_TARGET_BAD;
		ret->l7 = 0;
	} else if (*method) {
		j->a.method = method;
		judge(j, ret);
	}
}

/*
 * A WebSocket is both ways and, save for protocol websocket, not looked into: on rest it takes what
 * allows sending, on the protocols that are read message by message it is nothing.
 */
static void judge_upgrade(struct judging *j, struct rules_answer *ret)
{
	if (!j->n || j->protocol == OSH_PROTO_WEBSOCKET)
		return;
	if (j->protocol == OSH_PROTO_REST) {
		j->a.method = "POST";
		judge(j, ret);
		return;
	}
	ret->verdict = OSH_DENY;
	ret->why = OSH_WHY_PROTOCOL;
	ret->l7 = 0;
}

void rules_judge(const struct bundle *b, const struct target *t, const struct rules_request *q,
		 struct rules_answer *ret)
{
	struct judging j;

	ret->verdict = OSH_DENY;
	ret->rule = t->rule;
	ret->line = t->rule ? b->rules[t->rule - 1].line : 0;
	ret->l7 = 0;
	ret->path[0] = 0;
	ret->query = (struct slice){ NULL, 0 };
	ret->why = OSH_WHY_NOT_INSPECTED;
	if (!rules_inspect(b, t))
		return;
	ret->rule = ret->line = 0;
	ret->why = OSH_WHY_TARGET_BAD;
	if (!cover(&j, b, t, q, ret->path) || query_unreadable(&j)) {
		ret->path[0] = 0;
		return;
	}
	if (memchr(q->target.p, '?', q->target.n))
		ret->query = j.a.query;
	if (!strcasecmp(q->method, "WEBSOCKET_TEXT") != q->message) {
		ret->why = OSH_WHY_PROTOCOL;
		return;
	}
	judge(&j, ret);
	if (ret->verdict != OSH_DENY && j.n && j.protocol == OSH_PROTO_REST)
		judge_meant(&j, ret);
	if (q->upgrade && ret->verdict != OSH_DENY)
		judge_upgrade(&j, ret);
}

void rules_pass(const struct bundle *b, const struct target *t, const struct rules_request *q,
		struct rules_answer *ret)
{
	const char *mark = q->target.n ? memchr(q->target.p, '?', q->target.n) : NULL;

	ret->verdict = OSH_DENY;
	ret->why = OSH_WHY_TARGET_BAD;
	ret->rule = t->rule;
	ret->line = t->rule ? b->rules[t->rule - 1].line : 0;
	ret->l7 = 0;
	ret->path[0] = 0;
	ret->query = (struct slice){ NULL, 0 };
	if (!path_canonical(q->target, ret->path)) {
		ret->path[0] = 0;
		return;
	}
	if (mark)
		ret->query = (struct slice){ mark + 1, q->target.n - (size_t)(mark + 1 - q->target.p) };
	ret->verdict = OSH_ALLOW;
	ret->why = OSH_WHY_ALLOWED;
}
