/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The caller's home, which `~` at the start of a path means. The compiler asks nobody: whoever runs it
 * says once whose home that is, before the first policy is read.
 */
#pragma once

#include "schema.h"

/* Absolute and without "..", or NULL: then `~` is refused. False: not such a path, and none is set. */
bool policy_home(const char *path);

/* "~" and "~/x" with the home in their place, other text as it is. NULL = diagnosed at `n`. */
const char *home_expand(struct reader *r, const struct node *n, const char *text, enum diag_code code);
