/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a body holds: eval_graphql.c and eval_rpc.c. One operation with at most one root field, and one call, are
 * enough: each further one is one more thing to be allowed and one more to be denied. Of a registered query the
 * same holds: what it does could be written out.
 */
#include "eval.h"
#include "sym.h"

#include <string.h>

enum { TYPE_QUERY, TYPE_MUTATION, TYPE_SUBSCRIPTION };

static Z3_ast type_in(struct sym *s, unsigned operations)
{
	static const unsigned mask[] = { OP_QUERY, OP_MUTATION, OP_SUBSCRIPTION };
	struct terms any = { .z = &s->z };

	for (unsigned i = 0; i < 3; i++)
		if (operations & mask[i])
			terms_add(&any, z_is(&s->z, s->op_type, i));
	return terms_or(&any);
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

static Z3_ast graphql_rule(struct sym *s, const struct l7_rule *r, bool deny)
{
	bool typed = sees(deny ? IN_DENY "operation_type" : IN_ALLOW "operation_type");
	Z3_ast a = typed ? type_in(s, r->operations) : z_true(&s->z);
	struct list fields;

	if (r->has_name && sees(deny ? IN_DENY "operation_name" : IN_ALLOW "operation_name")) {
		a = z_and(&s->z, a, dim_list(s->op_name, &r->name.alts, deny ? 0 : '.', false));
		if (!deny)
			a = z_and(&s->z, a, z_not(&s->z, dim_word(s->op_name, "")));
	}
	if (!r->fields.n || !sees(deny ? IN_DENY "fields" : IN_ALLOW "fields"))
		return a;
	fields = alts_of(s, &r->fields);
	return z_and(&s->z, a, z_and(&s->z, s->has_field, dim_list(s->field, &fields, deny ? 0 : '.', false)));
}

void sym_graphql(struct sym *s, struct sym_endpoint *se, Z3_ast *ret_allows, Z3_ast *ret_hard)
{
	static const unsigned presets[] = {
		[ACCESS_NONE] = 0,
		[ACCESS_READ_ONLY] = OP_QUERY,
		[ACCESS_READ_WRITE] = OP_QUERY | OP_MUTATION,
		[ACCESS_FULL] = OP_ANY,
		[ACCESS_UNKNOWN] = 0,
	};
	struct terms any = { .z = &s->z }, method = { .z = &s->z };
	Z3_ast readable;

	terms_add(&method, dim_word(s->method, "GET"));
	terms_add(&method, dim_word(s->method, "POST"));
	terms_add(&method, dim_word(s->method, "WEBSOCKET_TEXT"));
	readable = z_and(&s->z, s->graphql, terms_or(&method));
	terms_add(&any, type_in(s, presets[se->e->l7.access]));
	for EACH (struct l7_rule, r, &se->e->l7.rules)
		terms_add(&any, z_and(&s->z, sym_there(s, r), graphql_rule(s, r, false)));
	*ret_allows = z_and(&s->z, readable, terms_or(&any));
	*ret_hard = z_not(&s->z, readable);
}

Z3_ast sym_graphql_denies(struct sym *s, const struct endpoint *e)
{
	struct terms any = { .z = &s->z };

	for EACH (struct l7_rule, r, &e->l7.deny)
		if (r->operations)
			terms_add(&any, z_and(&s->z, sym_there(s, r), graphql_rule(s, r, true)));
	return z_and(&s->z, s->graphql, terms_or(&any));
}

static Z3_ast rpc_rule(struct sym *s, const struct endpoint *e, const struct l7_rule *r, bool deny)
{
	Z3_ast is, tool;
	struct list tools;

	if (!r->method)
		return z_false(&s->z);
	if (e->protocol == PROTO_JSONRPC)
		return strcmp(r->method, "*") ? dim_word(s->call, r->method) : z_true(&s->z);
	is = dim_list(s->call, &r->method_glob.alts, deny ? 0 : '.', false);
	if (!r->tools.n || !sees(deny ? IN_DENY "tool" : IN_ALLOW "tool"))
		return is;
	tools = alts_of(s, &r->tools);
	tool = z_and(&s->z, s->has_tool, dim_list(s->tool, &tools, deny ? 0 : '.', false));
	return z_and(&s->z, is, z_and(&s->z, dim_word(s->call, "tools/call"), tool));
}

static Z3_ast known_call(struct sym *s, const struct endpoint *e)
{
	struct terms any = { .z = &s->z }, narrowed = { .z = &s->z };
	const char *method;

	for EACH (struct l7_rule, r, &e->l7.rules)
		if (r->tools.n)
			terms_add(&narrowed, sym_there(s, r));
	for (size_t i = 0; e->l7.known_methods && sees(IN_ENDPOINT "mcp.allow_all_known_mcp_methods") &&
			   (method = eval_mcp_known(i)) != NULL; i++)
		terms_add(&any, dim_word(s->call, method));
	return z_and(&s->z, terms_or(&any),
		     z_not(&s->z, z_and(&s->z, terms_or(&narrowed), dim_word(s->call, "tools/call"))));
}

/* A call; an answer to the server's; a GET that listens. The last two are MCP's. */
void sym_rpc(struct sym *s, struct sym_endpoint *se)
{
	const struct endpoint *e = se->e;
	bool mcp = e->protocol == PROTO_MCP;
	Z3_ast get = dim_word(s->method, "GET"), post = dim_word(s->method, "POST");
	Z3_ast plain, other, is_call, loose, strict;
	struct terms any = { .z = &s->z }, deny = { .z = &s->z };

	for EACH (struct l7_rule, r, &e->l7.rules)
		terms_add(&any, z_and(&s->z, sym_there(s, r), rpc_rule(s, e, r, false)));
	terms_add(&any, known_call(s, e));
	plain = z_not(&s->z, z_or(&s->z, s->stream, s->response));
	is_call = z_and(&s->z, s->has_call, z_and(&s->z, plain, post));
	strict = z_false(&s->z);
	if (mcp && (!e->l7.loose_tools || !sees(IN_ENDPOINT "mcp.strict_tool_names"))) {
		loose = z_and(&s->z, s->has_tool, dim_in(s->tool, &(struct lang_atom){ .strict = true }));
		strict = z_and(&s->z, dim_word(s->call, "tools/call"), z_not(&s->z, loose));
	}
	other = z_false(&s->z);
	if (mcp)
		other = z_and(&s->z, s->has_call,
			      z_or(&s->z, z_and(&s->z, z_and(&s->z, s->stream, z_not(&s->z, s->response)), get),
				   z_and(&s->z, z_and(&s->z, s->response, z_not(&s->z, s->stream)), post)));
	se->allows = z_or(&s->z, other, z_and(&s->z, z_and(&s->z, is_call, z_not(&s->z, strict)), terms_or(&any)));
	se->hard = z_or(&s->z, z_and(&s->z, z_not(&s->z, is_call), z_not(&s->z, other)),
			z_and(&s->z, is_call, strict));
	for EACH (struct l7_rule, r, &e->l7.deny)
		terms_add(&deny, z_and(&s->z, sym_there(s, r), rpc_rule(s, e, r, true)));
	se->denies = z_and(&s->z, z_and(&s->z, s->has_call, plain), terms_or(&deny));
}
