/* SPDX-License-Identifier: Apache-2.0 */
#include "chain.h"

#include <string.h>

static const char opener[] = ",\"chain\":\"", closer[] = "\"}\n";

_Static_assert(sizeof(opener) - 1 + 2 * HASH_LEN + sizeof(closer) - 1 == CHAIN_TAIL, "the tail is what the page says");

int chain_next(uint8_t chain[HASH_LEN], const char *line, size_t n, char ret_tail[CHAIN_TAIL])
{
	char hex[2 * HASH_LEN + 1], *p = ret_tail;
	int r = hash_pair(chain, HASH_LEN, line, n, chain);

	if (r < 0)
		return r;
	hash_hex(chain, hex);
	p = mempcpy(p, opener, sizeof(opener) - 1);
	p = mempcpy(p, hex, 2 * HASH_LEN);
	memcpy(p, closer, sizeof(closer) - 1);
	return 0;
}

static int digit(char c)
{
	return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool chain_hex(const char *text, uint8_t ret[HASH_LEN])
{
	uint8_t d[HASH_LEN];

	for (int i = 0; i < HASH_LEN; i++) {
		int hi = digit(text[2 * i]), lo = hi < 0 ? -1 : digit(text[2 * i + 1]);

		if (lo < 0)
			return false;
		d[i] = (uint8_t)(hi << 4 | lo);
	}
	memcpy(ret, d, HASH_LEN);
	return true;
}

bool chain_tail(const char tail[CHAIN_TAIL], uint8_t ret[HASH_LEN])
{
	return !memcmp(tail, opener, sizeof(opener) - 1) &&
	       !memcmp(tail + CHAIN_TAIL - sizeof(closer) + 1, closer, sizeof(closer) - 1) &&
	       chain_hex(tail + sizeof(opener) - 1, ret);
}
