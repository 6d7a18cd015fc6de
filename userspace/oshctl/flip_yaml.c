/* SPDX-License-Identifier: Apache-2.0 */
/* One rule about requests, written as a policy writes it. */
#include "flip_parts.h"

#include <string.h>

#include "buf.h"

struct text {
	struct arena *a;
	struct buf b;
};

static void quoted(struct text *t, const char *text)
{
	const char *q = flip_quote(t->a, text);

	buf_str(&t->b, q ? q : "");
	t->b.bad = t->b.bad || !q;
}

static void key(struct text *t, const char *name)
{
	buf_printf(&t->b, "%s%s: ", t->b.n > 1 ? ", " : "", name);
}

static void list_of(struct text *t, const struct list *patterns)
{
	const char *between = "[";

	for EACH (struct pattern, p, patterns) {
		buf_str(&t->b, between);
		quoted(t, p->text);
		between = ", ";
	}
	buf_str(&t->b, "]");
}

/* A pattern, or {any: [pattern]}. */
static void matcher(struct text *t, const struct list *any)
{
	if (any->n == 1) {
		quoted(t, ((const struct pattern *)any->v)->text);
		return;
	}
	buf_str(&t->b, "{any: ");
	list_of(t, any);
	buf_str(&t->b, "}");
}

static void query(struct text *t, const struct list *keys)
{
	const char *between = "{";

	for EACH (struct query_match, m, keys) {
		buf_str(&t->b, between);
		quoted(t, m->key);
		buf_str(&t->b, ": ");
		matcher(t, &m->any);
		between = ", ";
	}
	buf_str(&t->b, "}");
}

static void operation(struct text *t, const struct l7_rule *rule)
{
	key(t, "operation_type");
	buf_str(&t->b, rule->operations == OP_QUERY	     ? "query"
		       : rule->operations == OP_MUTATION     ? "mutation"
		       : rule->operations == OP_SUBSCRIPTION ? "subscription"
							     : "\"*\"");
	if (rule->has_name) {
		key(t, "operation_name");
		quoted(t, rule->name.text);
	}
	if (rule->fields.n) {
		key(t, "fields");
		list_of(t, &rule->fields);
	}
}

const char *flip_rule_yaml(struct arena *a, const struct l7_rule *rule)
{
	struct text t = { .a = a };
	const char *text;

	buf_str(&t.b, "{");
	if (rule->method && !(rule->tools.n && !strcmp(rule->method, "tools/call"))) {	/* `tool` says so */
		key(&t, "method");
		if (strspn(rule->method, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") == strlen(rule->method))
			buf_str(&t.b, rule->method);
		else
			quoted(&t, rule->method);
	}
	if (rule->has_path) {
		key(&t, "path");
		quoted(&t, rule->path.text);
	}
	if (rule->query.n) {
		key(&t, "query");
		query(&t, &rule->query);
	}
	if (rule->operations)
		operation(&t, rule);
	if (rule->tools.n) {
		key(&t, "tool");
		matcher(&t, &rule->tools);
	}
	buf_str(&t.b, "}");
	text = buf_ok(&t.b) ? arena_text(a, t.b.p, t.b.n) : NULL;
	buf_done(&t.b);
	return text;
}
