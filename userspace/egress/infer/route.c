/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "infer/infer.h"
#include "model_name.h"
#include "rules/pattern.h"

static const uint32_t apis[OSH_SHAPES] = {
#define SHAPE(id, text, method, path, apis, model, counted) [OSH_SHAPE_##id] = apis,
#include "osh/shapes.def"
#undef SHAPE
};

static const uint8_t counted[OSH_SHAPES] = {
#define SHAPE(id, text, method, path, apis, model, counted) [OSH_SHAPE_##id] = OSH_COUNTED_##counted,
#include "osh/shapes.def"
#undef SHAPE
};

static bool meets_one(const struct bundle *b, struct osh_b_range r, const char *model)
{
	for (uint32_t i = r.first; i < r.first + r.n; i++)
		if (text_meets(bundle_str(b, b->patterns[i]), slice_of(model), 0))
			return true;
	return false;
}

static int digit(char c)
{
	return c >= '0' && c <= '9' ? c - '0' : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* A part of a path that a server takes for a step, where the name is to be one. */
static bool climbs(const char *name)
{
	for (const char *p = name;; p++) {
		size_t n = strcspn(p, "/");

		if (!n || (n < 3 && strspn(p, ".") == n))
			return true;
		p += n;
		if (!*p)
			return false;
	}
}

/* Whoever says the name: in a path it would lead elsewhere. */
static bool is_step(const struct route_ask *q, const char *name)
{
	return shape_model(q->shape) == OSH_MODEL_PATH && climbs(name);
}

/* The name without escapes, where it is one. */
static bool plain_name(const struct route_ask *q, char out[OSH_MODEL_LEN + 1])
{
	bool escaped = shape_model(q->shape) == OSH_MODEL_PATH;
	size_t n = 0;

	for (size_t i = 0; i < q->model.n; i++) {
		char c = q->model.p[i];

		if (n == OSH_MODEL_LEN)
			return false;
		if (escaped && c == '%' && i + 2 < q->model.n && digit(q->model.p[i + 1]) >= 0 &&
		    digit(q->model.p[i + 2]) >= 0) {
			c = (char)(digit(q->model.p[i + 1]) * 16 + digit(q->model.p[i + 2]));
			i += 2;
		}
		out[n++] = c;
	}
	out[n] = 0;
	return model_name_is((struct slice){ out, n }) && !is_step(q, out);
}

static void rename_model(const struct bundle *b, char model[OSH_MODEL_LEN + 1])
{
	for (uint32_t i = 0; i < b->n_aliases; i++)
		if (!strcmp(bundle_str(b, b->aliases[i].name), model)) {
			strcpy(model, bundle_str(b, b->aliases[i].model));	/* no longer: the bundle was checked */
			return;
		}
}

/* What is asked for, by the list of models. */
static enum osh_reason ask_models(const struct bundle *b, const struct route_ask *q, struct routed *ret)
{
	switch (shape_model(q->shape)) {
	case OSH_MODEL_NONE:
		return OSH_WHY_ALLOWED;
	case OSH_MODEL_OPTIONAL:
		if (!q->model.p)
			return b->inference->only ? OSH_WHY_MODEL : OSH_WHY_ALLOWED;
		break;
	case OSH_MODEL_BODY:
	case OSH_MODEL_PATH:
		break;
	}
	if (!q->model.p || !plain_name(q, ret->model)) {
		ret->model[0] = 0;
		return OSH_WHY_MODEL_UNCLEAR;
	}
	rename_model(b, ret->model);
	if (is_step(q, ret->model)) {
		ret->model[0] = 0;
		return OSH_WHY_MODEL_UNCLEAR;
	}
	return !b->inference->only || meets_one(b, b->inference->models, ret->model) ? OSH_WHY_ALLOWED : OSH_WHY_MODEL;
}

/* Its own name for the model may be none in a path: then it serves no call that has it there. */
static bool names(const struct bundle *b, const struct route_ask *q, uint32_t i)
{
	return !b->routes[i].as || !is_step(q, bundle_str(b, b->routes[i].as));
}

static bool serves(const struct bundle *b, uint32_t i, const char *model)
{
	return !model[0] || !b->routes[i].models.n || meets_one(b, b->routes[i].models, model);
}

/* Those that may take it, bit i: ROUTES[i]. Where failures go nowhere that is the first one alone. */
static uint64_t may_take(const struct bundle *b, const struct route_ask *q, uint32_t speaks, const char *model)
{
	uint64_t mask = 0;

	for (uint32_t i = 0; i < b->n_routes; i++)
		if ((b->routes[i].api & speaks) && (!q->local || (b->routes[i].flags & OSH_ROUTE_LOCAL)) && names(b, q, i) &&
		    serves(b, i, model)) {
			mask |= 1ull << i;
			if (!b->inference->fallback)
				break;
		}
	return mask;
}

static bool shares(const struct bundle *b, const struct route_ask *q)
{
	return q->balance && b->inference->fallback >= OSH_FALLBACK_ROUND_ROBIN && counted[q->shape] != OSH_COUNTED_NOT;
}

/* Of these the one that was chosen, else by the load, else the first: a number as in struct routed, 0 = none. */
static uint32_t pick(const struct bundle *b, const struct route_ask *q, uint64_t of)
{
	for (uint32_t i = 0; q->chosen && q->chosen[0] && i < b->n_routes; i++)
		if ((of >> i & 1) && !strcmp(bundle_str(b, b->routes[i].name), q->chosen))
			return i + 1;
	if (shares(b, q))
		return q->kept && (of >> (q->kept - 1) & 1) ? q->kept : balance_pick(b, q->balance, of);
	return of ? (uint32_t)__builtin_ctzll(of) + 1 : 0;
}

/* What that backend is asked for. The other model of a choice is one that the policy lets be asked for, and that it serves. */
static void name_there(const struct bundle *b, const struct route_ask *q, struct routed *ret)
{
	uint32_t i = ret->route - 1;
	const char *name = bundle_str(b, b->routes[i].name);

	if (!ret->model[0])
		return;
	if (b->routes[i].as)
		strcpy(ret->model, bundle_str(b, b->routes[i].as));
	else if (counted[q->shape] != OSH_COUNTED_NOT && q->chosen && !strcmp(name, q->chosen) && q->instead && q->instead[0] &&
		 strlen(q->instead) <= OSH_MODEL_LEN && !is_step(q, q->instead) && serves(b, i, q->instead) &&
		 (!b->inference->only || meets_one(b, b->inference->models, q->instead)))
		strcpy(ret->model, q->instead);
}

enum osh_reason route_choose(const struct bundle *b, const struct route_ask *q, struct routed *ret)
{
	uint32_t speaks = apis[q->shape];
	enum osh_reason why;
	uint64_t may;

	memset(ret, 0, sizeof(*ret));
	if (!q->shape || !b->inference)
		return OSH_WHY_NOT_INFERENCE;
	why = ask_models(b, q, ret);
	if (why != OSH_WHY_ALLOWED)
		return why;
	if (q->anthropic && (speaks & OSH_API_ANTHROPIC))
		speaks = OSH_API_ANTHROPIC;
	may = may_take(b, q, speaks, ret->model) & ~q->tried;
	ret->route = pick(b, q, may & ~q->resting ? may & ~q->resting : may);
	if (!ret->route)
		return OSH_WHY_NO_ROUTE;
	name_there(b, q, ret);
	return OSH_WHY_ALLOWED;
}
