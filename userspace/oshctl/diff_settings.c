/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Keys that no request shows: limits, identity, environment. And rules about operations and calls,
 * which a request of one line cannot carry: these are compared as they are written. Each key becomes
 * a set of texts, with the length before every word so that no two meanings share one; the sets are
 * compared text by text.
 */
#include "diff_parts.h"

#include <stdlib.h>
#include <string.h>

#include "buf.h"

struct facts {
	struct arena *a;
	struct buf b;			/* the text that is being written */
	struct list lines;		/* const char * */
	bool bad;
};

static void word(struct facts *f, const char *text)
{
	if (text)
		buf_printf(&f->b, "%zu:%s", strlen(text), text);
	else
		buf_str(&f->b, "-");
}

static void number(struct facts *f, uint64_t v)
{
	buf_printf(&f->b, "#%llu", (unsigned long long)v);
}

/* Ends one element of the set. */
static void done(struct facts *f)
{
	const char *text = buf_ok(&f->b) ? arena_text(f->a, f->b.n ? f->b.p : "", f->b.n) : NULL;
	const char **line = text ? list_push(f->a, &f->lines, sizeof(*line)) : NULL;

	if (line)
		*line = text;
	f->bad = f->bad || !line;
	f->b.n = 0;
}

static void patterns(struct facts *f, const struct list *l)
{
	number(f, l->n);
	for EACH (struct pattern, p, l)
		word(f, p->text);
}

static void texts(struct facts *f, const struct list *l)
{
	number(f, l->n);
	for EACH (text_t, text, l)
		word(f, *text);
}

static void program_list(struct facts *f, const struct list *l)
{
	number(f, l->n);
	for EACH (struct program, prog, l) {
		word(f, prog->path);
		word(f, prog->sha256);
		number(f, prog->inherit);
	}
}

static void place(struct facts *f, const struct endpoint *e)
{
	number(f, e->host.kind);
	word(f, e->host.kind == HOST_GLOB ? e->host.glob.text : e->host.text);
	number(f, e->n_ports);
	for (uint32_t i = 0; i < e->n_ports; i++)
		number(f, e->ports[i]);
}

static void rules(struct facts *f, const struct list *l)
{
	number(f, l->n);
	for EACH (struct l7_rule, rule, l) {
		number(f, rule->operations);
		word(f, rule->method);
		word(f, rule->has_path ? rule->path.text : NULL);
		word(f, rule->has_name ? rule->name.text : NULL);
		patterns(f, &rule->fields);
		patterns(f, &rule->tools);
		number(f, rule->query.n);
		for EACH (struct query_match, m, &rule->query) {
			word(f, m->key);
			patterns(f, &m->any);
		}
	}
}

static void persisted(struct facts *f, const struct l7 *l)
{
	number(f, l->persisted_registered);
	number(f, l->persisted.n);
	for EACH (struct persisted, q, &l->persisted) {
		word(f, q->hash);
		word(f, q->name);
		number(f, q->operations);
		texts(f, &q->fields);
	}
}

static bool has_operations(const struct list *l)
{
	for EACH (struct l7_rule, rule, l)
		if (rule->operations)
			return true;
	return false;
}

/* Who may ask there is part of it: two rules may have changed places. */
static void operations(struct facts *f, const struct policy *p)
{
	for EACH (struct rule, rule, &p->rules)
		for EACH (struct endpoint, e, &rule->endpoints) {
			const struct l7 *l = &e->l7;

			if (e->protocol < PROTO_GRAPHQL && !has_operations(&l->rules) &&
			    !has_operations(&l->deny))
				continue;
			number(f, rule->any_program);
			program_list(f, &rule->programs);
			place(f, e);
			number(f, e->protocol);
			number(f, l->access);
			number(f, l->audit);
			word(f, l->path.text);
			rules(f, &l->rules);
			rules(f, &l->deny);
			persisted(f, l);
			number(f, l->max_body);
			number(f, l->loose_tools);
			number(f, l->known_methods);
			done(f);
		}
}

/* What is done with a connection besides letting it through. */
static void handling(struct facts *f, const struct policy *p)
{
	for EACH (struct rule, rule, &p->rules)
		for EACH (struct endpoint, e, &rule->endpoints) {
			const struct l7 *l = &e->l7;

			if (!e->tls_skip && !l->audit && !l->ws_rewrite && !l->body_rewrite &&
			    !l->uninspected && !l->encoded_slash && l->signing == SIGN_NONE &&
			    !l->binding && !l->credential)
				continue;
			place(f, e);
			word(f, l->path.text);
			number(f, e->tls_skip | l->audit << 1 | l->ws_rewrite << 2 | l->body_rewrite << 3 |
					  l->uninspected << 4 | l->encoded_slash << 5);
			number(f, l->signing);
			word(f, l->signing_service);
			word(f, l->signing_region);
			word(f, l->binding);
			word(f, l->credential);
			done(f);
		}
}

static void identities(struct facts *f, const struct policy *p)
{
	const struct identity *both[] = { &p->user, &p->group };

	for (int i = 0; i < 2; i++) {
		number(f, both[i]->kind);
		number(f, both[i]->kind == OSH_RUNAS_UID ? both[i]->id : 0);
	}
	done(f);
}

/* What no request can say of a program: its digest, and who started it. */
static void programs(struct facts *f, const struct policy *p)
{
	for EACH (struct rule, rule, &p->rules)
		for EACH (struct program, prog, &rule->programs) {
			if (!prog->sha256 && !prog->inherit)
				continue;
			word(f, prog->path);
			word(f, prog->sha256);
			number(f, prog->inherit);
			number(f, rule->endpoints.n);
			for EACH (struct endpoint, e, &rule->endpoints)
				place(f, e);
			done(f);
		}
	for EACH (struct fs_entry, entry, &p->fs)
		if (entry->programs.n) {
			number(f, entry->mode);
			word(f, entry->path);
			program_list(f, &entry->programs);
			done(f);
		}
}

static void environment(struct facts *f, const struct policy *p)
{
	for EACH (struct env_entry, v, &p->env) {
		number(f, v->kind);
		word(f, v->text);
		done(f);
	}
}

static void limits(struct facts *f, const struct policy *p)
{
	for (int i = 0; i < OSH_RESOURCES; i++)
		number(f, p->resources.amount[i]);
	done(f);
}

static void gpus(struct facts *f, const struct policy *p)
{
	number(f, p->gpu.count);
	number(f, p->gpu.share);
	done(f);
	for EACH (text_t, device, &p->gpu.devices) {
		word(f, *device);
		done(f);
	}
}

static void providers(struct facts *f, const struct policy *p)
{
	for EACH (struct credential, c, &p->credentials) {
		word(f, "credential");
		word(f, c->name);
		word(f, c->provider);
		done(f);
	}
}

/* Routes are tried in their order, so that order is a part of what each of them says. */
static void inference(struct facts *f, const struct policy *p)
{
	uint32_t i = 0;

	for EACH (struct route, r, &p->inference.routes) {
		number(f, ++i);
		word(f, r->name);
		word(f, r->provider);
		word(f, r->as);
		word(f, r->path);
		word(f, r->host);
		number(f, r->api);
		number(f, r->plain);
		number(f, r->local);
		number(f, r->port);
		patterns(f, &r->models);
		number(f, r->weight);
		done(f);
	}
	for EACH (struct alias, a, &p->inference.aliases) {
		word(f, "alias");
		word(f, a->name);
		word(f, a->model);
		done(f);
	}
	for EACH (struct budget, l, &p->inference.limits) {
		word(f, "limit");
		number(f, l->what);
		number(f, l->per);
		number(f, l->user);
		word(f, l->route);
		number(f, l->most);
		done(f);
	}
	i = 0;
	for EACH (struct price, price, &p->inference.prices) {
		word(f, "price");
		number(f, ++i);
		patterns(f, &price->models);
		for (int k = 0; k < OSH_PRICES; k++)
			number(f, price->part[k]);
		done(f);
	}
	for EACH (struct content_rule, rule, &p->inference.privacy) {
		word(f, "privacy");
		word(f, rule->name);
		number(f, rule->action);
		number(f, rule->kinds);
		patterns(f, &rule->patterns);
		done(f);
	}
	number(f, p->inference.fallback);
	number(f, p->inference.balance);
	number(f, p->inference.local_only);
	number(f, p->inference.has_models);
	patterns(f, &p->inference.models);
	done(f);
}

/* As written: which names a pattern is about is asked one by one. */
static void serves(struct facts *f, const struct policy *p)
{
	for EACH (struct serve, s, &p->serves) {
		number(f, s->port);
		texts(f, &s->to);
		done(f);
	}
}

static void compat(struct facts *f, const struct policy *p)
{
	number(f, p->compat);
	done(f);
}

static void wildcards(struct facts *f, const struct policy *p)
{
	number(f, p->wildcard_names);
	done(f);
}

static void claims(struct facts *f, const struct policy *p)
{
	for EACH (struct assertion, c, &p->asserts) {
		number(f, c->kind);
		number(f, c->host.kind);
		word(f, c->host.kind == HOST_GLOB ? c->host.glob.text : c->host.text);
		number(f, c->port);
		texts(f, &c->methods);
		word(f, c->path.text);
		word(f, c->read.text);
		program_list(f, &c->programs);
		done(f);
	}
}

static int by_text(const void *pa, const void *pb)
{
	return strcmp(*(const char *const *)pa, *(const char *const *)pb);
}

typedef void fact_fn(struct facts *f, const struct policy *p);

/* Order does not matter, nor how often one is said. */
static struct facts facts_of(struct arena *a, fact_fn *fn, const struct policy *p)
{
	struct facts f = { .a = a };
	const char **v;
	uint32_t n = 0;

	fn(&f, p);
	buf_done(&f.b);
	v = f.lines.v;
	if (f.lines.n)
		qsort(v, f.lines.n, sizeof(*v), by_text);
	for (uint32_t i = 0; i < f.lines.n; i++)
		if (!n || strcmp(v[n - 1], v[i]))
			v[n++] = v[i];
	f.lines.n = n;
	return f;
}

static bool same(const struct facts *x, const struct facts *y)
{
	const char *const *a = x->lines.v, *const *b = y->lines.v;

	if (x->lines.n != y->lines.n)
		return false;
	for (uint32_t i = 0; i < x->lines.n; i++)
		if (strcmp(a[i], b[i]))
			return false;
	return true;
}

void diff_settings(struct compare *c)
{
	static const struct {
		const char *key;
		fact_fn *fn;
	} keys[] = {
		{ "process.run_as_user, run_as_group", identities },
		{ "process.env", environment },
		{ "landlock.compatibility", compat },
		{ "dns.wildcard_names", wildcards },
		{ "resources", limits },
		{ "gpu", gpus },
		{ "credentials", providers },
		{ "inference", inference },
		{ "serve", serves },
		{ "assert", claims },
		{ "sha256, inherit, or binaries of a path (as written)", programs },
		{ "tls, enforcement, credentials or rewriting of an endpoint (as written)", handling },
		{ "GraphQL, JSON-RPC or MCP rules (as written)", operations },
	};

	for (size_t i = 0; i < sizeof(keys) / sizeof(*keys); i++) {
		struct facts was = facts_of(&c->d->a, keys[i].fn, c->p[0]);
		struct facts is = facts_of(&c->d->a, keys[i].fn, c->p[1]);
		const char **one;

		if (was.bad || is.bad)
			c->d->incomplete = true;
		if (same(&was, &is))
			continue;
		one = list_push(&c->d->a, &c->d->settings, sizeof(*one));
		if (one)
			*one = keys[i].key;
		else
			c->d->incomplete = true;
	}
}
