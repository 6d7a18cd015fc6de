/* SPDX-License-Identifier: Apache-2.0 */
/* The keys that leave a terminal without ending it. What may begin them waits for the next key. Pure. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "err.h"

#define DETACH_KEYS 8
#define DETACH_DEFAULT "ctrl-p,ctrl-q"

struct detach {
	char keys[DETACH_KEYS];
	size_t n, seen;			/* n = 0: there are none */
};

/* "ctrl-p,ctrl-q", "ctrl-a,d"; "" = none. */
int detach_parse(struct detach *d, const char *text, struct err *e);

/*
 * What of the n bytes goes on, into out (room for n + DETACH_KEYS); its length. *ret_detached: the keys were
 * there, and what follows them is nobody's.
 */
size_t detach_filter(struct detach *d, const char *in, size_t n, char *out, bool *ret_detached);
