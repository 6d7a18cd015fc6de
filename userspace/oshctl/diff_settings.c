/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Keys that no request shows: limits, identity, environment. And rules about operations and calls,
 * which a request of one line cannot carry: these are compared as they are written.
 */
#include "diff_parts.h"

#include <string.h>

static uint64_t hash_patterns(uint64_t h, const struct list *l)
{
	for EACH (struct pattern, p, l)
		h = diff_hash(h, p->text);
	return diff_hash(h, NULL);
}

static uint64_t hash_rules(uint64_t h, const struct list *rules)
{
	for EACH (struct l7_rule, rule, rules) {
		h = diff_hash(diff_hash(h + rule->operations, rule->method), rule->path.text);
		h = diff_hash(diff_hash(h, rule->name.text), rule->method_glob.text);
		h = hash_patterns(hash_patterns(h, &rule->fields), &rule->tools);
	}
	return diff_hash(h, NULL);
}

static bool has_operations(const struct list *rules)
{
	for EACH (struct l7_rule, rule, rules)
		if (rule->operations)
			return true;
	return false;
}

static uint64_t hash_endpoint(const struct rule *rule, const struct endpoint *e)
{
	const struct l7 *l = &e->l7;
	uint64_t h = diff_hash(e->protocol * 31u + l->access + 7u * l->audit, rule->name);

	h = diff_hash(diff_hash(h, e->host.text), l->path.text);
	for (uint32_t i = 0; i < e->n_ports; i++)
		h = diff_hash(h + e->ports[i], NULL);
	h = hash_rules(hash_rules(h, &l->rules), &l->deny);
	for EACH (struct persisted, q, &l->persisted) {
		h = diff_hash(diff_hash(h + q->operations, q->hash), q->name);
		for EACH (text_t, field, &q->fields)
			h = diff_hash(h, *field);
	}
	h = diff_hash(h + l->max_body + l->loose_tools + 2u * l->known_methods +
		      4u * l->persisted_registered, NULL);
	return h;
}

/* Order does not matter, so the hashes are added up. */
static uint64_t operations(const struct policy *p)
{
	uint64_t sum = 0;

	for EACH (struct rule, rule, &p->rules)
		for EACH (struct endpoint, e, &rule->endpoints)
			if (e->protocol >= PROTO_GRAPHQL || has_operations(&e->l7.rules) ||
			    has_operations(&e->l7.deny))
				sum += hash_endpoint(rule, e);
	return sum;
}

/* What is done with a connection besides letting it through. */
static uint64_t handling(const struct policy *p)
{
	uint64_t sum = 0;

	for EACH (struct rule, rule, &p->rules)
		for EACH (struct endpoint, e, &rule->endpoints) {
			const struct l7 *l = &e->l7;
			unsigned bits = e->tls_skip | l->audit << 1 | l->ws_rewrite << 2 |
					l->body_rewrite << 3 | l->uninspected << 4 |
					(unsigned)l->signing << 5 | l->encoded_slash << 8;

			if (bits || l->binding || l->credential)
				sum += diff_hash(diff_hash(diff_hash(bits, e->host.text), l->binding),
						 l->credential);
		}
	return sum;
}

static uint64_t identities(const struct policy *p)
{
	uint64_t h = diff_hash(p->user.kind * 3u + p->group.kind, NULL) + p->user.id;

	return diff_hash(h, NULL) + p->group.id;
}

static uint64_t programs(const struct policy *p)
{
	uint64_t sum = 0;

	for EACH (struct rule, rule, &p->rules)
		for EACH (struct program, prog, &rule->programs)
			if (prog->sha256 || prog->inherit)
				sum += diff_hash(diff_hash(diff_hash(prog->inherit, rule->name), prog->path),
						 prog->sha256);
	for EACH (struct fs_entry, f, &p->fs)
		for EACH (struct program, of, &f->programs)
			sum += diff_hash(diff_hash(f->mode, f->path), of->path);
	return sum;
}

static uint64_t environment(const struct policy *p)
{
	uint64_t sum = 0;

	for EACH (struct env_entry, v, &p->env)
		sum += diff_hash(v->kind, v->text);
	return sum;
}

static uint64_t limits(const struct policy *p)
{
	const struct resources *r = &p->resources;
	const uint64_t all[] = { r->cpu_milli, r->memory, r->pids, r->files, r->wall_s };
	uint64_t h = 0;

	for (int i = 0; i < 5; i++)
		h = diff_hash(h, NULL) + all[i];
	return h;
}

static uint64_t gpus(const struct policy *p)
{
	uint64_t h = p->gpu.count * 2u + p->gpu.share;

	for EACH (text_t, device, &p->gpu.devices)
		h = diff_hash(h, *device);
	return h;
}

static uint64_t providers(const struct policy *p)
{
	uint64_t sum = 0;

	for EACH (struct credential, c, &p->credentials)
		sum += diff_hash(diff_hash(1, c->name), c->provider);
	for EACH (struct route, r, &p->routes)
		sum += diff_hash(diff_hash(diff_hash(2, r->name), r->provider), r->model);
	return sum;
}

static uint64_t compat(const struct policy *p)
{
	return p->compat;
}

static uint64_t wildcards(const struct policy *p)
{
	return p->wildcard_names;
}

void diff_settings(struct compare *c)
{
	static const struct {
		const char *key;
		uint64_t (*fn)(const struct policy *p);
	} keys[] = {
		{ "process.run_as_user, run_as_group", identities },
		{ "process.env", environment },
		{ "landlock.compatibility", compat },
		{ "dns.wildcard_names", wildcards },
		{ "resources", limits },
		{ "gpu", gpus },
		{ "credentials, inference", providers },
		{ "sha256, inherit, or binaries of a path (as written)", programs },
		{ "tls, enforcement, credentials or rewriting of an endpoint (as written)", handling },
		{ "GraphQL, JSON-RPC or MCP rules (as written)", operations },
	};

	for (size_t i = 0; i < sizeof(keys) / sizeof(*keys); i++) {
		const char **one;

		if (keys[i].fn(c->p[0]) == keys[i].fn(c->p[1]))
			continue;
		one = list_push(&c->d->a, &c->d->settings, sizeof(*one));
		if (one)
			*one = keys[i].key;
		else
			c->d->incomplete = true;
	}
}
