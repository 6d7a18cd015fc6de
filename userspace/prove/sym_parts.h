/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A policy with parts left out: each endpoint and each rule inside one has a bit that says whether it is there. Parts
 * are asked about one by one, and one without which nothing changes stays left out, so that of two that say the same the
 * first is kept.
 */
#pragma once

#include "witness.h"

struct sym_parts {
	void *tree;			/* by `what` */
	bool chained;
};

/*
 * YES: something changes. Of the endpoints that are asked about in this model, in this order: endpoints from the last to
 * the first, then their rules likewise, those that deny before those that allow.
 */
enum answer sym_needed(struct sym *s, const void *part);
/* The same order; this one stays, unasked. */
void sym_keep(struct sym *s, const void *part);
void sym_parts_done(struct sym_parts *p);
