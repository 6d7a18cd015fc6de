/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A host that rules look into, or that a credential is for, and that can be reached without anybody looking: by
 * another rule, port, program or protocol; or in audit mode, where what rules deny is sent all the same.
 */
#include "find.h"

static Z3_ast looked_into(struct prover *pr)
{
	struct terms any = { .z = &pr->s->z };
	struct sym_endpoint *all = pr->s->endpoints.v;

	for (uint32_t i = 0; i < pr->s->endpoints.n; i++)
		if (endpoint_inspected(all[i].e))
			terms_add(&any, all[i].host);
	return terms_or(&any);
}

static void add(struct prover *pr, const char *category, const struct sym_endpoint *se, const struct witness *w,
		const char *says)
{
	struct finding *f = find_add(pr, category, w);

	if (!f)
		return;
	f->rule = se->rule->name;
	f->line = se->e->at.line;
	f->says = says;
}

static void plain(struct prover *pr, const struct sym_endpoint *se, Z3_ast inside, Z3_ast credentialed)
{
	struct sym *s = pr->s;
	const Z3_ast with[] = { s->dials, se->dial, z_not(&s->z, s->inspected), credentialed };
	const Z3_ast without[] = { s->dials, se->dial, z_not(&s->z, s->inspected), inside };
	struct witness w;

	if (find_sends(pr, with, 4, &w) == ANSWER_YES)
		add(pr, "l7_bypass_credentialed", se, &w,
		    "a credential is for this host, and nothing looks into this connection");
	else if (find_sends(pr, without, 4, &w) == ANSWER_YES)
		add(pr, "l7_bypass", se, &w, "rules look into this host, and nothing into this connection");
}

static void audit(struct prover *pr, const struct sym_endpoint *se, Z3_ast credentialed)
{
	struct sym *s = pr->s;
	const Z3_ast facts[] = { s->sends, se->covers, s->inspected, z_not(&s->z, s->allowed), credentialed };
	struct witness w;

	if (find_sends(pr, facts, 5, &w) == ANSWER_YES)
		add(pr, "l7_bypass_credentialed", se, &w,
		    "'enforcement: audit': what the rules deny is sent to a host that a credential is for");
	else if (find_sends(pr, facts, 4, &w) == ANSWER_YES)
		add(pr, "l7_bypass", se, &w, "'enforcement: audit': what the rules deny is sent all the same");
}

static bool anything_to_bypass(const struct prover *pr)
{
	const struct sym_endpoint *all = pr->s->endpoints.v;
	bool any = pr->credentials.n > 0 || pr->s->p->inference.routes.n > 0;

	for (uint32_t i = 0; i < pr->s->endpoints.n; i++)
		any |= endpoint_inspected(all[i].e);
	return any;
}

void find_bypass(struct prover *pr)
{
	struct sym_endpoint *all = pr->s->endpoints.v;
	Z3_ast inside = looked_into(pr), credentialed = find_credentialed(pr);

	for (uint32_t i = 0; i < pr->s->endpoints.n && anything_to_bypass(pr); i++) {
		if (!all[i].asked)
			continue;
		if (!endpoint_inspected(all[i].e))
			plain(pr, &all[i], inside, credentialed);
		else if (all[i].e->l7.audit)
			audit(pr, &all[i], credentialed);
	}
}
