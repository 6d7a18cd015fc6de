/* SPDX-License-Identifier: Apache-2.0 */
#include "sym_parts.h"

#include <search.h>
#include <stdlib.h>

struct sym_part {
	const void *what;
	Z3_ast there, rest;		/* rest: all that are asked about later are there */
};

static int by_what(const void *pa, const void *pb)
{
	const char *a = ((const struct sym_part *)pa)->what, *b = ((const struct sym_part *)pb)->what;

	return (a > b) - (a < b);
}

Z3_ast sym_there(struct sym *s, const void *what)
{
	struct sym_part key = { .what = what }, *new, **slot, **found;

	if (!s->parts)
		return z_true(&s->z);
	found = tfind(&key, &s->parts->tree, by_what);
	if (found)
		return (*found)->there;
	new = arena_zalloc(s->z.a, sizeof(*new));
	slot = list_push(s->z.a, &s->parts->v, sizeof(*slot));
	if (!new || !slot)
		abort();
	*new = (struct sym_part){ what, z_bool(&s->z, "there"), NULL };
	*slot = new;
	if (!tsearch(new, &s->parts->tree, by_what))
		abort();
	return new->there;
}

/* Names for "all later ones", each of which says one more: so an assumption is one literal however many there are. */
static void chain(struct sym *s)
{
	struct sym_parts *p = s->less->parts;
	struct sym_part **v = p->v.v;
	uint32_t n = p->v.n, endpoints = s->less->endpoints.n;
	Z3_ast later = z_true(&s->z);

	/* The other way round than they are asked about. */
	for (uint32_t i = 0; i < n; i++) {
		struct sym_part *part = v[i < n - endpoints ? endpoints + i : i - (n - endpoints)];

		part->rest = later;
		later = z_bool(&s->z, "rest");
		z_assert(&s->z, z_imply(&s->z, later, z_and(&s->z, part->there, part->rest)));
	}
	p->chained = true;
}

static struct sym_part *find(struct sym *s, const void *what)
{
	struct sym_part key = { .what = what }, **found;

	if (!s->less->parts->chained)
		chain(s);
	found = tfind(&key, &s->less->parts->tree, by_what);
	return found ? *found : NULL;
}

static Z3_ast differ(struct sym *s, Z3_ast a, Z3_ast b)
{
	return Z3_mk_xor(s->z.c, a, b);
}

/* What is connected, whether it is looked into, and what is allowed and forwarded inside. */
static Z3_ast changes(struct sym *s)
{
	const struct sym *l = s->less;
	Z3_ast inside = z_and(&s->z, s->inspected, z_or(&s->z, differ(s, s->allowed, l->allowed),
							  differ(s, s->forwarded, l->forwarded)));

	return z_or(&s->z, differ(s, s->dials, l->dials),
		    z_and(&s->z, s->dials, z_or(&s->z, differ(s, s->inspected, l->inspected), inside)));
}

enum answer sym_needed(struct sym *s, const void *what)
{
	struct sym_part *part = find(s, what);
	struct witness w;
	enum answer r;

	if (!part)
		return ANSWER_YES;
	r = sym_ask(s, (const Z3_ast[]){ changes(s), z_not(&s->z, part->there), part->rest }, 3, &w);
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
	(void)p;			/* the arena's */
}

void sym_parts_done(struct sym_parts *p)
{
	tdestroy(p->tree, keep);
	p->tree = NULL;
}
