/* SPDX-License-Identifier: Apache-2.0 */
/* The lints as a table, and the index of endpoints by host that several of them walk. */
#include "lint_parts.h"

#include <stdlib.h>
#include <string.h>

#include "own.h"

#define PAIRS_MAX (4u << 20)		/* warnings, not decisions: a huge policy may get fewer */

static void (*const lints[])(struct lint *l) = {
	lint_segments, lint_dots,	  lint_rules,	 lint_endpoints,
	lint_channels, lint_broad, lint_interpreters, lint_writable,
};

static int by_host(const void *pa, const void *pb)
{
	const struct ref *a = pa, *b = pb;
	int order = strcmp(a->e->host.text, b->e->host.text);

	if (order)
		return order;
	if (a->e->at.line != b->e->at.line)
		return a->e->at.line < b->e->at.line ? -1 : 1;
	return a->e->at.col < b->e->at.col ? -1 : a->e->at.col > b->e->at.col;
}

static bool index_endpoints(struct lint *l)
{
	uint32_t n = 0;

	for EACH (struct rule, r, &l->p->rules)
		n += r->endpoints.n;
	l->refs = arena_zalloc(&l->p->arena, (n + 1) * sizeof(*l->refs));
	if (!l->refs)
		return false;
	for EACH (struct rule, rule, &l->p->rules)
		for EACH (struct endpoint, e, &rule->endpoints)
			if (!rule->egress_only)	/* no program's way round anything */
				l->refs[l->n_refs++] = (struct ref){ .rule = rule, .e = e };
	qsort(l->refs, l->n_refs, sizeof(*l->refs), by_host);
	return true;
}

bool lint_look(struct lint *l)
{
	return l->pairs < PAIRS_MAX && ++l->pairs;
}

/* The first endpoint whose host has this text, or the end. */
static uint32_t first_of(const struct lint *l, const char *text)
{
	uint32_t low = 0, high = l->n_refs;

	while (low < high) {
		uint32_t mid = low + (high - low) / 2;

		if (strcmp(l->refs[mid].e->host.text, text) < 0)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

/* A wildcard's text is its suffix from the dot on, so the wider hosts are found by name. */
void lint_wider(struct lint *l, struct ref *self,
		void (*fn)(struct lint *l, struct ref *self, struct ref *other))
{
	const char *text = self->e->host.text;

	for (const char *s = text; s; s = strchr(s + (s == text ? *s != '\0' : 1), '.')) {
		for (uint32_t i = first_of(l, s); i < l->n_refs; i++) {
			struct ref *o = &l->refs[i];

			if (strcmp(o->e->host.text, s) || !lint_look(l))
				break;
			if (o != self && host_holds(&o->e->host, &self->e->host))
				fn(l, self, o);
		}
	}
}

void lint_policy(struct policy *p, struct diags *d)
{
	struct lint l = { .p = p, .d = d };

	if (!index_endpoints(&l))
		return;
	for (size_t i = 0; i < ARRAY_SIZE(lints); i++) {
		l.pairs = 0;
		lints[i](&l);
	}
}
