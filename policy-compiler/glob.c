/* SPDX-License-Identifier: Apache-2.0 */
/* Program globs, by the definition of osh/bundle.h. */
#include "eval.h"

/*
 * Two fallback points: the last `*` may grow until a '/', the last `**` without end. When both fail
 * the pattern fails, so the work is at most quadratic in the length of the text.
 */
bool glob_match(const char *pattern, const char *text)
{
	const char *star = NULL, *star_at = NULL, *deep = NULL, *deep_at = NULL;

	for (;;) {
		if (pattern[0] == '*' && pattern[1] == '*') {
			while (*pattern == '*')
				pattern++;
			deep = pattern;
			deep_at = text;
			star = NULL;
		} else if (*pattern == '*') {
			star = ++pattern;
			star_at = text;
		} else if (*text && (*pattern == *text || (*pattern == '?' && *text != '/'))) {
			pattern++;
			text++;
		} else if (!*text && !*pattern) {
			return true;
		} else if (star && *star_at && *star_at != '/') {
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
