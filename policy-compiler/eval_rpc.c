/* SPDX-License-Identifier: Apache-2.0 */
/* JSON-RPC calls and MCP. eval_request() asks about one call at a time. */
#include "eval_parts.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

#include "own.h"

#define TOOL "tools/call"
#define TOOL_NAME_MAX 128

/* What a client may send in MCP: allow_all_known_mcp_methods is about these. */
static const char *const known[] = {
	"initialize", "ping", "logging/setLevel", "completion/complete",
	"tools/list", TOOL,
	"resources/list", "resources/templates/list", "resources/read", "resources/subscribe",
	"resources/unsubscribe",
	"prompts/list", "prompts/get",
	"tasks/get", "tasks/list", "tasks/result", "tasks/cancel",
	"notifications/initialized", "notifications/cancelled", "notifications/progress",
	"notifications/roots/list_changed", "notifications/tasks/status",
};

const char *eval_mcp_known(size_t i)
{
	return i < ARRAY_SIZE(known) ? known[i] : NULL;
}

static bool known_method(const char *method)
{
	for (size_t i = 0; i < ARRAY_SIZE(known); i++)
		if (!strcmp(method, known[i]))
			return true;
	return false;
}

static bool strict_name(const char *s)
{
	size_t n = 0;

	for (; s && s[n]; n++)
		if (!isalnum((unsigned char)s[n]) && !strchr("_.-", s[n]))
			return false;
	return n && n <= TOOL_NAME_MAX;
}

/* JSON-RPC methods are literal; of MCP's, tools/ followed by a star is a pattern. */
static bool rule_match(const struct endpoint *e, const struct l7_rule *rule, const struct eval_call *c,
		       bool deny)
{
	if (!rule->method || !c->method)
		return false;
	if (e->protocol == PROTO_JSONRPC)
		return !strcmp(rule->method, "*") || !strcmp(rule->method, c->method);
	if (!pattern_match(&rule->method_glob, c->method, deny ? 0 : '.'))
		return false;
	if (!rule->tools.n)
		return true;
	return !strcmp(c->method, TOOL) && c->tool && any_match(&rule->tools, c->tool, deny);
}

/* Does a rule say which tools may be called? Then knowing the method is not enough. */
static bool narrowed(const struct endpoint *e)
{
	for EACH (struct l7_rule, rule, &e->l7.rules)
		if (rule->tools.n)
			return true;
	return false;
}

static struct ruling call_allows(const struct endpoint *e, const struct eval_call *c)
{
	bool tool = !strcmp(c->method, TOOL);

	if (e->protocol == PROTO_MCP && tool && !e->l7.loose_tools && !strict_name(c->tool))
		return (struct ruling){ OSH_WHY_REQUEST, 0, true };
	for EACH (struct l7_rule, rule, &e->l7.rules)
		if (rule_match(e, rule, c, false))
			return (struct ruling){ OSH_WHY_ALLOWED, rule->at.line, false };
	if (e->l7.known_methods && known_method(c->method) && !(tool && narrowed(e)))
		return (struct ruling){ OSH_WHY_ALLOWED, 0, false };
	return (struct ruling){ OSH_WHY_REQUEST, 0, false };
}

struct ruling rpc_allows(const struct endpoint *e, const struct eval_request *q)
{
	const struct eval_call *c = q->calls;
	bool mcp = e->protocol == PROTO_MCP;

	if (!q->n_calls || c->error)
		return (struct ruling){ OSH_WHY_PROTOCOL, 0, true };
	if (c->stream && !c->method && !c->response && mcp && !strcasecmp(q->method, "GET"))
		return (struct ruling){ OSH_WHY_ALLOWED, 0, false };
	if (c->stream || strcasecmp(q->method, "POST"))
		return (struct ruling){ OSH_WHY_PROTOCOL, 0, true };
	if (c->response)
		return (struct ruling){ mcp && !c->method ? OSH_WHY_ALLOWED : OSH_WHY_PROTOCOL, 0,
					!mcp || c->method };
	if (!c->method)
		return (struct ruling){ OSH_WHY_PROTOCOL, 0, true };
	return call_allows(e, c);
}

const struct l7_rule *rpc_denies(const struct endpoint *e, const struct eval_request *q)
{
	if (!q->n_calls || (e->protocol != PROTO_JSONRPC && e->protocol != PROTO_MCP))
		return NULL;
	for EACH (struct l7_rule, rule, &e->l7.deny)
		if (rule_match(e, rule, q->calls, true))
			return rule;
	return NULL;
}
