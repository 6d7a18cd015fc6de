/* SPDX-License-Identifier: Apache-2.0 */
/* network_policies and the short form `network`: rules, endpoints, programs. */
#include <stdlib.h>
#include <string.h>

#include "host.h"
#include "osh/limits.h"
#include "own.h"
#include "program.h"
#include "schema.h"

struct rule_in {
	struct rule rule;
	const struct node *binaries;
	uint32_t errors;		/* known before it was read */
};

struct endpoint_in {
	struct endpoint e;
	const struct node *host, *port, *ports;
	struct list allowed;
	struct rule_in *rule;		/* short form: endpoint and rule are one mapping */
};

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

static void read_host_node(struct reader *r, const struct node *n, void *obj)
{
	const char *text;

	if (read_text(r, n, &text))
		((struct endpoint_in *)obj)->host = n;
}

static void read_port_node(struct reader *r, const struct node *n, void *obj)
{
	(void)r;
	((struct endpoint_in *)obj)->port = n;
}

static void read_ports_node(struct reader *r, const struct node *n, void *obj)
{
	if (want_kind(r, n, NODE_LIST))
		((struct endpoint_in *)obj)->ports = n;
}

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
	if (why) {
		diag_add(r->d, DIAG_ADDRESS, n->at, NULL, "allowed_ips entry %.80s overlaps the %s range",
			 text, why);
		return;
	}
	p = list_push(r->a, to, sizeof(*p));
	if (p)
		*p = net;
}

static void read_allowed(struct reader *r, const struct node *n, void *obj)
{
	struct endpoint_in *in = obj;

	if (!want_kind(r, n, NODE_LIST))
		return;
	for (const struct node *v = n->first; v; v = v->next)
		read_allowed_ip(r, v, &in->allowed);
}

static void read_protocol(struct reader *r, const struct node *n, void *obj)
{
	static const char *const later[] = { "rest", "websocket", "graphql", "json-rpc", "mcp" };
	struct endpoint_in *in = obj;
	const char *text;

	if (!read_text(r, n, &text))
		return;
	if (!strcasecmp(text, "tcp")) {
		in->e.tcp = true;
		return;
	}
	if (!strcasecmp(text, "sql")) {
		diag_add(r->d, DIAG_UNSUPPORTED, n->at, "leave protocol away for plain TCP",
			 "SQL enforcement requires full SQL parsing, so protocol sql is refused");
		return;
	}
	for (size_t i = 0; i < ARRAY_SIZE(later); i++)
		if (!strcasecmp(text, later[i])) {
			diag_add(r->d, DIAG_LATER, n->at,
				 "osh refuses what it cannot keep; remove the key",
				 "not enforced yet: 'protocol: %s'", later[i]);
			return;
		}
	diag_add(r->d, DIAG_VALUE, n->at, NULL,
		 "unknown protocol '%.40s' (expected tcp, rest, websocket, graphql, sql, json-rpc, or mcp)",
		 text);
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
	unsigned v;

	(void)obj;
	(void)read_word(r, n, words, &v);
}

/* An empty `path:` selects everything, which is what L4 does. */
static void read_path(struct reader *r, const struct node *n, void *obj)
{
	const char *text;

	(void)obj;
	if (read_text(r, n, &text) && *text)
		diag_add(r->d, DIAG_LATER, n->key->at,
			 "osh refuses what it cannot keep; remove the key",
			 "not enforced yet: 'path'");
}

static void read_taint(struct reader *r, const struct node *n, void *obj)
{
	static const char *const words[] = { "deny", "ignore", NULL };
	struct rule_in *in = obj;
	unsigned v;

	if (!read_word(r, n, words, &v))
		return;
	in->rule.taint_ok = v == 1;
	if (v)
		diag_add(r->d, DIAG_TAINT, n->at, NULL,
			 "'taint: ignore' lets a caller inject code into the listed programs");
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

/* clang-format off */
static const struct field endpoint_fields[] = {
	{ "host",        read_host_node,   0, "name | *.name | **.name | address | network", "where to" },
	{ "port",        read_port_node,   0, "1..65535",   "one port" },
	{ "ports",       read_ports_node,  0, "[1..65535]", "several ports" },
	{ "protocol",    read_protocol,    0, "tcp",        "what is spoken; absent = not looked into" },
	{ "tls",         read_tls,         0, "skip",       "not terminated" },
	{ "enforcement", read_enforcement, 0, "enforce | audit", "of rules inside the connection" },
	{ "path",        read_path,        0, "glob",       "which requests the endpoint is for" },
	{ "allowed_ips", read_allowed,     0, "[network]",  "addresses that the host may have; needed for private ones" },
	{ "access",      want_text,        FIELD_LATER, "read-only | read-write | full", "preset of rules" },
	{ "rules",       want_list,        FIELD_LATER, "[rule]", "requests that are allowed" },
	{ "deny_rules",  want_list,        FIELD_LATER, "[rule]", "requests that are denied" },
	{ "credential_signing", want_text, FIELD_LATER, "sigv4", "request signing" },
	{ "signing_service",    want_text, FIELD_LATER, "text",  "for credential_signing" },
	{ "signing_region",     want_text, FIELD_LATER, "text",  "for credential_signing" },
	{ "credential_binding", want_map,  FIELD_LATER, "mapping", "provider whose credential fits here" },
	{ "credential",  want_text,        FIELD_LATER | FIELD_OWN, "name", "entry of `credentials`" },
	{ "persisted_queries",         want_text,   FIELD_LATER, "deny | allow_registered", "GraphQL" },
	{ "graphql_persisted_queries", want_map,    FIELD_LATER, "mapping", "GraphQL" },
	{ "graphql_max_body_bytes",    want_number, FIELD_LATER, "number", "GraphQL" },
	{ "json_rpc",    want_map,         FIELD_LATER, "mapping", "JSON-RPC" },
	{ "mcp",         want_map,         FIELD_LATER, "mapping", "MCP" },
	{ "allow_encoded_slash",             want_bool, FIELD_LATER_TRUE, "bool", "keep %2F in paths" },
	{ "websocket_credential_rewrite",    want_bool, FIELD_LATER_TRUE, "bool", "placeholders in messages" },
	{ "request_body_credential_rewrite", want_bool, FIELD_LATER_TRUE, "bool", "placeholders in bodies" },
	{ "allow_uninspected_credentials",   want_bool, FIELD_LATER_TRUE, "bool", "credentials at L4" },
	{ 0 }
};

static const struct field short_fields[] = {
	{ "host",        read_host_node,         FIELD_REQUIRED, "as in endpoints", "where to" },
	{ "port",        read_port_node,         0, "1..65535",   "one port" },
	{ "ports",       read_ports_node,        0, "[1..65535]", "several ports; default [443]" },
	{ "binaries",    read_endpoint_binaries, 0, "[path]",     "programs; absent = any" },
	{ "allowed_ips", read_allowed,           0, "[network]",  "addresses that the host may have" },
	{ "taint",       read_endpoint_taint,    0, "deny | ignore", "programs started with an injecting variable" },
	{ "methods",     want_list,              FIELD_LATER, "[method]", "HTTP methods; absent = all" },
	{ "paths",       want_list,              FIELD_LATER, "[glob]",   "HTTP paths; absent = all" },
	{ "credential",  want_text,              FIELD_LATER, "name",     "entry of `credentials`" },
	{ 0 }
};

static const struct field binary_fields[] = {
	{ "path",    want_text, FIELD_REQUIRED,               "path | glob", "the program" },
	{ "sha256",  want_text, FIELD_LATER | FIELD_OWN,      "hex",  "of its file" },
	{ "inherit", want_bool, FIELD_LATER_TRUE | FIELD_OWN, "bool", "its descendants too" },
	{ "harness", want_any,  FIELD_IGNORED,                "any",  "OpenShell's, deprecated" },
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
		diag_add(r->d, DIAG_HOST, n->at, NULL,
			 "TLD wildcard '%.60s' is not allowed; use subdomain wildcards like "
			 "'*.example.com' instead",
			 n->text);
		break;
	case HOST_WILDCARD:
		diag_add(r->d, DIAG_HOST, n->at, NULL,
			 "invalid host wildcard '%.60s'; middle DNS label wildcards must be the entire "
			 "label '*' and recursive '**' is only allowed as the entire first label",
			 n->text);
		break;
	case HOST_LATER:
		diag_add(r->d, DIAG_LATER, n->at, "use '*.name' or '**.name', or list the names",
			 "not enforced yet: host pattern '%.80s'", n->text);
		break;
	}
}

static void check_address(struct reader *r, const struct node *n, const struct endpoint *e)
{
	char hint[96];

	switch (net_class(&e->host.net)) {
	case ADDR_PUBLIC:
		break;
	case ADDR_PRIVATE:
		snprintf(hint, sizeof(hint), "add allowed_ips: [%s]", e->host.text);
		if (!e->n_allowed)
			diag_add(r->d, DIAG_PRIVATE, n->at, hint,
				 "%s is in a %s range and needs allowed_ips", e->host.text,
				 net_why(&e->host.net));
		break;
	case ADDR_FORBIDDEN:
	case ADDR_OSH:
		diag_add(r->d, DIAG_ADDRESS, n->at, NULL,
			 "%s overlaps the %s range, which is never dialled", e->host.text,
			 net_why(&e->host.net));
		break;
	}
	if (e->tcp)
		diag_add(r->d, DIAG_HOST, n->at, "leave protocol away for an address",
			 "protocol tcp must use a DNS hostname, not an IP literal");
}

static bool take_host(struct reader *r, const struct node *at, struct endpoint_in *in)
{
	enum host_error why;

	if (!in->host || !*in->host->text) {
		if (in->allowed.n)
			diag_add(r->d, DIAG_LATER, at->at, "name the hosts or the network in 'host'",
				 "not enforced yet: endpoint without a host");
		else if (!map_get(at, "host") || in->host)
			diag_add(r->d, DIAG_HOST, at->at, NULL,
				 "endpoint host must not be empty unless allowed_ips constrains a "
				 "non-TCP proxy endpoint");
		return false;
	}
	why = host_parse(r->a, in->host->text, &in->e.host);
	if (why != HOST_OK) {
		bad_host(r, in->host, why);
		return false;
	}
	if (in->e.host.kind == HOST_NET)
		check_address(r, in->host, &in->e);
	return in->e.host.text;
}

static void push_port(struct reader *r, const struct node *n, struct list *ports)
{
	static const uint32_t never[] = { 2379, 2380, 6443, 10250, 10255 };
	uint32_t v, *p;

	if (n->kind == NODE_SCALAR && n->plain && n->text[0] >= '0' && n->text[0] <= '9' &&
	    (strlen(n->text) > 5 || atoi(n->text) < 1 || atoi(n->text) > 65535)) {
		diag_add(r->d, DIAG_PORT, n->at, NULL, "invalid port %.20s; expected 1..=65535",
			 n->text);
		return;
	}
	if (!read_uint(r, n, 1, 65535, &v))
		return;
	for (size_t i = 0; i < ARRAY_SIZE(never); i++)
		if (v == never[i])
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

/* The mapping has been read: turns it into an endpoint of `rule`. */
static void finish_endpoint(struct reader *r, const struct node *at, struct endpoint_in *in,
			    uint32_t default_port, struct rule *rule)
{
	struct endpoint *e;
	bool ok;

	in->e.at = at->at;
	in->e.allowed = in->allowed.v;
	in->e.n_allowed = distinct(in->allowed.v, in->allowed.n, sizeof(struct net), by_net);
	ok = take_host(r, at, in);
	ok = take_ports(r, at, in, default_port) && ok;
	if (!ok)
		return;
	e = list_push(r->a, &rule->endpoints, sizeof(*e));
	if (e)
		*e = in->e;
}

static void read_binaries(struct reader *r, const struct node *list, struct rule *rule)
{
	for (const struct node *v = list->first; v; v = v->next) {
		const struct node *path = v;

		if (v->kind != NODE_SCALAR) {
			path = map_get(v, "path");
			if (!read_map(r, v, binary_fields, "binaries entry", NULL) || !path ||
			    path->kind != NODE_SCALAR)
				continue;
		}
		program_add(r, path, rule);
	}
	programs_finish(r, rule);
}

static void keep_rule(struct reader *r, struct rule_in *in)
{
	struct rule *rule;

	if (in->binaries)
		read_binaries(r, in->binaries, &in->rule);
	if (!in->rule.endpoints.n || (!in->rule.any_program && !in->rule.programs.n)) {
		if (r->d->n_errors == in->errors)
			diag_add(r->d, DIAG_UNUSED, in->rule.at, NULL,
				 "rule '%.80s' can never match", in->rule.name);
		return;
	}
	rule = list_push(r->a, &r->p->rules, sizeof(*rule));
	if (rule)
		*rule = in->rule;
}

static void read_rule_endpoints(struct reader *r, const struct node *n, void *obj)
{
	struct rule_in *rule = obj;

	if (!want_kind(r, n, NODE_LIST))
		return;
	for (const struct node *v = n->first; v; v = v->next) {
		struct endpoint_in in = { .rule = rule };

		if (read_map(r, v, endpoint_fields, "endpoint", &in))
			finish_endpoint(r, v, &in, 0, &rule->rule);
	}
}

static void read_rule_binaries(struct reader *r, const struct node *n, void *obj)
{
	if (want_kind(r, n, NODE_LIST))
		((struct rule_in *)obj)->binaries = n;
}

static const struct field rule_fields[] = {
	{ "name", want_text, 0, "text", "for people" },
	{ "endpoints", read_rule_endpoints, FIELD_REQUIRED, "[endpoint]", "where to" },
	{ "binaries", read_rule_binaries, FIELD_REQUIRED, "[{path}]", "programs that may" },
	{ "taint", read_taint, FIELD_OWN, "deny | ignore",
	  "programs started with an injecting variable" },
	{ 0 },
};

void read_network_policies(struct reader *r, const struct node *n, void *obj)
{
	(void)obj;
	if (!want_kind(r, n, NODE_MAP))
		return;
	for (const struct node *v = n->first; v; v = v->next) {
		struct rule_in in = { .rule = { .name = v->key->text, .at = v->key->at },
				      .errors = r->d->n_errors };

		if (!*in.rule.name) {
			diag_add(r->d, DIAG_VALUE, v->key->at, NULL, "a rule needs a name");
			continue;
		}
		if (read_map(r, v, rule_fields, "rule", &in))
			keep_rule(r, &in);
	}
}

void read_network(struct reader *r, const struct node *n, void *obj)
{
	unsigned i = 0;

	(void)obj;
	if (!want_kind(r, n, NODE_LIST))
		return;
	for (const struct node *v = n->first; v; v = v->next, i++) {
		struct rule_in rule = { .rule = { .name = arena_printf(r->a, "network[%u]", i),
						  .at = v->at },
					.errors = r->d->n_errors };
		struct endpoint_in in = { .rule = &rule };

		if (!rule.rule.name || !read_map(r, v, short_fields, "network entry", &in))
			continue;
		rule.rule.any_program = !map_get(v, "binaries");
		finish_endpoint(r, v, &in, 443, &rule.rule);
		keep_rule(r, &rule);
	}
}
