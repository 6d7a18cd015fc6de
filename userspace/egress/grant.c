/* SPDX-License-Identifier: Apache-2.0 */
#include "grant.h"

#include <stdlib.h>

#include "maps.h"

int generation_open(struct generation **ret, const struct table *like, uint32_t generation, int bundle_fd,
		struct err *e)
{
	struct generation *p = calloc(1, sizeof(*p));
	int r;

	if (!p)
		return fail(e, ENOMEM, "policy: out of memory");
	r = bundle_open_fd(&p->bundle, bundle_fd, e);
	if (r < 0) {
		free(p);
		return r;
	}
	p->table = *like;
	p->table.bundle = &p->bundle;
	p->table.generation = generation;
	p->refs = 1;
	*ret = p;
	return 0;
}

void generation_put(struct generation *p)
{
	if (!p || --p->refs)
		return;
	bundle_done(&p->bundle);
	free(p);
}

/* 0 = it cannot be told: the sandbox is ending. */
static uint32_t in_force(const struct generations *ps)
{
	struct osh_sandbox sb;

	if (maps_lookup(ps->sandboxes_fd, &ps->slot, &sb) < 0 || sb.id != ps->now->table.id)
		return 0;
	return sb.generation;
}

struct generation *generation_now(struct generations *ps)
{
	struct generation *was = ps->now;
	uint32_t now = in_force(ps);

	if (!now || now == was->table.generation)
		return was;
	if (!ps->next || now != ps->next->table.generation) {
		ps->stale(ps);
		return was;
	}
	ps->now = ps->next;
	ps->next = NULL;
	generation_put(was);		/* what was judged by it has references of its own */
	if (ps->flipped)
		ps->flipped(ps);
	return ps->now;
}

static struct grant *make(struct generation *p)
{
	struct grant *g = malloc(sizeof(*g));

	if (!g)
		return NULL;
	g->policy = p;
	g->refs = 1;
	g->why = OSH_WHY_ALLOWED;
	p->refs++;
	return g;
}

struct grant *grant_new(struct generation *p, const struct ip *dst, uint16_t port, uint32_t mark)
{
	struct grant *g = make(p);

	if (g)
		g->why = table_judge(&p->table, dst, port, mark, &g->target);
	return g;
}

struct grant *grant_own(struct generation *p, const struct target *t)
{
	struct grant *g = make(p);

	if (g)
		g->target = *t;
	return g;
}

struct grant *grant_again(struct generation *p, const struct grant *g)
{
	struct grant *to = make(p);

	if (to)
		to->why = table_again(&p->table, &g->target, &to->target);
	return to;
}

struct grant *grant_ref(struct grant *g)
{
	g->refs++;
	return g;
}

void grant_put(struct grant *g)
{
	if (!g || --g->refs)
		return;
	generation_put(g->policy);
	free(g);
}

void grant_move(struct grant **held, struct grant *to)
{
	struct grant *was = *held;

	*held = grant_ref(to);
	grant_put(was);
}

bool grant_now(struct generations *ps, struct grant **held)
{
	struct generation *p = generation_now(ps);
	struct grant *g;

	if ((*held)->policy == p)
		return true;
	g = grant_again(p, *held);
	if (!g)
		return false;
	grant_put(*held);
	*held = g;
	return true;
}
