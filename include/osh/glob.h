/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/*
 * Path patterns: `*` = bytes of one segment, `**` = any bytes, `?` = one byte that is not a slash.
 * One step at a time so that BPF can bound it; compiled as plain C by the loader and by tests.
 *
 * Two places to resume are enough: a later `*` in the same segment makes an earlier one needless,
 * past a slash an earlier `*` has no choice left, and at a `**` the shortest match before it is best.
 */
#pragma once

#include "osh/limits.h"

#define GLOB_STEPS 8192			/* for one pattern and path; beyond it nothing is known */

enum glob_answer { GLOB_NO = 0, GLOB_YES, GLOB_MORE };

struct glob {
	unsigned int p, s;		/* next byte of pattern and of path */
	unsigned int star_p, star_s;	/* after the last `*`, and what it takes next; 0 = none */
	unsigned int deep_p, deep_s;	/* the same for `**` */
};

/* Both texts are NUL terminated within OSH_PATH_MAX bytes, which also bounds every index. */
#define GLOB_AT(text, i) ((text)[(i) & (OSH_PATH_MAX - 1)])

static inline __attribute__((always_inline))
enum glob_answer glob_retry(struct glob *g, const char *path)
{
	if (g->star_p && GLOB_AT(path, g->star_s) != '/') {
		g->s = ++g->star_s;
		g->p = g->star_p;
		return GLOB_MORE;
	}
	if (!g->deep_p)
		return GLOB_NO;
	g->s = ++g->deep_s;
	g->p = g->deep_p;
	g->star_p = 0;
	return GLOB_MORE;
}

static inline __attribute__((always_inline))
enum glob_answer glob_star(struct glob *g, const char *pattern)
{
	g->p++;
	if (GLOB_AT(pattern, g->p) != '*') {
		g->star_p = g->p;
		g->star_s = g->s;
		return GLOB_MORE;
	}
	g->p++;
	g->deep_p = g->p;
	g->deep_s = g->s;
	g->star_p = 0;
	return GLOB_MORE;
}

static inline __attribute__((always_inline))
enum glob_answer glob_step(struct glob *g, const char *pattern, const char *path)
{
	char want = GLOB_AT(pattern, g->p), have = GLOB_AT(path, g->s);

	if (want == '*')
		return glob_star(g, pattern);
	if (!have)			/* retrying only takes more of a path that is used up */
		return want ? GLOB_NO : GLOB_YES;
	if (want != have && !(want == '?' && have != '/'))
		return glob_retry(g, path);
	g->p++;
	g->s++;
	return GLOB_MORE;
}

/* The whole match for plain C. GLOB_MORE = given up: treat as no answer, never as a match. */
static inline enum glob_answer glob_match(const char *pattern, const char *path)
{
	struct glob g = { 0 };
	enum glob_answer a = GLOB_MORE;

	for (int i = 0; i < GLOB_STEPS && a == GLOB_MORE; i++)
		a = glob_step(&g, pattern, path);
	return a;
}
