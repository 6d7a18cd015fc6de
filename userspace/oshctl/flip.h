/* SPDX-License-Identifier: Apache-2.0 */
/* The smallest change of a policy that turns the answer to one question around. */
#pragma once

#include "ask.h"

#define FLIP_STEPS 8

struct change {
	const char *action;		/* "add", "set", "remove" */
	uint32_t line;			/* where in the file; 0 = anywhere */
	const char *yaml;		/* from the root of the file on, lines end in newlines */
};

struct flip {
	struct change step[FLIP_STEPS];	/* all of them together */
	uint32_t n;			/* 0 = no such change was found */
	struct decision after;		/* what eval says of the changed policy */
};

/* Every candidate is tried on a copy and kept only if eval then says the opposite. */
void flip_find(const struct policy *p, const struct ask *q, struct arena *a, struct flip *ret);
