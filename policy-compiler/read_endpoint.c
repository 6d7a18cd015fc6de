/* SPDX-License-Identifier: Apache-2.0 */
/* One endpoint: host, ports, addresses, and the keys that say what is inside the connection. */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "host.h"
#include "network.h"
#include "osh/limits.h"
#include "own.h"

#define BODY_DEFAULT 65536

static int by_number(const void *pa, const void *pb)
{
	uint32_t a = *(const uint32_t *)pa, b = *(const uint32_t *)pb;

	return a < b ? -1 : a > b;
}

static int by_net(const void *pa, const void *pb)
{
	return memcmp(pa, pb, sizeof(struct net));
}

/* Sorts an array and drops repeats; the new count. */
static uint32_t distinct(void *v, uint32_t n, size_t size, int (*cmp)(const void *, const void *))
{
	char *p = v;
	uint32_t kept = 0;

	if (n)
		qsort(v, n, size, cmp);
	for (uint32_t i = 0; i < n; i++)
		if (!kept || cmp(p + (kept - 1) * size, p + i * size))
			memmove(p + kept++ * size, p + i * size, size);
	return kept;
}

void read_endpoint_host(struct reader *r, const struct node *n, void *obj)
{
	const char *text;

	if (read_text(r, n, &text))
		((struct endpoint_in *)obj)->host = n;
}

void read_endpoint_port(struct reader *r, const struct node *n, void *obj)
{
	(void)r;
	((struct endpoint_in *)obj)->port = n;
}

static void read_ports_node(struct reader *r, const struct node *n, void *obj)
{
	if (want_kind(r, n, NODE_LIST))
		((struct endpoint_in *)obj)->ports = n;
}

/* An entry that reaches too far is kept in the model: eval shows that it changes nothing. */
static void read_allowed_ip(struct reader *r, const struct node *n, struct list *to)
{
	const char *text, *why;
	struct net net, *p;

	if (!read_text(r, n, &text))
		return;
	if (!net_parse(text, &net)) {
		diag_add(r->d, DIAG_ADDRESS, n->at, NULL, "'%.80s' is no IP address or network", text);
		return;
	}
	why = net_unallowable(&net);
	if (why)
		diag_add(r->d, DIAG_ALLOWED_IPS, n->at, NULL,
			 "allowed_ips entry %.80s overlaps the %s range", text, why);
	p = list_push(r->a, to, sizeof(*p));
	if (p)
		*p = net;
}

void read_endpoint_allowed(struct reader *r, const struct node *n, void *obj)
{
	struct endpoint_in *in = obj;

	if (!want_kind(r, n, NODE_LIST))
		return;
	for (const struct node *v = n->first; v; v = v->next)
		read_allowed_ip(r, v, &in->allowed);
}

static const char *const protocols[PROTO_MAX] = {
	[PROTO_NONE] = "",	     [PROTO_TCP] = "tcp",	   [PROTO_REST] = "rest",
	[PROTO_WEBSOCKET] = "websocket", [PROTO_GRAPHQL] = "graphql", [PROTO_JSONRPC] = "json-rpc",
	[PROTO_MCP] = "mcp",	     [PROTO_SQL] = "sql",
};

const char *protocol_name(enum protocol p)
{
	return protocols[p];
}

static void read_protocol(struct reader *r, const struct node *n, void *obj)
{
	struct endpoint_in *in = obj;
	const char *text;

	if (!read_text(r, n, &text))
		return;
	in->protocol = n;
	for (int i = PROTO_TCP; i < PROTO_MAX; i++)
		if (!strcasecmp(text, protocols[i]))
			in->e.protocol = (enum protocol)i;
	if (in->e.protocol == PROTO_NONE)
		diag_add(r->d, DIAG_VALUE, n->at, NULL,
			 "unknown protocol '%.40s' (expected tcp, rest, websocket, graphql, sql, "
			 "json-rpc, or mcp)",
			 text);
	else if (in->e.protocol == PROTO_SQL)
		diag_add(r->d, DIAG_UNSUPPORTED, n->at, "leave protocol away for plain TCP",
			 "SQL enforcement requires full SQL parsing, so protocol sql is refused");
}

static void read_tls(struct reader *r, const struct node *n, void *obj)
{
	static const char *const words[] = { "skip", "terminate", "passthrough", NULL };
	struct endpoint_in *in = obj;
	unsigned v;

	if (!read_word(r, n, words, &v))
		return;
	in->e.tls_skip = v == 0;
	if (v)
		diag_add(r->d, DIAG_DEPRECATED, n->at, NULL, "'tls: %s' has no effect", words[v]);
}

static void read_enforcement(struct reader *r, const struct node *n, void *obj)
{
	static const char *const words[] = { "enforce", "audit", NULL };
	struct endpoint_in *in = obj;
	unsigned v;

	if (read_word(r, n, words, &v))
		in->e.l7.audit = v == 1;
}

static void read_selector(struct reader *r, const struct node *n, void *obj)
{
	struct endpoint_in *in = obj;

	if (!read_pattern(r, n, &in->e.l7.path))
		return;
	if (!*in->e.l7.path.text)
		return;			/* selects everything */
	in->path = n;
	for (const char *p = in->e.l7.path.text; *p; p++)
		in->e.l7.weight += *p != '*';
}

/* OpenShell warns of an unknown preset and goes on without any; so nothing is allowed. */
static void read_access(struct reader *r, const struct node *n, void *obj)
{
	static const char *const words[] = { "read-only", "read-write", "full" };
	struct endpoint_in *in = obj;
	const char *text, *near;

	if (!read_text(r, n, &text))
		return;
	in->access = n;
	in->e.l7.access_at = n->at;
	in->e.l7.access = ACCESS_UNKNOWN;
	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		if (!strcmp(text, words[i]))
			in->e.l7.access = ACCESS_READ_ONLY + (unsigned)i;
	if (in->e.l7.access != ACCESS_UNKNOWN)
		return;
	near = nearest(text, words, ARRAY_SIZE(words));
	diag_add(r->d, DIAG_PRESET, n->at,
		 near ? arena_printf(r->a, "did you mean '%s'?", near) : NULL,
		 "access '%.40s' is none of read-only, read-write, full, so nothing is allowed", text);
}

static void read_rule_list(struct reader *r, const struct node *n, void *obj)
{
	if (want_kind(r, n, NODE_LIST))
		((struct endpoint_in *)obj)->rules = n;
}

static void read_deny_list(struct reader *r, const struct node *n, void *obj)
{
	if (want_kind(r, n, NODE_LIST))
		((struct endpoint_in *)obj)->deny = n;
}

/* A switch that changes nothing when it is off. */
static const struct node *read_switch(struct reader *r, const struct node *n, bool *ret)
{
	if (!read_bool(r, n, ret) || !*ret)
		return NULL;
	unkept(r, n->key->at, n->key->text);
	return n;
}

static void read_slash(struct reader *r, const struct node *n, void *obj)
{
	struct endpoint_in *in = obj;

	if (read_bool(r, n, &in->e.l7.encoded_slash) && in->e.l7.encoded_slash)
		in->encoded_slash = n;
}

static void read_ws_rewrite(struct reader *r, const struct node *n, void *obj)
{
	struct endpoint_in *in = obj;

	in->ws_rewrite = read_switch(r, n, &in->e.l7.ws_rewrite);
}

static void read_body_rewrite(struct reader *r, const struct node *n, void *obj)
{
	struct endpoint_in *in = obj;

	if (read_bool(r, n, &in->e.l7.body_rewrite) && in->e.l7.body_rewrite)
		in->body_rewrite = n;
}

static void read_uninspected(struct reader *r, const struct node *n, void *obj)
{
	struct endpoint_in *in = obj;

	(void)read_switch(r, n, &in->e.l7.uninspected);
}

static void read_signing(struct reader *r, const struct node *n, void *obj)
{
	static const char *const words[] = { "sigv4", "sigv4:body", "sigv4:no_body" };
	struct endpoint_in *in = obj;
	const char *text;

	if (!read_text(r, n, &text))
		return;
	in->signing = n;
	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		if (!strcmp(text, words[i]))
			in->e.l7.signing = SIGN_SIGV4 + (unsigned)i;
	if (in->e.l7.signing == SIGN_NONE)
		diag_add(r->d, DIAG_CREDENTIAL, n->at, NULL,
			 "unrecognized credential_signing value '%.40s' (expected sigv4, sigv4:body, "
			 "or sigv4:no_body)",
			 text);
}

static void read_service(struct reader *r, const struct node *n, void *obj)
{
	(void)read_text(r, n, &((struct endpoint_in *)obj)->e.l7.signing_service);
}

static void read_region(struct reader *r, const struct node *n, void *obj)
{
	(void)read_text(r, n, &((struct endpoint_in *)obj)->e.l7.signing_region);
}

static void read_provider(struct reader *r, const struct node *n, void *obj)
{
	const char **to = obj;

	if (read_text(r, n, to) && !**to)
		diag_add(r->d, DIAG_CREDENTIAL, n->at, NULL, "provider must not be empty");
}

static const struct field binding_fields[] = {
	{ "provider", read_provider, FIELD_KEPT, FIELD_REQUIRED, "name", "whose credential fits here" },
	{ 0 },
};

static void read_binding(struct reader *r, const struct node *n, void *obj)
{
	struct endpoint_in *in = obj;

	in->credential = n;
	(void)read_map(r, n, binding_fields, "credential_binding", &in->e.l7.binding);
}

static void read_credential(struct reader *r, const struct node *n, void *obj)
{
	struct endpoint_in *in = obj;

	in->credential = n;
	(void)read_text(r, n, &in->e.l7.credential);
}

static void read_endpoint_route(struct reader *r, const struct node *n, void *obj)
{
	static const char *const words[] = { "inference", NULL };
	struct endpoint_in *in = obj;
	unsigned v;

	if (!read_word(r, n, words, &v))
		return;
	in->route = n;
	in->e.l7.inference = true;
}

static void read_persisted(struct reader *r, const struct node *n, void *obj)
{
	static const char *const words[] = { "deny", "allow_registered", NULL };
	struct endpoint_in *in = obj;
	unsigned v;

	in->graphql = n;
	if (read_word(r, n, words, &v))
		in->e.l7.persisted_registered = v == 1;
}

static void read_registered_type(struct reader *r, const struct node *n, void *obj)
{
	static const char *const words[] = { "query", "mutation", "subscription", NULL };
	struct persisted *p = obj;
	unsigned v;

	if (read_word(r, n, words, &v))
		p->operations = 1u << v;
}

static void read_registered_name(struct reader *r, const struct node *n, void *obj)
{
	(void)read_text(r, n, &((struct persisted *)obj)->name);
}

static void read_registered_fields(struct reader *r, const struct node *n, void *obj)
{
	const char *text, **slot;

	if (!want_kind(r, n, NODE_LIST))
		return;
	for (const struct node *v = n->first; v; v = v->next) {
		slot = read_text(r, v, &text) ? list_push(r->a, &((struct persisted *)obj)->fields,
							  sizeof(*slot)) : NULL;
		if (slot)
			*slot = text;
	}
}

static const struct field registered_fields[] = {
	{ "operation_type", read_registered_type, FIELD_KEPT, FIELD_REQUIRED,
	  "query | mutation | subscription", "what it is" },
	{ "operation_name", read_registered_name, FIELD_KEPT, 0, "text", "its name" },
	{ "fields", read_registered_fields, FIELD_KEPT, 0, "[text]", "its root fields" },
	{ 0 },
};

static void read_registered(struct reader *r, const struct node *n, void *obj)
{
	struct endpoint_in *in = obj;

	in->graphql = n;
	if (!want_kind(r, n, NODE_MAP))
		return;
	for (const struct node *v = n->first; v; v = v->next) {
		struct persisted *p, one = { .at = v->key->at, .hash = v->key->text };

		if (!read_map(r, v, registered_fields, "persisted query", &one))
			continue;
		p = list_push(r->a, &in->e.l7.persisted, sizeof(*p));
		if (p)
			*p = one;
	}
}

static void read_max_body(struct reader *r, const struct node *n, void *obj)
{
	(void)read_uint(r, n, 1, UINT32_MAX, &((struct endpoint_in *)obj)->e.l7.max_body);
}

static void read_graphql_max(struct reader *r, const struct node *n, void *obj)
{
	((struct endpoint_in *)obj)->graphql = n;
	read_max_body(r, n, obj);
}

static const struct field json_rpc_fields[] = {
	{ "max_body_bytes", read_max_body, FIELD_KEPT, 0, "number", "longest message; default 65536" },
	{ 0 },
};

static void read_json_rpc(struct reader *r, const struct node *n, void *obj)
{
	((struct endpoint_in *)obj)->json_rpc = n;
	(void)read_map(r, n, json_rpc_fields, "json_rpc", obj);
}

static void read_strict_tools(struct reader *r, const struct node *n, void *obj)
{
	bool strict = true;

	(void)read_bool(r, n, &strict);
	((struct endpoint_in *)obj)->e.l7.loose_tools = !strict;
}

static void read_known_methods(struct reader *r, const struct node *n, void *obj)
{
	(void)read_bool(r, n, &((struct endpoint_in *)obj)->e.l7.known_methods);
}

static const struct field mcp_fields[] = {
	{ "max_body_bytes", read_max_body, FIELD_KEPT, 0, "number", "longest message; default 65536" },
	{ "strict_tool_names", read_strict_tools, FIELD_KEPT, 0, "bool",
	  "tool names are [A-Za-z0-9_.-]{1,128}; default true" },
	{ "allow_all_known_mcp_methods", read_known_methods, FIELD_KEPT, 0, "bool",
	  "every method of the protocol; rules with `tool` narrow tools/call" },
	{ 0 },
};

static void read_mcp(struct reader *r, const struct node *n, void *obj)
{
	((struct endpoint_in *)obj)->mcp = n;
	(void)read_map(r, n, mcp_fields, "mcp", obj);
}

static void read_endpoint_taint(struct reader *r, const struct node *n, void *obj)
{
	read_taint(r, n, ((struct endpoint_in *)obj)->rule);
}

static void read_endpoint_binaries(struct reader *r, const struct node *n, void *obj)
{
	if (want_kind(r, n, NODE_LIST))
		((struct endpoint_in *)obj)->rule->binaries = n;
}

static void read_methods(struct reader *r, const struct node *n, void *obj)
{
	if (want_kind(r, n, NODE_LIST))
		((struct endpoint_in *)obj)->methods = n;
}

static void read_http_paths(struct reader *r, const struct node *n, void *obj)
{
	if (want_kind(r, n, NODE_LIST))
		((struct endpoint_in *)obj)->paths = n;
}

/* clang-format off */
const struct field endpoint_fields[] = {
	{ "host",        read_endpoint_host, FIELD_KEPT,   0, "name | pattern | address", "where to; absent only with allowed_ips" },
	{ "port",        read_endpoint_port, FIELD_KEPT,   0, "1..65535",   "one port" },
	{ "ports",       read_ports_node,  FIELD_KEPT,   0, "[1..65535]", "several ports" },
	{ "protocol",    read_protocol,    FIELD_KEPT,   0, "tcp | rest | websocket | graphql | json-rpc | mcp", "what is spoken; absent = not looked into" },
	{ "tls",         read_tls,         FIELD_KEPT,   0, "skip | terminate | passthrough", "skip: not terminated; the others have no effect" },
	{ "enforcement", read_enforcement, FIELD_KEPT,   0, "enforce | audit", "of rules inside the connection" },
	{ "path",        read_selector,    FIELD_KEPT,   0, "glob",       "which requests the endpoint is for" },
	{ "allowed_ips", read_endpoint_allowed, FIELD_KEPT,   0, "[network]",  "addresses that the host may have; needed for private ones" },
	{ "access",      read_access,      FIELD_KEPT,   0, "read-only | read-write | full", "preset of rules" },
	{ "rules",       read_rule_list,   FIELD_KEPT,   0, "[{allow: rule}]", "requests that are allowed", allow_fields },
	{ "deny_rules",  read_deny_list,   FIELD_KEPT,   0, "[rule]",     "requests that are denied", deny_fields },
	{ "allow_encoded_slash",           read_slash,        FIELD_KEPT,   0, "bool", "keep %2F in paths" },
	{ "credential_signing",            read_signing,      FIELD_KEPT, 0, "sigv4 | sigv4:body | sigv4:no_body", "request signing" },
	{ "signing_service",               read_service,      FIELD_KEPT, 0, "text", "for credential_signing" },
	{ "signing_region",                read_region,       FIELD_KEPT, 0, "text", "for credential_signing" },
	{ "credential_binding",            read_binding,      FIELD_KEPT, 0, "{provider}", "provider whose credential fits here", binding_fields },
	{ "credential",                    read_credential,   FIELD_KEPT, FIELD_OWN, "name", "entry of `credentials`" },
	{ "route",                         read_endpoint_route, FIELD_KEPT, FIELD_OWN, "inference", "its requests are calls of models, for the routes of `inference`" },
	{ "websocket_credential_rewrite",  read_ws_rewrite,   FIELD_KEPT,   0, "bool", "placeholders in messages" },
	{ "request_body_credential_rewrite", read_body_rewrite, FIELD_KEPT, 0, "bool", "placeholders in bodies" },
	{ "allow_uninspected_credentials", read_uninspected,  FIELD_KEPT,   0, "bool", "credentials at L4" },
	{ "persisted_queries",             read_persisted,    FIELD_KEPT,   0, "deny | allow_registered", "GraphQL queries known by hash" },
	{ "graphql_persisted_queries",     read_registered,   FIELD_KEPT,   0, "hash -> registered", "the registered ones", registered_fields },
	{ "graphql_max_body_bytes",        read_graphql_max,  FIELD_KEPT,   0, "number", "longest request; default 65536" },
	{ "json_rpc",                      read_json_rpc,     FIELD_KEPT,   0, "mapping", "JSON-RPC options", json_rpc_fields },
	{ "mcp",                           read_mcp,          FIELD_KEPT,   0, "mapping", "MCP options", mcp_fields },
	{ 0 }
};

const struct field short_fields[] = {
	{ "host",        read_endpoint_host,     FIELD_KEPT,   FIELD_REQUIRED, "name | pattern | address", "where to" },
	{ "port",        read_endpoint_port,     FIELD_KEPT,   0, "1..65535",   "one port" },
	{ "ports",       read_ports_node,        FIELD_KEPT,   0, "[1..65535]", "several ports; default [443]" },
	{ "binaries",    read_endpoint_binaries, FIELD_KEPT,   0, "[path | {path}]", "programs; absent = any", binary_fields },
	{ "allowed_ips", read_endpoint_allowed,  FIELD_KEPT,   0, "[network]",  "addresses that the host may have" },
	{ "taint",       read_endpoint_taint,    FIELD_KEPT,   0, "deny | ignore", "programs started with an injecting variable" },
	{ "methods",     read_methods,           FIELD_KEPT,   0, "[method]", "HTTP methods; absent = all" },
	{ "paths",       read_http_paths,        FIELD_KEPT,   0, "[glob]",   "HTTP paths; absent = all" },
	{ "credential",  read_credential,        FIELD_KEPT,   0, "name",     "entry of `credentials`" },
	{ 0 }
};
/* clang-format on */

static void bad_host(struct reader *r, const struct node *n, enum host_error why)
{
	switch (why) {
	case HOST_OK:
		break;
	case HOST_BAD:
		diag_add(r->d, DIAG_HOST, n->at, NULL, "'%.100s' is no host name or address", n->text);
		break;
	case HOST_TLD:
		diag_add(r->d, DIAG_WILDCARD, n->at, NULL,
			 "TLD wildcard '%.60s' is not allowed; use subdomain wildcards like "
			 "'*.example.com' instead",
			 n->text);
		break;
	case HOST_WILDCARD:
		diag_add(r->d, DIAG_WILDCARD, n->at, NULL,
			 "invalid host wildcard '%.60s'; middle DNS label wildcards must be the entire "
			 "label '*' and recursive '**' is only allowed as the entire first label",
			 n->text);
		break;
	}
}

/* One address that is never dialled is a mistake to warn of; a network that holds one is osh's own form. */
static void check_address(struct reader *r, const struct node *n, const struct endpoint_in *in)
{
	const struct net *net = &in->e.host.net;
	const char *text = in->e.host.text;
	bool one = net->bits == 128;

	switch (net_class(net)) {
	case ADDR_PUBLIC:
		break;
	case ADDR_PRIVATE:
		if (!in->allowed.n)
			diag_add(r->d, one ? DIAG_NEVER : DIAG_PRIVATE, n->at,
				 arena_printf(r->a, "add allowed_ips: [%s]", text),
				 "%s is in a %s range and needs allowed_ips", text, net_why(net));
		break;
	case ADDR_FORBIDDEN:
	case ADDR_OSH:
		diag_add(r->d, one ? DIAG_NEVER : DIAG_ADDRESS, n->at, NULL,
			 "%s overlaps the %s range, which is never dialled", text, net_why(net));
		break;
	}
}

static bool take_host(struct reader *r, const struct node *at, struct endpoint_in *in)
{
	enum host_error why;

	if (!in->host && map_get(at, "host"))
		return false;		/* of a wrong type, said already */
	if (!in->host || !*in->host->text) {
		in->e.host = (struct host){ .kind = HOST_ANY, .text = "" };
		if (in->allowed.n && in->e.protocol != PROTO_TCP) {
			unkept(r, at->at, "endpoint without a host");
			return true;
		}
		diag_add(r->d, DIAG_HOST, at->at, NULL,
			 in->allowed.n ? "protocol tcp requires a DNS hostname; hostless allowed_ips "
					 "endpoints are supported only by the forward proxy"
				       : "endpoint host must not be empty unless allowed_ips constrains "
					 "a non-TCP proxy endpoint");
		return false;
	}
	why = host_parse(r->a, in->host->text, &in->e.host);
	bad_host(r, in->host, why);
	if (why == HOST_BAD)
		return false;
	if (in->e.host.kind == HOST_GLOB && why == HOST_OK)
		unkept(r, in->host->at, "this host pattern");
	if (in->e.host.kind == HOST_NET)
		check_address(r, in->host, in);
	return in->e.host.text;
}

static void push_port(struct reader *r, const struct node *n, struct list *ports)
{
	uint32_t v, *p;

	if (n->kind == NODE_SCALAR && n->plain && n->text[0] >= '0' && n->text[0] <= '9' &&
	    (strlen(n->text) > 5 || atoi(n->text) < 1 || atoi(n->text) > 65535)) {
		diag_add(r->d, DIAG_PORT, n->at, NULL, "invalid port %.20s; expected a port from 1 to 65535",
			 n->text);
		return;
	}
	if (!read_uint(r, n, 1, 65535, &v))
		return;
	if (port_forbidden(v))
		diag_add(r->d, DIAG_CONTROL_PORT, n->at, NULL,
			 "port %u belongs to a control plane and is never dialled", v);
	p = list_push(r->a, ports, sizeof(*p));
	if (p)
		*p = v;
}

static bool take_ports(struct reader *r, const struct node *at, struct endpoint_in *in, uint32_t def)
{
	struct list ports = { 0 };
	uint32_t *p;

	if (in->port && in->ports)
		diag_add(r->d, DIAG_EXCLUSIVE, in->ports->key->at, NULL,
			 "'port' and 'ports' are mutually exclusive");
	if (in->port)
		push_port(r, in->port, &ports);
	for (const struct node *v = in->ports ? in->ports->first : NULL; v; v = v->next)
		push_port(r, v, &ports);
	if (!in->port && !map_get(at, "ports") && def) {
		p = list_push(r->a, &ports, sizeof(*p));
		if (p)
			*p = def;
	} else if (!in->port && (!in->ports || !in->ports->n)) {
		diag_add(r->d, DIAG_PORT, at->at, NULL, "endpoint must declare at least one port");
	}
	in->e.ports = ports.v;
	in->e.n_ports = distinct(ports.v, ports.n, sizeof(*p), by_number);
	return in->e.n_ports > 0;
}

void endpoint_finish(struct reader *r, const struct node *at, struct endpoint_in *in,
		     uint32_t default_port, struct rule *rule)
{
	struct endpoint *e;
	bool ok;

	in->e.at = at->at;
	if (!in->e.l7.max_body)
		in->e.l7.max_body = BODY_DEFAULT;
	ok = take_host(r, at, in);
	in->e.allowed = in->allowed.v;
	in->e.n_allowed = distinct(in->allowed.v, in->allowed.n, sizeof(struct net), by_net);
	ok = take_ports(r, at, in, default_port) && ok;
	rules_finish(r, in);
	endpoint_check(r, at, in);
	if (in->e.tls_skip && endpoint_inspected(&in->e))
		unkept(r, at->at, "tls: skip where requests are looked into");
	if (!ok)
		return;
	e = list_push(r->a, &rule->endpoints, sizeof(*e));
	if (e)
		*e = in->e;
}
