/* SPDX-License-Identifier: Apache-2.0 */
/* eval_inference(): what kind of call a request is, which model it means, and which routes take it. */
#include <stdlib.h>
#include <string.h>

#include "eval.h"
#include "own.h"
#include "sym.h"

static const struct osh_shape_row shapes[] = {
#define SHAPE(id, text, method, path, apis, model, counted) { text, method, path, apis, OSH_MODEL_##model },
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

/* The path in which the name stands where the star is, as it reads decoded. */
static const char *around(struct sym *s, const struct osh_shape_row *shape, const char *name)
{
	const char *star = strchr(shape->path, '*');

	return arena_printf(s->z.a, "%.*s%s%s", (int)(star - shape->path), shape->path, name, star + strspn(star, "*"));
}

static Z3_ast decoded(struct sym *s, const struct list *alts)
{
	return dim_in(s->path, &(struct lang_atom){ .alts = alts->v, .n = alts->n, .decoded = true });
}

/* The path as it is; and what stands there may be a name: printable, and no part of it empty. */
static Z3_ast is_name_in_path(struct sym *s, const struct osh_shape_row *shape)
{
	static const char *const none[] = { "*[!!-~]*", "*\"*", "*\\\\*", "*//*", "*/" };
	const struct lang_atom no = { .alts = none, .n = ARRAY_SIZE(none), .decoded = true };
	const char *star = strchr(shape->path, '*');
	const char *raw = star[1] == '*' ? arena_printf(s->z.a, "%.*s?*", (int)(star - shape->path), shape->path) : shape->path;

	return z_and(&s->z, dim_glob(s->path, raw, star[1] == '*' ? 0 : '/'), z_not(&s->z, dim_in(s->path, &no)));
}

/* ---- lists of models ---------------------------------------------------------------------- */

static Z3_ast is_named(struct sym *s, const struct call *c, const char *name)
{
	struct list alts = { 0 };

	if (c->in_body)
		return dim_word(s->model, name);
	push(s, &alts, around(s, c->shape, sym_literal(s, name)));
	return decoded(s, &alts);
}

static Z3_ast is_like(struct sym *s, const struct call *c, const struct list *patterns)
{
	struct list alts = { 0 };

	for EACH (struct pattern, p, patterns)
		for (uint32_t i = 0; i < p->alts.n; i++) {
			const char *alt = ((const char *const *)p->alts.v)[i];

			push(s, &alts, c->in_body ? alt : around(s, c->shape, alt));
		}
	return c->in_body ? dim_list(s->model, &alts, 0, false) : decoded(s, &alts);
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
		Z3_ast named = sees("inference.aliases") ? is_named(s, c, a->name) : z_false(&s->z);

		terms_add(&alias, named);
		if (has(patterns, a->model))
			terms_add(&in, named);
	}
	terms_add(&in, z_and(&s->z, z_not(&s->z, terms_or(&alias)), is_like(s, c, patterns)));
	return terms_or(&in);
}

/* Where the path names the model: an alias of what may not stand there. */
static Z3_ast is_away(struct sym *s, const struct call *c)
{
	struct terms away = { .z = &s->z };

	for EACH (struct alias, a, &s->p->inference.aliases)
		if (!eval_model_in_path(a->model) && sees("inference.aliases"))
			terms_add(&away, is_named(s, c, a->name));
	return terms_or(&away);
}

/* ---- routes ------------------------------------------------------------------------------- */

bool sym_keeps_local(const struct policy *p)
{
	for EACH (struct content_rule, rule, &p->inference.privacy)
		if (rule->action == OSH_PRIVATE_LOCAL)
			return true;
	return false;
}

/* Those of these APIs that serve the model, `local` alone or all; without fallback the first of them. */
static void take_of(struct sym *s, const struct call *c, uint32_t apis, Z3_ast fact, bool local, struct terms *takes)
{
	const struct route *v = s->p->inference.routes.v;
	Z3_ast none = fact;

	for (uint32_t i = 0; i < s->p->inference.routes.n; i++) {
		Z3_ast serves = z_true(&s->z);

		if ((!(v[i].api & apis) && sees("inference.routes.api")) || (local && !v[i].local))
			continue;
		if ((c->in_body || c->in_path) && v[i].models.n && sees("inference.routes.model"))
			serves = means(s, c, &v[i].models);
		if (c->in_path && v[i].as && !eval_model_in_path(v[i].as))
			serves = z_false(&s->z);
		terms_add(&takes[i], z_and(&s->z, none, serves));
		if (!s->p->inference.fallback || !sees("inference.fallback"))
			none = z_and(&s->z, none, z_not(&s->z, serves));
	}
}

/* What a rule about content may find is in no term, so any call may have it, or not. */
static void take(struct sym *s, const struct call *c, uint32_t apis, Z3_ast fact, struct terms *takes)
{
	take_of(s, c, apis, fact, false, takes);
	if (sym_keeps_local(s->p) && sees("inference.privacy.action"))
		take_of(s, c, apis, fact, true, takes);
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
		c.is = z_and(&s->z, c.is, z_not(&s->z, is_away(s, &c)));
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
