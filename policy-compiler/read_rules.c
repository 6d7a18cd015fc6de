/* SPDX-License-Identifier: Apache-2.0 */
/* `rules` and `deny_rules` of an endpoint, for every protocol, and `methods` × `paths` of the short form. */
#include <ctype.h>
#include <string.h>

#include "network.h"
#include "own.h"

struct rule_keys {			/* which keys a rule has, by their nodes */
	struct l7_rule rule;
	const struct node *method, *path, *query, *type, *name, *fields, *tool, *params, *command;
};

static void read_method(struct reader *r, const struct node *n, void *obj)
{
	struct rule_keys *k = obj;

	if (read_text(r, n, &k->rule.method))
		k->method = n;
	if (k->method && !*k->rule.method)
		diag_add(r->d, DIAG_RULES, n->at, NULL, "'method' must not be empty");
}

static void read_rule_path(struct reader *r, const struct node *n, void *obj)
{
	struct rule_keys *k = obj;

	k->path = n;
	k->rule.has_path = read_pattern(r, n, &k->rule.path);
}

static void push_pattern(struct reader *r, const struct node *n, struct list *to)
{
	struct pattern one, *p;

	if (!read_pattern(r, n, &one))
		return;
	p = list_push(r->a, to, sizeof(*p));
	if (p)
		*p = one;
}

static void read_any(struct reader *r, const struct node *n, void *obj)
{
	if (!want_kind(r, n, NODE_LIST))
		return;
	if (!n->n)
		diag_add(r->d, DIAG_RULES, n->at, NULL, "'any' must list at least one pattern");
	for (const struct node *v = n->first; v; v = v->next)
		push_pattern(r, v, obj);
}

static const struct field matcher_fields[] = {
	{ "any", read_any, FIELD_KEPT, FIELD_REQUIRED, "[glob]", "one of these" },
	{ 0 },
};

/* "glob" or {any: [glob]}. */
static void read_matcher(struct reader *r, const struct node *n, struct list *to)
{
	if (n->kind == NODE_SCALAR)
		push_pattern(r, n, to);
	else
		(void)read_map(r, n, matcher_fields, "matcher", to);
}

static void read_query(struct reader *r, const struct node *n, void *obj)
{
	struct rule_keys *k = obj;

	k->query = n;
	if (!want_kind(r, n, NODE_MAP))
		return;
	for (const struct node *v = n->first; v; v = v->next) {
		struct query_match *q = list_push(r->a, &k->rule.query, sizeof(*q));

		if (!q)
			return;
		*q = (struct query_match){ .at = v->key->at, .key = v->key->text };
		read_matcher(r, v, &q->any);
	}
}

static void read_type(struct reader *r, const struct node *n, void *obj)
{
	static const char *const words[] = { "query", "mutation", "subscription", "*", NULL };
	struct rule_keys *k = obj;
	unsigned v;

	k->type = n;
	if (read_word(r, n, words, &v))
		k->rule.operations = v == 3 ? OP_ANY : 1u << v;
}

static void read_name(struct reader *r, const struct node *n, void *obj)
{
	struct rule_keys *k = obj;

	k->name = n;
	k->rule.has_name = read_pattern(r, n, &k->rule.name);
}

static void read_fields(struct reader *r, const struct node *n, void *obj)
{
	struct rule_keys *k = obj;

	k->fields = n;
	if (!want_kind(r, n, NODE_LIST))
		return;
	if (!n->n)
		diag_add(r->d, DIAG_RULES, n->at, NULL, "'fields' must list at least one field");
	for (const struct node *v = n->first; v; v = v->next)
		push_pattern(r, v, &k->rule.fields);
}

static void read_tool(struct reader *r, const struct node *n, void *obj)
{
	struct rule_keys *k = obj;

	k->tool = n;
	read_matcher(r, n, &k->rule.tools);
}

static void keep_node(struct reader *r, const struct node *n, void *obj)
{
	(void)r;
	*(const struct node **)obj = n;
}

static void read_params(struct reader *r, const struct node *n, void *obj)
{
	keep_node(r, n, &((struct rule_keys *)obj)->params);
}

static void read_command(struct reader *r, const struct node *n, void *obj)
{
	keep_node(r, n, &((struct rule_keys *)obj)->command);
}

static void read_params_name(struct reader *r, const struct node *n, void *obj)
{
	read_matcher(r, n, obj);
}

static const struct field params_fields[] = {
	{ "name", read_params_name, FIELD_KEPT, FIELD_REQUIRED, "glob | {any: [glob]}", "the tool", matcher_fields },
	{ 0 },
};

/* clang-format off */
const struct field deny_fields[] = {
	{ "method",         read_method,    FIELD_KEPT, 0, "method", "HTTP, JSON-RPC or MCP method; * is any" },
	{ "path",           read_rule_path, FIELD_KEPT, 0, "glob",   "HTTP path; every * is one segment" },
	{ "query",          read_query,     FIELD_KEPT, 0, "key -> glob | {any: [glob]}", "HTTP query", matcher_fields },
	{ "operation_type", read_type,      FIELD_KEPT, 0, "query | mutation | subscription | *", "GraphQL" },
	{ "operation_name", read_name,      FIELD_KEPT, 0, "glob",   "GraphQL" },
	{ "fields",         read_fields,    FIELD_KEPT, 0, "[glob]", "GraphQL root fields" },
	{ "tool",           read_tool,      FIELD_KEPT, 0, "glob | {any: [glob]}", "MCP tool", matcher_fields },
	{ "params",         read_params,    FIELD_KEPT, 0, "{name: glob}", "MCP: as tool", params_fields },
	{ "command",        read_command,   FIELD_KEPT, 0, "text",   "SQL" },
	{ 0 }
};
/* clang-format on */

static void read_allow(struct reader *r, const struct node *n, void *obj)
{
	keep_node(r, n, obj);
}

const struct field allow_fields[] = {
	{ "allow", read_allow, FIELD_KEPT, FIELD_REQUIRED, "rule", "keys as in deny_rules", deny_fields },
	{ 0 },
};

static void wrong(struct reader *r, const struct node *n, enum protocol p, const char *key)
{
	diag_add(r->d, DIAG_RULES, n->key ? n->key->at : n->at, NULL,
		 "protocol %s rules do not support %s", protocol_name(p), key);
}

/* Keys that the protocol has no use for. */
static void check_keys(struct reader *r, enum protocol p, const struct rule_keys *k)
{
	bool http = p == PROTO_REST || p == PROTO_WEBSOCKET;
	bool graphql = p == PROTO_GRAPHQL || p == PROTO_WEBSOCKET;
	const struct {
		const struct node *n;
		const char *key;
		bool ok;
	} keys[] = {
		{ k->method, "method", p != PROTO_GRAPHQL },
		{ k->path, "path", http },
		{ k->query, "query", http },
		{ k->type, "operation_type", graphql },
		{ k->name, "operation_name", graphql },
		{ k->fields, "fields", graphql },
		{ k->tool, "tool", p == PROTO_MCP },
		{ k->params, "params", p == PROTO_MCP },
		{ k->command, "command", false },
	};

	for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
		if (keys[i].n && !keys[i].ok)
			wrong(r, keys[i].n, p, keys[i].key);
}

static void missing(struct reader *r, const struct node *at, enum protocol p, const char *key,
		    const char *hint)
{
	diag_add(r->d, DIAG_MISSING, at->at, hint, "protocol %s rule needs '%s'", protocol_name(p), key);
}

/* HTTP methods are compared in upper case. */
static void finish_http(struct reader *r, const struct node *at, enum protocol p, struct rule_keys *k)
{
	char *upper;

	if (!k->method && !map_get(at, "method"))
		missing(r, at, p, "method", "method: \"*\" is any");
	if (!k->path)
		missing(r, at, p, "path", "path: \"/**\" is any");
	if (!k->method)
		return;
	upper = (char *)arena_text(r->a, k->rule.method, strlen(k->rule.method));
	for (char *c = upper; c && *c; c++) {
		*c = (char)toupper((unsigned char)*c);
		if (!isalnum((unsigned char)*c) && !strchr("!#$%&'*+-.^_`|~", *c)) {
			diag_add(r->d, DIAG_RULES, k->method->at, NULL, "'%.40s' is no HTTP method",
				 k->method->text);
			break;
		}
	}
	if (k->method->text[0] == '*' ? k->method->text[1] : strchr(k->method->text, '*') != NULL)
		diag_add(r->d, DIAG_RULES, k->method->at, NULL,
			 "a method is exact or '*', not a pattern: %.40s", k->method->text);
	k->rule.method = upper;
}

static void finish_graphql(struct reader *r, const struct node *at, enum protocol p,
			   struct rule_keys *k, bool deny)
{
	if (!k->type && !deny)
		missing(r, at, p, "operation_type", "operation_type: \"*\" is any");
	if (!k->type)
		k->rule.operations = OP_ANY;
}

static void finish_rpc(struct reader *r, const struct node *at, struct rule_keys *k)
{
	if (!k->method && !map_get(at, "method"))
		missing(r, at, PROTO_JSONRPC, "method", "method: \"*\" is any");
	else if (k->method && strcmp(k->rule.method, "*") && pattern_special(k->rule.method))
		diag_add(r->d, DIAG_RPC_METHOD, k->method->at, NULL,
			 "protocol json-rpc methods are exact or '*', not patterns: %.60s",
			 k->rule.method);
}

/* `tool` alone means tools/call. */
static void finish_mcp(struct reader *r, const struct node *at, struct rule_keys *k, bool loose)
{
	if (k->params)
		(void)read_map(r, k->params, params_fields, "params", &k->rule.tools);
	if (k->tool && k->params)
		diag_add(r->d, DIAG_EXCLUSIVE, k->params->key->at, NULL,
			 "'tool' and 'params.name' are mutually exclusive");
	if (!k->method && (k->tool || k->params))
		k->rule.method = "tools/call";
	else if (!k->method)
		missing(r, at, PROTO_MCP, "method", NULL);
	if (!k->rule.method)
		return;
	if (pattern_special(k->rule.method) && strcmp(k->rule.method, "tools/*"))
		diag_add(r->d, DIAG_RPC_METHOD, k->method->at,
			 "mcp: {allow_all_known_mcp_methods: true} allows every method of the protocol",
			 "protocol mcp methods are exact or 'tools/*': %.60s", k->rule.method);
	else if (k->rule.tools.n && strcmp(k->rule.method, "tools/call") &&
		 strcmp(k->rule.method, "tools/*"))
		diag_add(r->d, DIAG_RULES, at->at, NULL, "'tool' belongs to method tools/call, not %.60s",
			 k->rule.method);
	(void)pattern_parse(r->a, k->rule.method, &k->rule.method_glob);
	for EACH (struct pattern, p, &k->rule.tools)
		if (loose && pattern_special(p->text))
			diag_add(r->d, DIAG_RULES, at->at, "remove strict_tool_names: false",
				 "a pattern for 'tool' requires strict tool names: %.60s", p->text);
}

static void read_one(struct reader *r, const struct node *n, struct endpoint_in *in, bool deny,
		     struct list *to)
{
	enum protocol p = in->e.protocol;
	struct rule_keys k = { .rule = { .at = n->at } };
	uint32_t errors = r->d->n_errors;
	struct l7_rule *rule;

	if (!read_map(r, n, deny_fields, deny ? "deny rule" : "allow", &k))
		return;
	if (p < PROTO_REST || p == PROTO_SQL)
		return;			/* said for the endpoint as a whole */
	check_keys(r, p, &k);
	if (r->d->n_errors != errors)
		return;
	if (p == PROTO_GRAPHQL || k.type || k.name || k.fields)
		finish_graphql(r, n, p, &k, deny);
	if (k.rule.operations && (k.method || k.path || k.query))
		diag_add(r->d, DIAG_RULES, n->at, "write two rules",
			 "a rule is about a GraphQL operation or about a request, not both");
	else if (p == PROTO_JSONRPC)
		finish_rpc(r, n, &k);
	else if (p == PROTO_MCP)
		finish_mcp(r, n, &k, in->e.l7.loose_tools);
	else if (!k.rule.operations)
		finish_http(r, n, p, &k);
	rule = list_push(r->a, to, sizeof(*rule));
	if (rule)
		*rule = k.rule;
}

static void read_rules(struct reader *r, struct endpoint_in *in)
{
	for (const struct node *v = in->rules->first; v; v = v->next) {
		const struct node *allow = NULL;

		if (read_map(r, v, allow_fields, "rules entry", &allow) && allow)
			read_one(r, allow, in, false, &in->e.l7.rules);
	}
}

/* One rule for each method and path; absent means every one. */
static void read_short(struct reader *r, struct endpoint_in *in)
{
	struct list methods = { 0 }, paths = { 0 };
	struct rule_keys any = { 0 };

	for (const struct node *v = in->methods ? in->methods->first : NULL; v; v = v->next) {
		struct rule_keys *k = list_push(r->a, &methods, sizeof(*k));
		const char *text;

		if (!k || !read_text(r, v, &text))
			continue;
		*k = (struct rule_keys){ .method = v, .path = v, .rule = { .method = text, .at = v->at } };
		finish_http(r, v, PROTO_REST, k);
	}
	for (const struct node *v = in->paths ? in->paths->first : NULL; v; v = v->next)
		push_pattern(r, v, &paths);
	any.rule.method = "*";
	any.rule.at = in->paths ? in->paths->at : (struct place){ 0 };
	for (uint32_t i = 0; i < (in->methods ? methods.n : 1); i++) {
		const struct rule_keys *k = in->methods ? (struct rule_keys *)methods.v + i : &any;

		for (uint32_t n = 0; n < (in->paths ? paths.n : 1); n++) {
			struct l7_rule *rule = list_push(r->a, &in->e.l7.rules, sizeof(*rule));

			if (!rule || !k->rule.method)
				return;
			*rule = k->rule;
			rule->has_path = in->paths;
			if (in->paths)
				rule->path = ((struct pattern *)paths.v)[n];
		}
	}
}

void rules_finish(struct reader *r, struct endpoint_in *in)
{
	/* A credential goes into requests, so an entry with one is about requests. */
	bool brief = in->methods || in->paths || (in->brief && in->e.l7.credential);

	in->e.l7.has_rules = in->rules || brief;
	in->e.l7.has_deny = in->deny;
	if (brief) {
		in->e.protocol = PROTO_REST;
		read_short(r, in);
	}
	if (in->rules)
		read_rules(r, in);
	for (const struct node *v = in->deny ? in->deny->first : NULL; v; v = v->next)
		read_one(r, v, in, true, &in->e.l7.deny);
}
