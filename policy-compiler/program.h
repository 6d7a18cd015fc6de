/* SPDX-License-Identifier: Apache-2.0 */
/* Program paths of a policy: canonical spellings, expanded braces, and the helpers that belong to them. */
#pragma once

#include "schema.h"

struct program_in {
	const struct node *path;
	const char *sha256;		/* NULL = any content */
	bool inherit;
};

/*
 * Appends every struct program that one entry stands for: each alternative of its braces, for /bin/x
 * also /usr/bin/x, and the helpers that registry/helpers.yaml names.
 */
void program_add(struct reader *r, const struct program_in *in, struct list *ret);

/* Sorts and drops repeats. After the last program_add() of a list. */
void programs_sort(struct list *programs);
