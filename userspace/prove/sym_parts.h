/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A policy with parts left out: each endpoint and each rule inside one has a bit that says whether it is there. Parts
 * are asked about one by one, and one without which nothing changes stays left out, so that of two that say the same the
 * first is kept.
 */
#pragma once

#include "witness.h"

struct sym_parts {
	struct list v;			/* struct sym_part *, as they lie in the policy: endpoints, then rules */
	void *tree;			/* by `what` */
	bool chained;
};

/* YES: something changes. Asked in this order: endpoints from the last to the first, then rules likewise. */
enum answer sym_needed(struct sym *s, const void *part);
/* The same order; this one stays, unasked. */
void sym_keep(struct sym *s, const void *part);
void sym_parts_done(struct sym_parts *p);
