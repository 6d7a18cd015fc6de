/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Calls of models: what kind of call a request is, which model it means, and the first route that speaks
 * that API and serves that model.
 */
#include <string.h>

#include "eval.h"

static const struct {
	const char *text, *method, *path;
	uint32_t apis;
	enum osh_model_in model;
	enum osh_counted counted;
} shapes[OSH_SHAPES] = {
#define SHAPE(id, text, method, path, apis, model, counted) [OSH_SHAPE_##id] = \
	{ text, method, path, apis, OSH_MODEL_##model, OSH_COUNTED_##counted },
#include "osh/shapes.def"
#undef SHAPE
};

const char *eval_shape(enum osh_shape shape)
{
	return shapes[shape].text;
}

/* Is it this path, and which part of it names the model? */
static bool path_is(const char *pattern, const char *path, const char **ret, size_t *ret_n)
{
	const char *star = strchr(pattern, '*'), *after;
	size_t n = strlen(path), before, behind;
	bool rest;

	*ret_n = 0;
	if (!star)
		return !strcmp(pattern, path);
	rest = star[1] == '*';
	after = star + 1 + rest;
	before = (size_t)(star - pattern);
	behind = strlen(after);
	if (n <= before + behind || strncmp(path, pattern, before) || strcmp(path + n - behind, after))
		return false;
	*ret = path + before;
	*ret_n = n - before - behind;
	return rest || !memchr(*ret, '/', *ret_n);
}

static int hex(char c)
{
	return c >= '0' && c <= '9' ? c - '0' : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* A canonical path has every escape in capitals, and none that is not one. */
static const char *decoded(struct arena *a, const char *s, size_t n)
{
	char *out = arena_zalloc(a, n + 1), *to = out;

	for (size_t i = 0; out && i < n; i++)
		if (s[i] == '%' && i + 2 < n && hex(s[i + 1]) >= 0 && hex(s[i + 2]) >= 0) {
			*to++ = (char)(hex(s[i + 1]) << 4 | hex(s[i + 2]));
			i += 2;
		} else {
			*to++ = s[i];
		}
	return out;
}

/* As the compiler takes one: what may stand in JSON and in a path as it is. */
static bool is_model(const char *s)
{
	size_t n = strlen(s);

	for (size_t i = 0; i < n; i++)
		if (s[i] <= 0x20 || s[i] > 0x7e || s[i] == '"' || s[i] == '\\')
			return false;
	return n && n <= OSH_MODEL_LEN;
}

bool eval_model_in_path(const char *s)
{
	for (;;) {
		size_t n = strcspn(s, "/");

		if (!n || (n == 1 && s[0] == '.') || (n == 2 && s[0] == '.' && s[1] == '.'))
			return false;
		if (!s[n])
			return true;
		s += n + 1;
	}
}

static bool serves(const struct list *models, const char *model)
{
	for EACH (struct pattern, p, models)
		if (pattern_match(p, model, 0))
			return true;
	return false;
}

static const char *renamed(const struct inference *in, const char *model)
{
	for EACH (struct alias, a, &in->aliases)
		if (!strcmp(a->name, model))
			return a->model;
	return model;
}

static enum osh_reason model_of(const struct policy *p, const struct eval_call_of_model *q, struct arena *a,
				struct eval_routed *ret)
{
	enum osh_model_in where = shapes[ret->shape].model;
	const char *part = NULL, *model = q->model;
	size_t n = 0;

	if (where == OSH_MODEL_PATH && path_is(shapes[ret->shape].path, q->path, &part, &n))
		model = decoded(a, part, n);
	if (where == OSH_MODEL_NONE || (where == OSH_MODEL_OPTIONAL && !model)) {
		/* What names no model gets the backend's own, which is then not one of a list. */
		return where == OSH_MODEL_OPTIONAL && p->inference.has_models ? OSH_WHY_MODEL : OSH_WHY_ALLOWED;
	}
	if (!model || !is_model(model) || (where == OSH_MODEL_PATH && !eval_model_in_path(model)))
		return OSH_WHY_MODEL_UNCLEAR;
	ret->model = renamed(&p->inference, model);
	if (where == OSH_MODEL_PATH && !eval_model_in_path(ret->model))
		return OSH_WHY_MODEL_UNCLEAR;
	return p->inference.has_models && !serves(&p->inference.models, ret->model) ? OSH_WHY_MODEL : OSH_WHY_ALLOWED;
}

enum osh_reason eval_inference(const struct policy *p, const struct eval_call_of_model *q, struct arena *a,
			       struct eval_routed *ret)
{
	const char *part, *model;
	enum osh_reason why;
	uint32_t apis, i = 0;
	size_t n;

	*ret = (struct eval_routed){ .model = "" };
	for (unsigned s = 1; s < OSH_SHAPES && !ret->shape; s++)
		if (!strcmp(shapes[s].method, q->method) && path_is(shapes[s].path, q->path, &part, &n))
			ret->shape = (enum osh_shape)s;
	if (!ret->shape)
		return OSH_WHY_NOT_INFERENCE;
	why = model_of(p, q, a, ret);
	if (why != OSH_WHY_ALLOWED)
		return why;
	apis = shapes[ret->shape].apis;
	if (q->anthropic && (apis & OSH_API_ANTHROPIC))
		apis = OSH_API_ANTHROPIC;
	model = ret->model;
	for EACH (struct route, route, &p->inference.routes) {
		bool takes = (route->api & apis) && (!q->local || route->local) &&
			     (!*model || !route->models.n || serves(&route->models, model)) &&
			     (!route->as || shapes[ret->shape].model != OSH_MODEL_PATH || eval_model_in_path(route->as));

		if (takes && (!ret->route || p->inference.fallback))
			ret->may |= 1ull << i;
		if (takes && !ret->route) {
			ret->route = route;
			ret->model = route->as && *model ? route->as : model;
		}
		i++;
	}
	return ret->route ? OSH_WHY_ALLOWED : OSH_WHY_NO_ROUTE;
}

struct decision eval_serves(const struct policy *p, uint32_t port, const char *caller)
{
	typedef const char *text_t;

	for EACH (struct serve, s, &p->serves)
		for EACH (text_t, to, &s->to)
			if (s->port == port && glob_match(*to, caller))
				return (struct decision){ OSH_ALLOW, OSH_WHY_ALLOWED, "serve", s->at.line, false };
	return (struct decision){ .verdict = OSH_DENY, .why = OSH_WHY_PEER_CLOSED };
}

bool eval_renames(const struct policy *p, const struct route *route, enum osh_shape shape, const char *model)
{
	return !route->as && is_model(model) && (shapes[shape].model != OSH_MODEL_PATH || eval_model_in_path(model)) &&
	       (!p->inference.has_models || serves(&p->inference.models, model)) &&
	       (!route->models.n || serves(&route->models, model));
}

uint32_t eval_limits(const struct policy *p, const struct eval_routed *to)
{
	enum osh_counted counted = shapes[to->shape].counted;
	uint32_t mask = 0, bit = 1;

	for EACH (struct budget, l, &p->inference.limits) {
		bool all = l->what == OSH_COUNT_REQUESTS || counted == OSH_COUNTED_TOKENS;

		if (counted != OSH_COUNTED_NOT && all && (!l->route || !strcmp(l->route, to->route->name)))
			mask |= bit;
		bit <<= 1;
	}
	return mask;
}

bool eval_cost(const struct policy *p, const char *model, const uint64_t tokens[OSH_PRICES], uint64_t *ret)
{
	for EACH (struct price, price, &p->inference.prices) {
		unsigned __int128 sum = 0;

		if (!serves(&price->models, model))
			continue;
		for (unsigned i = 0; i < OSH_PRICES; i++)
			sum += (unsigned __int128)tokens[i] * price->part[i];
		sum = (sum + 999999) / 1000000;
		*ret = sum > OSH_COUNT_MOST ? OSH_COUNT_MOST : (uint64_t)sum;
		return true;
	}
	return false;
}
