/* SPDX-License-Identifier: Apache-2.0 */
#include "cells.h"

#include <stdlib.h>
#include <string.h>

struct cell {
	uint8_t from[16];
	enum addr_class class;
	uint32_t inner;			/* 1 + the narrowest of `nets` that it lies in; 0 = in none */
	uint32_t number;
};

void cells_add(struct arena *a, struct cells *c, const struct net *n)
{
	struct net *slot = list_push(a, &c->nets, sizeof(*slot));

	if (slot)
		*slot = *n;
}

static void add_host(struct arena *a, struct cells *c, const struct host *h)
{
	if (h->kind == HOST_NET)
		cells_add(a, c, &h->net);
}

void cells_add_policy(struct arena *a, struct cells *c, const struct policy *p)
{
	for EACH (struct rule, rule, &p->rules)
		for EACH (struct endpoint, e, &rule->endpoints) {
			add_host(a, c, &e->host);
			for (uint32_t i = 0; i < e->n_allowed; i++)
				cells_add(a, c, &e->allowed[i]);
		}
	for EACH (struct assertion, as, &p->asserts)
		add_host(a, c, &as->host);
}

static void first_of(const struct net *n, uint8_t ret[16])
{
	memcpy(ret, n->addr, 16);
	for (uint32_t i = n->bits; i < 128; i++)
		ret[i / 8] &= (uint8_t)~(0x80 >> (i % 8));
}

/* The first address behind it; false: there is none. */
static bool behind(const struct net *n, uint8_t ret[16])
{
	first_of(n, ret);
	for (uint32_t i = n->bits; i-- > 0;) {
		ret[i / 8] ^= (uint8_t)(0x80 >> (i % 8));
		if (ret[i / 8] & 0x80 >> (i % 8))
			return true;
	}
	return false;
}

/* ---- the cuts ----------------------------------------------------------------------------- */

static int by_address(const void *pa, const void *pb)
{
	const struct cell *a = pa, *b = pb;

	return memcmp(a->from, b->from, sizeof(a->from));
}

static void cut(struct arena *a, struct list *cuts, const struct net *n)
{
	struct cell *first = list_push(a, cuts, sizeof(*first)), *next;
	uint8_t end[16];

	if (first)
		first_of(n, first->from);
	if (behind(n, end) && (next = list_push(a, cuts, sizeof(*next))) != NULL)
		memcpy(next->from, end, sizeof(end));
}

/* One of IPv4, where IPv6 carries it. */
static void cut_carried(struct arena *a, struct list *cuts, const struct net_carrier *by, const struct net *four)
{
	struct net n = by->net;

	memcpy(n.addr + by->at, four->addr + 12, 4);
	n.bits = by->at * 8 + four->bits - 96;
	cut(a, cuts, &n);
}

/* Whatever net_class() looks at. */
static void cut_classes(struct arena *a, struct list *cuts)
{
	const struct net_special *sp;
	const struct net_carrier *by;
	const struct net *g;

	for (size_t i = 0; (by = net_carrier(i)) != NULL; i++)
		cut(a, cuts, &by->net);
	for (size_t i = 0; (g = net_global(i)) != NULL; i++)
		cut(a, cuts, g);
	for (size_t i = 0; (sp = net_special(i)) != NULL; i++) {
		cut(a, cuts, &sp->net);
		for (size_t k = 0; net_is_v4(&sp->net) && (by = net_carrier(k)) != NULL; k++)
			cut_carried(a, cuts, by, &sp->net);
	}
}

static void make_cells(struct arena *a, struct cells *c)
{
	struct list cuts = { 0 };

	(void)list_push(a, &cuts, sizeof(struct cell));		/* :: */
	cut_classes(a, &cuts);
	for EACH (struct net, n, &c->nets)
		cut(a, &cuts, n);
	c->v = cuts.v;
	if (a->bad)
		return;
	qsort(c->v, cuts.n, sizeof(*c->v), by_address);
	c->n = 1;
	for (uint32_t i = 1; i < cuts.n; i++)
		if (memcmp(c->v[i].from, c->v[c->n - 1].from, sizeof(c->v->from)) != 0)
			c->v[c->n++] = c->v[i];
}

/* ---- their numbers ------------------------------------------------------------------------ */

/* Rather the second one: the first is the network's name. */
static struct net address_in(const struct cells *c, uint32_t i)
{
	struct net n = { .bits = 128 };
	uint8_t next[16];

	memcpy(n.addr, c->v[i].from, sizeof(n.addr));
	if (behind(&n, next) && (i + 1 == c->n || memcmp(next, c->v[i + 1].from, sizeof(next)) != 0))
		memcpy(n.addr, next, sizeof(n.addr));
	return n;
}

/* Those that hold others before them. */
static int outer_first(const void *pa, const void *pb)
{
	const struct net *a = pa, *b = pb;
	uint8_t x[16], y[16];
	int order;

	first_of(a, x);
	first_of(b, y);
	order = memcmp(x, y, sizeof(x));
	return order ? order : (a->bits > b->bits) - (a->bits < b->bits);
}

/* Networks hold each other or have nothing in common, so the last one that began and did not end is the narrowest. */
static void judge(struct cells *c, uint32_t *open)
{
	const struct net *nets = c->nets.v;
	uint32_t at = 0, n = 0;

	for (uint32_t i = 0; i < c->n; i++) {
		const struct net here = address_in(c, i);

		while (n && !net_overlaps(&nets[open[n - 1]], &here))
			n--;
		for (; at < c->nets.n && net_overlaps(&nets[at], &here); at++)
			open[n++] = at;
		c->v[i].class = net_class(&here);
		c->v[i].inner = n ? open[n - 1] + 1 : 0;
	}
}

static int by_kind(const void *pa, const void *pb)
{
	const struct cell *a = *(const struct cell *const *)pa, *b = *(const struct cell *const *)pb;

	if (a->class != b->class)
		return a->class > b->class ? 1 : -1;
	if (a->inner != b->inner)
		return a->inner > b->inner ? 1 : -1;
	return (a > b) - (a < b);
}

/* Classes one behind the other, and in each the networks in their order: so each network has one run a class. */
static void number(struct cells *c, struct cell **order)
{
	for (uint32_t i = 0; i < c->n; i++)
		order[i] = &c->v[i];
	qsort(order, c->n, sizeof(*order), by_kind);
	for (uint32_t i = 0; i < c->n; i++) {
		if (!i || order[i]->class != order[i - 1]->class || order[i]->inner != order[i - 1]->inner)
			c->kinds[c->n_kinds++] = (uint32_t)(order[i] - c->v);
		order[i]->number = c->n_kinds - 1;
	}
}

bool cells_make(struct arena *a, struct cells *c)
{
	struct cell **order;
	uint32_t *open;

	if (c->nets.n)
		qsort(c->nets.v, c->nets.n, sizeof(struct net), outer_first);
	make_cells(a, c);
	open = arena_zalloc(a, (c->nets.n + 1) * sizeof(*open));
	order = arena_zalloc(a, c->n * sizeof(struct cell *));
	c->kinds = arena_zalloc(a, c->n * sizeof(*c->kinds));
	if (a->bad)
		return false;
	judge(c, open);
	number(c, order);
	return true;
}

/* ---- questions ---------------------------------------------------------------------------- */

/* The cell that begins there, or that this address lies in. */
static uint32_t find(const struct cells *c, const uint8_t address[16])
{
	uint32_t low = 0, high = c->n;

	while (high - low > 1) {
		uint32_t middle = low + (high - low) / 2;

		if (memcmp(c->v[middle].from, address, 16) <= 0)
			low = middle;
		else
			high = middle;
	}
	return low;
}

static bool begins(const struct cells *c, uint32_t i, const uint8_t address[16])
{
	return !memcmp(c->v[i].from, address, 16);
}

bool cells_in(const struct cells *c, const struct net *n, struct cell_runs *ret)
{
	bool has[ADDR_OSH + 1] = { false };
	uint8_t address[16];
	uint32_t from, to = c->n;

	*ret = (struct cell_runs){ 0 };
	first_of(n, address);
	from = find(c, address);
	if (!begins(c, from, address) || (behind(n, address) && !begins(c, to = find(c, address), address)))
		return false;
	for (uint32_t i = from; i < to; i++) {
		const struct cell *cell = &c->v[i];

		if (!has[cell->class])
			ret->v[cell->class].from = ret->v[cell->class].to = cell->number;
		has[cell->class] = true;
		if (cell->number < ret->v[cell->class].from)
			ret->v[cell->class].from = cell->number;
		if (cell->number >= ret->v[cell->class].to)
			ret->v[cell->class].to = cell->number + 1;
	}
	for (unsigned i = 0; i <= ADDR_OSH; i++)
		if (has[i])
			ret->v[ret->n++] = ret->v[i];
	return true;
}

uint32_t cells_at_least(const struct cells *c, enum addr_class class)
{
	uint32_t i = 0;

	while (i < c->n_kinds && c->v[c->kinds[i]].class < class)
		i++;
	return i;
}

struct net cells_address(const struct cells *c, uint32_t number)
{
	return address_in(c, c->kinds[number]);
}

uint32_t cells_number(const struct cells *c, const uint8_t address[16])
{
	return c->v[find(c, address)].number;
}
