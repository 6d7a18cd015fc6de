/* SPDX-License-Identifier: Apache-2.0 */
#include "chars.h"

#define DIGIT (CH_TOKEN | CH_VALUE | CH_TARGET | CH_HOST | CH_HEX | CH_DIGIT)
#define HEXAL (CH_TOKEN | CH_VALUE | CH_TARGET | CH_HOST | CH_HEX)
#define ALPHA (CH_TOKEN | CH_VALUE | CH_TARGET | CH_HOST)
#define PUNCT (CH_TOKEN | CH_VALUE | CH_TARGET)
#define OTHER (CH_VALUE | CH_TARGET)

/* clang-format off */
const uint8_t http_chars[256] = {
	['\t'] = CH_VALUE, [' '] = CH_VALUE,
	['!'] = PUNCT, ['"'] = OTHER, ['#'] = CH_TOKEN | CH_VALUE, ['$' ... '\''] = PUNCT,
	['('] = OTHER, [')'] = OTHER, ['*'] = PUNCT, ['+'] = PUNCT, [','] = OTHER,
	['-'] = ALPHA, ['.'] = ALPHA, ['/'] = OTHER, ['0' ... '9'] = DIGIT, [':' ... '@'] = OTHER,
	['A' ... 'F'] = HEXAL, ['G' ... 'Z'] = ALPHA, ['[' ... ']'] = OTHER,
	['^'] = PUNCT, ['_'] = ALPHA, ['`'] = PUNCT, ['a' ... 'f'] = HEXAL, ['g' ... 'z'] = ALPHA,
	['{'] = OTHER, ['|'] = PUNCT, ['}'] = OTHER, ['~'] = PUNCT,
	[0x80 ... 0xff] = CH_VALUE,
};
/* clang-format on */

struct slice chars_trim(struct slice s)
{
	while (s.n && (s.p[0] == ' ' || s.p[0] == '\t'))
		s = (struct slice){ s.p + 1, s.n - 1 };
	while (s.n && (s.p[s.n - 1] == ' ' || s.p[s.n - 1] == '\t'))
		s.n--;
	return s;
}

bool chars_list(struct slice *rest, struct slice *ret)
{
	while (rest->n) {
		const char *comma = memchr(rest->p, ',', rest->n);
		size_t n = comma ? (size_t)(comma - rest->p) : rest->n;
		struct slice one = chars_trim((struct slice){ rest->p, n });

		n += comma != NULL;
		*rest = (struct slice){ rest->p + n, rest->n - n };
		if (one.n) {
			*ret = one;
			return true;
		}
	}
	return false;
}
