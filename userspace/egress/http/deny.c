/* SPDX-License-Identifier: Apache-2.0 */
#include "http/deny.h"

#include <stdio.h>

#include "http/conn.h"
#include "flow.h"
#include "json.h"
#include "maps.h"
#include "text.h"

enum step {
	STEP_NONE, STEP_RULE, STEP_ADDRESS, STEP_SAME_HOST, STEP_FIX, STEP_UPSTREAM, STEP_LATER, STEP_CREDENTIAL, STEP_MODEL,
	STEP_WAIT, STEP_SMALLER, STEP_AGAIN, STEP_LEAVE, STEP_LESS, STEP_SERVE,
};

/* clang-format off */
static const struct {
	uint16_t why, status;
	const char *error;
	enum step step;
} kinds[] = {
	{ OSH_WHY_REQUEST,         403, "policy_denied",              STEP_RULE },
	{ OSH_WHY_REVOKED,         403, "policy_denied",              STEP_RULE },
	{ OSH_WHY_REQUEST_DENIED,  403, "policy_denied",              STEP_NONE },
	{ OSH_WHY_GRAPHQL,         403, "policy_denied",              STEP_RULE },
	{ OSH_WHY_GRAPHQL_UNKNOWN, 403, "policy_denied",              STEP_RULE },
	{ OSH_WHY_GRAPHQL_BAD,     403, "policy_denied",              STEP_FIX },
	{ OSH_WHY_PROTOCOL,        403, "unsupported_l7_protocol",    STEP_FIX },
	{ OSH_WHY_CREDENTIAL,      403, "credential_endpoint_mismatch", STEP_CREDENTIAL },
	{ OSH_WHY_PLACEHOLDER,     403, "credential_endpoint_mismatch", STEP_CREDENTIAL },
	{ OSH_WHY_ECHO,            502, "credential_echo",            STEP_NONE },
	{ OSH_WHY_NOT_INFERENCE,   403, "not_a_model_call",           STEP_MODEL },
	{ OSH_WHY_MODEL,           403, "model_not_allowed",          STEP_MODEL },
	{ OSH_WHY_NO_ROUTE,        403, "model_not_served",           STEP_MODEL },
	{ OSH_WHY_BUDGET,          429, "limit_used_up",              STEP_WAIT },
	{ OSH_WHY_BUDGET_SIZE,     403, "call_too_large",             STEP_SMALLER },
	{ OSH_WHY_PRICE,           403, "model_without_price",        STEP_MODEL },
	{ OSH_WHY_UNCOUNTED,       503, "limit_not_counted",          STEP_AGAIN },
	{ OSH_WHY_MODEL_UNCLEAR,   400, "model_unclear",              STEP_FIX },
	{ OSH_WHY_PRIVATE,         403, "content_refused",            STEP_LEAVE },
	{ OSH_WHY_PRIVATE_UNCLEAR, 400, "content_unclear",            STEP_FIX },
	{ OSH_WHY_AUTHORITY,       421, "request_authority_mismatch", STEP_SAME_HOST },
	{ OSH_WHY_TARGET_BAD,      400, "bad_request",                STEP_FIX },
	{ OSH_WHY_HTTP_BAD,        400, "bad_request",                STEP_FIX },
	{ OSH_WHY_PLAIN_ON_TLS,    400, "bad_request",                STEP_FIX },
	{ OSH_WHY_ADDR_PRIVATE,    403, "ssrf_denied",                STEP_ADDRESS },
	{ OSH_WHY_ADDR_FORBIDDEN,  403, "ssrf_denied",                STEP_ADDRESS },
	{ OSH_WHY_ADDR_NOT_LISTED, 403, "ssrf_denied",                STEP_ADDRESS },
	{ OSH_WHY_RESOLVE,         502, "upstream_unreachable",       STEP_UPSTREAM },
	{ OSH_WHY_UPSTREAM,        502, "upstream_unreachable",       STEP_UPSTREAM },
	{ OSH_WHY_PROXY,           502, "upstream_unreachable",       STEP_UPSTREAM },
	{ OSH_WHY_UPSTREAM_HTTP,   502, "upstream_failed",            STEP_UPSTREAM },
	{ OSH_WHY_TLS_UPSTREAM,    502, "upstream_tls_failed",        STEP_UPSTREAM },
	{ OSH_WHY_UPSTREAM_CERT,   502, "upstream_certificate",       STEP_UPSTREAM },
	{ OSH_WHY_NOT_LOCAL,       502, "upstream_not_local",         STEP_UPSTREAM },
	{ OSH_WHY_PEER_AWAY,       502, "sandbox_not_running",        STEP_UPSTREAM },
	{ OSH_WHY_PEER_CLOSED,     403, "sandbox_not_serving",        STEP_SERVE },
	{ OSH_WHY_LIMIT,           503, "limit_reached",              STEP_LATER },
	{ OSH_WHY_INTERNAL,        503, "internal_error",             STEP_LATER },
};

static const char *const steps[] = {
	[STEP_NONE] = "The policy forbids this on purpose; do not look for a way around it.",
	[STEP_RULE] = "Ask the person who runs this sandbox to allow it: the missing rule is in rule_missing.",
	[STEP_ADDRESS] = "The host's address is not one that may be dialled; the policy would have to list it in allowed_ips.",
	[STEP_SAME_HOST] = "Send the request to the host that the URL names, in a connection to that host.",
	[STEP_FIX] = "Send a request that no two servers could read in two ways.",
	[STEP_UPSTREAM] = "The policy allows this request; the server or the way to it failed.",
	[STEP_SERVE] = "Ask the person who runs both sandboxes: `serve` in the policy of the one that serves would have to name this one.",
	[STEP_LATER] = "Try again when fewer requests are under way.",
	[STEP_MODEL] = "Call a model that this sandbox may use, as its API's documents have it; the person who runs it says which.",
	[STEP_WAIT] = "Wait as many seconds as retry-after says, and call again; or ask the person who runs this sandbox for more.",
	[STEP_AGAIN] = "Try again in a while; where that does not help, tell the person who runs this sandbox.",
	[STEP_SMALLER] = "Ask for a shorter answer (max_tokens), or send less.",
	[STEP_LESS] = "Send less in one request.",
	[STEP_LEAVE] = "Leave out what the rule is about and call again; do not write it in another way.",
	[STEP_CREDENTIAL] = "Use the credential only where its provider record says, as it was handed out.",
};
/* clang-format on */

static size_t kind_of(enum osh_reason why)
{
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (kinds[i].why == why)
			return i;
	return 0;			/* policy_denied, 403 */
}

int deny_status(enum osh_reason why)
{
	return kinds[kind_of(why)].status;
}

static void put_detail(struct json *j, const struct deny *d, enum step step)
{
	char text[400];
	int n;

	if (d->method[0] && (step == STEP_RULE || d->why == OSH_WHY_REQUEST_DENIED))
		n = snprintf(text, sizeof(text), "%s %s not permitted by policy", d->method, d->path);
	else
		n = snprintf(text, sizeof(text), "%s", reason_text(d->why));
	if (d->detail[0] && n < (int)sizeof(text))
		snprintf(text + n, sizeof(text) - (size_t)n, ": %s", d->detail);
	json_kv_str(j, "detail", text);
}

static void put_binary(struct json *j, const struct deny *d)
{
	struct osh_ident_key key = { d->grant->policy->table.id, d->grant->target.ident };
	struct osh_ident who = { 0 };

	json_key(j, "binary");
	if (d->grant->target.ident && !maps_lookup(d->grant->policy->table.idents_fd, &key, &who))
		json_str(j, who.path, strnlen(who.path, sizeof(who.path)));
	else
		json_nil(j);
}

static void put_where(struct json *j, const struct deny *d)
{
	char host[OSH_NAME_MAX];

	target_text(&d->grant->target, host);
	if (d->method[0])
		json_kv_str(j, "method", d->method);
	if (d->path[0])
		json_kv_str(j, "path", d->path);
	json_kv_str(j, "host", host);
	json_kv_u64(j, "port", d->grant->target.port);
	put_binary(j, d);
}

static void put_rule(struct json *j, const struct deny *d)
{
	const struct bundle *b = &d->grant->policy->bundle;
	uint32_t rule = d->rule ? d->rule : d->grant->target.rule;
	const char *name = rule && rule <= b->n_rules ? bundle_str(b, b->rules[rule - 1].name) : NULL;
	char text[300];

	json_key(j, "policy");
	json_text(j, name);
	json_key(j, "rule");
	snprintf(text, sizeof(text), "%s, line %u", name ? name : "", d->line ? d->line :
		 name ? b->rules[rule - 1].line : 0);
	json_text(j, name ? text : NULL);
}

void deny_body(struct buf *out, const struct deny *d)
{
	struct json j = json_to_buf(out);
	size_t kind = kind_of(d->why);
	enum step step = d->large ? STEP_LESS : kinds[kind].step;

	json_obj(&j);
	json_kv_str(&j, "error", kinds[kind].error);
	put_rule(&j, d);
	put_detail(&j, d, step);
	json_kv_str(&j, "reason", reason_id(d->why));
	json_kv_str(&j, "reason_text", reason_text(d->why));
	json_kv_str(&j, "layer", "l7");
	json_kv_str(&j, "protocol", d->tls ? "https" : "http");
	put_where(&j, d);
	if (step == STEP_RULE) {
		json_key(&j, "rule_missing");
		json_obj(&j);
		json_kv_str(&j, "type", "rest_allow");
		put_where(&j, d);
		json_end(&j);
	}
	json_key(&j, "next_steps");
	json_arr(&j);
	json_text(&j, steps[step]);
	if (step == STEP_RULE)
		json_text(&j, "Retrying will not help: the policy decided, not the server.");
	json_end(&j);
	json_end(&j);
	(void)json_line(&j);
}

void deny_plain(struct buf *out, const struct conn *c, enum osh_reason why)
{
	struct deny d = { .why = why, .grant = c->grant, .detail = "",
			  .method = "", .path = "", .tls = c->tls };
	struct buf body = { 0 };

	deny_body(&body, &d);
	buf_printf(out, "HTTP/1.1 %d Refused\r\ncontent-type: application/json\r\n"
		   "content-length: %zu\r\nconnection: close\r\n\r\n", deny_status(why), body.n);
	buf_put(out, body.p, body.n);
	out->bad |= body.bad;
	buf_done(&body);
}
