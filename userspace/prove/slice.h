/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is asked of an endpoint concerns those alone whose hosts meet its own. Each endpoint is asked about in a model of
 * these, which is what keeps policies of many rules quick; those that meet the same ones share a model.
 */
#pragma once

#include "arena.h"
#include "model.h"

struct slices {
	uint32_t n;			/* models */
	uint32_t endpoints, all;	/* of the policy, in its order; and with those of `base` behind them */
	uint32_t *of;			/* the model in which each endpoint is asked about */
	uint64_t **has;			/* of each model: bits of the endpoints that it has */
};

/* base: or NULL */
bool slice_policy(struct arena *a, const struct policy *p, const struct policy *base,
		  struct slices *ret);

/* Without slices every model has all of them. */
static inline bool slice_has(const struct slices *s, uint32_t slice, uint32_t at)
{
	return !s || (slice < s->n && (s->has[slice][at / 64] >> (at % 64) & 1));
}
