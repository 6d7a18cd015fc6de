/* SPDX-License-Identifier: Apache-2.0 */
/* What a text of a kind looks like at all. */
#pragma once

#include "lang.h"

#define BASE_START 1u

unsigned base_step(enum lang_base base, unsigned state, unsigned char c);	/* the next state; 0 = there is none */
bool base_ends(enum lang_base base, unsigned state);	/* may a text end here? */

/* For each byte the first one that the kind does not tell from it. */
const unsigned char *base_firsts(enum lang_base base);
