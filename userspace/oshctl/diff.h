/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What two policies decide differently. Questions are made from both policies' own words: whatever one
 * of them allows is matched by one of its endpoints or paths, so these are asked about, at names,
 * ports, programs, addresses, methods and paths that either of the two tells apart; then random
 * mixtures. Bounded; `incomplete` where the bound was met.
 */
#pragma once

#include "arena.h"
#include "model.h"

struct difference {
	bool allowed;			/* by NEW and not by OLD; else the other way round */
	const char *rule;		/* of the policy that allows */
	uint32_t line;
	const char *request;		/* as policy explain takes it */
	const char *binary;		/* and its --binary, or NULL */
	uint32_t more;			/* questions counted with it */
	const char *group;		/* what makes others one with it */
};

struct diff {
	struct arena a;
	struct list found;		/* struct difference */
	struct list settings;		/* const char *: keys without requests of their own */
	bool incomplete;		/* some questions or differences are missing */
};

void diff_policies(const struct policy *old, const struct policy *new, const char *workdir,
		   struct diff *ret);
void diff_done(struct diff *d);
