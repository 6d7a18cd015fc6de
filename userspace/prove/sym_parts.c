/* SPDX-License-Identifier: Apache-2.0 */
#include "sym_parts.h"

#include <search.h>
#include <stdlib.h>

typedef const void *const_pointer; /* for EACH */

struct sym_part {
	const void *what;
	Z3_ast there, rest; /* rest: all that are asked about later are there */
};

static int by_what(const void *pa, const void *pb)
{
	const char *a = ((const struct sym_part *)pa)->what,
		   *b = ((const struct sym_part *)pb)->what;

	return (a > b) - (a < b);
}

Z3_ast sym_there(struct sym *s, const void *what)
{
	struct sym_part key = { .what = what }, *new, **found;

	if (!s->parts)
		return z_true(&s->z);
	found = tfind(&key, &s->parts->tree, by_what);
	if (found)
		return (*found)->there;
	new = arena_zalloc(s->z.a, sizeof(*new));
	if (!new)
		abort();
	*new = (struct sym_part){ what, z_bool(&s->z, "there"), NULL };
	if (!tsearch(new, &s->parts->tree, by_what))
		abort();
	return new->there;
}

static struct sym_part *known(struct sym *s, const void *what)
{
	struct sym_part key = { .what = what },
			**found = tfind(&key, &s->less->parts->tree, by_what);

	return found ? *found : NULL;
}

static bool is_gone(const struct sym *s, const void *what)
{
	for EACH (const_pointer, p, s->gone)
		if (*p == what)
			return true;
	return false;
}

/* What is asked about elsewhere is there, unless it was found to change nothing. */
static void settle(struct sym *s, const void *what)
{
	struct sym_part *part = known(s, what);

	if (part)
		z_assert(&s->z, is_gone(s, what) ? z_not(&s->z, part->there) : part->there);
}

/* Names for "all later ones", each of which says one more: so an assumption is one literal however
 * many there are. */
static void link_part(struct sym *s, const void *what, Z3_ast *later)
{
	struct sym_part *part = known(s, what);

	if (!part)
		return;
	part->rest = *later;
	*later = z_bool(&s->z, "rest");
	z_assert(&s->z, z_imply(&s->z, *later, z_and(&s->z, part->there, part->rest)));
}

static void each_rule(struct sym *s, const struct sym_endpoint *se, Z3_ast *later)
{
	for EACH (struct l7_rule, r, &se->e->l7.rules)
		se->asked ? link_part(s, r, later) : settle(s, r);
	for EACH (struct l7_rule, r, &se->e->l7.deny)
		se->asked ? link_part(s, r, later) : settle(s, r);
}

/* The other way round than they are asked about. */
static void chain(struct sym *s)
{
	const struct sym_endpoint *v = s->less->endpoints.v;
	Z3_ast later = z_true(&s->z);

	for (uint32_t i = 0; i < s->less->endpoints.n; i++)
		each_rule(s, &v[i], &later);
	for (uint32_t i = 0; i < s->less->endpoints.n; i++)
		v[i].asked ? link_part(s, v[i].e, &later) : settle(s, v[i].e);
	s->less->parts->chained = true;
}

static struct sym_part *find(struct sym *s, const void *what)
{
	if (!s->less->parts->chained)
		chain(s);
	return known(s, what);
}

static Z3_ast differ(struct sym *s, Z3_ast a, Z3_ast b)
{
	return Z3_mk_xor(s->z.c, a, b);
}

/* What is connected, whether it is looked into, and what is allowed and forwarded inside. */
static Z3_ast changes(struct sym *s)
{
	const struct sym *l = s->less;
	Z3_ast inside = z_and(
	    &s->z, s->inspected,
	    z_or(&s->z, z_or(&s->z, differ(s, s->allowed, l->allowed), differ(s, s->calls, l->calls)),
		 differ(s, s->forwarded, l->forwarded)));

	return z_or(
	    &s->z, differ(s, s->dials, l->dials),
	    z_and(&s->z, s->dials, z_or(&s->z, differ(s, s->inspected, l->inspected), inside)));
}

enum answer sym_needed(struct sym *s, const void *what)
{
	struct sym_part *part = find(s, what);
	enum answer r;

	if (!part)
		return ANSWER_YES;
	r = sym_can(s, (const Z3_ast[]){ changes(s), z_not(&s->z, part->there), part->rest }, 3);
	z_assert(&s->z, r == ANSWER_NO ? z_not(&s->z, part->there) : part->there);
	return r;
}

void sym_keep(struct sym *s, const void *what)
{
	struct sym_part *part = find(s, what);

	if (part)
		z_assert(&s->z, part->there);
}

static void keep(void *p)
{
	(void)p; /* the arena's */
}

void sym_parts_done(struct sym_parts *p)
{
	tdestroy(p->tree, keep);
	p->tree = NULL;
}
