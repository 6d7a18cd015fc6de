/* SPDX-License-Identifier: Apache-2.0 */
/* Whether a text matches a pattern: part of the meaning of a policy. Pure, without allocation. */
#include "eval.h"

/*
 * Two fallback points: the last `*` may grow until a separator, the last `**` without end. When both
 * fail the pattern fails, so the work is at most quadratic in the length of the text.
 */
static bool plain_match(const char *pattern, const char *text, char sep)
{
	const char *star = NULL, *star_at = NULL, *deep = NULL, *deep_at = NULL;

	for (;;) {
		bool hit = false;
		size_t n = 0;

		if (*pattern && *pattern != '*' && *text)
			n = pattern_token(pattern, (unsigned char)*text, sep, &hit);
		if (pattern[0] == '*' && pattern[1] == '*') {
			while (*pattern == '*')
				pattern++;
			deep = pattern;
			deep_at = text;
			star = NULL;
		} else if (*pattern == '*') {
			star = ++pattern;
			star_at = text;
		} else if (hit) {
			pattern += n;
			text++;
		} else if (!*text && !*pattern) {
			return true;
		} else if (star && *star_at && *star_at != sep) {
			pattern = star;
			text = ++star_at;
		} else if (deep && *deep_at) {
			pattern = deep;
			text = ++deep_at;
			star = NULL;
		} else {
			return false;
		}
	}
}

bool glob_match(const char *pattern, const char *text)
{
	return plain_match(pattern, text, '/');
}

bool pattern_match(const struct pattern *p, const char *text, char sep)
{
	const char *const *alt = p->alts.v;

	for (uint32_t i = 0; i < p->alts.n; i++)
		if (plain_match(alt[i], text, sep))
			return true;
	return false;
}
