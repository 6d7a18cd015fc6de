/* SPDX-License-Identifier: Apache-2.0 */
/*
 * --base: what this policy lets through and the other one does not, endpoint by endpoint and method
 * by method. Each is a request to which eval says yes under this policy, and no under the other.
 */
#include "find.h"

#include <string.h>

#define MOST 256 /* of one endpoint */

static struct finding *add(struct prover *pr, const struct sym_endpoint *se,
			   const struct witness *w, const char *says)
{
	struct finding *f = find_add(pr, "capability_expansion", w);

	if (!f)
		return NULL;
	f->rule = se->rule->name;
	f->line = se->e->at.line;
	f->says = says;
	return f;
}

/* The other policy's word on the same attempt. */
static bool base_denies(struct prover *pr, const struct witness *w, bool plain)
{
	struct witness same = *w;

	if (plain ? witness_connects(pr->s->base, &same) && !same.inspected
		  : witness_sends(pr->s->base, &same)) {
		find_unknown(
		    pr, "the model and eval disagree about the base policy: this is a bug of osh");
		return false;
	}
	return true;
}

/* All but this one is asked about next: by its program, where the rule names programs, and by its
 * method. */
static Z3_ast another(struct sym *s, const struct sym_endpoint *se, const struct witness *w,
		      bool by_method)
{
	Z3_ast same = z_true(&s->z);

	if (!se->rule->any_program && !w->nobody)
		same = z_is(&s->z, s->program->id, dim_number(s->program, w->program));
	if (by_method)
		same = z_and(&s->z, same,
			     z_is(&s->z, s->method->id, dim_number(s->method, w->method)));
	return z_not(&s->z, same);
}

/* A connection that is new: it was not there at all, or somebody looked into it. */
static void connection(struct prover *pr, const struct sym_endpoint *se, bool looked)
{
	struct sym *s = pr->s, *b = s->base;
	Z3_ast facts[] = { s->dials, se->dial, z_not(&s->z, s->inspected),
			   looked ? z_and(&s->z, b->dials, b->inspected) : z_not(&s->z, b->dials),
			   z_true(&s->z) };
	struct witness w;

	for (unsigned i = 0; i < MOST && find_sends(pr, facts, 5, &w) == ANSWER_YES; i++) {
		if (!base_denies(pr, &w, true))
			return;
		w.at = !looked && witness_reaches(b, &w);
		add(pr, se, &w,
		    looked ? "rules of the base policy look into this connection, and nothing does "
			     "any more"
		    : w.at ? "newly reached at this address, and nothing looks into the connection"
			   : "newly reached, and nothing looks into the connection");
		facts[4] = z_and(&s->z, facts[4], another(s, se, &w, false));
	}
}

/* A request that is new, by method and program. */
static void requests(struct prover *pr, const struct sym_endpoint *se)
{
	struct sym *s = pr->s;
	Z3_ast facts[5] = { s->sends, se->covers, s->inspected, z_not(&s->z, s->base->sends),
			    z_true(&s->z) };
	struct witness w;

	for (unsigned i = 0; i < MOST && find_sends(pr, facts, 5, &w) == ANSWER_YES; i++) {
		if (!base_denies(pr, &w, false))
			return;
		add(pr, se, &w, arena_printf(pr->a, "%s is newly sent here", w.method));
		facts[4] = z_and(&s->z, facts[4], another(s, se, &w, true));
	}
}

static const char *credential_of(const struct policy *p, const struct endpoint *e,
				 const char **ret_provider)
{
	const char *name = e->l7.credential ? e->l7.credential : e->l7.binding;

	*ret_provider = name;
	for EACH (struct credential, c, &p->credentials)
		if (name && !strcmp(c->name, name) && sees("credentials.provider"))
			*ret_provider = c->provider;
	return name;
}

/* A request that carries a secret which it did not. */
static void credential(struct prover *pr, const struct sym_endpoint *se)
{
	struct sym *s = pr->s, *b = s->base;
	struct sym_endpoint *theirs = b->endpoints.v;
	struct terms same = { .z = &s->z };
	const char *provider, *other, *name = credential_of(s->p, se->e, &provider);
	struct finding *f;
	struct witness w;

	for (uint32_t i = 0; name && i < b->endpoints.n; i++)
		if (credential_of(b->p, theirs[i].e, &other) && other && provider &&
		    !strcmp(other, provider))
			terms_add(&same, theirs[i].covers ? theirs[i].covers : theirs[i].dial);
	if (!name ||
	    find_sends(pr,
		       (const Z3_ast[]){ s->sends, s->inspected, se->covers ? se->covers : se->dial,
					 z_not(&s->z, z_and(&s->z, b->sends, terms_or(&same))) },
		       4, &w) != ANSWER_YES)
		return;
	f = add(pr, se, &w, arena_printf(pr->a, "credential '%s' is newly used here", name));
	if (f)
		f->credential = name;
}

static bool same_text(const char *a, const char *b)
{
	return a == b || (a && b && !strcmp(a, b));
}

/* The same backend, asked in the same way with the same credential; one that was known to be here still is. */
static bool same_backend(const struct route *new, const struct route *old)
{
	return !strcmp(new->host, old->host) && new->port == old->port && new->plain == old->plain && !strcmp(new->path, old->path) &&
	       same_text(new->provider, old->provider) && same_text(new->as, old->as) && (new->local || !old->local);
}

static const char *meant(const struct policy *p, const char *name)
{
	for EACH (struct alias, a, &p->inference.aliases)
		if (!strcmp(a->name, name))
			return a->model;
	return name;
}

/* A name in a body that means another model than it did; in a path it is one of the same. */
static Z3_ast renamed(struct sym *s)
{
	const struct policy *const both[] = { s->p, s->base->p };
	struct terms any = { .z = &s->z };

	for (unsigned i = 0; i < 2; i++)
		for EACH (struct alias, a, &both[i]->inference.aliases)
			if (strcmp(meant(both[0], a->name), meant(both[1], a->name)) != 0)
				terms_add(&any, dim_word(s->model, a->name));
	return z_and(&s->z, s->has_model, terms_or(&any));
}

/* An address at which the egress newly finds a backend; `known`: those at which it did. */
static void backend_at(struct prover *pr, const struct sym_endpoint *se, const struct sym_route *r, Z3_ast known)
{
	struct sym *s = pr->s;
	const struct endpoint *e = find_backend(s->p, r->route);
	struct witness at, w;
	struct finding *f;

	if (!e || !sees("inference.routes.allowed_ips") ||
	    find_ask(pr, (const Z3_ast[]){ z_not(&s->z, s->is_addr), sym_at(s, e), z_not(&s->z, known) }, 3, &at) != ANSWER_YES ||
	    find_sends(pr, (const Z3_ast[]){ s->sends, s->inspected, se->covers, r->takes }, 4, &w) != ANSWER_YES)
		return;
	if (!find_backend_at(s->p, r->route, at.dialled)) {
		find_unknown(pr, "the model and eval disagree about an address: this is a bug of osh");
		return;
	}
	f = add(pr, se, &w, arena_printf(pr->a, "calls are newly taken by route '%s' at %s", r->route->name, at.dialled));
	if (f)
		f->line = r->route->at.line;
}

/* A backend that newly takes calls: another one, another credential, or another name of a model. */
static void calls(struct prover *pr, const struct sym_endpoint *se)
{
	struct sym *s = pr->s, *b = s->base;
	Z3_ast other = renamed(s);

	for EACH (struct sym_route, r, &s->routes) {
		struct terms could = { .z = &s->z }, at = { .z = &s->z };
		struct finding *f;
		struct witness w;

		for EACH (struct sym_route, old, &b->routes) {
			const struct endpoint *was = find_backend(b->p, old->route);

			if (!was || !same_backend(r->route, old->route))
				continue;
			terms_add(&could, old->takes);
			terms_add(&at, sym_at(s, was));
		}
		if (at.v.n)
			backend_at(pr, se, r, terms_or(&at));
		if (find_sends(pr,
			       (const Z3_ast[]){ s->sends, s->inspected, se->covers, r->takes,
						 z_not(&s->z, z_and(&s->z, z_and(&s->z, b->sends, terms_or(&could)),
								    z_not(&s->z, other))) },
			       5, &w) != ANSWER_YES)
			continue;
		if (!witness_routed(s, &w, r->route)) {
			find_unknown(pr, "the model and eval disagree about a call of a model: this is a bug of osh");
			continue;
		}
		f = add(pr, se, &w, arena_printf(pr->a, "calls are newly taken by route '%s', to %s:%u%s", r->route->name,
						 r->route->host, r->route->port, find_kept(&w)));
		if (f) {
			f->credential = r->route->provider;
			f->line = r->route->at.line;
		}
	}
}

void find_expansion(struct prover *pr)
{
	const struct sym_endpoint *all = pr->s->endpoints.v;

	if (!sym_single(pr->s, pr->s->base))
		find_unknown(pr, "several values, fields or operations in one request are not "
				 "compared with the base policy");
	for (uint32_t i = 0; i < pr->s->endpoints.n; i++) {
		if (!all[i].asked)
			continue;
		if (endpoint_inspected(all[i].e)) {
			requests(pr, &all[i]);
		} else {
			connection(pr, &all[i], false);
			connection(pr, &all[i], true);
		}
		credential(pr, &all[i]);
		if (all[i].e->l7.inference)
			calls(pr, &all[i]);
	}
}
