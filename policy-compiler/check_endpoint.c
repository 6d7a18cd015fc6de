/* SPDX-License-Identifier: Apache-2.0 */
/* What the keys of one endpoint may not say together. Wording is OpenShell's where it has one. */
#include "network.h"

static void say(struct reader *r, const struct node *n, enum diag_code code, const char *text)
{
	diag_add(r->d, code, n->key ? n->key->at : n->at, NULL, "%s", text);
}

static void check_tcp(struct reader *r, const struct endpoint_in *in)
{
	const struct node *l7 = in->access ? in->access : in->rules ? in->rules : in->deny;

	if (l7)
		say(r, l7, DIAG_RULES,
		    "protocol tcp does not support access, rules, or deny_rules; remove those L7 fields");
	if (in->host && in->e.host.kind == HOST_NET)
		diag_add(r->d, DIAG_HOST, in->host->at, "leave protocol away for an address",
			 "protocol tcp must use a DNS hostname, not an IP literal; direct IP "
			 "connections bypass policy DNS and are blocked");
}

static void check_plain(struct reader *r, const struct endpoint_in *in)
{
	if (in->deny)
		say(r, in->deny, DIAG_RULES, "deny_rules require protocol");
	if (in->rules || in->access)
		say(r, in->rules ? in->rules : in->access, DIAG_RULES,
		    "rules and access require protocol");
}

/* Keys that say something about requests, on an endpoint that looks into none. */
static void check_idle(struct reader *r, const struct endpoint_in *in)
{
	const struct node *idle[] = { in->path, in->encoded_slash };

	for (size_t i = 0; i < sizeof(idle) / sizeof(*idle); i++)
		if (idle[i])
			diag_add(r->d, DIAG_DEPRECATED, idle[i]->key->at, NULL,
				 "'%s' has no effect without a protocol that is looked into",
				 idle[i]->key->text);
}

/* There must be something that allows. */
static void check_base(struct reader *r, const struct node *at, const struct endpoint_in *in)
{
	bool none = !in->e.l7.has_rules && !in->access;

	if (in->deny && none && !(in->e.protocol == PROTO_MCP && in->e.l7.known_methods))
		say(r, in->deny, DIAG_RULES,
		    "deny_rules require rules or access to define the base allow set");
	if (!none)
		return;
	if (in->e.protocol == PROTO_JSONRPC)
		say(r, at, DIAG_RULES, "protocol json-rpc requires explicit rules");
	else if (in->e.protocol == PROTO_MCP && !in->e.l7.known_methods)
		say(r, at, DIAG_RULES,
		    "protocol mcp requires rules when mcp.allow_all_known_mcp_methods is false");
	else if (in->e.protocol != PROTO_MCP)
		say(r, at, DIAG_RULES,
		    "protocol requires rules or access to define allowed traffic");
}

static void check_access(struct reader *r, const struct endpoint_in *in)
{
	if (!in->access)
		return;
	if (in->e.l7.has_rules)
		say(r, in->access, DIAG_EXCLUSIVE, "rules and access are mutually exclusive");
	if (in->e.protocol == PROTO_JSONRPC)
		say(r, in->access, DIAG_RULES,
		    "protocol json-rpc does not support access presets; use explicit rules with "
		    "allow.method such as \"*\"");
	if (in->e.protocol == PROTO_MCP)
		say(r, in->access, DIAG_RULES,
		    "protocol mcp does not support access presets; use explicit rules with allow.method "
		    "such as \"tools/call\"");
}

static void check_lists(struct reader *r, const struct endpoint_in *in)
{
	if (in->rules && !in->rules->n)
		say(r, in->rules, DIAG_RULES,
		    "rules list cannot be empty; empty rules would deny all traffic");
	if (in->methods && !in->methods->n)
		say(r, in->methods, DIAG_RULES, "methods list cannot be empty");
	if (in->paths && !in->paths->n)
		say(r, in->paths, DIAG_RULES, "paths list cannot be empty");
	if (in->deny && !in->deny->n)
		say(r, in->deny, DIAG_RULES,
		    "deny_rules list cannot be empty; remove it if nothing is denied");
}

static void check_credentials(struct reader *r, const struct endpoint_in *in)
{
	const struct l7 *l7 = &in->e.l7;
	bool rest = in->e.protocol == PROTO_REST, ws = in->e.protocol == PROTO_WEBSOCKET;

	if (in->credential && !endpoint_inspected(&in->e) && !l7->uninspected)
		say(r, in->credential, DIAG_CREDENTIAL,
		    "a credential goes into requests: the endpoint wants protocol rest, graphql, json-rpc or mcp");
	if (in->ws_rewrite && !rest && !ws)
		say(r, in->ws_rewrite, DIAG_CREDENTIAL,
		    "websocket_credential_rewrite requires protocol rest or websocket");
	if (in->body_rewrite && !rest)
		say(r, in->body_rewrite, DIAG_CREDENTIAL,
		    "request_body_credential_rewrite requires protocol rest");
	if (in->signing && in->body_rewrite)
		say(r, in->signing, DIAG_CREDENTIAL,
		    "endpoint has both credential_signing and request_body_credential_rewrite set; "
		    "these options are mutually exclusive");
	if (in->signing && (!l7->signing_service || !*l7->signing_service))
		say(r, in->signing, DIAG_CREDENTIAL,
		    "endpoint has credential_signing set but signing_service is empty");
}

/* The backend's credential goes along, and the model is looked for in a body that nothing else has changed. */
static void check_route(struct reader *r, const struct endpoint_in *in)
{
	if (!in->route)
		return;
	if (in->e.protocol != PROTO_REST)
		say(r, in->route, DIAG_RULES, "route: inference wants protocol rest");
	if (in->credential || in->signing || in->body_rewrite)
		say(r, in->route, DIAG_CREDENTIAL,
		    "route: inference takes no credential of the endpoint: each route names its provider");
}

static void check_options(struct reader *r, const struct endpoint_in *in)
{
	enum protocol p = in->e.protocol;

	if (in->graphql && p != PROTO_GRAPHQL && p != PROTO_WEBSOCKET)
		say(r, in->graphql, DIAG_RULES,
		    "GraphQL options require protocol graphql or websocket");
	if (in->json_rpc && p != PROTO_JSONRPC)
		say(r, in->json_rpc, DIAG_RULES, "json_rpc requires protocol json-rpc");
	if (in->mcp && p != PROTO_MCP)
		say(r, in->mcp, DIAG_RULES, "mcp requires protocol mcp");
}

void endpoint_check(struct reader *r, const struct node *at, const struct endpoint_in *in)
{
	bool wrong_protocol = in->protocol && in->e.protocol == PROTO_NONE;

	check_lists(r, in);
	check_credentials(r, in);
	check_route(r, in);
	if (wrong_protocol || in->e.protocol == PROTO_SQL)
		return;
	check_options(r, in);
	if (in->e.protocol == PROTO_TCP)
		check_tcp(r, in);
	else if (!endpoint_inspected(&in->e))
		check_plain(r, in);
	if (!endpoint_inspected(&in->e)) {
		check_idle(r, in);
		return;
	}
	check_base(r, at, in);
	check_access(r, in);
	if (in->e.l7.audit)
		diag_add(r->d, DIAG_AUDIT, at->at, "remove enforcement: audit",
			 "requests that the rules deny are recorded and forwarded, not stopped");
}
