/* SPDX-License-Identifier: Apache-2.0 */
/* Random requests: what eval is asked, and the bytes that mean it. See l7_world.h. */
#pragma once

#include "l7_world.h"

#define OPS 3

struct question {
	struct arena a;
	struct eval_request e;
	struct rules_request r;
	struct target t;
	struct decision want;
	char canonical[CANON_MAX + 1];
	bool bad_target;
	struct buf target, body;
};

static void question_done(struct question *q)
{
	arena_done(&q->a);
	buf_done(&q->target);
	buf_done(&q->body);
}

/* ---- target -------------------------------------------------------------------------------- */

static void put_path(struct buf *b)
{
	static const char *const plain[] = { "a", "b", "repos", "x.git", "xy", "*", "a%20b" };
	static const char *const odd[] = {
		"", ".", "..", "%2e%2E", "a;p=1", "..;x", "a%2Fb", "a%2f..", "%61", "%7Eb", "a\"", "%2e", "%zz",
		"a%3Bq", "..%3bz", "%00", "[", "b%25", "a%2F", "%62;/x", ";", "...", "x%2",
	};

	for (unsigned i = 0, n = 1 + pick(pick(2) ? 2 : 4); i < n; i++)
		buf_printf(b, "/%s", pick(9) ? PICK(plain) : PICK(odd));
	if (!pick(8))
		buf_str(b, "/");
}

/* Text in a query, each byte plain or escaped. */
static void put_escaped(struct buf *b, const char *s)
{
	for (; *s; s++) {
		if (*s == ' ' && pick(2))
			buf_str(b, "+");
		else if (strchr("&+%#= \"{}", *s) || (unsigned char)*s <= 0x20 || !pick(8))
			buf_printf(b, pick(2) ? "%%%02X" : "%%%02x", (unsigned char)*s);
		else
			buf_put(b, s, 1);
	}
}

static void add_param(struct question *q, const char *key, const char *value)
{
	struct eval_param *p = (struct eval_param *)(uintptr_t)q->e.query;
	const char **values;
	uint32_t i = 0;

	while (i < q->e.n_query && strcmp(p[i].key, key))
		i++;
	if (i == q->e.n_query) {
		p[i].key = key;
		p[i].values = arena_zalloc(&q->a, 8 * sizeof(char *));
		q->e.n_query++;
	}
	values = (const char **)(uintptr_t)p[i].values;
	values[p[i].n++] = value;
}

static void put_params(struct question *q)
{
	static const char *const keys[] = { "k", "v", "K", "kk", "" };
	static const char *const values[] = { "1", "1.2", "foo-a", "foo-a.b", "", "a b", "x&y", "1=2", "foo-z", "7" };

	q->e.query = arena_zalloc(&q->a, 8 * sizeof(struct eval_param));
	for (unsigned i = 0, n = pick(4); i < n; i++) {
		const char *key = PICK(keys), *value = PICK(values);

		buf_str(&q->target, i || strchr(q->target.p, '?') ? (pick(9) ? "&" : "&&") : "?");
		put_escaped(&q->target, key);
		if (*value || !*key || pick(2)) {
			buf_str(&q->target, "=");
			put_escaped(&q->target, value);
		}
		add_param(q, key, value);
	}
}

/* ---- GraphQL ------------------------------------------------------------------------------- */

static const char *const op_names[] = { "", "GetA", "DelB", "getA" };
static const char *const op_fields[] = { "viewer", "node", "deleteX", "vip", "code" };

static void put_field(struct buf *b, const char *name)
{
	buf_str(b, pick(4) ? " " : " other: ");
	buf_str(b, name);
	if (!pick(4))
		buf_str(b, "(id: \"}{\\\"\", n: [1, -2.5e3], o: {x: $v, y: E})");
	if (!pick(5))
		buf_str(b, " @include(if: true)");
	if (!pick(3))
		buf_str(b, " { id, deleteX # never }\n }");
}

/* The same root fields, some of them in fragments. */
static void put_document(struct buf *b, const struct eval_operation *op)
{
	bool anonymous = !*op->name && !strcmp(op->type, "query") && pick(2);
	unsigned spread = op->n_fields > 1 ? pick(3) : 0;

	if (!anonymous)
		buf_printf(b, "%s %s%s", op->type, op->name, pick(3) ? "" : "($v: [Int!]! = [1], $w: T)");
	buf_str(b, "{");
	for (uint32_t i = 0; i < op->n_fields - (spread ? 1 : 0); i++)
		put_field(b, op->fields[i]);
	if (spread == 1)
		buf_str(b, " ... on Q { ...F }");
	if (spread == 2)
		buf_str(b, " ...F");
	buf_str(b, "}");
	if (!spread)
		return;
	buf_str(b, " fragment F on Q {");
	put_field(b, op->fields[op->n_fields - 1]);
	buf_str(b, pick(2) ? " ...F }" : "}");
}

static void random_operation(struct question *q, struct eval_operation *op)
{
	const char **fields = arena_zalloc(&q->a, 4 * sizeof(*fields));

	*op = (struct eval_operation){ .type = kinds[pick(3)], .name = PICK(op_names), .fields = fields };
	if (!pick(3)) {
		*op = (struct eval_operation){ .type = "", .name = PICK(op_names), .persisted = true,
					       .hash = PICK(hashes) };
		return;
	}
	for (op->n_fields = 1 + pick(3); fields[op->n_fields - 1] == NULL;)
		for (uint32_t i = 0; i < op->n_fields; i++)
			fields[i] = PICK(op_fields);
}

static void put_operation(struct buf *b, const struct eval_operation *op)
{
	struct json j = json_to_buf(b);
	struct buf doc = { 0 };

	json_obj(&j);
	if (op->persisted) {
		if (*op->name)
			json_kv_str(&j, "operationName", op->name);
		json_key(&j, "extensions");
		json_obj(&j);
		json_key(&j, "persistedQuery");
		json_obj(&j);
		json_kv_u64(&j, "version", 1);
		json_kv_str(&j, "sha256Hash", op->hash);
		json_end(&j);
		json_end(&j);
	} else {
		put_document(&doc, op);
		json_key(&j, "query");
		json_str(&j, doc.p, doc.n);
		if (*op->name && pick(2))
			json_kv_str(&j, "operationName", op->name);
	}
	json_end(&j);
	buf_done(&doc);
}

static struct eval_graphql *random_graphql(struct question *q, bool message)
{
	struct eval_graphql *g = arena_zalloc(&q->a, sizeof(*g));
	struct eval_operation *ops = arena_zalloc(&q->a, OPS * sizeof(*ops));
	bool list = !message && !pick(4);

	g->operations = ops;
	g->n = list ? pick(OPS) + !pick(2) : 1;
	buf_str(&q->body, list ? "[" : message ? "{\"id\":\"1\",\"type\":\"subscribe\",\"payload\":" : "");
	for (uint32_t i = 0; i < g->n; i++) {
		buf_str(&q->body, i ? "," : "");
		random_operation(q, &ops[i]);
		put_operation(&q->body, &ops[i]);
	}
	buf_str(&q->body, list ? "]" : message ? "}" : "");
	if (!pick(12)) {
		buf_str(&q->body, " ]");
		g->error = true;
		g->n = 0;
	}
	return g;
}

static struct eval_graphql *graphql_in_url(struct question *q)
{
	struct eval_graphql *g = arena_zalloc(&q->a, sizeof(*g));
	struct eval_operation *op = arena_zalloc(&q->a, sizeof(*op));
	struct buf text = { 0 };

	g->operations = op;
	g->n = 1;
	random_operation(q, op);
	if (op->persisted) {
		buf_str(&q->target, "?extensions=");
		buf_printf(&text, "{\"persistedQuery\":{\"sha256Hash\":\"%s\"}}", op->hash);
	} else {
		buf_str(&q->target, "?query=");
		put_document(&text, op);
	}
	buf_put(&text, "", 1);
	put_escaped(&q->target, text.p);
	if (*op->name && (op->persisted || pick(2)))
		buf_printf(&q->target, "&operationName=%s", op->name);
	buf_done(&text);
	return g;
}

/* ---- JSON-RPC ------------------------------------------------------------------------------ */

static void random_call(struct question *q, struct eval_call *c)
{
	static const char *const asked[] = { "tools/call", "tools/call", "tools/call", "tools/list", "initialize",
					     "x.y", "evil", "x.z", "tools/a.b" };
	static const char *const tools[] = { "read_a", "write.b", "bad name", "x", "read_a.b" };
	struct buf *b = &q->body;

	*c = (struct eval_call){ .method = PICK(asked) };
	if (!strcmp(c->method, "tools/call") && pick(5))
		c->tool = PICK(tools);
	if (!pick(10)) {
		c->response = true;
		c->method = pick(2) ? c->method : NULL;
	}
	buf_str(b, "{\"jsonrpc\":\"2.0\",\"id\":1");
	if (c->method)
		buf_printf(b, ",\"%s\":\"%s\"", pick(4) ? "method" : "\\u006dethod", c->method);
	if (c->tool)
		buf_printf(b, ",\"params\":{\"name\":\"%s\",\"arguments\":{\"name\":\"evil\"}}", c->tool);
	if (c->response)
		buf_str(b, ",\"result\":{}");
	if (!c->method && !c->response)
		c->error = true;
	if (!pick(12)) {
		static const char *const twice[] = { ",\"Method\":\"evil\"", ",\"id\":2", ",\"PARAMS\":{}" };

		buf_str(b, PICK(twice));
		*c = (struct eval_call){ .error = true };
	}
	buf_str(b, "}");
}

/* A key twice spoils the whole text, and with it the batch. */
static void random_calls(struct question *q)
{
	struct eval_call *calls = arena_zalloc(&q->a, OPS * sizeof(*calls));
	bool list = !pick(3);

	q->e.calls = calls;
	q->e.n_calls = list ? pick(OPS + 1) : 1;
	buf_str(&q->body, list ? "[" : "");
	for (uint32_t i = 0; i < q->e.n_calls; i++) {
		buf_str(&q->body, i ? "," : "");
		random_call(q, &calls[i]);
	}
	buf_str(&q->body, list ? "]" : "");
	if (memmem(q->body.p, q->body.n, "\"id\":2", 6) || !pick(14)) {
		buf_str(&q->body, pick(2) ? "x" : "{}");
		calls[0] = (struct eval_call){ .error = true };
		q->e.n_calls = 1;
	}
}

/* ---- the whole ------------------------------------------------------------------------------ */

/* Operations on a websocket travel in messages alone; eval is not asked about them elsewhere. */
static bool in_messages_alone(const struct bundle *b)
{
	for (uint32_t i = 0; i < b->n_l7; i++)
		if (b->l7[i].protocol == OSH_PROTO_WEBSOCKET && (b->l7[i].flags & OSH_L7_OPERATIONS))
			return true;
	return false;
}

static void random_body(struct question *q, const struct bundle *b)
{
	static const struct eval_graphql unread = { .error = true };
	static const struct eval_call bad = { .error = true }, listens = { .stream = true };
	bool get = !strcasecmp(q->e.method, "GET");
	unsigned kind = pick(5);

	if (!q->r.message && kind < 2 && in_messages_alone(b))
		kind = 2;
	if (get ? kind < 2 : kind < 2 || q->r.message)
		q->e.graphql = get && !q->r.message ? graphql_in_url(q) : random_graphql(q, q->r.message);
	else if (kind < 4 && !get)
		random_calls(q);
	if (!q->e.graphql)
		q->e.graphql = &unread;
	if (!q->r.message && !get && strcasecmp(q->e.method, "POST"))
		q->e.graphql = NULL;	/* carried by no other method */
	if (!q->e.calls) {
		q->e.calls = q->body.n || !strcasecmp(q->e.method, "POST") ? &bad : &listens;
		q->e.n_calls = 1;
	}
}

/* The target as table.c would fill it. */
static void let_through(const struct bundle *b, const char *program, struct target *t)
{
	uint32_t host = 0;

	*t = (struct target){ .port = 80 };
	for (uint32_t i = 0; i < b->n_hosts; i++)
		if (!host || !strcmp(bundle_str(b, b->hosts[i].name), "a.x.test"))
			host = i + 1;
	for (uint32_t i = 0; i < b->n_alts; i++) {
		const struct osh_b_endpoint *e = b->endpoints;
		bool mine = false;

		while (e->host != host)
			e++;
		if (i < e->first_alt || i >= e->first_alt + e->n_alts)
			continue;
		for (uint32_t k = 0; k < b->n_binaries; k++)
			mine |= b->binaries[k].group == b->alts[i].group &&
				!strcmp(bundle_str(b, b->binaries[k].path), program);
		if (mine)
			t->rules[t->n_rules++] = b->alts[i].rule;
	}
	for (uint32_t i = 1; i < t->n_rules; i++)
		for (uint32_t k = i; k && t->rules[k - 1] > t->rules[k]; k--) {
			uint32_t swap = t->rules[k];

			t->rules[k] = t->rules[k - 1];
			t->rules[k - 1] = swap;
		}
	t->rule = t->n_rules ? t->rules[0] + 1 : 0;
}

static void question_new(struct question *q, const struct world *w)
{
	static const char *const sent[] = { "GET", "GET", "get", "HEAD", "DELETE", "PUT", "OPTIONS", "PATCH",
					    "POST", "POST", "POST", "POST", "POST", "WEBSOCKET_TEXT" };
	const struct canon_options keep = { .encoded_slash = true };

	*q = (struct question){ .e = { .method = PICK(sent) } };
	q->e.connect = (struct eval_connect){ .host = "a.x.test", .port = 80, .binary = pick(2) ? "/bin/a" : "/bin/b" };
	q->r.message = !strcmp(q->e.method, "WEBSOCKET_TEXT");
	put_path(&q->target);
	random_body(q, &w->b);
	buf_put(&q->target, "", 1);
	q->target.n--;
	put_params(q);
	q->bad_target = canon_path((struct slice){ q->target.p, q->target.n }, &keep, q->canonical) != CANON_OK;
	q->e.path = q->canonical;
	q->r.method = q->e.method;
	q->r.target = (struct slice){ q->target.p, q->target.n };
	q->r.body = (struct slice){ q->body.p, q->body.n };
	q->r.content_type = SLICE("application/json; charset=utf-8");
	let_through(&w->b, q->e.connect.binary, &q->t);
	q->want = eval_request(&w->p, &q->e);
	if (q->bad_target && q->want.why != OSH_WHY_NOT_INSPECTED && eval_connect(&w->p, &q->e.connect).verdict)
		q->want = (struct decision){ .why = OSH_WHY_TARGET_BAD };
}

static const char *question_differs(const struct question *q, const struct world *w, struct rules_answer *got)
{
	const struct decision *d = &q->want;
	enum osh_verdict verdict = d->verdict == OSH_ALLOW ? OSH_ALLOW : d->audit ? OSH_AUDIT : OSH_DENY;
	const char *rule;

	rules_judge(&w->b, &q->t, &q->r, got);
	rule = got->rule ? bundle_str(&w->b, w->b.rules[got->rule - 1].name) : NULL;
	if (got->verdict != verdict)
		return "verdict";
	if (got->why != d->why)
		return "reason";
	if (!rule != !d->rule || (rule && strcmp(rule, d->rule)))
		return "rule";
	if (got->line != d->line)
		return "line";
	if (d->why != OSH_WHY_TARGET_BAD && d->why != OSH_WHY_NOT_INSPECTED && strcmp(got->path, q->canonical))
		return "path";
	if (got->verdict == OSH_ALLOW && (!got->l7 || w->b.l7[got->l7 - 1].rule != got->rule - 1))
		return "endpoint";
	return NULL;
}
