/* SPDX-License-Identifier: Apache-2.0 */
/* What one endpoint's rules say of a request: eval_http.c. */
#include "sym.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

static const char *upper(struct sym *s, const char *method)
{
	char *copy = (char *)arena_printf(s->z.a, "%s", method);

	for (char *c = copy; c && *c; c++)
		*c = (char)toupper((unsigned char)*c);
	return copy;
}

static Z3_ast method_in(struct sym *s, const char *method)
{
	Z3_ast is;

	if (!strcmp(method, "*"))
		return z_true(&s->z);
	is = dim_word(s->method, upper(s, method));
	return strcasecmp(method, "GET") ? is : z_or(&s->z, is, dim_word(s->method, "HEAD"));
}

static struct list alts_of(struct sym *s, const struct list *patterns)
{
	struct list all = { 0 };

	for EACH (struct pattern, p, patterns)
		for (uint32_t i = 0; i < p->alts.n; i++) {
			const char **slot = list_push(s->z.a, &all, sizeof(*slot));

			if (slot)
				*slot = ((const char *const *)p->alts.v)[i];
		}
	return all;
}

static Z3_ast any_in(struct sym *s, struct dim *d, const struct list *patterns, bool deny)
{
	struct list all = alts_of(s, patterns);

	return dim_list(d, &all, deny ? 0 : '.', false);
}

enum { KEY_METHOD, KEY_PATH, KEY_QUERY, KEY_VALUE };

static const char *key(bool deny, unsigned which)
{
	static const char *const keys[][2] = {
		[KEY_METHOD] = { IN_ALLOW "method", IN_DENY "method" },
		[KEY_PATH] = { IN_ALLOW "path", IN_DENY "path" },
		[KEY_QUERY] = { IN_ALLOW "query", IN_DENY "query" },
		[KEY_VALUE] = { IN_ALLOW "query.any", IN_DENY "query.any" },
	};

	return keys[which][deny];
}

static Z3_ast http_rule(struct sym *s, const struct l7_rule *r, bool deny)
{
	Z3_ast a;

	if (r->operations || !r->method)
		return z_false(&s->z);
	a = sees(key(deny, KEY_METHOD)) ? method_in(s, r->method) : z_true(&s->z);
	if (r->has_path && sees(key(deny, KEY_PATH)))
		a = z_and(&s->z, a, dim_list(s->path, &r->path.alts, '/', deny));
	for EACH (struct query_match, m, &r->query) {
		struct sym_param *p = sym_param(s, m->key);

		if (!sees(key(deny, KEY_QUERY)))
			continue;
		a = z_and(&s->z, a, p->there);
		if (sees(key(deny, KEY_VALUE)))
			a = z_and(&s->z, a, any_in(s, &p->value, &m->any, deny));
	}
	return a;
}

static Z3_ast http_rules(struct sym *s, const struct list *rules, bool deny)
{
	struct terms any = { .z = &s->z };

	if (!sees(deny ? IN_ENDPOINT "deny_rules" : IN_ENDPOINT "rules"))
		return z_false(&s->z);
	for EACH (struct l7_rule, r, rules)
		terms_add(&any, z_and(&s->z, sym_there(s, r), http_rule(s, r, deny)));
	return terms_or(&any);
}

static Z3_ast methods(struct sym *s, size_t n)
{
	static const char *const preset[] = { "GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH" };
	struct terms any = { .z = &s->z };

	for (size_t i = 0; i < n; i++)
		terms_add(&any, dim_word(s->method, preset[i]));
	return terms_or(&any);
}

static Z3_ast http_preset(struct sym *s, enum access access)
{
	if (!sees(IN_ENDPOINT "access"))
		return z_false(&s->z);
	if (access == ACCESS_FULL)
		return z_true(&s->z);
	return methods(s, access == ACCESS_READ_ONLY ? 3 : access == ACCESS_READ_WRITE ? 6 : 0);
}

static Z3_ast ws_preset(struct sym *s, enum access access)
{
	Z3_ast text = dim_word(s->method, "WEBSOCKET_TEXT"), get = method_in(s, "GET");

	if (access == ACCESS_FULL)
		return z_true(&s->z);
	if (access == ACCESS_READ_WRITE)
		return z_or(&s->z, get, text);
	return access == ACCESS_READ_ONLY ? get : z_false(&s->z);
}

static void add_operations(struct sym *s, const struct list *rules, struct terms *any)
{
	for EACH (struct l7_rule, r, rules)
		if (r->operations)
			terms_add(any, sym_there(s, r));
}

static void websocket(struct sym *s, struct sym_endpoint *se)
{
	const struct l7 *l7 = &se->e->l7;
	Z3_ast text = dim_word(s->method, "WEBSOCKET_TEXT"), plain, inside, hard;
	struct terms operations = { .z = &s->z };

	plain = z_or(&s->z, ws_preset(s, l7->access), http_rules(s, &l7->rules, false));
	se->allows = plain;
	se->hard = z_false(&s->z);
	add_operations(s, &l7->rules, &operations);
	add_operations(s, &l7->deny, &operations);
	if (!operations.v.n)
		return;
	text = z_and(&s->z, text, terms_or(&operations));
	sym_graphql(s, se, &inside, &hard);
	se->allows = z_ite(&s->z, text, inside, plain);
	se->hard = z_and(&s->z, text, hard);
}

void sym_rules(struct sym *s, struct sym_endpoint *se)
{
	const struct l7 *l7 = &se->e->l7;

	se->denies = z_false(&s->z);
	se->hard = z_false(&s->z);
	se->allows = z_false(&s->z);
	switch (se->e->protocol) {
	case PROTO_REST:
		se->allows = z_or(&s->z, http_preset(s, l7->access), http_rules(s, &l7->rules, false));
		se->denies = http_rules(s, &l7->deny, true);
		break;
	case PROTO_WEBSOCKET:
		websocket(s, se);
		se->denies = z_or(&s->z, http_rules(s, &l7->deny, true), sym_graphql_denies(s, se->e));
		break;
	case PROTO_GRAPHQL:
		sym_graphql(s, se, &se->allows, &se->hard);
		se->denies = sym_graphql_denies(s, se->e);
		break;
	case PROTO_JSONRPC:
	case PROTO_MCP:
		sym_rpc(s, se);
		break;
	case PROTO_NONE:
	case PROTO_TCP:
	case PROTO_SQL:
	case PROTO_MAX:
		se->hard = z_true(&s->z);
		break;
	}
}
