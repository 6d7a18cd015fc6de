/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An endpoint, or a rule inside one, without which the policy lets through exactly the same. Whoever wrote it believes
 * that it does something: of an entry that allows it is untidy, of one that denies it is a hole that nobody sees.
 */
#include <stdlib.h>

#include "find.h"
#include "sym_parts.h"

/* What it does to a request that others let through as well is no question of yes and no. */
static bool does_more(const struct endpoint *e)
{
	const struct l7 *l7 = &e->l7;

	return l7->credential || l7->binding || l7->signing != SIGN_NONE ||
	       (l7->ws_rewrite && sees(IN_ENDPOINT "websocket_credential_rewrite")) ||
	       (l7->body_rewrite && sees(IN_ENDPOINT "request_body_credential_rewrite")) ||
	       (l7->persisted.n && sees(IN_ENDPOINT "graphql_persisted_queries")) || (e->tls_skip && sees(IN_ENDPOINT "tls"));
}

static bool is_dead(const struct prover *pr, const struct sym_endpoint *se)
{
	for EACH (struct finding, f, &pr->found)
		if (f->endpoint == se->e)
			return true;
	return false;
}

static void add(struct prover *pr, const struct sym_endpoint *se, const void *part, uint32_t line, const char *says)
{
	struct finding *f = list_push(pr->a, &pr->found, sizeof(*f));
	const void **gone = list_push(pr->a, &pr->gone, sizeof(*gone));

	if (!f || !gone)
		return;
	*gone = part;
	*f = (struct finding){ .category = "redundant_rule", .rule = se->rule->name, .line = line, .says = says };
	f->where = find_place(pr, se);
}

/* Backwards; those of an endpoint that is gone, or that lets nothing through, are not asked about. */
static void rules(struct prover *pr, const struct sym_endpoint *se, const struct list *of, const char *says)
{
	const struct l7_rule *v = of->v;

	for (uint32_t i = of->n; i-- > 0;) {
		enum answer r;

		if (!says) {
			sym_keep(pr->s, &v[i]);
			continue;
		}
		r = sym_needed(pr->s, &v[i]);
		if (r == ANSWER_UNKNOWN)
			find_unknown(pr, "a question met the solver's bound");
		if (r == ANSWER_NO)
			add(pr, se, &v[i], v[i].at.line, says);
	}
}

static void inside(struct prover *pr, const struct sym_endpoint *se, bool ask)
{
	rules(pr, se, &se->e->l7.deny, ask ? "nothing that it denies is allowed without it" : NULL);
	rules(pr, se, &se->e->l7.rules, ask ? "all that it allows is allowed without it" : NULL);
}

void find_redundant(struct prover *pr)
{
	struct sym *s = pr->s;
	const struct sym_endpoint *all = s->endpoints.v;
	bool *stays = s->less ? calloc(s->endpoints.n + 1, sizeof(*stays)) : NULL;
	bool single = sym_single(s, s);

	for (uint32_t i = stays ? s->endpoints.n : 0; i-- > 0;) {
		enum answer r = ANSWER_YES;

		if (!all[i].asked)
			continue;
		stays[i] = !is_dead(pr, &all[i]);
		if (!stays[i] || s->endpoints.n == 1 || all[i].rule->egress_only || does_more(all[i].e) ||
		    (endpoint_inspected(all[i].e) && !single))
			sym_keep(s, all[i].e);
		else
			r = sym_needed(s, all[i].e);
		if (r == ANSWER_UNKNOWN)
			find_unknown(pr, "a question met the solver's bound");
		if (r == ANSWER_NO) {
			stays[i] = false;
			add(pr, &all[i], all[i].e, all[i].e->at.line,
			    "without it exactly the same is let through");
		}
	}
	for (uint32_t i = stays ? s->endpoints.n : 0; i-- > 0;)
		if (all[i].asked)
			inside(pr, &all[i], stays[i] && single);
	free(stays);
}
