/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Memory for keys and secrets: zeroed, locked (never swapped), left out of core dumps and of children,
 * wiped when it is given back. Whole pages each, so for few and lasting things.
 */
#pragma once

#include <stddef.h>

void *secret_alloc(size_t n);		/* NULL, with errno, where it cannot be locked */
void secret_free(void *p, size_t n);	/* the same n; NULL is fine */
void secret_wipe(void *p, size_t n);	/* not optimised away */
