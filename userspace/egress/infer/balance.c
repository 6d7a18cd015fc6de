/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Stride scheduling: each call moves its route's mark on by a stride that is the shorter the more weight it has, and the
 * route whose mark lies furthest behind is next. One that could take none for a while begins at the mark of now, so it
 * is not sent all that it missed.
 */
#include "infer/infer.h"

#define STRIDE (100u << 20)

static uint64_t weight(const struct bundle *b, uint32_t i)
{
	return b->routes[i].weight ? b->routes[i].weight : 1;
}

static uint64_t mark(const struct balance *s, uint32_t i)
{
	return s->mark[i] > s->now ? s->mark[i] : s->now;
}

/* Is i before k? By calls under way for its weight, where that counts; then by the marks. */
static bool before(const struct bundle *b, const struct balance *s, uint32_t i, uint32_t k)
{
	uint64_t x = s->busy[i] * weight(b, k), y = s->busy[k] * weight(b, i);

	if (b->inference->fallback == OSH_FALLBACK_LEAST_BUSY && x != y)
		return x < y;
	return mark(s, i) < mark(s, k);
}

uint32_t balance_pick(const struct bundle *b, const struct balance *s, uint64_t of)
{
	uint32_t best = 0;

	for (uint32_t i = 0; i < b->n_routes; i++)
		if ((of >> i & 1) && (!best || before(b, s, i, best - 1)))
			best = i + 1;
	return best;
}

void balance_took(const struct bundle *b, struct balance *s, uint32_t route)
{
	uint32_t i = route - 1;

	s->now = mark(s, i);
	s->mark[i] = s->now + STRIDE / weight(b, i);
}
