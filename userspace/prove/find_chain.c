/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From one endpoint to another: what a server gives for a credential, or because it is in a private network, is as good
 * as a secret file, and another endpoint may take it. Both ends are noted while endpoints are asked about, in the
 * model of each; they are put together behind the last one.
 */
#include <string.h>

#include "find.h"

struct end {
	const struct endpoint *endpoint;
	const char *what;		/* that it gives; NULL of one that takes */
	struct finding f;		/* one that takes: says how much */
	uint32_t known;			/* 1 + the finding that it takes what can be read, too; 0 = there is none */
};

bool find_chains_may_be(const struct prover *pr, const struct policy *p)
{
	bool any = pr->credentials.n > 0;

	for EACH (struct rule, rule, &p->rules)
		for EACH (struct endpoint, e, &rule->endpoints)
			any |= e->l7.credential || e->l7.binding || e->n_allowed;
	return any;
}

static struct end *note(struct prover *pr, struct list *to, const struct endpoint *e)
{
	struct end *slot = list_push(pr->a, to, sizeof(*slot));

	if (slot)
		*slot = (struct end){ .endpoint = e };
	else
		find_unknown(pr, "out of memory");
	return slot;
}

void find_gives(struct prover *pr, const struct endpoint *e, const struct finding *f, const char *why)
{
	struct end *end = note(pr, &pr->givers, e);

	if (!end)
		return;
	end->f = *f;
	end->what = arena_printf(pr->a, "what %s answers %s", f->where, why);
}

struct finding *find_takes(struct prover *pr, const struct endpoint *e, const struct witness *w, const char *how)
{
	struct end *end = note(pr, &pr->takers, e);

	if (!end)
		return NULL;
	find_fill(pr, &end->f, "exfiltration", w);
	end->f.says = how;
	return &end->f;
}

void find_takes_too(struct prover *pr, const struct endpoint *e, const struct finding *f)
{
	struct end *end = note(pr, &pr->takers, e);

	if (end)
		end->known = 1 + (uint32_t)(f - (const struct finding *)pr->found.v);
}

uint32_t find_given(struct prover *pr, const char **what, const struct list **requests)
{
	const struct end *v = pr->givers.v;
	uint32_t n = pr->givers.n;

	*what = n ? v->what : NULL;
	*requests = n ? &v->f.requests : NULL;
	pr->givers = (struct list){ 0 };
	return n;
}

/* Back to where it is from is nowhere. */
static bool same_server(const struct endpoint *a, const struct endpoint *b)
{
	return a == b || (a->host.kind == HOST_NAME && b->host.kind == HOST_NAME && !strcmp(a->host.text, b->host.text));
}

static void ask_too(struct prover *pr, struct finding *f, const struct list *requests)
{
	for EACH (struct asked, q, requests) {
		struct asked *slot = list_push(pr->a, &f->requests, sizeof(*slot));

		if (slot)
			*slot = *q;
	}
}

static void tell(struct prover *pr, const struct end *from, uint32_t n, const struct end *to)
{
	struct finding *f = list_push(pr->a, &pr->found, sizeof(*f));

	if (!f)
		return;
	*f = to->f;
	f->requests = (struct list){ 0 };
	ask_too(pr, f, &from->f.requests);
	ask_too(pr, f, &to->f.requests);
	f->says = arena_printf(pr->a, "%s%s can be sent there%s", from->what, n > 1 ? " (and more)" : "", to->f.says);
}

/* Where something secret can be read anyway, the finding says this as well. */
static void tell_too(struct prover *pr, const struct end *from, uint32_t n, struct finding *f)
{
	f->says = arena_printf(pr->a, "%s; and so can %s%s", f->says, from->what, n > 1 ? " (and more)" : "");
	ask_too(pr, f, &from->f.requests);
}

void find_chains(struct prover *pr)
{
	for EACH (struct end, to, &pr->takers) {
		const struct end *first = NULL;
		uint32_t n = 0;

		for EACH (struct end, from, &pr->givers)
			if (!same_server(from->endpoint, to->endpoint)) {
				first = first ? first : from;
				n++;
			}
		if (first && to->known)
			tell_too(pr, first, n, (struct finding *)pr->found.v + to->known - 1);
		else if (first)
			tell(pr, first, n, to);
	}
}
