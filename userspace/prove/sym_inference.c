/* SPDX-License-Identifier: Apache-2.0 */
/*
 * eval_inference(): what kind of call a request is, which model it means, and which routes take it. A name in a path is
 * asked about as a part of the path, where what a name may hold has one spelling, but for slashes.
 */
#include <stdlib.h>
#include <string.h>

#include "eval.h"
#include "own.h"
#include "sym.h"

#define SLASHES 4			/* of a name in a path that are tried both ways */

static const struct osh_shape_row shapes[] = {
#define SHAPE(id, text, method, path, apis, model) { text, method, path, apis, OSH_MODEL_##model },
#include "osh/shapes.def"
#undef SHAPE
};

/* A call as it may name its model. */
struct call {
	const struct osh_shape_row *shape;
	bool in_path, in_body;		/* neither: it names none */
	Z3_ast is;
};

/* ---- names in paths ----------------------------------------------------------------------- */

static void push(struct sym *s, struct list *to, const char *text)
{
	const char **slot = text ? list_push(s->z.a, to, sizeof(*slot)) : NULL;

	if (!slot)
		abort();
	*slot = text;
}

static bool is_plain(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || (c && strchr("-._~!$&'()*+,=:@", c));
}

/* One text of a name: what it is in a path. Bit i of `encoded`: the slash number i is. */
static const char *spelled(struct sym *s, const char *name, bool literal, unsigned encoded)
{
	char *out = arena_zalloc(s->z.a, strlen(name) * 4 + 1), *to = out;
	unsigned slash = 0;

	if (!out)
		abort();
	for (; *name; name++) {
		bool meant = literal;

		if (!literal && *name == '[') {
			while (*name && *name != ']')
				*to++ = *name++;
			if (!*name)
				break;
			*to++ = *name;
			continue;
		}
		if (!literal && *name == '\\' && name[1]) {
			meant = true;
			name++;
		}
		if (!meant && strchr("*?", *name))
			*to++ = *name;
		else if (*name == '/')
			to += sprintf(to, "%s", encoded >> (slash++ & 31) & 1 ? "%2F" : "/");
		else if (*name == '*')
			to += sprintf(to, "\\*");
		else if (is_plain(*name))
			*to++ = *name;
		else
			to += sprintf(to, "%%%02X", (unsigned)(unsigned char)*name);
	}
	return out;
}

/* In the place of the star; a star of one segment takes no slash as it is. */
static void push_spellings(struct sym *s, struct list *to, const struct osh_shape_row *shape, const char *name, bool literal)
{
	const char *star = strchr(shape->path, '*');
	bool rest = star[1] == '*';
	unsigned slashes = 0, most;

	for (const char *c = name; *c; c++)
		slashes += *c == '/';
	most = 1u << (slashes < SLASHES ? slashes : SLASHES);
	for (unsigned i = rest ? 0 : most - 1; i < most; i++)
		push(s, to, arena_printf(s->z.a, "%.*s%s%s", (int)(star - shape->path), shape->path,
					 spelled(s, name, literal, slashes > SLASHES && i == most - 1 ? ~0u : i),
					 star + 1 + rest));
}

/* Parts that are empty: a server may take them for something else. */
static Z3_ast is_name_in_path(struct sym *s, const struct osh_shape_row *shape)
{
	static const char *const empty[] = { "*%2F%2F*", "*/%2F*", "*%2F/*", "*/", "*%2F" };
	const struct lang_atom no = { empty, ARRAY_SIZE(empty), 0, false, false };
	const char *star = strchr(shape->path, '*');

	return z_and(&s->z,
		     star[1] == '*' ? dim_glob(s->path, arena_printf(s->z.a, "%.*s?*", (int)(star - shape->path), shape->path), 0)
				    : dim_glob(s->path, shape->path, '/'),
		     z_not(&s->z, dim_in(s->path, &no)));
}

/* ---- lists of models ---------------------------------------------------------------------- */

static Z3_ast is_named(struct sym *s, const struct call *c, const char *name)
{
	struct list alts = { 0 };

	if (c->in_body)
		return dim_word(s->model, name);
	push_spellings(s, &alts, c->shape, name, true);
	return dim_list(s->path, &alts, 0, false);
}

static Z3_ast is_like(struct sym *s, const struct call *c, const struct list *patterns)
{
	struct list alts = { 0 };

	for EACH (struct pattern, p, patterns)
		for (uint32_t i = 0; i < p->alts.n; i++) {
			const char *alt = ((const char *const *)p->alts.v)[i];

			if (c->in_body)
				push(s, &alts, alt);
			else
				push_spellings(s, &alts, c->shape, alt, false);
		}
	return dim_list(c->in_body ? s->model : s->path, &alts, 0, false);
}

static bool has(const struct list *patterns, const char *model)
{
	for EACH (struct pattern, p, patterns)
		if (pattern_match(p, model, 0))
			return true;
	return false;
}

/* The name that the call means, after `aliases`. */
static Z3_ast means(struct sym *s, const struct call *c, const struct list *patterns)
{
	struct terms alias = { .z = &s->z }, in = { .z = &s->z };

	for EACH (struct alias, a, &s->p->inference.aliases) {
		Z3_ast named = NULL;

		if (!sees("inference.aliases"))
			break;
		named = is_named(s, c, a->name);

		terms_add(&alias, named);
		if (has(patterns, a->model))
			terms_add(&in, named);
	}
	terms_add(&in, z_and(&s->z, z_not(&s->z, terms_or(&alias)), is_like(s, c, patterns)));
	return terms_or(&in);
}

/* ---- routes ------------------------------------------------------------------------------- */

/* Those of these APIs that serve the model; without fallback the first of them. */
static void take(struct sym *s, const struct call *c, uint32_t apis, Z3_ast fact, struct terms *takes)
{
	const struct route *v = s->p->inference.routes.v;
	Z3_ast none = fact;

	for (uint32_t i = 0; i < s->p->inference.routes.n; i++) {
		Z3_ast serves = z_true(&s->z);

		if (!(v[i].api & apis) && sees("inference.routes.api"))
			continue;
		if ((c->in_body || c->in_path) && v[i].models.n && sees("inference.routes.model"))
			serves = means(s, c, &v[i].models);
		terms_add(&takes[i], z_and(&s->z, none, serves));
		if (!s->p->inference.fallback || !sees("inference.fallback"))
			none = z_and(&s->z, none, z_not(&s->z, serves));
	}
}

static void one_call(struct sym *s, const struct call *c, struct terms *takes)
{
	const struct inference *in = &s->p->inference;
	uint32_t apis = c->shape->apis;
	Z3_ast is = c->is;

	if (in->has_models && (c->in_body || c->in_path) && sees("inference.models"))
		is = z_and(&s->z, is, means(s, c, &in->models));
	if (!(apis & OSH_API_ANTHROPIC)) {
		take(s, c, apis, is, takes);
		return;
	}
	take(s, c, OSH_API_ANTHROPIC, z_and(&s->z, is, s->anthropic), takes);
	take(s, c, apis, z_and(&s->z, is, z_not(&s->z, s->anthropic)), takes);
}

static void one_shape(struct sym *s, const struct osh_shape_row *shape, struct terms *takes)
{
	Z3_ast at = dim_word(s->method, shape->method), named = s->has_model;
	struct call c = { .shape = shape };

	if (shape->model == OSH_MODEL_PATH) {
		c.in_path = true;
		c.is = z_and(&s->z, at, is_name_in_path(s, shape));
		one_call(s, &c, takes);
		return;
	}
	at = z_and(&s->z, at, dim_word(s->path, shape->path));
	if (shape->model != OSH_MODEL_NONE) {
		c.in_body = true;
		c.is = z_and(&s->z, at, named);
		one_call(s, &c, takes);
	}
	/* What names no model gets the backend's own, which is not one of a list. */
	if (shape->model == OSH_MODEL_BODY || (shape->model == OSH_MODEL_OPTIONAL && s->p->inference.has_models))
		return;
	c.in_body = false;
	c.is = shape->model == OSH_MODEL_NONE ? at : z_and(&s->z, at, z_not(&s->z, named));
	one_call(s, &c, takes);
}

Z3_ast sym_routed(struct sym *s, Z3_ast calls)
{
	const struct list *routes = &s->p->inference.routes;
	struct terms *takes = arena_zalloc(s->z.a, (routes->n + 1) * sizeof(*takes)), any = { .z = &s->z };

	if (!takes)
		abort();
	for (uint32_t i = 0; i < routes->n; i++)
		takes[i].z = &s->z;
	for (size_t i = 0; i < ARRAY_SIZE(shapes); i++)
		one_shape(s, &shapes[i], takes);
	for EACH (struct route, r, routes) {
		struct sym_route *slot = list_push(s->z.a, &s->routes, sizeof(*slot));

		if (!slot)
			abort();
		*slot = (struct sym_route){ r, z_and(&s->z, calls, terms_or(&takes[s->routes.n - 1])) };
		terms_add(&any, slot->takes);
	}
	return terms_or(&any);
}
