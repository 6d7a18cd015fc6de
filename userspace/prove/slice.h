/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Endpoints that no host belongs to at once have nothing to say to each other. Each group that hangs together by its
 * hosts is asked about in a model of its own, which is what keeps policies of many rules quick.
 */
#pragma once

#include "arena.h"
#include "model.h"

struct slices {
	uint32_t *of;			/* the group of each endpoint, in the policy's order; then those of `base` */
	uint32_t n, endpoints;		/* endpoints: of the policy, without base */
};

bool slice_policy(struct arena *a, const struct policy *p, const struct policy *base, struct slices *ret);	/* base: or NULL */
