/* SPDX-License-Identifier: Apache-2.0 */
/* What is dialled: an address is the number of what cannot be told apart from it (cells.h). */
#include <stdlib.h>

#include "prove.h"
#include "sym.h"

Z3_ast sym_addr_in(struct sym *s, const struct net *n)
{
	struct terms any = { .z = &s->z };
	struct cell_runs runs;

	if (!cells_in(s->cells, n, &runs))
		_Exit(PROVE_GAVE_UP);	/* nobody said that it would be asked about */
	for (uint32_t i = 0; i < runs.n; i++)
		terms_add(&any, z_within(&s->z, s->dialled, runs.v[i].from, runs.v[i].to));
	return terms_or(&any);
}

Z3_ast sym_addr_at_least(struct sym *s, enum addr_class class)
{
	return z_within(&s->z, s->dialled, cells_at_least(s->cells, class), s->cells->n_kinds);
}
