/* SPDX-License-Identifier: Apache-2.0 */
/* Classes of addresses, from the tables that host.c judges by. */
#include "host.h"
#include "sym.h"

Z3_ast sym_addr_in(struct sym *s, Z3_ast addr, const struct net *n)
{
	return z_prefix(&s->z, addr, n->addr, 0, n->bits);
}

/* The IPv4 part of an address that carries one lies in a special network of IPv4. */
static Z3_ast carried(struct sym *s, Z3_ast addr, const struct net_carrier *c, const struct net_special *sp)
{
	Z3_ast four = Z3_mk_extract(s->z.c, 127 - c->at * 8, 96 - c->at * 8, addr);
	struct terms same = { .z = &s->z };

	terms_add(&same, sym_addr_in(s, addr, &c->net));
	for (unsigned bit = 96; bit < sp->net.bits; bit++)
		terms_add(&same, z_is(&s->z, Z3_mk_extract(s->z.c, 127 - bit, 127 - bit, four),
				      sp->net.addr[bit / 8] >> (7 - bit % 8) & 1));
	return terms_and(&same);
}

Z3_ast sym_addr_at_least(struct sym *s, Z3_ast addr, int class)
{
	struct terms any = { .z = &s->z }, global = { .z = &s->z };
	const struct net_special *sp;
	const struct net_carrier *c;
	const struct net *g;

	for (size_t i = 0; (sp = net_special(i)) != NULL; i++) {
		if ((int)sp->class < class)
			continue;
		terms_add(&any, sym_addr_in(s, addr, &sp->net));
		for (size_t k = 0; net_is_v4(&sp->net) && (c = net_carrier(k)) != NULL; k++)
			terms_add(&any, carried(s, addr, c, sp));
	}
	for (size_t i = 0; (g = net_global(i)) != NULL; i++)
		terms_add(&global, sym_addr_in(s, addr, g));
	if (class <= ADDR_PRIVATE)
		terms_add(&any, z_not(&s->z, terms_or(&global)));
	return terms_or(&any);
}
