/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `inference`: routes to models. What it says becomes rules like others: one for inference.local, which
 * programs may call, and one for each backend, where the egress alone goes.
 */
#include <string.h>

#include "host.h"
#include "network.h"
#include "osh/limits.h"
#include "own.h"
#include "program.h"

struct route_in {			/* a route while it is read */
	struct route route;
	struct endpoint_in e;
	const struct node *tls;
};

struct inference_in {
	struct inference *to;
	const struct node *binaries;
};

static const char *const apis[] = { "openai", "anthropic", "bedrock", "ollama", "llama", NULL };

static void read_route_name(struct reader *r, const struct node *n, void *obj)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";
	const char **to = &((struct route_in *)obj)->route.name;
	size_t len;

	if (!read_text(r, n, to))
		return;
	len = strlen(*to);
	if (!len || len >= OSH_ROUTE_NAME || strspn(*to, letters) != len)
		diag_add(r->d, DIAG_VALUE, n->at, NULL, "a route's name is 1 to %d letters, digits, '.', '_' or '-'",
			 OSH_ROUTE_NAME - 1);
}

static void read_route_api(struct reader *r, const struct node *n, void *obj)
{
	unsigned v;

	if (read_word(r, n, apis, &v))
		((struct route_in *)obj)->route.api = 1u << v;
}

static void read_route_provider(struct reader *r, const struct node *n, void *obj)
{
	(void)read_text(r, n, &((struct route_in *)obj)->route.provider);
}

static void read_route_host(struct reader *r, const struct node *n, void *obj)
{
	read_endpoint_host(r, n, &((struct route_in *)obj)->e);
}

static void read_route_port(struct reader *r, const struct node *n, void *obj)
{
	read_endpoint_port(r, n, &((struct route_in *)obj)->e);
}

static void read_route_allowed(struct reader *r, const struct node *n, void *obj)
{
	read_endpoint_allowed(r, n, &((struct route_in *)obj)->e);
}

static void read_route_tls(struct reader *r, const struct node *n, void *obj)
{
	struct route_in *in = obj;
	bool tls = true;

	in->tls = n;
	if (read_bool(r, n, &tls))
		in->route.plain = !tls;
}

static void read_route_local(struct reader *r, const struct node *n, void *obj)
{
	(void)read_bool(r, n, &((struct route_in *)obj)->route.local);
}

static void read_route_sandbox(struct reader *r, const struct node *n, void *obj)
{
	(void)read_sandbox(r, n, false, &((struct route_in *)obj)->route.sandbox);
}

/* Letters that mean nothing else in a path, and no step up. */
static void read_route_path(struct reader *r, const struct node *n, void *obj)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._~-/";
	const char **to = &((struct route_in *)obj)->route.path;
	size_t len;

	if (!read_text(r, n, to))
		return;
	len = strlen(*to);
	if (**to != '/' || len > 256 || (*to)[len - 1] == '/' || strspn(*to, letters) != len || strstr(*to, "//") ||
	    strstr(*to, "/."))
		diag_add(r->d, DIAG_VALUE, n->at, "for example /openai",
			 "what is put before the path begins with '/', does not end in one, and is plain: %.80s", *to);
}

/* A model's name as it may stand in JSON and in a path. */
static bool read_model(struct reader *r, const struct node *n, const char **ret)
{
	size_t len;

	if (!read_text(r, n, ret))
		return false;
	len = strlen(*ret);
	for (size_t i = 0; i < len; i++)
		if ((*ret)[i] <= 0x20 || (*ret)[i] > 0x7e || (*ret)[i] == '"' || (*ret)[i] == '\\')
			len = 0;
	if (!len || len > OSH_MODEL_LEN)
		diag_add(r->d, DIAG_VALUE, n->at, NULL,
			 "a model's name is 1 to %d printable letters without blanks, quotes and backslashes", OSH_MODEL_LEN);
	return len && len <= OSH_MODEL_LEN;
}

static void read_route_as(struct reader *r, const struct node *n, void *obj)
{
	(void)read_model(r, n, &((struct route_in *)obj)->route.as);
}

static void push_model(struct reader *r, const struct node *n, struct list *to)
{
	struct pattern one = { 0 }, *p;

	if (!read_pattern(r, n, &one))
		return;
	if (!*one.text)
		diag_add(r->d, DIAG_VALUE, n->at, NULL, "a model needs a name or a pattern");
	p = list_push(r->a, to, sizeof(*p));
	if (p)
		*p = one;
}

void read_models(struct reader *r, const struct node *n, struct list *to)
{
	if (n->kind != NODE_LIST) {
		push_model(r, n, to);
		return;
	}
	if (!n->n)
		diag_add(r->d, DIAG_VALUE, n->at, "leave the key away for every model", "an empty list serves no model");
	for (const struct node *v = n->first; v; v = v->next)
		push_model(r, v, to);
}

static void read_route_model(struct reader *r, const struct node *n, void *obj)
{
	read_models(r, n, &((struct route_in *)obj)->route.models);
}

static void read_route_weight(struct reader *r, const struct node *n, void *obj)
{
	struct route *to = &((struct route_in *)obj)->route;

	if (read_uint(r, n, 1, OSH_INFERENCE_WEIGHT, &to->weight))
		to->weight_at = n->at;
}

/* clang-format off */
const struct field route_fields[] = {
	{ "name",        read_route_name,     FIELD_KEPT, FIELD_REQUIRED, "name", "of the route" },
	{ "api",         read_route_api,      FIELD_KEPT, FIELD_REQUIRED, "openai | anthropic | bedrock | ollama | llama", "what the backend speaks" },
	{ "provider",    read_route_provider, FIELD_KEPT, 0, "name", "whose credential goes along" },
	{ "host",        read_route_host,     FIELD_KEPT, 0, "name", "the backend; openai and anthropic have one by themselves" },
	{ "sandbox",     read_route_sandbox,  FIELD_KEPT, 0, "name", "in place of a host: another sandbox of the same user, whose `serve` must say so too" },
	{ "port",        read_route_port,     FIELD_KEPT, 0, "1..65535", "its port; default 443, without TLS 80" },
	{ "tls",         read_route_tls,      FIELD_KEPT, 0, "bool", "default true; false only without a provider" },
	{ "allowed_ips", read_route_allowed,  FIELD_KEPT, 0, "[network]", "addresses that the backend may have; needed for private ones" },
	{ "local",       read_route_local,    FIELD_KEPT, 0, "bool", "default false; true: it is on this machine, or it is not spoken to" },
	{ "path",        read_route_path,     FIELD_KEPT, 0, "path", "put before the path of a call" },
	{ "model",       read_route_model,    FIELD_KEPT, 0, "glob | [glob]", "models that it serves; absent = all" },
	{ "as",          read_route_as,       FIELD_KEPT, 0, "text", "model that is asked for in their place" },
	{ "weight",      read_route_weight,   FIELD_KEPT, 0, "number", "its share of the load, 1 to 100, with `balance`; default 1" },
	{ 0 },
};
/* clang-format on */

static const char *default_host(uint32_t api)
{
	return api == OSH_API_OPENAI ? "api.openai.com" : api == OSH_API_ANTHROPIC ? "api.anthropic.com" : NULL;
}

static void check_route(struct reader *r, const struct node *at, struct route_in *in)
{
	if (in->e.e.host.text && in->e.e.host.kind != HOST_NAME)
		diag_add(r->d, DIAG_HOST, in->e.host->at, NULL, "a route leads to one host, by its name");
	if (in->e.e.host.text && !strcmp(in->e.e.host.text, OSH_INFERENCE_HOST))
		diag_add(r->d, DIAG_HOST, in->e.host->at, NULL, "a route cannot lead back to " OSH_INFERENCE_HOST);
	if (host_in_zone(&in->e.e.host) && !in->route.sandbox)
		diag_add(r->d, DIAG_HOST, in->e.host->at, "`sandbox: NAME` in place of `host`", "names under " OSH_SANDBOX_ZONE " are sandboxes");
	if (in->route.plain && in->route.provider)
		diag_add(r->d, DIAG_CREDENTIAL, in->tls->at, NULL,
			 "a credential goes over verified TLS alone: 'tls: false' and 'provider' exclude each other");
	for EACH (struct route, o, &r->p->inference.routes)
		if (in->route.name && o->name && !strcmp(in->route.name, o->name))
			diag_add(r->d, DIAG_DUPLICATE, at->at, NULL, "route '%.60s' was given before, on line %u",
				 in->route.name, o->at.line);
}

/* Another sandbox: from here on a backend like any other, by a name that nobody resolves, in plain HTTP and local. */
static bool take_sandbox(struct reader *r, const struct node *at, struct route_in *in)
{
	static const char *const others[] = { "host", "allowed_ips", "provider" };
	struct node *name = arena_zalloc(r->a, sizeof(*name));
	const struct node *key = map_get(at, "sandbox");
	bool ok = name != NULL;

	for (size_t i = 0; i < ARRAY_SIZE(others); i++)
		if (map_get(at, others[i])) {
			diag_add(r->d, DIAG_EXCLUSIVE, map_get(at, others[i])->key->at, NULL, "'sandbox' and '%s' exclude each other", others[i]);
			ok = false;
		}
	if (in->tls && !in->route.plain)
		diag_add(r->d, DIAG_EXCLUSIVE, in->tls->at, NULL, "a sandbox is spoken to in plain HTTP; nothing of it leaves the machine");
	if (map_get(at, "local") && !in->route.local)
		diag_add(r->d, DIAG_EXCLUSIVE, map_get(at, "local")->at, NULL, "a route to a sandbox is local");
	if (!map_get(at, "port"))
		diag_add(r->d, DIAG_MISSING, at->at, "the port that its `serve` names", "a route to a sandbox needs 'port'");
	if (!ok || !map_get(at, "port"))
		return false;
	in->route.plain = in->route.local = true;
	*name = (struct node){ .kind = NODE_SCALAR, .at = key->at, .text = arena_printf(r->a, "%s" OSH_SANDBOX_ZONE, in->route.sandbox) };
	in->e.host = name;
	return true;
}

/* The backend as a rule: the egress has its address, port and allowed_ips from there, and no program is listed. */
static void add_backend(struct reader *r, const struct node *at, struct route_in *in)
{
	struct rule rule = { .name = arena_printf(r->a, "inference/%s", in->route.name), .at = at->at, .egress_only = true };
	struct rule_in owner = { .rule = rule };
	const char *host = default_host(in->route.api);
	struct node *name;
	struct rule *to;

	in->e.rule = &owner;
	if (map_get(at, "sandbox") && (!in->route.sandbox || !take_sandbox(r, at, in)))
		return;
	if (!in->e.host && host) {
		name = arena_zalloc(r->a, sizeof(*name));
		if (!name)
			return;
		*name = (struct node){ .kind = NODE_SCALAR, .at = at->at, .text = host };
		in->e.host = name;
	} else if (!in->e.host) {
		diag_add(r->d, DIAG_MISSING, at->at, NULL, "a route to this kind of backend needs 'host'");
		return;
	}
	if (in->route.local && !in->route.sandbox && !map_get(at, "host"))
		diag_add(r->d, DIAG_MISSING, at->at, NULL, "a route that is local needs 'host': %s is a service elsewhere", host);
	endpoint_finish(r, at, &in->e, in->route.plain ? 80 : 443, &owner.rule);
	check_route(r, at, in);
	to = owner.rule.endpoints.n ? list_push(r->a, &r->p->rules, sizeof(*to)) : NULL;
	if (to)
		*to = owner.rule;
	in->route.host = in->e.e.host.text;
	in->route.port = in->e.e.n_ports ? in->e.e.ports[0] : 0;
}

static void read_routes(struct reader *r, const struct node *n, void *obj)
{
	struct inference *to = ((struct inference_in *)obj)->to;

	if (!want_kind(r, n, NODE_LIST))
		return;
	if (!n->n)
		diag_add(r->d, DIAG_VALUE, n->at, "remove `inference`", "no route: nothing would be answered");
	if (n->n > OSH_INFERENCE_ROUTES)
		diag_add(r->d, DIAG_LIMIT, n->at, NULL, "more than %d routes", OSH_INFERENCE_ROUTES);
	for (const struct node *v = n->first; v; v = v->next) {
		struct route_in one = { .route = { .at = v->at, .path = "" } };
		struct route *route;

		if (!read_map(r, v, route_fields, "route", &one) || !one.route.name || !one.route.api)
			continue;
		add_backend(r, v, &one);
		route = list_push(r->a, &to->routes, sizeof(*route));
		if (route)
			*route = one.route;
	}
}

static void read_aliases(struct reader *r, const struct node *n, void *obj)
{
	struct inference *to = ((struct inference_in *)obj)->to;

	if (!want_kind(r, n, NODE_MAP))
		return;
	if (n->n > OSH_INFERENCE_ALIASES)
		diag_add(r->d, DIAG_LIMIT, n->at, NULL, "more than %d aliases", OSH_INFERENCE_ALIASES);
	for (const struct node *v = n->first; v; v = v->next) {
		struct alias *a, one = { .at = v->key->at };

		if (!read_model(r, v->key, &one.name) || !read_model(r, v, &one.model))
			continue;
		a = list_push(r->a, &to->aliases, sizeof(*a));
		if (a)
			*a = one;
	}
}

static void read_allowed_models(struct reader *r, const struct node *n, void *obj)
{
	struct inference *to = ((struct inference_in *)obj)->to;

	if (!want_kind(r, n, NODE_LIST))
		return;
	to->has_models = true;
	read_models(r, n, &to->models);
}

static void read_fallback(struct reader *r, const struct node *n, void *obj)
{
	(void)read_bool(r, n, &((struct inference_in *)obj)->to->fallback);
}

static void read_local_only(struct reader *r, const struct node *n, void *obj)
{
	(void)read_bool(r, n, &((struct inference_in *)obj)->to->local_only);
}

static void read_balance(struct reader *r, const struct node *n, void *obj)
{
	static const char *const words[] = { "round_robin", "least_busy", NULL };
	struct inference *to = ((struct inference_in *)obj)->to;
	unsigned v;

	if (!read_word(r, n, words, &v))
		return;
	to->balance = v ? OSH_FALLBACK_LEAST_BUSY : OSH_FALLBACK_ROUND_ROBIN;
	to->balance_at = n->at;
}

/* Any route that serves its model may take a call only where `fallback` says so. */
static void check_balance(struct reader *r, const struct inference *in)
{
	if (in->balance && !in->fallback)
		diag_add(r->d, DIAG_VALUE, in->balance_at, "add `fallback: true`", "without it the first route that serves a model takes "
			 "its calls alone, so there is nothing to share");
	for EACH (struct route, route, &in->routes)
		if (route->weight && !in->balance)
			diag_add(r->d, DIAG_VALUE, route->weight_at, "add `balance: round_robin`", "a weight says nothing without 'balance'");
}

static void read_inference_limits(struct reader *r, const struct node *n, void *obj)
{
	read_limits(r, n, ((struct inference_in *)obj)->to);
}

static void read_inference_prices(struct reader *r, const struct node *n, void *obj)
{
	read_prices(r, n, ((struct inference_in *)obj)->to);
}

static void read_inference_privacy(struct reader *r, const struct node *n, void *obj)
{
	read_privacy(r, n, ((struct inference_in *)obj)->to);
}

static void read_callers(struct reader *r, const struct node *n, void *obj)
{
	if (want_kind(r, n, NODE_LIST))
		((struct inference_in *)obj)->binaries = n;
}

/* clang-format off */
const struct field inference_fields[] = {
	{ "routes",   read_routes,         FIELD_KEPT, FIELD_REQUIRED, "[route]", "backends, in the order in which they are tried", route_fields },
	{ "models",   read_allowed_models, FIELD_KEPT, 0, "[glob]", "the only models that may be asked for; absent = all that a route serves" },
	{ "aliases",  read_aliases,        FIELD_KEPT, 0, "name -> text", "other names of models" },
	{ "fallback", read_fallback,       FIELD_KEPT, 0, "bool", "where a backend fails, the next route that serves the model; default false" },
	{ "balance",  read_balance,        FIELD_KEPT, 0, "round_robin | least_busy", "routes that serve the model share its calls; needs fallback" },
	{ "local_only", read_local_only,   FIELD_KEPT, 0, "bool", "default false; true: local routes alone, and nothing else that takes data" },
	{ "limits",   read_inference_limits, FIELD_KEPT, 0, "[limit]", "how many calls, tokens, or how much money, for how long", limit_fields },
	{ "prices",   read_inference_prices, FIELD_KEPT, 0, "[price]", "of tokens, for limits of money; the first whose model meets", price_fields },
	{ "privacy",  read_inference_privacy, FIELD_KEPT, 0, "[rule]", "what is not said to a model, and what comes of it", privacy_fields },
	{ "binaries", read_callers,        FIELD_KEPT, 0, "[path | {path}]", "programs that may call inference.local; absent = any", binary_fields },
	{ 0 },
};
/* clang-format on */

/* The synthetic host, looked into like one that the policy lists with `access: full`. */
static void add_front(struct reader *r, const struct node *at, const struct inference_in *in)
{
	struct rule rule = { .name = "inference", .at = at->at, .any_program = !in->binaries };
	uint32_t *port = arena_zalloc(r->a, sizeof(*port));
	struct endpoint *e = list_push(r->a, &rule.endpoints, sizeof(*e));
	struct rule *to;

	if (!port || !e)
		return;
	*port = OSH_INFERENCE_PORT;
	*e = (struct endpoint){ .at = at->at, .host = { .kind = HOST_NAME, .text = OSH_INFERENCE_HOST },
				.ports = port, .n_ports = 1, .protocol = PROTO_REST };
	e->l7 = (struct l7){ .access = ACCESS_FULL, .access_at = at->at, .encoded_slash = true,
			       .inference = true, .max_body = 1 };
	if (in->binaries)
		read_binaries(r, in->binaries, &rule);
	if (in->binaries && !rule.programs.n) {
		diag_add(r->d, DIAG_UNUSED, in->binaries->at, NULL, "no program may call " OSH_INFERENCE_HOST);
		return;
	}
	to = list_push(r->a, &r->p->rules, sizeof(*to));
	if (to)
		*to = rule;
}

void read_inference(struct reader *r, const struct node *n, void *obj)
{
	struct inference_in in = { .to = &r->p->inference };

	(void)obj;
	in.to->at = n->at;
	if (!read_map(r, n, inference_fields, "inference", &in))
		return;
	check_limits(r);
	check_balance(r, in.to);
	check_privacy(r);
	if (in.to->routes.n)
		add_front(r, n, &in);
}
