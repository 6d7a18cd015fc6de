/* SPDX-License-Identifier: Apache-2.0 */
#include "policies.h"

void policies_add(struct policies *p, uint32_t generation, struct bundle *b)
{
	int to = 0;

	for (int i = 0; i < POLICIES; i++) {
		if (p->at[i].generation == generation) {
			to = i;
			break;
		}
		if (p->at[i].generation < p->at[to].generation)
			to = i;
	}
	bundle_done(&p->at[to].bundle);
	p->at[to].generation = generation;
	p->at[to].bundle = *b;
	*b = (struct bundle){ 0 };
}

const struct bundle *policies_find(const struct policies *p, uint32_t generation)
{
	for (int i = 0; i < POLICIES; i++)
		if (generation && p->at[i].generation == generation && p->at[i].bundle.header)
			return &p->at[i].bundle;
	return NULL;
}

void policies_done(struct policies *p)
{
	for (int i = 0; i < POLICIES; i++)
		bundle_done(&p->at[i].bundle);
}
