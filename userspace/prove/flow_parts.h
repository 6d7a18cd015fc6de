/* SPDX-License-Identifier: Apache-2.0 */
/* What find_flow.c and flow_route.c have in common. */
#pragma once

#include "flow.h"
#include "prove.h"

#define BOXES (PROVE_WITH + 1)

struct hop {				/* from one sandbox to another */
	bool there;
	const struct flow_volume *out, *in;	/* one volume, as each of them has it; or */
	const struct route *route;	/* that leads there, or, `answers`, from there; or */
	bool answers;
	struct list requests;		/* struct asked: with that */
	const char *file, *writer, *reader;
};

struct flow {
	struct prover *pr;
	const struct flow_box *box;
	uint32_t n;
	struct hop hop[BOXES][BOXES];
	uint32_t from[BOXES][BOXES];	/* [x][y]: the last one before y on the way from x; y itself = there is no way */
};

/* The models of one sandbox's endpoints, one by one. */
void flow_each(struct flow *f, uint32_t y, void (*ask)(struct flow *f, void *data), void *data);

/* flow_route.c */
void flow_routes(struct flow *f, uint32_t x);	/* hops by routes of x to sandboxes, and by their answers */
bool flow_given(const struct flow *f, const struct route *r);	/* does it lead to one whose policy is given? */
void flow_claims(struct flow *f);		/* `never_leave` of the first policy, once all hops are known */
