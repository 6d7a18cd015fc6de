/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Glob patterns as a policy writes them: `?` one byte, `*` a run, neither crossing the separator; `**`
 * a run that does; `[a-z]`, `[!a]`; `{a,b}`; `\x` the byte x. Matching belongs to the meaning of a
 * policy (glob.c); compiled tables have matchers of their own.
 */
#pragma once

#include "arena.h"

struct pattern {
	const char *text;		/* as written; NULL = none */
	struct list alts;		/* const char *: the same without braces */
};

enum pattern_error { PATTERN_OK, PATTERN_BRACES, PATTERN_MANY, PATTERN_CLASS };

enum pattern_error pattern_parse(struct arena *a, const char *text, struct pattern *ret);
const char *pattern_why(enum pattern_error e);
bool pattern_special(const char *text);	/* does it hold anything but literal bytes? */

/* Expands braces alone, appending const char * to *ret. */
enum pattern_error braces_expand(struct arena *a, const char *text, struct list *ret);

/* Is there a text that both match? Separators are ignored: `*` counts as `**`. */
bool pattern_overlaps(const struct pattern *a, const struct pattern *b);

/* One token after any run of stars: bytes of pattern, and whether it stands for `c`. sep 0 = none. */
size_t pattern_token(const char *p, unsigned char c, char sep, bool *ret_hit);
