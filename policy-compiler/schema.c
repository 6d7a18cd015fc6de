/* SPDX-License-Identifier: Apache-2.0 */
/* Walks a mapping by its table, and the top-level table itself. */
#include "schema.h"

#include <string.h>

#include "own.h"

static void read_version(struct reader *r, const struct node *n, void *obj)
{
	uint32_t v;

	(void)obj;
	(void)read_uint(r, n, 1, 1, &v);
}

/* clang-format off */
const struct field policy_fields[] = {
	{ "version",             read_version,          FIELD_KEPT,   0,         "1", "language version; required beside OpenShell's keys" },
	{ "filesystem_policy",   read_filesystem,       FIELD_KEPT,   0,         "mapping", "paths in the sandbox's view", filesystem_fields },
	{ "landlock",            read_landlock,         FIELD_KEPT,   0,         "mapping", "what to do where a path or a kernel feature is missing", landlock_fields },
	{ "process",             read_process,          FIELD_KEPT,   0,         "mapping", "identity, environment, programs", process_fields },
	{ "network_policies",    read_network_policies, FIELD_KEPT,   0,         "name -> rule", "hosts, ports, programs, requests", rule_fields },
	{ "network_middlewares", read_middlewares,      FIELD_KEPT,   0,         "name -> middleware", "request filters: refused", middleware_fields },
	{ "network",             read_network,          FIELD_KEPT,   FIELD_OWN, "[entry]", "short form of network_policies", short_fields },
	{ "dns",                 read_dns,              FIELD_KEPT,   FIELD_OWN, "mapping", "names under wildcards", dns_fields },
	{ "resources",           read_resources,        FIELD_KEPT, FIELD_OWN, "mapping", "cpu, memory, processes, files, time", resource_fields },
	{ "gpu",                 read_gpu,              FIELD_KEPT, FIELD_OWN, "mapping", "devices", gpu_fields },
	{ "credentials",         read_credentials,      FIELD_KEPT,   FIELD_OWN, "name -> credential", "secrets that the egress adds", credential_fields },
	{ "inference",           read_inference,        FIELD_KEPT,   FIELD_OWN, "mapping", "routes to models", inference_fields },
	{ "serve",               read_serves,           FIELD_KEPT,   FIELD_OWN, "[entry]", "ports that other sandboxes' routes may come to", serve_fields },
	{ "assert",              read_asserts,          FIELD_KEPT,   FIELD_OWN, "[entry]", "what the prover must show", assert_fields },
	{ 0 }
};
/* clang-format on */

#define WORD_MAX 32

/* Edit distance with transpositions, rows of a small fixed matrix. */
static unsigned distance(const char *a, const char *b)
{
	size_t la = strlen(a), lb = strlen(b);
	unsigned char m[WORD_MAX + 1][WORD_MAX + 1];

	if (la > WORD_MAX || lb > WORD_MAX)
		return WORD_MAX;
	for (size_t i = 0; i <= la; i++)
		m[i][0] = (unsigned char)i;
	for (size_t k = 0; k <= lb; k++)
		m[0][k] = (unsigned char)k;
	for (size_t i = 1; i <= la; i++) {
		for (size_t k = 1; k <= lb; k++) {
			unsigned v = m[i - 1][k - 1] + (a[i - 1] != b[k - 1]);

			if (m[i - 1][k] + 1u < v)
				v = m[i - 1][k] + 1u;
			if (m[i][k - 1] + 1u < v)
				v = m[i][k - 1] + 1u;
			if (i > 1 && k > 1 && a[i - 1] == b[k - 2] && a[i - 2] == b[k - 1] &&
			    m[i - 2][k - 2] + 1u < v)
				v = m[i - 2][k - 2] + 1u;
			m[i][k] = (unsigned char)v;
		}
	}
	return m[la][lb];
}

const char *nearest(const char *text, const char *const words[], size_t n)
{
	unsigned best = strlen(text) < 5 ? 2 : 3;	/* must be below */
	const char *found = NULL;

	for (size_t i = 0; i < n; i++) {
		unsigned d = distance(text, words[i]);

		if (d < best) {
			best = d;
			found = words[i];
		}
	}
	return found;
}

const struct node *map_get(const struct node *map, const char *key)
{
	if (!map || map->kind != NODE_MAP)
		return NULL;
	for (const struct node *v = map->first; v; v = v->next)
		if (!strcmp(v->key->text, key))
			return v;
	return NULL;
}

static void unknown_key(struct reader *r, const struct node *key, const struct field *fields,
			const char *what)
{
	const char *words[64], *near;
	size_t n = 0;

	for (const struct field *f = fields; f->key && n < ARRAY_SIZE(words); f++)
		words[n++] = f->key;
	near = nearest(key->text, words, n);
	diag_add(r->d, DIAG_UNKNOWN, key->at,
		 near ? arena_printf(r->a, "did you mean '%s'?", near) : NULL,
		 "unknown key '%.80s' in %s", key->text, what);
}

void unkept(struct reader *r, struct place at, const char *what)
{
	struct unkept *u = what ? list_push(r->a, &r->p->unkept, sizeof(*u)) : NULL;

	if (u)
		*u = (struct unkept){ at, what };
}

static void read_field(struct reader *r, const struct node *value, const struct field *f, void *obj)
{
	uint32_t errors = r->d->n_errors, noted = r->p->unkept.n;

	f->read(r, value, obj);
	if (f->stage != FIELD_KEPT) {
		r->p->unkept.n = noted;	/* the section stands for what is inside */
		unkept(r, value->key->at, f->key);
	}
	if (r->d->n_errors == errors && (f->flags & FIELD_IGNORED))
		diag_add(r->d, DIAG_DEPRECATED, value->key->at, NULL, "'%s' has no effect", f->key);
}

bool read_map(struct reader *r, const struct node *n, const struct field *fields, const char *what,
	      void *obj)
{
	if (!want_kind(r, n, NODE_MAP))
		return false;
	for (const struct node *v = n->first; v; v = v->next) {
		const struct field *f = fields;

		while (f->key && strcmp(f->key, v->key->text))
			f++;
		if (f->key)
			read_field(r, v, f, obj);
		else
			unknown_key(r, v->key, fields, what);
	}
	for (const struct field *f = fields; f->key; f++)
		if ((f->flags & FIELD_REQUIRED) && !map_get(n, f->key))
			diag_add(r->d, DIAG_MISSING, n->at, NULL, "%s needs '%s'", what, f->key);
	return true;
}
