/* SPDX-License-Identifier: Apache-2.0 */
#include "utf8.h"

#include <stddef.h>
#include <stdint.h>

/* Bytes of the character at p, 0 = it is none (RFC 3629: shortest form, no surrogates). NUL ends p.
 */
static size_t length(const unsigned char *p)
{
	static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	size_t n = p[0] < 0x80   ? 1
		   : p[0] < 0xc0 ? 0
		   : p[0] < 0xe0 ? 2
		   : p[0] < 0xf0 ? 3
		   : p[0] < 0xf8 ? 4
				 : 0;
	uint32_t c = n < 2 ? p[0] : p[0] & (0x7fu >> n);

	for (size_t i = 1; i < n; i++) {
		if ((p[i] & 0xc0) != 0x80)
			return 0;
		c = c << 6 | (p[i] & 0x3f);
	}
	if (!n || c < least[n] || c > 0x10ffff || (c >= 0xd800 && c < 0xe000))
		return 0;
	return c < 0x20 || (c >= 0x7f && c < 0xa0) ? 0 : n; /* the second block of controls, too */
}

void utf8_clean(char *s)
{
	for (unsigned char *p = (unsigned char *)s; *p;) {
		size_t n = length(p);

		if (!n)
			*p = '?';
		p += n ? n : 1;
	}
}
