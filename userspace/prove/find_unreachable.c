/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An endpoint that lets nothing through: its programs cannot run, its port or address is never
 * dialled, or rules that deny take away all that it allows. Whoever wrote it believes otherwise.
 */
#include "find.h"

static bool used(struct prover *pr, const struct sym_endpoint *se)
{
	struct sym *s = pr->s;
	const Z3_ast plain[] = { s->dials, se->dial };
	const Z3_ast inside[] = { s->sends, se->dial, se->covers };
	enum answer r = se->used ? ANSWER_YES
				 : sym_can(s, endpoint_inspected(se->e) ? inside : plain,
					   endpoint_inspected(se->e) ? 3 : 2);

	if (r == ANSWER_UNKNOWN) /* is not unreachable */
		find_unknown(pr, "a question met the solver's bound");
	return r != ANSWER_NO;
}

void find_unreachable(struct prover *pr)
{
	struct sym_endpoint *all = pr->s->endpoints.v;

	for (uint32_t i = 0; i < pr->s->endpoints.n; i++) {
		/* Where the egress itself goes no program is to come. */
		bool fine = !all[i].asked || all[i].rule->egress_only || used(pr, &all[i]);
		struct finding *f = fine ? NULL : list_push(pr->a, &pr->found, sizeof(*f));

		if (!f)
			continue;
		*f = (struct finding){ .category = "unreachable_rule",
				       .rule = all[i].rule->name,
				       .line = all[i].e->at.line,
				       .endpoint = all[i].e };
		f->where = find_place(pr, &all[i]);
		f->says = "nothing is ever let through by it";
	}
}
