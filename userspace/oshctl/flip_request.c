/* SPDX-License-Identifier: Apache-2.0 */
/* Candidates about the inside of a connection: one rule for this method and path, more or less. */
#include "flip_parts.h"

#include <stdlib.h>
#include <string.h>

/* {method: POST, path: /x}, or NULL where the path would be read as a pattern. */
static const char *request_yaml(struct work *w)
{
	const struct ask *q = w->q;
	const char *path;

	if (q->kind != ASK_REQUEST || q->bad_path != CANON_OK || strpbrk(q->canonical, "*?[]{}\\"))
		return NULL;
	path = flip_quote(w->a, q->canonical);
	return path ? arena_printf(w->a, "{method: %s, path: %s}", q->method, path) : NULL;
}

static struct endpoint *looking_inside(struct work *w, struct rule **ret)
{
	struct rule *rule = w->q->kind == ASK_REQUEST ? flip_rule(w) : NULL;
	struct endpoint *e = flip_endpoint(w, rule);

	*ret = rule;
	return e && endpoint_inspected(e) ? e : NULL;
}

static const char *endpoint_yaml(struct work *w, const struct rule *rule, const struct endpoint *e,
				 const char *what)
{
	const char *host = flip_host(w->a, &e->host);

	if (!host || !what)
		return NULL;
	if (flip_short(rule))
		return flip_below(w, rule, what);
	what = arena_printf(w->a, "endpoints:\n      - host: %s\n        %s", host, what);
	return what ? flip_below(w, rule, what) : NULL;
}

bool flip_drop_denial(struct work *w)
{
	struct rule *rule;
	struct endpoint *e = looking_inside(w, &rule);
	struct l7_rule *deny;

	if (!e || w->d.verdict == OSH_ALLOW || !flip_copy(w->a, &e->l7.deny, sizeof(*deny)))
		return false;
	deny = e->l7.deny.v;
	for (uint32_t i = 0; i < e->l7.deny.n; i++) {
		const char *path = deny[i].has_path ? flip_quote(w->a, deny[i].path.text) : "\"**\"";

		if (deny[i].at.line != w->d.line || !path)
			continue;
		w->c = (struct change){ "remove", w->d.line, endpoint_yaml(w, rule, e,
			arena_printf(w->a, "deny_rules: [{method: \"%s\", path: %s}]",
				     deny[i].method ? deny[i].method : "*", path)) };
		flip_drop(&e->l7.deny, sizeof(*deny), &deny[i]);
		return true;
	}
	return false;
}

/* What the policy's reader makes of one rule at such an endpoint; NULL = nothing. */
static const struct l7 *read_rule(struct work *w, const char *rules)
{
	const struct policy *with = flip_read(w, arena_printf(w->a,
		"network_policies: {x: {binaries: [{path: /x}], endpoints: [{host: x.example.com, "
		"port: 443, protocol: rest, enforcement: enforce, %s}]}}\n", rules));
	const struct rule *rule = with && with->rules.n ? with->rules.v : NULL;

	return rule ? &((const struct endpoint *)rule->endpoints.v)->l7 : NULL;
}

static bool push_rule(struct work *w, struct list *to, const struct list *from)
{
	struct l7_rule *one;

	if (!from->n || !flip_copy(w->a, to, sizeof(*one)))
		return false;
	one = list_push(w->a, to, sizeof(*one));
	if (one)
		*one = *(const struct l7_rule *)from->v;
	return one;
}

bool flip_add_allow(struct work *w)
{
	struct rule *rule;
	struct endpoint *e = looking_inside(w, &rule);
	const char *yaml = e ? request_yaml(w) : NULL;
	const struct l7 *with;

	if (!yaml || e->l7.access != ACCESS_NONE || !e->l7.has_rules || flip_short(rule))
		return false;
	yaml = arena_printf(w->a, "rules: [{allow: %s}]", yaml);
	with = yaml ? read_rule(w, yaml) : NULL;
	if (!with || !push_rule(w, &e->l7.rules, &with->rules))
		return false;
	w->c = (struct change){ "add", e->at.line, endpoint_yaml(w, rule, e, yaml) };
	return true;
}

/* A rule of the short form for this request alone; looks inside as the rules that it stands beside. */
bool flip_add_request(struct work *w)
{
	const struct eval_connect *c = &w->q->connect;
	const char *host, *path, *bin = "", *ports = "", *yaml;
	const struct policy *with;
	struct rule *rule;

	if (!request_yaml(w) || w->d.verdict == OSH_ALLOW)
		return false;
	host = flip_quote(w->a, c->host);
	path = flip_quote(w->a, w->q->canonical);
	if (c->binary)
		bin = arena_printf(w->a, ", binaries: [%s]", flip_quote(w->a, c->binary));
	if (c->port != 443)
		ports = arena_printf(w->a, ", ports: [%u]", c->port);
	if (!host || !path || !bin || !ports)
		return false;
	yaml = arena_printf(w->a, "network:\n  - {host: %s%s%s, methods: [%s], paths: [%s]}\n", host,
			    ports, bin, w->q->method, path);
	with = flip_read(w, yaml);
	rule = with && with->rules.n ? list_push(w->a, &w->now.rules, sizeof(*rule)) : NULL;
	if (!rule)
		return false;
	*rule = *(struct rule *)with->rules.v;
	w->c = (struct change){ "add", 0, yaml };
	return true;
}

bool flip_add_denial(struct work *w)
{
	struct rule *rule;
	struct endpoint *e = looking_inside(w, &rule);
	const char *yaml = e ? request_yaml(w) : NULL;
	const struct l7 *with;

	if (!yaml || flip_short(rule))
		return false;
	yaml = arena_printf(w->a, "deny_rules: [%s]", yaml);
	with = yaml ? read_rule(w, arena_printf(w->a, "access: full, %s", yaml)) : NULL;
	if (!with || !push_rule(w, &e->l7.deny, &with->deny))
		return false;
	e->l7.has_deny = true;
	w->c = (struct change){ "add", e->at.line, endpoint_yaml(w, rule, e, yaml) };
	return true;
}
