/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Calls of models: what a program sends to inference.local, or to a host whose endpoint is marked, goes on to the backend
 * of a route, with that route's credential. One question a route: it is a destination like any other.
 */
#include <string.h>

#include "find.h"
#include "own.h"

const char *find_backend_place(struct prover *pr, const struct route *r)
{
	return arena_printf(pr->a, "%s:%u", r->host, r->port);
}

static struct finding *add(struct prover *pr, const char *category, const struct sym_endpoint *se, const struct route *r,
			   const struct witness *w, const char *says)
{
	struct finding *f = find_add(pr, category, w);

	if (!f)
		return NULL;
	f->where = find_backend_place(pr, r);
	f->rule = se->rule->name;
	f->line = r->at.line;
	f->says = says;
	return f;
}

const char *find_taken(struct prover *pr, const struct sym_endpoint *se, const struct sym_route *r, struct witness *w)
{
	struct sym *s = pr->s;
	const Z3_ast facts[] = { s->sends, s->inspected, se->dial, se->covers, r->takes, dim_word(s->method, "POST") };
	const char *how;
	bool body;

	if (!se->asked || !se->e->l7.inference)
		return NULL;
	body = find_ask(pr, facts, 6, w) == ANSWER_YES;
	if (!body && find_ask(pr, facts, 5, w) != ANSWER_YES)
		return NULL;
	if (!witness_routed(s, w, r->route)) {
		find_unknown(pr, "the model and eval disagree about a call of a model: this is a bug of osh");
		return NULL;
	}
	how = arena_printf(pr->a, "%s%s", body ? "the request has a body" : "a URL and headers carry it", find_kept(w));
	if (!how)
		find_unknown(pr, "out of memory");
	return how;
}

/* What was had elsewhere, where no secret can be read. */
static void takes(struct prover *pr, const struct sym_endpoint *se, const struct route *r, const struct witness *w,
		  const char *how)
{
	const struct endpoint *e = find_backend(pr->s->p, r);
	struct finding *f = NULL;

	if (e && find_chains_may_be(pr, pr->s->p))
		f = find_takes(pr, e, w, arena_printf(pr->a, " by route '%s': %s", r->name, how));
	if (!f)
		return;
	f->where = find_backend_place(pr, r);
	f->rule = se->rule->name;
	f->line = r->at.line;
}

static void leaks(struct prover *pr, const struct sym_endpoint *se, const struct route *r, const struct witness *w,
		  const char *how)
{
	const struct endpoint *e;
	struct finding *f;

	if (!pr->n_secrets) {
		takes(pr, se, r, w, how);
		return;
	}
	f = add(pr, "exfiltration", se, r, w,
		arena_printf(pr->a, "%s%s%s can be read%s and sent there by route '%s': %s", pr->secret,
			     pr->secret_file ? " in " : "", pr->secret_file ? pr->secret_file : "",
			     pr->n_secrets > 1 ? " (and more)" : "", r->name, how));
	if (f && pr->secret_file)
		find_request(pr, f, arena_printf(pr->a, "open %s read", find_word(pr, pr->secret_file)), pr->secret_reader);
	if (f && find_chains_may_be(pr, pr->s->p) && (e = find_backend(pr->s->p, r)) != NULL)
		find_takes_too(pr, e, f);
}

static void credential(struct prover *pr, const struct sym_endpoint *se, const struct route *r, const struct witness *w)
{
	struct finding *f;

	if (!r->provider || !sees("inference.routes.provider"))
		return;
	f = add(pr, "credential_reach", se, r, w,
		arena_printf(pr->a, "the credential of provider '%s' goes along with calls that route '%s' takes", r->provider,
			     r->name));
	if (f)
		f->credential = r->provider;
}

static void addresses(struct prover *pr, const struct sym_endpoint *se, const struct route *r, const struct witness *w)
{
	const struct endpoint *e = find_backend(pr->s->p, r);
	struct sym *s = pr->s;
	struct witness at;

	if (find_is_metadata(r->host))
		(void)add(pr, "link_local_reach", se, r, w, "a metadata service is a backend of calls");
	/* The address alone is asked about: it is not the program that dials. */
	if (!e || !e->n_allowed || !sees("inference.routes.allowed_ips") ||
	    find_ask(pr, (const Z3_ast[]){ z_not(&s->z, s->is_addr), sym_at(s, e), s->private }, 3, &at) != ANSWER_YES)
		return;
	if (find_backend_at(s->p, r, at.dialled))
		(void)add(pr, "private_reach", se, r, w,
			  arena_printf(pr->a, "route '%s' leads to %s of a private network", r->name, at.dialled));
	else
		find_unknown(pr, "the model and eval disagree about an address: this is a bug of osh");
}

/* Each route is told of once, by the first endpoint that has calls for it. */
void find_calls(struct prover *pr)
{
	const struct sym_endpoint *all = pr->s->endpoints.v;
	const struct list *routes = &pr->s->p->inference.routes;
	uint32_t n = 0;

	if (!pr->taken)
		pr->taken = arena_zalloc(pr->a, routes->n + 1);
	for EACH (struct sym_route, r, &pr->s->routes) {
		bool *seen = pr->taken ? &pr->taken[n++] : NULL;

		for (uint32_t i = 0; seen && !*seen && i < pr->s->endpoints.n; i++) {
			struct witness w;
			const char *how;

			how = find_taken(pr, &all[i], r, &w);
			if (!how)
				continue;
			*seen = true;
			leaks(pr, &all[i], r->route, &w, how);
			credential(pr, &all[i], r->route, &w);
			addresses(pr, &all[i], r->route, &w);
		}
	}
}

/* After all models: whoever wrote it believes that it takes some. */
void find_idle_routes(struct prover *pr, const struct policy *p)
{
	const struct route *v = p->inference.routes.v;

	for (uint32_t i = 0; i < p->inference.routes.n && !pr->unknown; i++) {
		struct finding *f = pr->taken && pr->taken[i] ? NULL : list_push(pr->a, &pr->found, sizeof(*f));

		if (!f)
			continue;
		*f = (struct finding){ .category = "unreachable_rule", .where = find_backend_place(pr, &v[i]), .line = v[i].at.line };
		f->says = arena_printf(pr->a, "route '%s' never takes a call", v[i].name);
	}
}
