/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Routes that lead from one sandbox to another: what is called goes there, and what is answered comes back. Where it is not said
 * which sandbox a policy is of, it may be any.
 */
#include <string.h>

#include "flow_parts.h"
#include "own.h"

static const char *caller_name(struct flow *f, uint32_t x, const struct serve *s)
{
	const char *const *to = s->to.v;

	return f->box[x].sandbox ? f->box[x].sandbox : find_caller(f->pr, *to);
}

/* The entry of y's `serve` that lets x in, and the name that eval agrees about. */
static const struct serve *served(struct flow *f, uint32_t x, uint32_t y, const struct route *r, const char **ret_name)
{
	const struct flow_box *to = &f->box[y];

	if (to->sandbox && strcmp(to->sandbox, r->sandbox) != 0)
		return NULL;
	for EACH (struct serve, s, &to->p->serves) {
		const char *name = s->port == r->port ? caller_name(f, x, s) : NULL;

		if (name && eval_serves(to->p, s->port, name).verdict == OSH_ALLOW) {
			*ret_name = name;
			return s;
		}
	}
	return NULL;
}

static void join(struct flow *f, uint32_t x, uint32_t y, const struct route *r, const struct list *call)
{
	const char *name;
	const struct serve *s = served(f, x, y, r, &name);
	struct asked *slot;

	for (int back = 0; s && back < 2; back++) {
		struct hop *to = back ? &f->hop[y][x] : &f->hop[x][y];

		if (to->there)
			continue;
		*to = (struct hop){ .there = true, .route = r, .answers = back };
		for EACH (struct asked, q, call) {
			slot = list_push(f->pr->a, &to->requests, sizeof(*slot));
			if (slot)
				*slot = *q;
		}
		slot = list_push(f->pr->a, &to->requests, sizeof(*slot));
		if (slot)
			*slot = (struct asked){ .request = arena_printf(f->pr->a, "serve %u %s", s->port, name), .file = f->box[y].name };
	}
}

static void on_routes(struct flow *f, void *data)
{
	const struct sym_endpoint *all = f->pr->s->endpoints.v;
	uint32_t x = *(uint32_t *)data;

	for EACH (struct sym_route, r, &f->pr->s->routes)
		for (uint32_t i = 0; r->route->sandbox && i < f->pr->s->endpoints.n; i++) {
			struct finding call;
			struct witness w;

			if (!find_taken(f->pr, &all[i], r, &w))
				continue;
			find_fill(f->pr, &call, "flow", &w);
			for (uint32_t k = 0; k < call.requests.n; k++)
				((struct asked *)call.requests.v)[k].file = f->box[x].name;
			for (uint32_t y = 0; y < f->n; y++)
				if (y != x)
					join(f, x, y, r->route, &call.requests);
			break;
		}
}

void flow_routes(struct flow *f, uint32_t x)
{
	for EACH (struct route, r, &f->box[x].p->inference.routes)
		if (r->sandbox) {
			flow_each(f, x, on_routes, &x);
			return;
		}
}

bool flow_given(const struct flow *f, const struct route *r)
{
	for (uint32_t i = 0; r->sandbox && i < f->n; i++)
		if (f->box[i].sandbox && !strcmp(f->box[i].sandbox, r->sandbox))
			return true;
	return false;
}

/* ---- never_leave ---------------------------------------------------------------------------- */

struct ways {				/* what of one claim */
	const struct assertion *as;
	uint32_t box;
	bool found;
};

static void on_leaves(struct flow *f, void *data)
{
	static const struct assertion all = { .kind = ASSERT_NEVER_LEAVE, .host = { .kind = HOST_ANY, .text = "" } };
	struct ways *w = data;
	struct finding *last;

	if (w->found || !find_leaves(f->pr, w->box ? &all : w->as) || !f->pr->found.n)
		return;
	w->found = true;
	last = (struct finding *)f->pr->found.v + f->pr->found.n - 1;
	last->line = w->as->at.line;
	last->file = f->box[0].name;
	for (uint32_t i = 0; i < last->requests.n; i++)
		((struct asked *)last->requests.v)[i].file = f->box[w->box].name;
	if (w->box)
		last->says = arena_printf(f->pr->a, "'never_leave' is refuted: what goes by a route, or is answered, reaches the sandbox of %s, "
					  "and this leaves it",
					  f->box[w->box].name);
}

/* What the first one calls with, or answers, gets there: by a route, and from there in any way. */
static bool reached(const struct flow *f, uint32_t y)
{
	for (uint32_t x = 1; x < f->n; x++)
		if (f->hop[0][x].route && (x == y || f->from[x][y] != y))
			return true;
	return false;
}

void flow_claims(struct flow *f)
{
	for EACH (struct assertion, as, &f->box[0].p->asserts) {
		struct ways w = { .as = as };

		if (as->kind != ASSERT_NEVER_LEAVE)
			continue;
		for (; w.box < f->n && !w.found; w.box++) {
			if (w.box && !reached(f, w.box))
				continue;
			flow_each(f, w.box, on_leaves, &w);
		}
		for (uint32_t y = 0; y < f->n && !w.found; y++)
			w.found = (!y || reached(f, y)) && find_answers(f->pr, as, f->box[y].p, f->box[y].name);
	}
}
