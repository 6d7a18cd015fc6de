/* SPDX-License-Identifier: Apache-2.0 */
#include "reach.h"

#include <string.h>

bool reach_same_routes(const struct bundle *a, const struct bundle *b)
{
	if (a->n_cidrs != b->n_cidrs)
		return false;
	for (uint32_t i = 0; i < a->n_cidrs; i++)
		if (a->cidrs[i].bits != b->cidrs[i].bits ||
		    memcmp(a->cidrs[i].addr, b->cidrs[i].addr, sizeof(a->cidrs[i].addr)))
			return false;
	return true;
}

bool reach_same_programs(const struct bundle *a, const struct bundle *b)
{
	if (a->n_binaries != b->n_binaries)
		return false;
	for (uint32_t i = 0; i < a->n_binaries; i++)
		if (strcmp(bundle_str(a, a->binaries[i].path), bundle_str(b, b->binaries[i].path)))
			return false;
	return true;
}
