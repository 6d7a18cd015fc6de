/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The provider's endpoints are written as a policy and read by the one reader, so that a default is never filled
 * in twice. Then each of them goes beside the endpoints of the policy that cover its host and port.
 */
#include "provide.h"

#include <string.h>

#include "buf.h"
#include "osh/limits.h"

static const struct provision *given;
static size_t n_given;

void policy_provide(const struct provision *list, size_t n)
{
	given = list;
	n_given = n;
}

/* JSON's escapes are YAML's. */
static void put_text(struct buf *b, const char *text)
{
	buf_str(b, "\"");
	for (; *text; text++)
		buf_printf(b, *text == '"' || *text == '\\' ? "\\%c" : "%c", *text);
	buf_str(b, "\"");
}

static void put_endpoint(struct buf *b, const struct provision *p, const char *host, uint16_t port, const char *path)
{
	buf_str(b, "{host: ");
	put_text(b, host);
	buf_printf(b, ", port: %u, protocol: rest, access: full", port);
	if (path) {
		buf_str(b, ", path: ");
		put_text(b, path);
	}
	if (path || !p->paths[0]) {
		buf_str(b, ", credential: ");
		put_text(b, p->name);
	}
	buf_str(b, "}, ");
}

/* A record with paths keeps the credential to them, and leaves the host's other requests without one. */
static void put_policy(struct buf *b, const struct provision *p)
{
	buf_printf(b, "version: 1\nnetwork_policies: {\"_provider_%s\": {endpoints: [", p->name);
	for (size_t i = 0; p->hosts[i]; i++)
		for (unsigned k = 0; k < p->n_ports; k++) {
			put_endpoint(b, p, p->hosts[i], p->ports[k], NULL);
			for (size_t j = 0; p->paths[j]; j++)
				put_endpoint(b, p, p->hosts[i], p->ports[k], p->paths[j]);
		}
	buf_str(b, "], binaries: [");
	for (size_t i = 0; p->binaries[i]; i++) {
		put_text(b, p->binaries[i]);
		buf_str(b, ", ");
	}
	if (!p->binaries[0])		/* never added: a rule without programs is none */
		put_text(b, "/none");
	buf_str(b, "]}}\n");
}

static bool has_port(const struct endpoint *e, uint32_t port)
{
	for (uint32_t i = 0; i < e->n_ports; i++)
		if (e->ports[i] == port)
			return true;
	return false;
}

/* Is all of `inner` meant by `outer`? */
static bool covers(const struct host *outer, const struct host *inner)
{
	const char *dot = strchr(inner->text, '.');
	size_t n = strlen(inner->text), m = strlen(outer->text);

	if (outer->kind == inner->kind && !strcmp(outer->text, inner->text))
		return true;
	if (inner->kind != HOST_NAME)
		return false;
	if (outer->kind == HOST_ONE)
		return dot && !strcmp(dot, outer->text);
	return outer->kind == HOST_DEEP && n > m && !strcmp(inner->text + n - m, outer->text);
}

/* What the policy says of a provider's host and port. */
enum say { SAYS_NOTHING, SAYS_PLAIN, SAYS_INSIDE, SAYS_OTHERWISE };

static enum say says(const struct endpoint *has, const struct endpoint *e)
{
	bool wider = covers(&has->host, &e->host);

	if (!has_port(has, e->ports[0]) || (!wider && !covers(&e->host, &has->host)))
		return SAYS_NOTHING;
	if (has->l7.inference || has->tls_skip || has->protocol == PROTO_TCP || has->l7.credential || has->l7.binding ||
	    (endpoint_inspected(has) && wider && !covers(&e->host, &has->host)))
		return SAYS_OTHERWISE;
	return endpoint_inspected(has) ? SAYS_INSIDE : SAYS_PLAIN;
}

static enum say policy_says(const struct policy *p, const struct endpoint *e)
{
	enum say most = SAYS_NOTHING;

	for EACH (struct rule, rule, &p->rules)
		for EACH (struct endpoint, has, &rule->endpoints) {
			enum say s = says(has, e);

			if (s && rule->egress_only)	/* programs get there by its route, and by that alone */
				s = SAYS_OTHERWISE;
			most = s > most ? s : most;
		}
	return most;
}

/* Beside a plain endpoint: the same reach, for the same programs, and looked into. */
static void bind_plain(struct reader *r, struct rule *rule, const struct endpoint *e)
{
	uint32_t n = rule->endpoints.n;

	for (uint32_t i = 0; i < n; i++) {
		struct endpoint has = ((struct endpoint *)rule->endpoints.v)[i], *more;

		if (says(&has, e) != SAYS_PLAIN)
			continue;
		more = list_push(r->a, &rule->endpoints, sizeof(*more));
		if (!more)
			return;
		*more = *e;
		more->at = has.at;
		if (covers(&e->host, &has.host))
			more->host = has.host;
		more->allowed = has.allowed;
		more->n_allowed = has.n_allowed;
	}
}

static void bind_inside(struct rule *rule, const struct endpoint *e, const char *name)
{
	struct endpoint *has = rule->endpoints.v;

	for (uint32_t i = 0; i < rule->endpoints.n; i++)
		if (says(&has[i], e) == SAYS_INSIDE)
			has[i].l7.credential = name;
}

/* Where requests are judged already, their endpoints alone take it: another one would allow more. */
static void bind(struct reader *r, const struct endpoint *e, const char *name, bool inside)
{
	struct rule *rules = r->p->rules.v;

	for (uint32_t i = 0; i < r->p->rules.n; i++)
		if (rules[i].egress_only)
			continue;
		else if (inside)
			bind_inside(&rules[i], e, name);
		else
			bind_plain(r, &rules[i], e);
}

static void add(struct reader *r, const struct rule *own, const struct list *endpoints)
{
	struct rule *to = endpoints->n && own->programs.n ? list_push(r->a, &r->p->rules, sizeof(*to)) : NULL;

	if (!to)
		return;
	*to = *own;
	to->at = (struct place){ 1, 1 };
	to->endpoints = *endpoints;
}

static void provide_one(struct reader *r, const struct provision *p, const struct rule *own)
{
	const struct endpoint *e = own->endpoints.v;
	enum say *said = arena_zalloc(r->a, own->endpoints.n * sizeof(*said));
	struct list more = { 0 };
	const char *name = arena_printf(r->a, "%s", p->name);

	/* All is asked before the first answer changes anything: several endpoints may be of one host. */
	for (uint32_t i = 0; said && i < own->endpoints.n; i++)
		said[i] = policy_says(r->p, &e[i]);
	for (uint32_t i = 0; said && i < own->endpoints.n; i++) {
		struct endpoint *to;

		if (said[i] == SAYS_PLAIN || (said[i] == SAYS_INSIDE && e[i].l7.credential && !e[i].l7.weight)) {
			bind(r, &e[i], name, said[i] == SAYS_INSIDE);
		} else if (said[i] == SAYS_NOTHING && p->adds && p->binaries[0]) {
			to = list_push(r->a, &more, sizeof(*to));
			if (to)
				*to = e[i];
		}
	}
	add(r, own, &more);
}

/* Read into a policy of its own, in the same arena. */
void provide(struct reader *r)
{
	for (size_t i = 0; i < n_given; i++) {
		struct policy own = { .wildcard_names = OSH_WILD_DEFAULT };
		struct diags d = { 0 };
		struct reader sub = { .a = r->a, .d = &d, .p = &own };
		struct buf b = { 0 };
		const char *text;
		const struct node *root;

		put_policy(&b, &given[i]);
		text = buf_ok(&b) ? arena_text(r->a, b.p, b.n) : NULL;
		root = text ? yaml_read((struct slice){ text, b.n }, r->a, &d) : NULL;
		buf_done(&b);
		if (root)
			(void)read_map(&sub, root, policy_fields, "provider", &own);
		if (!root || d.n_errors || own.unkept.n)
			diag_add(r->d, DIAG_CREDENTIAL, (struct place){ 0 }, NULL,
				 "provider '%.60s': its hosts, paths or programs make no endpoints: %.120s", given[i].name,
				 d.n ? d.v[0].text : "out of memory");
		else if (own.rules.n)
			provide_one(r, &given[i], own.rules.v);
		diags_done(&d);
	}
}
