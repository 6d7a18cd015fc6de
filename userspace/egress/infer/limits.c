/* SPDX-License-Identifier: Apache-2.0 */
/* Which limits count a call, and what its tokens cost. How much is left oshd alone knows. */
#include "infer/infer.h"
#include "rules/pattern.h"

static const uint8_t counted[OSH_SHAPES] = {
#define SHAPE(id, text, method, path, apis, model, counted) [OSH_SHAPE_##id] = OSH_COUNTED_##counted,
#include "osh/shapes.def"
#undef SHAPE
};

uint32_t limits_mask(const struct bundle *b, enum osh_shape shape, uint32_t route)
{
	uint32_t mask = 0;

	for (uint32_t i = 0; i < b->n_budgets; i++) {
		const struct osh_b_budget *l = &b->budgets[i];
		uint8_t least = l->what == OSH_COUNT_REQUESTS ? OSH_COUNTED_CALL : OSH_COUNTED_TOKENS;

		if (counted[shape] >= least && (!l->route || l->route == route))
			mask |= 1u << i;
	}
	return mask;
}

bool limits_read(const struct bundle *b, enum osh_shape shape)
{
	for (uint32_t i = 0; i < b->n_budgets; i++)
		if (b->budgets[i].what != OSH_COUNT_REQUESTS && counted[shape] == OSH_COUNTED_TOKENS)
			return true;
	return false;
}

bool limits_have(const struct bundle *b, uint32_t mask, enum osh_count what)
{
	for (uint32_t i = 0; i < b->n_budgets; i++)
		if ((mask >> i & 1) && b->budgets[i].what == what)
			return true;
	return false;
}

static const struct osh_b_price *price_of(const struct bundle *b, const char *model)
{
	for (uint32_t i = 0; i < b->n_prices; i++) {
		struct osh_b_range r = b->prices[i].model;

		for (uint32_t k = r.first; k < r.first + r.n; k++)
			if (text_meets(bundle_str(b, b->patterns[k]), slice_of(model), 0))
				return &b->prices[i];
	}
	return NULL;
}

bool limits_cost(const struct bundle *b, const char *model, const uint64_t tokens[OSH_PRICES], uint64_t *ret)
{
	const struct osh_b_price *p = price_of(b, model);
	unsigned __int128 all = 0;

	if (!p)
		return false;
	for (unsigned i = 0; i < OSH_PRICES; i++)
		all += (unsigned __int128)p->part[i] * tokens[i];
	all = all / 1000000 + (all % 1000000 != 0);
	*ret = all < OSH_COUNT_MOST ? (uint64_t)all : OSH_COUNT_MOST;
	return true;
}
