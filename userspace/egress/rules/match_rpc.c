/* SPDX-License-Identifier: Apache-2.0 */
/* Rules about JSON-RPC calls and MCP, one call at a time. */
#include <strings.h>

#include "own.h"
#include "parts.h"

#define TOOL_NAME_MAX 128

/* What a client may send in MCP. */
static const char *const mcp_methods[] = {
	"completion/complete", "initialize", "logging/setLevel", "notifications/cancelled",
	"notifications/initialized", "notifications/progress", "notifications/roots/list_changed",
	"notifications/tasks/status", "ping", "prompts/get", "prompts/list", "resources/list",
	"resources/read", "resources/subscribe", "resources/templates/list", "resources/unsubscribe",
	"tasks/cancel", "tasks/get", "tasks/list", "tasks/result", "tools/call", "tools/list",
};

static bool is_mcp_method(struct slice s)
{
	for (size_t i = 0; i < ARRAY_SIZE(mcp_methods); i++)
		if (slice_is(s, mcp_methods[i]))
			return true;
	return false;
}

static bool is_tool_call(const struct call *c)
{
	return slice_is(c->method, "tools/call");
}

static bool strict_tool(struct slice s)
{
	for (size_t i = 0; i < s.n; i++) {
		char c = s.p[i];

		if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
		      c == '_' || c == '.' || c == '-'))
			return false;
	}
	return s.n && s.n <= TOOL_NAME_MAX;
}

static bool meets(const struct asked *a, const struct osh_b_l7 *l7, const struct osh_b_match *m, bool deny)
{
	const struct call *c = a->call;
	const char *method = bundle_str(a->b, m->method);

	if (!c->method.p)
		return false;
	if (l7->protocol == OSH_PROTO_JSONRPC)
		return !strcmp(method, "*") || slice_is(c->method, method);
	if (!text_meets_one(a->b, m->methods, c->method, sep_of(deny)))
		return false;
	return !m->tools.n || (is_tool_call(c) && c->tool.p &&
			       text_meets_one(a->b, m->tools, c->tool, sep_of(deny)));
}

static struct ruling by_rules(const struct asked *a, const struct osh_b_l7 *l7)
{
	const struct osh_b_match *m = a->b->matches + l7->allow.first;
	bool mcp = l7->protocol == OSH_PROTO_MCP, tool = is_tool_call(a->call);

	if (mcp && tool && !(l7->flags & OSH_L7_LOOSE_TOOLS) && !strict_tool(a->call->tool))
		return (struct ruling){ OSH_WHY_REQUEST, 0, true };
	for (uint32_t i = 0; i < l7->allow.n; i++)
		if (meets(a, l7, &m[i], false))
			return (struct ruling){ OSH_WHY_ALLOWED, m[i].line, false };
	/* Where a rule says which tools, knowing the method is not enough. */
	if ((l7->flags & OSH_L7_KNOWN_METHODS) && is_mcp_method(a->call->method) &&
	    !(tool && (l7->flags & OSH_L7_TOOLS)))
		return (struct ruling){ OSH_WHY_ALLOWED, 0, false };
	return (struct ruling){ OSH_WHY_REQUEST, 0, false };
}

struct ruling rpc_ruling(const struct asked *a, const struct osh_b_l7 *l7)
{
	const struct ruling ok = { OSH_WHY_ALLOWED, 0, false }, no = { OSH_WHY_PROTOCOL, 0, true };
	const struct call *c = a->call;
	bool mcp = l7->protocol == OSH_PROTO_MCP;

	if (!c || c->error)
		return no;
	if (c->stream)			/* a GET that only listens */
		return mcp && !strcasecmp(a->method, "GET") ? ok : no;
	if (strcasecmp(a->method, "POST"))
		return no;
	if (c->response)		/* the client answers a call of the server */
		return mcp && !c->method.p ? ok : no;
	return c->method.p ? by_rules(a, l7) : no;
}

const struct osh_b_match *rpc_denial(const struct asked *a, const struct osh_b_l7 *l7)
{
	const struct osh_b_match *m = a->b->matches + l7->deny.first;

	for (uint32_t i = 0; a->call && i < l7->deny.n; i++)
		if (meets(a, l7, &m[i], true))
			return &m[i];
	return NULL;
}
